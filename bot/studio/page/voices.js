/** Her voice: which engines and voices there are, how one sounds (in this page alone), and who speaks from now on. */

import { request, send } from "./api.js";
import { announce, byId, el, showText } from "./dom.js";
import { languageOfServer, onLanguage, text, textOr } from "./language.js";

const SHOWN = 60;
/** Engines whose voices may have names that nobody lists. */
const UNLISTED = ["openai"];

/** Plays one sound at a time, decoded before; `onEnd` is called however it ends. */
function mountPlayer() {
  let context = null;
  let source = null;
  function stop() {
    if (!source) return;
    source.onended?.();
    source.onended = null;
    source.stop();
    source = null;
  }
  return {
    stop,
    async decode(wav) {
      context ??= new AudioContext();
      await context.resume();
      return context.decodeAudioData(wav);
    },
    play(buffer, onEnd) {
      stop();
      source = new AudioBufferSourceNode(context, { buffer });
      source.onended = onEnd;
      source.connect(context.destination);
      source.start();
    },
  };
}

/** Mounts the panel; it stays hidden while the server offers no choice. */
export function mountVoices() {
  const panel = byId("voices");
  const engines = byId("voices-engine");
  const find = byId("voices-find");
  const everywhere = byId("voices-everywhere");
  const player = mountPlayer();
  let state = null;
  let listing = null;
  let listed = "";
  /** The voice that is being made or heard: its name, and whether it sounds yet. */
  let heard = null;
  let silenced = false;

  async function restore() {
    const found = await send("GET", "/api/voices");
    panel.hidden = !found?.engines.length;
    if (!panel.hidden) take(found);
  }

  function take(found) {
    listing = found;
    state = found;
    listed = found.listed;
    engines.replaceChildren(...found.engines.map((name) => el("option", { value: name }, textOr("engine", name))));
    engines.value = listed;
    draw();
  }

  async function list(engine) {
    listed = engine;
    listing = { ...listing, voices: [], reason: "", repair: "" };
    showText(byId("voices-note"), text("voices.listing"));
    byId("voices-rows").replaceChildren();
    const found = await send("GET", `/api/voices?engine=${engine}`);
    if (found && found.listed === listed) take(found);
    else if (!found) showText(byId("voices-note"), "");
  }

  async function hear(voice) {
    player.stop();
    const mine = { voice, sounds: false };
    heard = mine;
    drawRows();
    const over = () => {
      if (heard !== mine) return;
      heard = null;
      drawRows();
    };
    const answer = await request("POST", "/api/voices/preview", { engine: listed, voice });
    const buffer = await answer?.arrayBuffer().then(player.decode).catch(() => null);
    // The last look at whether it is still wanted: nothing may be awaited between this and its sound.
    if (!buffer || heard !== mine) return over();
    mine.sounds = true;
    drawRows();
    player.play(buffer, over);
  }

  function quiet() {
    heard = null;
    player.stop();
    drawRows();
  }

  async function use(voice) {
    const now = await send("POST", "/api/voices/use", { engine: listed, voice });
    if (now) update(now);
  }

  function update(now) {
    const before = state;
    state = { ...state, ...now };
    if (before.coming && !now.coming && !now.error) announce(nowWords());
    if (!panel.hidden) draw();
  }

  const nameOf = ({ engine, voice }) => `${textOr("engine", engine)} · ${voice || text("voices.default")}`;
  const nowWords = () => text("voices.now", { voice: nameOf(state) });
  const comingWords = (coming) => (coming.percent === null ? text("voices.coming", { voice: nameOf(coming) }) : text("voices.pulling", { voice: nameOf(coming), percent: coming.percent }));
  const isNow = (voice) => state.engine === listed && state.voice === voice;
  const isComing = (voice) => state.coming?.engine === listed && state.coming.voice === voice;

  function draw() {
    byId("voices-now").textContent = nowWords();
    showText(byId("voices-coming"), state.coming ? comingWords(state.coming) : "");
    const error = byId("voices-error");
    error.lang = languageOfServer();
    showText(error, [state.error, state.hint].filter(Boolean).join(" "));
    for (const option of engines.options) option.textContent = textOr("engine", option.value);
    drawRows();
  }

  /** Those of her language, or of every language, whose name or description has what is typed. */
  function wanted() {
    const typed = find.value.trim().toLowerCase();
    const own = ({ languages }) => !languages.length || languages.some((code) => code.toLowerCase().startsWith(listing.language));
    const fits = ({ name, about }) => `${name} ${about}`.toLowerCase().includes(typed);
    const found = listing.voices.filter((voice) => (everywhere.checked || own(voice)) && fits(voice));
    if (!typed) return [{ name: "", languages: [], about: "" }, ...found];
    const exact = listing.voices.some(({ name }) => name.toLowerCase() === typed);
    return UNLISTED.includes(listed) && !exact ? [{ name: find.value.trim(), languages: [], about: "" }, ...found] : found;
  }

  function drawRows() {
    if (!listing) return;
    const found = wanted();
    const focused = document.activeElement?.closest("#voices-rows [data-voice]")?.dataset.voice;
    const button = document.activeElement?.dataset.do;
    byId("voices-rows").replaceChildren(...found.slice(0, SHOWN).map(row));
    if (focused !== undefined) byId("voices-rows").querySelector(`[data-voice="${CSS.escape(focused)}"] [data-do="${button}"]`)?.focus();
    const note = byId("voices-note");
    note.lang = listing.reason ? languageOfServer() : "";
    const more = found.length > SHOWN ? text("voices.more", { n: found.length - SHOWN }) : "";
    showText(note, listing.reason ? `${listing.reason} ${listing.repair}`.trim() : more);
  }

  function row({ name, languages, about }) {
    const shown = name || text("voices.default");
    const sounding = heard?.voice === name;
    const listen = el("button", { type: "button", "data-do": "hear" }, text(sounding ? (heard.sounds ? "voices.stop" : "voices.making") : "voices.hear"));
    listen.setAttribute("aria-label", `${listen.textContent}: ${shown}`);
    listen.setAttribute("aria-busy", String(sounding && !heard.sounds));
    listen.addEventListener("click", () => (sounding ? quiet() : hear(name)));
    const choose = el("button", { type: "button", "data-do": "use" }, text(isComing(name) ? "voices.starting" : isNow(name) ? "voices.in_use" : "voices.use"));
    choose.setAttribute("aria-label", `${choose.textContent}: ${shown}`);
    const cannot = isNow(name) || Boolean(state.coming);
    choose.setAttribute("aria-disabled", String(cannot));
    choose.addEventListener("click", () => cannot || use(name));
    const facts = el("span", { class: "facts", lang: languageOfServer() }, [languages.join(", "), about].filter(Boolean).join(" · "));
    const marks = { class: "voice", "data-voice": name, "data-state": isNow(name) ? "in_use" : null };
    return el("li", marks, el("div", {}, el("strong", {}, shown), facts), el("div", { class: "voice-buttons" }, listen, choose));
  }

  engines.addEventListener("change", () => list(engines.value));
  find.addEventListener("input", drawRows);
  everywhere.addEventListener("change", drawRows);
  onLanguage(() => state && draw());
  return {
    restore,
    update: ({ type, ...now }) => state && update(now),
    /** Panic is for a preview too: it may sound into the stream. */
    panicked: quiet,
    /** The same by the guard, which tells also while the program hangs. A preview while she is silenced may sound. */
    silenced(now) {
      if (now && !silenced) quiet();
      silenced = now;
    },
  };
}
