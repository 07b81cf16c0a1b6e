/** Captions on the screen: the phrase that is heard, its words appearing as they sound, gone a while after the end. */

import { layOut } from "./caption-layout.js";

const STAYS_MS = 3000;
const STAYS_AFTER_CUT_MS = 700;
const FADE_MS = 350;
const WIDTH_SHARE = 0.9;

export class CaptionsView {
  #screen = null; // what is shown: {phrase, width, lines, box, spans, shown}
  #pen = document.createElement("canvas").getContext("2d");

  /**
   * @param {Element} container
   * @param {boolean} announce read phrases out to people who use a screen reader
   */
  constructor(container, announce) {
    this.root = document.createElement("div");
    this.root.className = "aneeka-captions";
    this.root.ariaHidden = "true";
    container.append(this.root);
    if (announce) {
      this.live = document.createElement("p");
      this.live.className = "aneeka-announced";
      this.live.ariaLive = "polite";
      container.append(this.live);
    }
    this.sizes = new ResizeObserver(() => this.#measure());
    this.sizes.observe(this.root);
    this.#measure();
  }

  /** Draws the state of `playback` at `nowMs`. */
  draw(playback, nowMs) {
    if (playback.withdrawn) return this.#wipe();
    const current = playback.current;
    const silentMs = playback.silentFor(nowMs);
    const stays = playback.cutAt === null ? STAYS_MS : STAYS_AFTER_CUT_MS;
    if (!current || (silentMs !== null && silentMs > stays)) return this.#leave();
    const { phrase, heard } = current;
    if (heard === 0 && this.#screen?.phrase !== phrase) return;
    if (this.#screen?.phrase !== phrase || this.#screen.width !== this.width) this.#enter(phrase);
    this.#reveal(heard);
  }

  close() {
    this.sizes.disconnect();
    this.root.remove();
    this.live?.remove();
  }

  #measure() {
    const { fontSize, fontFamily, fontWeight } = getComputedStyle(this.root);
    this.#pen.font = `${fontWeight} ${fontSize} ${fontFamily}`;
    this.width = this.root.clientWidth * WIDTH_SHARE;
  }

  #enter(phrase) {
    const again = this.#screen?.phrase === phrase;
    this.#screen?.box?.remove(); // words over words cannot be read: only the last phrase fades
    const screens = layOut(phrase.letters, this.width, (text) => this.#pen.measureText(text).width);
    this.#screen = { phrase, width: this.width, screens, page: -1, box: null, shown: 0 };
    if (this.live && !again) this.live.textContent = phrase.text;
  }

  #reveal(heard) {
    const screen = this.#screen;
    const last = screen.screens.findLastIndex(([line]) => line.from < heard);
    const page = Math.max(last, 0);
    if (page !== screen.page) this.#turnTo(page);
    if (heard === screen.shown) return;
    screen.shown = heard;
    for (const { from, to, seen, unseen, letters } of screen.lines) {
      const cut = Math.min(Math.max(heard - from, 0), to - from);
      seen.textContent = letters.slice(0, cut).join("");
      unseen.textContent = letters.slice(cut).join("");
    }
  }

  #turnTo(page) {
    const screen = this.#screen;
    screen.box?.remove();
    screen.page = page;
    screen.shown = -1;
    screen.box = document.createElement("div");
    screen.box.className = "aneeka-caption";
    screen.lines = (screen.screens[page] ?? []).map(({ from, to }) => {
      const line = document.createElement("div");
      const seen = document.createElement("span");
      const unseen = document.createElement("span");
      unseen.className = "unseen";
      line.append(seen, unseen);
      screen.box.append(line);
      return { from, to, seen, unseen, letters: screen.phrase.letters.slice(from, to) };
    });
    this.root.append(screen.box);
  }

  /** What was taken back does not even fade. */
  #wipe() {
    this.#screen = null;
    this.root.replaceChildren();
    if (this.live) this.live.textContent = "";
  }

  #leave() {
    if (!this.#screen) return;
    fadeOut(this.#screen.box);
    this.#screen = null;
  }
}

function fadeOut(box) {
  if (!box) return;
  box.classList.add("leaving");
  setTimeout(() => box.remove(), FADE_MS);
}
