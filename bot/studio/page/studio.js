/** The studio's start: mounts the panels and hands every live message to those that it concerns. */

import { mountAddresses } from "./addresses.js";
import { mountAnswers } from "./answers.js";
import { login, send } from "./api.js";
import { mountBlocked } from "./blocked.js";
import { mountChatBox } from "./chat-box.js";
import { mountChatList } from "./chat-list.js";
import { mountComposer } from "./composer.js";
import { mountControls } from "./controls.js";
import { mountCounters } from "./counters.js";
import { byId } from "./dom.js";
import { mountHeader } from "./header.js";
import { mountHealth } from "./health.js";
import { mountHeld } from "./held.js";
import { followServer, loadTexts, mountSwitch } from "./language.js";
import { mountLatency } from "./latency.js";
import { connectLive } from "./live.js";
import { mountMicrophone } from "./microphone.js";
import { mountModels } from "./models.js";
import { mountNow } from "./now.js";
import { mountPresence } from "./presence.js";
import { mountSound } from "./sound.js";
import { toast } from "./toasts.js";
import { mountViewers } from "./viewers.js";
import { mountVoices } from "./voices.js";

const TURNS_RESTORED = 20;
/** Why she did not write in chat, or what she wrote is still there: what somebody can do something about. */
const FOR_THE_OPERATOR = ["left", "login_lost", "no_scope", "refused"];

await loadTexts();
mountSwitch(byId("languages"));
const header = mountHeader();
const chat = mountChatList();
const now = mountNow(chat.find);
const answers = mountAnswers();
const held = mountHeld();
const blocked = mountBlocked();
const presence = mountPresence();
const controls = mountControls();
const sound = mountSound();
const microphone = mountMicrophone();
const voices = mountVoices();
const models = mountModels();
const health = mountHealth();
const counters = mountCounters();
const latency = mountLatency();
const addresses = mountAddresses();
mountChatBox();
mountComposer();
mountViewers();
document.body.dataset.ready = "true";

const handlers = {
  hello: ({ state }) => restore(state),
  chat: (message) => chat.add(message),
  dropped: (message) => chat.dropped(message),
  withdrawn: (message) => [chat, now, answers].forEach((panel) => panel.withdrawn(message)),
  cue: (message) => [chat, now].forEach((panel) => panel.cue(message)),
  phrase: (message) => now.phrase(message),
  word: (message) => now.word(message),
  blocked: (message) => [now, answers].forEach((panel) => panel.blocked(message)),
  held(message) {
    now.turn(message);
    held.add(message);
  },
  decided: (message) => held.remove(message),
  viewers: (message) => blocked.show(message.blocked),
  turn(message) {
    chat.turn(message);
    now.turn(message);
    answers.add(message);
    latency.add(message);
  },
  health(message) {
    health.update(message);
    header.serving(message);
    models.serving(message);
    sound.serving(message);
    microphone.serving(message);
  },
  microphone: (message) => microphone.show(message),
  hearing: (message) => microphone.level(message),
  heard_partial: (message) => microphone.partial(message),
  heard_final: (message) => microphone.final(message),
  voice: (message) => voices.update(message),
  panic: () => voices.panicked(),
  model: (message) => models.update(message),
  counters(message) {
    counters.show(message);
    health.count(message);
  },
  unsent: ({ reason, why }) => FOR_THE_OPERATOR.includes(reason) && toast("error", why),
  state(message) {
    header.show(message);
    controls.show(message);
    sound.show(message.sound);
  },
};

async function restore(state) {
  followServer(state.language);
  header.restore(state);
  controls.show(state);
  sound.show(state.sound);
  health.restore(state.health);
  counters.show(state.counters);
  health.count(state.counters);
  addresses.show(state.obs);
  held.restore(state.held);
  blocked.show(state.blocked);
  presence.watch(state.away_minutes);
  microphone.restore(state.health.microphone);
  chat.restore(state.waiting);
  now.clear();
  voices.restore();
  models.restore(state.brain);
  const newestFirst = await send("GET", `/api/turns?limit=${TURNS_RESTORED}`);
  if (!newestFirst) return;
  const turns = newestFirst.reverse();
  turns.forEach((turn) => chat.turn(turn));
  answers.restore(turns);
  latency.restore(turns);
}

function lock() {
  byId("studio").hidden = true;
  byId("locked").hidden = false;
  byId("locked-title").focus();
}

async function showHer() {
  try {
    const { mountStage } = await import("/static/page/stage-view.js");
    const onState = (snapshot) => {
      sound.showView(snapshot);
      controls.silenced(snapshot.silenced);
      voices.silenced(snapshot.silenced);
    };
    const stage = mountStage(byId("stage"), { kind: "studio", token: "", captions: true, onState });
    [sound, controls].forEach((panel) => panel.attach(stage));
  } catch (error) {
    // Without her picture the controls must still work.
    console.warn(error);
    byId("stage-missing").hidden = false;
  }
}

login.addEventListener("locked", lock, { once: true });
byId("locked-retry").addEventListener("click", () => location.reload());
connectLive({ onMessage: (message) => handlers[message.type]?.(message), onStatus: header.connected });
await showHer();
