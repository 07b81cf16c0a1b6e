/** The operator's microphone: which one, when it listens, how loud it is, and what she understood. */

import { send } from "./api.js";
import { byId, el, showText } from "./dom.js";
import { languageOfServer, number, onLanguage, text } from "./language.js";
import { mountCapture } from "./microphone-capture.js";
import { keep, recall } from "./store.js";

const QUIETEST_DB = -60;
const METER_REST_MS = 500;
const VALUE_EVERY_MS = 1_000;
/** The server lets go of a key of which it hears nothing for two minutes. */
const TALK_AGAIN_MS = 60_000;
const KEYS = ["Enter", " "];
/** What stands before a name in the list of microphones. */
const CARD = "card:";
const BROWSER = "browser:";

/** Mounts the panel; it stays hidden while the server offers no microphone. */
export function mountMicrophone() {
  const panel = byId("microphone");
  const list = byId("microphone-device");
  const meter = byId("microphone-meter");
  let state = null;
  let devices = [];
  let browserDevices = [];
  let capture = "idle";
  let light = { state: "off" };
  let said = null;
  let restTimer = null;
  let valueAt = -Infinity;

  const recorder = mountCapture((status) => {
    capture = status;
    if (status === "open") listBrowserDevices();
    if (state) draw();
  });

  async function restore(newLight = light) {
    light = newLight;
    const answer = await fetch("/api/microphone", { credentials: "same-origin" }).catch(() => null);
    const { offered, devices: plugged, ...rest } = answer?.ok ? await answer.json() : {};
    panel.hidden = !offered;
    if (!offered) return recorder.stop();
    [devices, state] = [plugged, rest];
    await listBrowserDevices();
    follow();
  }

  /** Without a permission the browser tells how many there are, but no names. */
  async function listBrowserDevices() {
    const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    browserDevices = all.filter(({ kind, deviceId, label }) => kind === "audioinput" && label && !["default", "communications"].includes(deviceId));
    if (state) drawDevices();
  }

  /** Records here if the browser's microphone is chosen and this browser was it last; else lets go. */
  function follow() {
    const here = state.source === "browser" && state.mode !== "off" && recall("microphone", false);
    if (!here) recorder.stop();
    else if (capture === "idle") recorder.start(recall("microphone-device", ""));
    draw();
  }

  async function choose(change) {
    const answer = await send("POST", "/api/microphone", change);
    if (answer) state = answer;
    if (state) follow();
  }

  list.addEventListener("change", () => {
    const browser = list.value.startsWith(BROWSER);
    if (!browser) return choose({ source: "sound_card", device: list.value.slice(CARD.length) });
    keep("microphone-device", list.value.slice(BROWSER.length));
    useHere();
  });
  list.addEventListener("focus", () => restore());
  navigator.mediaDevices?.addEventListener("devicechange", () => {
    if (["lost", "missing", "busy"].includes(capture)) capture = "idle";
    restore();
  });
  byId("microphone-here").addEventListener("click", useHere);

  /** The question of the browser belongs to the click, so it comes before the server's answer. */
  function useHere() {
    keep("microphone", true);
    recorder.start(recall("microphone-device", ""));
    choose({ source: "browser" });
  }

  for (const button of panel.querySelectorAll("[data-mode]")) {
    button.addEventListener("click", () => choose({ mode: button.dataset.mode }));
  }

  mountTalk();
  onLanguage(() => state && draw());

  /** Press and release go out one after the other, whatever the network does. */
  function mountTalk() {
    const button = byId("microphone-talk");
    let held = false;
    let again = null;
    let sent = Promise.resolve();
    const tell = (verb) => (sent = sent.then(() => send("POST", `/api/control/${verb}`, {})));
    const down = () => {
      if (held) return;
      held = true;
      tell("talk");
      again = setInterval(() => tell("talk"), TALK_AGAIN_MS);
    };
    const up = () => {
      if (!held) return;
      held = false;
      clearInterval(again);
      tell("release");
    };
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      down();
    });
    button.addEventListener("keydown", (event) => {
      if (!KEYS.includes(event.key)) return;
      event.preventDefault();
      down();
    });
    for (const end of ["pointerup", "pointercancel", "keyup", "blur"]) button.addEventListener(end, up);
    addEventListener("pagehide", () => held && navigator.sendBeacon("/api/control/release"));
  }

  function draw() {
    const off = state.mode === "off";
    for (const button of panel.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === state.mode));
    byId("microphone-talk").hidden = state.mode !== "push_to_talk";
    byId("microphone-talk").dataset.on = String(state.talking);
    byId("microphone-talk-label").textContent = text(state.talking ? "microphone.talking" : "microphone.talk");
    meter.hidden = off;
    byId("microphone-heard").hidden = off;
    const elsewhere = state.source === "browser" && !off && !["open", "asking", "blocked"].includes(capture);
    byId("microphone-here").hidden = !elsewhere;
    byId("microphone-here").textContent = text(capture === "taken" ? "microphone.take" : "microphone.here");
    drawNote(off);
    drawDevices();
    drawHeard();
  }

  /** Why nothing is heard comes first: the server knows it, unless the browser stands in the way. */
  function drawNote(off) {
    const note = byId("microphone-note");
    const ill = light.state === "degraded" || (light.state === "down" && state.source === "sound_card");
    note.lang = ill && !off ? languageOfServer() : document.documentElement.lang;
    if (off) showText(note, text("microphone.note_off"));
    else if (ill) showText(note, `${light.reason} ${light.repair}`);
    else showText(note, state.source === "browser" ? text(`microphone.note_${capture}`) : "");
  }

  function drawDevices() {
    const known = !state.device || devices.some((name) => name === state.device);
    const cards = ["", ...(known ? [] : [state.device]), ...devices];
    const choices = [{ deviceId: "", label: text("microphone.browser_default") }, ...browserDevices];
    const signature = JSON.stringify([cards, choices, text("microphone.browser")]);
    // A list that is open must not be made anew under the pointer.
    if (signature !== list.dataset.drawn) {
      list.dataset.drawn = signature;
      list.replaceChildren(...drawGroups(cards, choices));
    }
    list.value = state.source === "browser" ? BROWSER + recall("microphone-device", "") : CARD + state.device;
    if (list.selectedIndex < 0) list.value = BROWSER;
  }

  function drawGroups(cards, choices) {
    const card = el("optgroup", { label: text("microphone.sound_card") }, ...cards.map((name) => el("option", { value: CARD + name }, name || text("microphone.system"))));
    const browser = el("optgroup", { label: text("microphone.browser") }, ...choices.map(({ deviceId, label }) => el("option", { value: BROWSER + deviceId }, label)));
    return [card, browser];
  }

  function drawHeard() {
    const words = byId("microphone-words");
    words.lang = languageOfServer();
    words.className = said?.final ? "" : "to-say";
    words.textContent = said?.text || text("microphone.nothing_yet");
    showText(byId("microphone-unanswered"), said?.final && !said.answered ? text("microphone.unanswered") : "");
  }

  function showLevel(db, speech) {
    const level = Math.max(0, Math.min(1, 1 - db / QUIETEST_DB));
    meter.firstElementChild.style.transform = `scaleX(${level})`;
    meter.dataset.speech = String(speech);
    if (performance.now() - valueAt < VALUE_EVERY_MS) return;
    valueAt = performance.now();
    meter.setAttribute("aria-valuenow", String(Math.round(Math.max(QUIETEST_DB, db))));
    meter.setAttribute("aria-valuetext", text(speech ? "microphone.level_speech" : "microphone.level_quiet", { db: number(db) }));
  }

  return {
    restore,
    /** Takes a live `microphone` message. */
    show(message) {
      if (!state) return restore();
      state = message;
      follow();
    },
    /** Takes a live `hearing` message. */
    level({ level_db, speech }) {
      showLevel(level_db, speech);
      clearTimeout(restTimer);
      restTimer = setTimeout(() => showLevel(QUIETEST_DB, false), METER_REST_MS);
    },
    partial({ text: words }) {
      said = { text: words, final: false };
      drawHeard();
    },
    final({ text: words, answered }) {
      said = { text: words, final: true, answered };
      drawHeard();
    },
    /** Takes a live `health` message: when the page that was the microphone has gone, this one may take its place. */
    serving({ part, ...rest }) {
      if (part !== "microphone") return;
      light = rest;
      if (!state) return;
      if (light.state === "down" && capture === "taken") capture = "idle";
      follow();
    },
  };
}
