/**
 * Aneeka herself: avatar, sound and captions in one element. The OBS page and the studio both mount this very view.
 *
 *   import { mountStage } from "/static/page/stage-view.js";
 *   const stage = mountStage(element, { kind: "studio", token: location.search, captions: true, onState });
 *
 * Options
 *   kind      "stage" (OBS) or "studio"
 *   token     query string handed on to the WebSocket ("?token=…"), "" where a cookie does it
 *   captions  show what she says, word by word
 *   onState   called with a fresh snapshot whenever one of these changes:
 *             { connected, canSound, sounding, silenced, state, muted, paused, name, language }
 *               canSound  the browser lets this page play sound (false until the first click or key, see resumeSound)
 *               sounding  this page is the one that plays her sound
 *               silenced  panic was pressed and not yet resumed from
 *               state     "idle" | "listening" | "thinking" | "speaking" | "muted" | "paused"
 * Result
 *   takeSound()    ask the server to sound here; call it from a click, it resumes the sound as well
 *   resumeSound()  let the browser play; call it from a click or key; resolves to canSound
 *   panic()        silence her everywhere through the guard, also while the program hangs (the studio's page alone may)
 *   place({x, y, scale, mirror})  where her picture stands, in pixels
 *   snapshot()     what onState gets
 *   close()        leave: link, sound and picture are gone
 *
 * The element needs a size of its own; the view fills it, with a transparent background. The view brings its own style
 * sheet, and shows its own "click to hear her" hint. Tests read `window.aneeka`.
 */
import { Avatar } from "./avatar.js";
import { CaptionsView } from "./captions-view.js";
import { CardView } from "./card-view.js";
import { approach, Face } from "./face.js";
import { GuardLink } from "./guard-link.js";
import { Hint } from "./hint.js";
import { LayerAvatar, layerNames } from "./layers.js";
import { Link } from "./link.js";
import { SHUT } from "./mouth-track.js";
import { Playback } from "./playback.js";
import { Sound } from "./sound.js";

const RATE_HZ = 48000;
const EARLY_MS = 10; // what is drawn now is seen a moment later; a mouth may be early, never late
const SHUTTING_S = 0.025;
const GESTURES = ["pointerdown", "keydown"];

export function mountStage(container, options) {
  return new StageView(container, options);
}

class StageView {
  #state = { connected: false, sounding: false, silenced: false, state: "idle", muted: false, paused: false, name: "", language: "es" };
  #known = "";
  #row = [...SHUT];
  #before = performance.now();
  #avatar = null;
  #calm = false;
  #placed = "";
  #playback = new Playback();
  #face = new Face();

  constructor(container, { kind, token, captions, onState = () => {} }) {
    this.kind = kind;
    this.onState = onState;
    this.root = document.createElement("div");
    this.root.className = "aneeka-view";
    this.root.hidden = true;
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("./stage-view.css", import.meta.url);
    style.onload = () => (this.root.hidden = false);
    document.head.append(style);
    container.append(this.root);

    this.#loadAvatar();
    this.card = new CardView(this.root);
    this.captions = captions ? new CaptionsView(this.root, kind === "studio") : null;
    this.hint = new Hint(this.root, kind, () => this.resumeSound());
    this.sound = new Sound(RATE_HZ, {
      change: () => this.#ready(),
      played: (serial, samples, at_ms) => this.link.send({ type: "played", serial, samples, at_ms }),
      stopped: (serial, samples) => this.link.send({ type: "stopped", serial, samples }),
    });
    this.link = new Link(token, {
      open: () => this.#ready(),
      message: (message) => this.#take(message),
      sound: (bytes) => this.sound.write(bytes),
      close: () => this.#lost(),
    });
    this.guard = new GuardLink(token, (silenced) => this.#hush(silenced));
    this.wake = () => this.resumeSound();
    for (const gesture of GESTURES) document.addEventListener(gesture, this.wake);
    window.aneeka = { mouth: { open: 0, form: 0, vowels: [0, 0, 0, 0, 0] }, caption: "", played: 0, rms: 0, speaking: false };
    this.frame = requestAnimationFrame((now) => this.#draw(now));
  }

  async #loadAvatar() {
    const layers = await layerNames();
    const avatar = layers.length ? await LayerAvatar.load(this.root, layers) : await Avatar.load(this.root);
    avatar.root.style.transform = this.#placed;
    this.#avatar = avatar;
  }

  takeSound() {
    this.resumeSound();
    this.link.send({ type: "take_sound" });
  }

  async resumeSound() {
    const canSound = await this.sound.resume();
    if (canSound) for (const gesture of GESTURES) document.removeEventListener(gesture, this.wake);
    return canSound;
  }

  panic() {
    this.guard.panic();
  }

  /** Moves, scales and mirrors her picture; captions and card stay where they are. */
  place({ x, y, scale, mirror }) {
    this.#placed = `translate(${x}px, ${y}px) scale(${mirror ? -scale : scale}, ${scale})`;
    if (this.#avatar) this.#avatar.root.style.transform = this.#placed;
  }

  snapshot() {
    return { ...this.#state, canSound: this.sound.canSound };
  }

  close() {
    cancelAnimationFrame(this.frame);
    for (const gesture of GESTURES) document.removeEventListener(gesture, this.wake);
    this.link.close();
    this.guard.close();
    this.sound.close();
    this.captions?.close();
    this.root.remove();
  }

  #ready() {
    this.link?.send({ type: "ready", kind: this.kind, can_sound: this.sound.canSound });
    this.#change({});
  }

  #lost() {
    this.sound.cut();
    this.card.show({});
    this.#playback.begin({ serial: -1 });
    this.#change({ connected: false, sounding: false });
  }

  #change(changes) {
    Object.assign(this.#state, changes);
    const line = JSON.stringify(this.snapshot());
    if (line === this.#known) return;
    this.#known = line;
    this.onState(this.snapshot());
  }

  #take(message) {
    if (message.type === "hello") {
      const { name, language, state, muted, paused } = message;
      this.guard.heed(message.guard);
      this.#calm = message.reduced_motion === true;
      this.#change({ connected: true, name, language, state, muted, paused });
    } else if (message.type === "guard") {
      this.guard.heed(message);
    } else if (message.type === "sounding") {
      if (message.value) this.sound.begin(this.#playback.serial);
      else this.sound.cut();
      this.#change({ sounding: message.value === true });
    } else if (message.type === "state") this.#change({ state: message.state });
    else if (message.type === "face") this.#face.take(message, performance.now());
    else if (message.type === "card") this.card.show(message);
    else this.#reply(message);
  }

  #reply(message) {
    this.#playback.take(message, performance.now());
    if (message.type === "begin") this.sound.begin(message.serial);
    else if (message.type === "cut" && message.serial === this.#playback.serial) this.sound.cut();
  }

  #hush(silenced) {
    this.sound.hush(silenced);
    this.#change({ silenced });
    if (!silenced) return;
    this.#playback.take({ type: "cut", serial: this.#playback.serial }, performance.now());
    this.card.show({});
  }

  #draw(frameMs) {
    const nowMs = performance.now();
    const dt = Math.min((frameMs - this.#before) / 1000, 0.1);
    this.#before = frameMs;
    const playback = this.#playback;
    playback.advance(nowMs, this.#state.sounding && this.sound.canSound ? this.sound.position(nowMs) : null);
    const speaking = playback.isAudible(nowMs);
    this.#moveMouth(speaking, Math.max(dt, 0));
    const expression = playback.current?.phrase.expression ?? "neutral";
    this.#face.advance(nowMs, Math.max(dt, 0), speaking ? expression : "neutral");
    this.#avatar?.draw(this.#face, this.#row, {
      state: this.#state.state,
      seconds: nowMs / 1000,
      dt: Math.max(dt, 0),
      calm: this.#calm,
    });
    this.captions?.draw(playback, nowMs);
    this.hint.draw(this.sound.canSound, nowMs);
    this.#publish(speaking);
    this.frame = requestAnimationFrame((next) => this.#draw(next));
  }

  #moveMouth(speaking, dt) {
    if (speaking) this.#row = this.#playback.mouth.row(this.#playback.heard + (EARLY_MS / 1000) * RATE_HZ);
    else this.#row = this.#row.map((value) => (Math.abs(value) < 0.004 ? 0 : value * (1 - approach(dt, SHUTTING_S))));
  }

  /** What tests and curious people read in the console. */
  #publish(speaking) {
    const [open, form, ...vowels] = this.#row;
    const { connected, sounding, silenced, state } = this.#state;
    Object.assign(window.aneeka, {
      mouth: { open, form, vowels },
      expression: this.#face.expression,
      caption: this.#playback.text,
      played: this.#playback.heard,
      rms: this.sound.rms,
      drawn: this.#avatar !== null,
      speaking,
      connected,
      sounding,
      silenced,
      state,
    });
  }
}
