/** One row of the chat list. The list keeps the row's facts; this draws them. */

import { el } from "./dom.js";
import { inWords, isUnfit } from "./fates.js";
import { text, textOr } from "./language.js";

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** Returns a fresh `<li>` for a row; its buttons carry `data-do` and join the tab order with the row. */
export function drawRow(row) {
  const { sign, word } = inWords(row.fate);
  const badges = row.roles.map((role) => el("span", { class: "badge", "data-role": role }, textOr("role", role)));
  const kind = row.kind === "chat" ? null : el("span", { class: "badge", "data-role": row.kind }, text(`kind.${row.kind}`));
  const time = row.atMs ? el("time", { datetime: new Date(row.atMs).toISOString() }, clock.format(row.atMs)) : null;
  const gone = row.fate.is === "withdrawn";
  const hidden = !row.revealed && isUnfit(row.fate);
  const facts = { "data-id": row.id, "data-kind": row.kind, "data-fate": row.fate.is, "data-reason": row.fate.reason };
  return el(
    "li",
    { class: "row", tabindex: "-1", ...facts },
    el("div", { class: "row-head" }, row.user ? el("bdi", { class: row.badName && !row.revealed ? "user blurred" : "user" }, row.user) : null, kind, ...badges, time),
    el("p", { class: gone ? "row-text gone" : hidden ? "row-text blurred" : "row-text" }, gone ? text("chat.withdrawn_text") : row.text),
    drawFate(row, sign, word),
    el("div", { class: "row-buttons" }, canReveal(row) ? button(row, "reveal", row.revealed ? "chat.hide" : "chat.reveal") : null, canBlock(row) ? button(row, "block", "chat.block") : null, canWithdraw(row) ? button(row, "withdraw", "chat.withdraw") : null),
  );
}

function drawFate(row, sign, word) {
  const content = [el("span", { class: "sign", "aria-hidden": "true" }, sign), word];
  if (row.fate.is !== "answered") return el("span", { class: "fate" }, ...content);
  return el("a", { class: "fate", href: `#answer-${row.fate.reply}`, tabindex: "-1", "data-do": "show-answer" }, ...content);
}

const canWithdraw = (row) => row.kind === "chat" && row.fate.is !== "withdrawn";

const canReveal = (row) => row.fate.is !== "withdrawn" && (row.badName || isUnfit(row.fate));
const canBlock = (row) => row.kind === "chat" && Boolean(row.userId);

function button(row, deed, words) {
  const label = text(`${words}_of`, { user: row.user });
  return el("button", { type: "button", class: "quiet", tabindex: "-1", "data-do": deed, "aria-label": label }, text(words));
}
