/** How much came in, what was answered, and why the rest was not. */

import { byId, el } from "./dom.js";
import { number, onLanguage, text, textOr } from "./language.js";

const SHOWN = ["chat_received", "chat_answered", "phrases_blocked", "turns", "turns_cut", "events_received", "chat_duplicates"];

/** Mounts the figures; `show(counters)` takes the server's counters. */
export function mountCounters() {
  let counters = {};

  function draw() {
    byId("counter-rows").replaceChildren(
      ...SHOWN.map((name) => el("div", { "data-counter": name }, el("dt", {}, text(`counter.${name}`)), el("dd", {}, number(counters[name] ?? 0)))),
    );
    const reasons = Object.entries(counters.chat_dropped ?? {}).filter(([, n]) => n > 0).sort((one, other) => other[1] - one[1]);
    byId("dropped-rows").replaceChildren(
      ...reasons.map(([reason, n]) => el("tr", { "data-reason": reason }, el("th", { scope: "row" }, textOr("why_not", reason)), el("td", {}, number(n)))),
    );
    byId("dropped-total").textContent = number(reasons.reduce((sum, [, n]) => sum + n, 0));
    byId("dropped").hidden = reasons.length === 0;
  }

  onLanguage(draw);
  return {
    show(next) {
      counters = next;
      draw();
    },
  };
}
