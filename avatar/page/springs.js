/** Springs for what hangs: hair and ornaments lag behind the head and swing out. */

const LONGEST_STEP_S = 1 / 60;

export class Spring {
  value = 0;
  #speed = 0;

  /** @param {number} hertz own frequency @param {number} damping 1 = no overshoot */
  constructor(hertz, damping) {
    this.stiffness = (2 * Math.PI * hertz) ** 2;
    this.friction = 2 * damping * 2 * Math.PI * hertz;
  }

  follow(target, dt) {
    for (let left = Math.min(dt, 0.1); left > 0; left -= LONGEST_STEP_S) {
      const step = Math.min(left, LONGEST_STEP_S);
      this.#speed += (this.stiffness * (target - this.value) - this.friction * this.#speed) * step;
      this.value += this.#speed * step;
    }
    return this.value;
  }
}

/** A slow breeze, the same on every machine: two sines that never quite repeat. */
export function breeze(seconds, seed) {
  return 0.6 * Math.sin(seconds * 0.9 + seed * 2.1) + 0.4 * Math.sin(seconds * 0.37 + seed * 5.3);
}
