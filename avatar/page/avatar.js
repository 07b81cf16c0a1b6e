/** The drawing as one thing: loads it, and poses it frame by frame from the face, the mouth and the time. */

import { Brows } from "./brows.js";
import { blend } from "./expressions.js";
import { Eyes } from "./eyes.js";
import { Mouth } from "./mouth.js";
import { Rig, write } from "./rig.js";
import { Spring, breeze } from "./springs.js";

const CALM = 0.25; // of every movement, for people who asked for less motion
const NECK = { x: 500, y: 640 };
const MUSING_S = 0.18; // how quickly the thinking face comes and goes
const MARKS = { stay: 1.3, fade: 0.5 }; // seconds that a drawn mark of an expression is seen

/** What hangs: how it follows the head (units of the drawing a degree) and how lively it is. */
const HANGING = {
  bangs: { spring: [2.6, 0.35], pull: 0.5, breeze: 1 },
  left: { spring: [1.5, 0.22], pull: 2.4, breeze: 4 },
  right: { spring: [1.6, 0.22], pull: 2.4, breeze: 4 },
  back: { spring: [1.0, 0.28], pull: 3.2, breeze: 6 },
  ahoge: { spring: [2.9, 0.13], pull: -1.8, breeze: 3 },
  charm: { spring: [2.1, 0.12], pull: 2.2, breeze: 2 },
};

const LIGHTS = {
  idle: "#7ffcff", listening: "#8dffb0", thinking: "#ffd76a", speaking: "#7ffcff", muted: "#8c8fb5", paused: "#8c8fb5",
};

export class Avatar {
  /** Loads the drawing into `container`. */
  static async load(container) {
    const answer = await fetch(new URL("./avatar.svg", import.meta.url));
    const drawing = new DOMParser().parseFromString(await answer.text(), "image/svg+xml").documentElement;
    const svg = document.importNode(drawing, true);
    svg.setAttribute("class", "aneeka-avatar");
    container.append(svg);
    return new Avatar(svg);
  }

  constructor(svg) {
    this.root = svg;
    const one = (selector) => svg.querySelector(selector);
    this.rig = new Rig(svg);
    this.eyes = new Eyes(one("#eyes"));
    this.mouth = new Mouth(one("#mouth"));
    this.brows = new Brows(one("#brows"));
    this.head = one("#head");
    this.hairBack = one("#hair-back");
    this.body = one("#body");
    this.charm = one("#charm");
    this.gem = one("#gem");
    this.gemGlow = one("#gem-glow");
    this.lights = [...svg.querySelectorAll(".light")];
    this.blushes = [...svg.querySelectorAll(".blush")];
    this.extras = ["bashful", "sweat", "cross", "sparkle", "shock"].map((name) => [name, one("." + name)]);
    this.springs = Object.fromEntries(Object.entries(HANGING).map(([name, { spring }]) => [name, new Spring(...spring)]));
    this.marked = {}; // seconds since each mark came up
    this.lift = new Spring(2.1, 0.3);
    this.shoulders = new Spring(1.1, 0.6);
    this.musing = 0;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
  }

  /**
   * @param {Face} face smoothed face
   * @param {number[]} row the mouth: [open, form, A, I, U, E, O]
   * @param {{state: string, seconds: number, dt: number, calm: boolean}} when what she does, the time and the step, and
   *     whether the operator wants little motion
   */
  draw(face, row, { state, seconds, dt, calm = false }) {
    const motion = this.calm.matches ? CALM : 1;
    const own = calm ? CALM : motion; // the face comes calmed already; what is added here must be as calm
    const [yaw, pitch, roll] = face.head.map((angle) => angle * motion);
    const mix = blend(face.weights);
    this.musing += ((state === "thinking" ? 1 : 0) - this.musing) * (1 - Math.exp(-dt / MUSING_S));
    muse(mix, this.musing);
    this.#moveBody(face, motion, { yaw, roll, lift: mix.lift * own, dt });
    this.rig.bend({ yaw, pitch, jaw: row[0] * 15, sways: this.#hang(yaw, roll, face.sway[0], seconds, dt, own) });
    this.eyes.draw(this.rig, { blink: face.blink, gaze: face.gaze, mix });
    this.brows.draw(this.rig, { brow: face.brow, mix });
    this.mouth.draw(this.rig, row, mix);
    this.#drawExtras(mix, dt);
    this.#light(state, seconds, own);
  }

  /** The whole upper body takes part: weight shifts, shoulders that follow the head late, a start that springs. */
  #moveBody(face, motion, { yaw, roll, lift, dt }) {
    const x = face.sway[0] * 30 * motion;
    const up = face.breath * 7 * motion - face.sway[1] * 8 * motion + this.lift.follow(lift, dt);
    const turned = this.shoulders.follow(yaw, dt);
    const lean = face.sway[0] * 1.1 * motion + roll * 0.22;
    write(this.body, "transform", `translate(${tenth(x * 0.4 + turned * 0.9)} ${tenth(-up * 0.8)}) rotate(${hundredth(lean)} 500 1080)`);
    const along = lean * 6.5; // what the lean moves the neck aside
    const place = `translate(${tenth(x * 0.6 + turned * 0.7 + along)} ${tenth(-up)})`;
    write(this.head, "transform", `${place} rotate(${hundredth(roll)} ${NECK.x} ${NECK.y})`);
    write(this.hairBack, "transform", `${place} rotate(${hundredth(roll * 0.8)} ${NECK.x} ${NECK.y})`);
  }

  /** Hanging parts are pulled back to the plumb line: the springs lag, and so they swing. */
  #hang(yaw, roll, sway, seconds, dt, motion) {
    const sways = {};
    let seed = 0;
    for (const [name, { pull, breeze: blown }] of Object.entries(HANGING)) {
      const target = -(yaw * 0.6 + roll * 1.4 + sway * 4) * pull + breeze(seconds, seed++) * blown * motion;
      const x = this.springs[name].follow(target, dt);
      sways[name] = { x, y: -Math.abs(x) * 0.12 };
    }
    const [px, py] = this.rig.place(640, 318, 118);
    write(this.charm, "transform", `rotate(${tenth(sways.charm.x)} ${tenth(px)} ${tenth(py)})`);
    delete sways.charm;
    return sways;
  }

  #drawExtras(mix, dt) {
    const blush = String(hundredth(Math.min(Math.max(mix.blush, 0), 1)));
    for (const element of this.blushes) write(element, "opacity", blush);
    for (const [name, element] of this.extras) {
      const shown = Math.min(Math.max(mix[name], 0), 1);
      this.marked[name] = shown < 0.3 ? 0 : (this.marked[name] ?? 0) + dt;
      const left = 1 - (this.marked[name] - MARKS.stay) / MARKS.fade;
      const share = shown * Math.min(Math.max(left, 0), 1);
      write(element, "opacity", String(hundredth(share)));
      write(element, "visibility", share < 0.01 ? "hidden" : "visible");
    }
  }

  #light(state, seconds, motion) {
    const colour = LIGHTS[state] ?? LIGHTS.idle;
    write(this.gem, "fill", colour);
    for (const element of this.lights) write(element, "stroke", colour);
    const beat = state === "thinking" || state === "listening" ? 0.5 + 0.35 * Math.sin(seconds * 5) * motion : 0.65;
    write(this.gemGlow, "opacity", String(Math.round(beat * 20) / 20));
  }
}

/** The face of somebody who looks for words: one brow up, the mouth drawn to a side. */
function muse(mix, share) {
  mix.browSkew += 8 * share;
  mix.shift += 5 * share;
  mix.width -= 5 * share;
  mix.corner -= 0.25 * share;
}

function tenth(value) {
  return Math.round(value * 10) / 10;
}

function hundredth(value) {
  return Math.round(value * 100) / 100;
}
