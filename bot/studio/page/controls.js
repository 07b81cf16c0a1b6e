/** Mute, pause, skip and panic, as buttons and as keys. The server's state decides what they say. */

import { send } from "./api.js";
import { announce, byId } from "./dom.js";
import { onLanguage, text } from "./language.js";
import { keep, recall } from "./store.js";

const TWICE_MS = 700;
const TYPING = "input, textarea, select, [contenteditable]";

/**
 * Mounts the buttons and the keys; `show(state)` takes `{muted, paused, away}`, `silenced` whether the guard has silenced her,
 * `attach` the stage view, whose line to the guard carries panic also while the program hangs.
 */
export function mountControls() {
  const state = { muted: false, paused: false, away: false };
  let silenced = false;
  let stage = null;
  let known = false;
  let escapeAt = -Infinity;

  const control = (verb) => send("POST", `/api/control/${verb}`, {});
  const actions = {
    mute: () => control(state.muted ? "unmute" : "mute"),
    skip: () => control("skip"),
    pause: () => control(state.paused ? "resume" : "pause"),
    panic: () => {
      stage?.panic();
      control("panic");
    },
    resume: () => control("resume"),
  };
  for (const [name, act] of Object.entries(actions)) byId(`control-${name}`).addEventListener("click", act);

  const keys = byId("shortcuts-on");
  keys.checked = recall("shortcuts", true);
  keys.addEventListener("change", () => keep("shortcuts", keys.checked));

  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.isComposing || event.ctrlKey || event.altKey || event.metaKey || !keys.checked) return;
    if (event.key === "Escape") return escape(event);
    if (event.target.matches(TYPING)) return;
    const action = { m: "mute", s: "skip", p: "pause" }[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    actions[action]();
  });

  /** The first Escape leaves a text box, the second one is panic: two presses, wherever the operator is. */
  function escape(event) {
    if (event.target.matches(TYPING)) event.target.blur();
    const twice = event.timeStamp - escapeAt < TWICE_MS;
    escapeAt = twice ? -Infinity : event.timeStamp;
    if (twice) actions.panic();
  }

  function draw() {
    label("mute", state.muted ? "unmute" : "mute", state.muted);
    label("pause", state.paused ? "resume" : "pause", state.paused);
    byId("held").hidden = !state.paused && !silenced;
    byId("muted").hidden = !state.muted || state.paused;
    byId("away").hidden = !state.away || state.muted || state.paused;
  }

  function label(name, words, on) {
    byId(`control-${name}`).dataset.on = String(on);
    byId(`control-${name}-label`).textContent = text(`control.${words}`);
  }

  function show({ muted, paused, away }) {
    if (known && paused !== state.paused) announce(text(paused ? "control.now_paused" : "control.now_resumed"));
    else if (known && muted !== state.muted) announce(text(muted ? "control.now_muted" : "control.now_unmuted"));
    known = true;
    Object.assign(state, { muted, paused, away });
    draw();
  }

  onLanguage(draw);
  draw();
  return {
    show,
    silenced(now) {
      silenced = now;
      draw();
    },
    attach(mounted) {
      stage = mounted;
    },
  };
}
