/** The mouth of one reply over time: rows of seven numbers, found by the audible position. */

/** A mouth at rest: [open, form, A, I, U, E, O], the wire's order; 0..1, form -1..1. */
export const SHUT = [0, 0, 0, 0, 0, 0, 0];

export class MouthTrack {
  #times = [];
  #rows = [];
  #at = 0;
  #step = 0;

  /** Appends one `mouth` message: a row each `step` samples from sample `at`, in hundredths. */
  add({ at, step, frames }) {
    if (!Array.isArray(frames) || !(step > 0)) return;
    this.#step = step;
    frames.forEach((row, i) => {
      this.#times.push(at + i * step);
      this.#rows.push(SHUT.map((_, n) => (Number(row[n]) || 0) / 100));
    });
  }

  /** First sample after the last row. */
  get end() {
    return this.#times.length ? this.#times.at(-1) + this.#step : 0;
  }

  /** The row at sample `position`, interpolated; shut where there is none. Positions must not go back. */
  row(position) {
    const times = this.#times;
    while (this.#at + 1 < times.length && times[this.#at + 1] <= position) this.#at++;
    const i = this.#at;
    if (i >= times.length || position < times[i]) return SHUT;
    const next = this.#rows[i + 1] ?? SHUT;
    const share = (position - times[i]) / (times[i + 1] - times[i] || this.#step);
    if (share >= 1) return i + 1 < times.length ? next : SHUT;
    return this.#rows[i].map((value, n) => value + (next[n] - value) * share);
  }
}
