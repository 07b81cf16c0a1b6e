/**
 * The line to the guard: a process of its own, so that panic reaches this page while the program itself hangs.
 *
 * She is silenced while more panics were pressed than resumed from. Both the guard and the program tell the counts;
 * where the guard listens only the program tells.
 */

import { Link } from "./link.js";

export class GuardLink {
  #token;
  #onSilence;
  #link = null;
  #port = null;
  #life = "";
  #panics = 0;
  #resumed = 0;

  /**
   * @param {string} token query string of this page, handed on as it is
   * @param {(silenced: boolean) => void} onSilence called at each change
   */
  constructor(token, onSilence) {
    this.#token = token;
    this.#onSilence = onSilence;
  }

  get silenced() {
    return this.#panics > this.#resumed;
  }

  /** Takes the guard's news, whoever brings it; counts of another life of the program begin anew. */
  heed({ port, life, panics, resumed }) {
    const before = this.silenced;
    if (life !== this.#life) this.#panics = this.#resumed = 0;
    this.#life = life;
    this.#panics = Math.max(this.#panics, panics);
    this.#resumed = Math.max(this.#resumed, resumed);
    if (this.silenced !== before) this.#onSilence(this.silenced);
    if (port && port !== this.#port) this.#connect(port);
  }

  /** Silences her everywhere, if this page may. */
  panic() {
    this.#link?.send({ type: "panic" });
  }

  close() {
    this.#link?.close();
  }

  #connect(port) {
    this.close();
    this.#port = port;
    const nothing = () => {};
    const on = { open: nothing, message: (message) => this.heed(message), sound: nothing, close: nothing };
    this.#link = new Link(this.#token, on, { host: `${location.hostname}:${port}`, path: "/api/guard" });
  }
}
