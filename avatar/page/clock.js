/** Clocks: from what is reported now and then to what is true at this very frame. */

const DRIFT_MS = 0.005;

/**
 * Maps another clock onto performance.now(). Reports can only be late, never early, so the least delay seen is the
 * truth; a slow leak lets the map follow two clocks that drift apart.
 */
export class TimeMap {
  offset = Infinity;

  /** @param {number} theirMs time on the other clock @param {number} nowMs performance.now() at its arrival */
  tell(theirMs, nowMs) {
    this.offset = Math.min(this.offset + DRIFT_MS, nowMs - theirMs);
  }

  toTheirs(nowMs) {
    return nowMs - this.offset;
  }

  reset() {
    this.offset = Infinity;
  }
}

/** How far a page that does not sound runs on by itself after the server's last word. */
const LONGEST_GUESS_MS = 300;

/** The audible position of a reply that sounds elsewhere, kept between the server's `clock` messages. */
export class RemoteClock {
  #map = new TimeMap();
  #played = 0;
  #serverMs = 0;
  #known = false;

  constructor(rateHz) {
    this.perMs = rateHz / 1000;
  }

  tell(played, serverMs, nowMs) {
    this.#map.tell(serverMs, nowMs);
    this.#played = played;
    this.#serverMs = serverMs;
    this.#known = true;
  }

  /** Samples audible at `nowMs`; 0 until the first report. */
  position(nowMs) {
    if (!this.#known) return 0;
    const since = this.#map.toTheirs(nowMs) - this.#serverMs;
    return this.#played + Math.min(Math.max(since, 0), LONGEST_GUESS_MS) * this.perMs;
  }
}
