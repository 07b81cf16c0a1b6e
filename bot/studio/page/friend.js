/** A conversation beside the show: press once, talk, hear and read her answer. What was said stays in this browser. */

import { GuardLink } from "/static/page/guard-link.js";
import { login } from "./api.js";
import { byId, el, showText } from "./dom.js";
import { listen, REFUSALS } from "./friend-listener.js";
import { followServer, loadTexts, mountSwitch, onLanguage, text } from "./language.js";
import { connectLive } from "./live.js";
import { keep, recall } from "./store.js";
import { toast } from "./toasts.js";

const REMEMBERED = 40;

let turn = "idle";
let name = "Aneeka";
let note = "";
let messages = recall("friend", []);
let context = null;
let listening = null;
let giveUp = null;
let speaking = null;
let guardAt = null;
const guard = new GuardLink("", (silenced) => held({ paused: silenced }));

await loadTexts();
mountSwitch(byId("languages"));
draw();
messages.forEach(show);
document.body.dataset.ready = "true";

function draw() {
  document.body.dataset.turn = turn;
  document.title = `${name} · ${text("friend.title")}`;
  byId("her-name").textContent = name;
  byId("friend-press-label").textContent = text(`friend.press_${turn}`);
  byId("friend-press").title = text(`friend.press_${turn}`);
  showText(byId("friend-status"), turn === "idle" && note ? text(`friend.${note}`) : text(`friend.${turn}`, { name }));
  byId("friend-again").hidden = messages.length === 0;
  byId("friend-empty").hidden = messages.length > 0;
}

function become(next, why = "") {
  turn = next;
  note = why;
  draw();
}

function show({ role, content }) {
  byId("friend-log").append(el("li", { "data-role": role }, content));
  byId("friend-scroller").scrollTop = byId("friend-scroller").scrollHeight;
}

/** One press: begins a turn, ends what is being said, or takes back what is being thought. */
function press() {
  if (turn === "listening") return listening?.finish();
  hush();
  if (turn === "thinking") return become("idle");
  return converse().catch((error) => {
    if (error.name === "AbortError") return;
    const refusal = location.protocol === "http:" && !window.isSecureContext ? "insecure" : (REFUSALS[error.name] ?? "no_microphone");
    toast("error", text(`friend.${refusal}`), text(`friend.${refusal}_hint`));
    become("idle");
  });
}

async function converse() {
  const mine = (giveUp = new AbortController());
  become("listening");
  context ??= await newContext();
  if (giveUp !== mine) return;
  if (!context) {
    toast("error", text("error.unreachable"), text("error.unreachable_hint"));
    return become("idle");
  }
  await context.resume();
  const onLevel = (level) => byId("friend-press").style.setProperty("--level", level.toFixed(2));
  listening = listen(context, { onLevel, signal: mine.signal });
  const sound = await listening.done;
  if (!sound) return become("idle", "nothing");
  become("thinking");
  const answer = await ask(sound, mine.signal);
  if (giveUp !== mine) return;
  if (!answer) return become("idle");
  remember({ role: "user", content: answer.input });
  remember({ role: "assistant", content: answer.text });
  become("speaking");
  await play(answer.audio, mine.signal);
  if (giveUp === mine) become("idle");
}

/** Returns what can listen; null while the program is away. */
async function newContext() {
  const fresh = new AudioContext();
  try {
    await fresh.audioWorklet?.addModule("/static/studio/microphone-worklet.js");
    return fresh;
  } catch {
    fresh.close();
    return null;
  }
}

async function ask(sound, signal) {
  const form = new FormData();
  form.append("audio", sound, "question.wav");
  form.append("messages", JSON.stringify(messages));
  let answer;
  try {
    answer = await fetch("/api/voice-chat", { method: "POST", credentials: "same-origin", body: form, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    toast("error", text("error.unreachable"), text("error.unreachable_hint"));
    return null;
  }
  const content = await answer.json().catch(() => ({}));
  if (answer.ok) return content;
  if (answer.status === 401) login.dispatchEvent(new Event("locked"));
  else toast("error", content.error || text("error.status", { status: answer.status }), content.hint);
  return null;
}

function play(address, signal) {
  const bytes = Uint8Array.from(atob(address.split(",")[1]), (letter) => letter.charCodeAt(0));
  return context.decodeAudioData(bytes.buffer).then(
    (buffer) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        speaking = new AudioBufferSourceNode(context, { buffer });
        speaking.addEventListener("ended", resolve);
        speaking.connect(context.destination);
        speaking.start();
      }),
  );
}

function hush() {
  giveUp?.abort();
  giveUp = null;
  speaking?.stop();
  speaking = null;
}

function remember(message) {
  messages = [...messages, message].slice(-REMEMBERED);
  keep("friend", messages);
  show(message);
}

function startOver() {
  hush();
  messages = [];
  keep("friend", messages);
  byId("friend-log").replaceChildren();
  become("idle");
}

/** Panic and mute hold here as well: what she says is cut off. */
function held({ muted, paused }) {
  if (!(muted || paused) || turn === "idle") return;
  hush();
  become("idle", "held");
}

/** The guard tells of a panic while the program hangs, too. */
function followGuard(panicAddress) {
  if (!panicAddress || panicAddress === guardAt) return;
  guardAt = panicAddress;
  guard.heed({ port: new URL(panicAddress).port, life: "", panics: 0, resumed: 0 });
}

const handlers = {
  hello({ state }) {
    name = state.name;
    followServer(state.language);
    draw();
    held(state);
    followGuard(state.panic);
  },
  state: held,
};

onLanguage(draw);
byId("friend-press").addEventListener("click", press);
byId("friend-again").addEventListener("click", startOver);
byId("locked-retry").addEventListener("click", () => location.reload());
login.addEventListener("locked", () => {
  hush();
  byId("friend").hidden = true;
  byId("locked").hidden = false;
  byId("locked-title").focus();
}, { once: true });
connectLive({
  onMessage: (message) => handlers[message.type]?.(message),
  onStatus: (status) => (byId("connection").hidden = status === "open"),
});
