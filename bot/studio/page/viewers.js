/** What she knows of viewers: a search, all that is kept of one of them, and its deletion, with a question first. */

import { send } from "./api.js";
import { announce, byId, el, showText } from "./dom.js";
import { number, onLanguage, text, textOr } from "./language.js";
import { toast } from "./toasts.js";

const COUNTED = ["lines", "named", "history", "waiting", "held", "redemptions"];

const pathOf = (userId) => `/api/viewers/${encodeURIComponent(userId)}`;
const moment = (seconds) => new Date(seconds * 1000).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
const nameOf = (viewer) => viewer.name || viewer.names?.[0] || viewer.user_id;

/** Mounts the panel. */
export function mountViewers() {
  const question = byId("known-question");
  let found = null;
  let viewer = null;

  async function search() {
    question.close();
    found = await send("GET", `/api/viewers?name=${encodeURIComponent(byId("known-name").value.trim())}`);
    viewer = null;
    draw();
    if (found) announce(byId("known-found").textContent);
  }

  async function open(userId) {
    question.close();
    viewer = await send("GET", pathOf(userId));
    draw();
    if (viewer) byId("known-title").focus();
  }

  async function remove() {
    question.close();
    const gone = await send("DELETE", pathOf(viewer.user_id));
    if (!gone) return;
    if (gone.kept) {
      toast("error", text("known.left", { user: nameOf(viewer) }), text("known.left_hint"));
      viewer = gone.kept;
      draw();
      return;
    }
    found.viewers = found.viewers.filter(({ user_id: userId }) => userId !== viewer.user_id);
    toast("done", text("known.deleted", { user: nameOf(viewer) }));
    viewer = null;
    draw();
    byId("known-name").focus();
  }

  function drawFound(one) {
    const chosen = viewer?.user_id === one.user_id;
    const lines = one.lines ? text("known.row", { lines: number(one.lines), when: moment(one.last_s) }) : text("known.row_none");
    const button = el("button", { type: "button", "data-user": one.user_id, "aria-current": chosen ? "true" : null }, el("bdi", { class: "user" }, nameOf(one)), el("small", {}, lines));
    button.addEventListener("click", () => open(one.user_id));
    return el("li", {}, button);
  }

  function foundWords() {
    if (!found) return "";
    if (!found.viewers.length) return text("known.nobody");
    return found.more ? text("known.more", { shown: number(found.viewers.length), more: number(found.more) }) : text("known.found", { shown: number(found.viewers.length) });
  }

  function fact(label, value) {
    return el("div", {}, el("dt", {}, label), el("dd", {}, value));
  }

  function facts() {
    const rows = [fact(text("known.id"), viewer.user_id)];
    if (viewer.names.length > 1) rows.push(fact(text("known.names"), viewer.names.join(", ")));
    if (viewer.first_s !== null) rows.push(fact(text("known.since"), moment(viewer.first_s)), fact(text("known.last"), moment(viewer.last_s)));
    for (const name of COUNTED) if (viewer[name]) rows.push(fact(text(`known.${name}`), number(viewer[name])));
    if (viewer.regular) rows.push(fact(text("known.regular"), text("known.yes_word")));
    if (viewer.blocked) rows.push(fact(text("known.blocked"), text("known.yes_word")));
    if (viewer.decisions.length) rows.push(fact(text("known.decisions"), number(viewer.decisions.length)));
    rows.push(fact(text("known.keep"), text("known.days", { days: number(viewer.keep_days) })));
    return rows;
  }

  function drawLine({ at_s: atS, kind, text: words, answer }) {
    const time = el("time", { datetime: new Date(atS * 1000).toISOString() }, `${moment(atS)} · ${textOr("kind", kind)}`);
    return el("li", {}, time, el("q", {}, words), answer ? el("span", {}, text("known.answer", { answer })) : null);
  }

  function draw() {
    showText(byId("known-found"), foundWords());
    byId("known-rows").replaceChildren(...(found?.viewers ?? []).map(drawFound));
    byId("known-viewer").hidden = viewer === null;
    if (!viewer) return;
    byId("known-title").textContent = nameOf(viewer);
    byId("known-facts").replaceChildren(...facts());
    byId("known-written").hidden = viewer.written.length === 0;
    byId("known-lines").replaceChildren(...viewer.written.map(drawLine));
  }

  byId("known-form").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  byId("known-delete").addEventListener("click", () => {
    byId("known-what").textContent = text("known.question", { user: nameOf(viewer) });
    showText(byId("known-what-block"), viewer.blocked ? text("known.question_block") : "");
    question.show(); // beside the page, never over it: panic must stay within reach
    byId("known-no").focus();
  });
  question.addEventListener("keydown", (event) => {
    if (event.key === "Escape") question.close();
  });
  byId("known-no").addEventListener("click", () => question.close());
  byId("known-yes").addEventListener("click", remove);
  onLanguage(draw);
}
