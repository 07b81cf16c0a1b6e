/** Smooths the server's face frames to the display's rate; a gentle still face when none come. */

export const EXPRESSIONS = ["neutral", "happy", "excited", "sad", "angry", "surprised", "shy"];

const FRESH_MS = 300;
const QUICK_S = 0.025; // lids
const SMOOTH_S = 0.035; // head, gaze, brows, sway
const RESTING_S = 0.3;
const RISE_S = 0.1;
const DECAY_S = 0.28;

export class Face {
  blink = [0, 0];
  gaze = [0, 0];
  head = [0, 0, 0];
  sway = [0, 0];
  breath = 0;
  brow = 0;
  weights = Object.fromEntries(EXPRESSIONS.map((name) => [name, 0]));
  expression = "neutral";
  #frame = null;
  #frameMs = -Infinity;

  take(frame, nowMs) {
    this.#frame = frame;
    this.#frameMs = nowMs;
  }

  /** Moves on by `dt` seconds. `wanted` is the expression to hold while no frames come. */
  advance(nowMs, dt, wanted) {
    const fresh = nowMs - this.#frameMs < FRESH_MS;
    const frame = fresh ? this.#frame : {};
    const slow = approach(dt, fresh ? SMOOTH_S : RESTING_S);
    const quick = approach(dt, fresh ? QUICK_S : SMOOTH_S);
    ease(this.blink, frame.blink, quick, 0, 1);
    ease(this.gaze, frame.gaze, slow, -1, 1);
    ease(this.head, frame.head, slow, -40, 40);
    ease(this.sway, frame.sway, slow, -2, 2);
    const ownBreath = 0.5 - 0.5 * Math.cos(nowMs / 700);
    this.breath += (bounded(frame.breath ?? ownBreath, 0, 1) - this.breath) * slow;
    this.brow += (bounded(frame.brow, -1, 1) - this.brow) * slow;
    const name = frame.expression ?? wanted;
    this.expression = EXPRESSIONS.includes(name) ? name : "neutral";
    for (const each of EXPRESSIONS) {
      const target = each === this.expression ? bounded(frame.weight ?? 1, 0, 1) : 0;
      const rate = target > this.weights[each] ? RISE_S : DECAY_S;
      this.weights[each] += (target - this.weights[each]) * approach(dt, rate);
    }
  }
}

/** Share of the way that a one-pole filter of time constant `tau` goes in `dt` seconds. */
export function approach(dt, tau) {
  return 1 - Math.exp(-dt / tau);
}

function ease(values, targets, share, low, high) {
  for (let i = 0; i < values.length; i++) values[i] += (bounded(targets?.[i], low, high) - values[i]) * share;
}

function bounded(value, low, high) {
  return Math.min(Math.max(Number(value) || 0, low), high);
}
