/** The reply that is heard now: its phrases, its mouth, and how much of it is audible. Older serials are nothing. */

import { RemoteClock } from "./clock.js";
import { Phrase } from "./caption-text.js";
import { MouthTrack } from "./mouth-track.js";

export class Playback {
  rateHz = 48000;
  #remote;

  constructor() {
    this.begin({ serial: -1 });
  }

  begin({ serial, reply = "" }) {
    this.serial = serial;
    this.reply = reply;
    this.withdrawn = false;
    this.phrases = [];
    this.mouth = new MouthTrack();
    this.samples = null;
    this.cutAt = null;
    this.heard = 0;
    this.movedMs = -Infinity;
    this.#remote = new RemoteClock(this.rateHz);
  }

  /** Takes one message about a reply; what belongs to another serial is dropped. */
  take(message, nowMs) {
    if (message.type === "begin") return this.begin(message);
    if (message.type === "withdrawn") return this.#withdraw(message.replies, nowMs);
    if (message.serial !== this.serial) return;
    if (message.type === "phrase" && !this.#phrase(message.index)) {
      this.phrases.push(new Phrase(message));
      this.phrases.sort((a, b) => a.index - b.index);
    } else if (message.type === "words") this.#phrase(message.index)?.addWords(message.words);
    else if (message.type === "mouth") this.mouth.add(message);
    else if (message.type === "clock") this.#remote.tell(message.played, message.server_ms, nowMs);
    else if (message.type === "end") this.samples = message.samples;
    else if (message.type === "cut") this.cutAt ??= nowMs;
  }

  /** Moves to `nowMs`; `ownPosition` is that of the sound in this page, null where it sounds elsewhere. */
  advance(nowMs, ownPosition) {
    if (this.cutAt !== null) return;
    let position = ownPosition ?? this.#remote.position(nowMs);
    if (this.samples !== null) position = Math.min(position, this.samples);
    if (position > this.heard) {
      this.heard = position;
      this.movedMs = nowMs;
    }
  }

  /** Whether sound is coming out, give or take a report. */
  isAudible(nowMs) {
    return this.cutAt === null && nowMs - this.movedMs < 120 && this.heard !== this.samples;
  }

  /** Milliseconds since she fell silent, finished or cut; null while a reply goes on. */
  silentFor(nowMs) {
    if (this.cutAt !== null) return nowMs - this.cutAt;
    return this.samples !== null && this.heard >= this.samples ? nowMs - this.movedMs : null;
  }

  /** The phrase that is heard now, and how many of its code points. */
  get current() {
    const i = this.phrases.findLastIndex((phrase) => phrase.at < this.heard);
    return i < 0 ? null : { phrase: this.phrases[i], heard: this.#heardOf(i) };
  }

  /** All that has been heard of this reply. */
  get text() {
    const parts = this.phrases.map((phrase, i) => phrase.letters.slice(0, this.#heardOf(i)).join("").trim());
    return parts.filter(Boolean).join(" ");
  }

  /** A moderator took back what she answered: nothing of the reply is shown any more. */
  #withdraw(replies, nowMs) {
    if (!replies.includes(this.reply)) return;
    this.begin({ serial: -1 });
    this.withdrawn = true;
    this.cutAt = nowMs;
  }

  #heardOf(i) {
    const end = this.phrases[i + 1]?.at ?? this.samples;
    return this.phrases[i].heard(this.heard, end, this.rateHz);
  }

  #phrase(index) {
    return this.phrases.find((phrase) => phrase.index === index);
  }
}
