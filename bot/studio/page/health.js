/** A light for every part: a sign and a word, not colour alone; why it is so and what repairs it. */

import { send } from "./api.js";
import { byId, el } from "./dom.js";
import { languageOfServer, number, onLanguage, text, textOr } from "./language.js";

const SIGNS = { ok: "✓", degraded: "!", down: "✕", off: "○" };
const WORST_FIRST = ["down", "degraded", "ok", "off"];

/** Mounts the lights; `restore(health)` takes all parts, `update(message)` one, `count(counters)` the server's counters. */
export function mountHealth() {
  const parts = new Map();
  let counted = {};

  function drawPart([name, { state, reason, repair, serving }]) {
    const sign = el("span", { class: "light", "aria-hidden": "true" }, SIGNS[state]);
    const head = el("div", { class: "part-head" }, el("strong", {}, textOr("part", name)), el("span", { class: "word" }, text(`health.${state}`)));
    if (serving) head.append(el("span", { class: "serving" }, text("health.serving", { serving: textOr("engine", serving, serving) })));
    const lines = [head];
    const lang = languageOfServer();
    if (reason) lines.push(el("p", { class: "reason", lang }, reason));
    if (repair) {
      const ill = state === "down" || state === "degraded";
      lines.push(el("p", { class: ill ? "repair" : "reason" }, ill ? el("b", {}, text("health.repair"), " ") : null, el("span", { lang }, repair)));
    }
    if (counted[name]) lines.push(el("p", { class: "reason", "data-counted": name }, countedWords(counted[name])));
    if (name === "vtube_studio" && state === "down") lines.push(askAgain());
    return el("li", { class: "part", "data-part": name, "data-state": state }, sign, el("div", {}, ...lines));
  }

  /** What a connection to Twitch has counted, and since when nothing was missed on it. */
  function countedWords({ received, duplicates, reconnects, gaps, gap_s: gapS, since }) {
    const figures = { received: number(received), duplicates: number(duplicates), reconnects: number(reconnects), gaps: number(gaps), s: number(gapS) };
    const words = [text("health.connection", figures)];
    if (since) words.push(text("health.whole_since", { at: new Date(1000 * since).toLocaleTimeString(document.documentElement.lang, { timeStyle: "short" }) }));
    return words.join(" ");
  }

  /** After a no, VTube Studio asks again only when the operator wants it to. */
  function askAgain() {
    const button = el("button", { type: "button", id: "ask-vtube-studio" }, text("health.ask_vtube_studio"));
    button.addEventListener("click", () => send("POST", "/api/vtube-studio/ask", {}));
    return button;
  }

  function draw() {
    const sorted = [...parts].sort((one, other) => WORST_FIRST.indexOf(one[1].state) - WORST_FIRST.indexOf(other[1].state));
    byId("health-rows").replaceChildren(...sorted.map(drawPart));
    const ill = sorted.filter(([, part]) => part.state === "down" || part.state === "degraded").length;
    byId("health-summary").textContent = text(ill === 0 ? "health.all_well" : ill === 1 ? "health.one_ill" : "health.some_ill", { n: ill });
    byId("health-summary").dataset.state = ill ? "degraded" : "ok";
  }

  onLanguage(draw);
  return {
    restore(health) {
      parts.clear();
      for (const [name, part] of Object.entries(health)) parts.set(name, part);
      draw();
    },
    update({ part, ...rest }) {
      parts.set(part, rest);
      draw();
    },
    count({ twitch = {} }) {
      counted = twitch;
      for (const [name, figures] of Object.entries(counted)) {
        const line = document.querySelector(`[data-counted="${name}"]`);
        if (line) line.textContent = countedWords(figures);
        else if (parts.has(name)) draw();
      }
    },
  };
}
