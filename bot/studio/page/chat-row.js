/** One row of the chat list. The list keeps the row's facts; this draws them. */

import { el } from "./dom.js";
import { inWords } from "./fates.js";
import { text, textOr } from "./language.js";

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** Returns a fresh `<li>` for a row; its buttons carry `data-do` and join the tab order with the row. */
export function drawRow(row) {
  const { sign, word } = inWords(row.fate);
  const badges = row.roles.map((role) => el("span", { class: "badge", "data-role": role }, textOr("role", role)));
  const kind = row.kind === "chat" ? null : el("span", { class: "badge", "data-role": row.kind }, text(`kind.${row.kind}`));
  const time = row.atMs ? el("time", { datetime: new Date(row.atMs).toISOString() }, clock.format(row.atMs)) : null;
  const gone = row.fate.is === "withdrawn";
  const facts = { "data-id": row.id, "data-kind": row.kind, "data-fate": row.fate.is, "data-reason": row.fate.reason };
  return el(
    "li",
    { class: "row", tabindex: "-1", ...facts },
    el("div", { class: "row-head" }, row.user ? el("bdi", { class: "user" }, row.user) : null, kind, ...badges, time),
    el("p", { class: gone ? "row-text gone" : "row-text" }, gone ? text("chat.withdrawn_text") : row.text),
    drawFate(row, sign, word),
    canWithdraw(row) ? withdrawButton(row) : null,
  );
}

function drawFate(row, sign, word) {
  const content = [el("span", { class: "sign", "aria-hidden": "true" }, sign), word];
  if (row.fate.is !== "answered") return el("span", { class: "fate" }, ...content);
  return el("a", { class: "fate", href: `#answer-${row.fate.reply}`, tabindex: "-1", "data-do": "show-answer" }, ...content);
}

const canWithdraw = (row) => row.kind === "chat" && row.fate.is !== "withdrawn";

function withdrawButton(row) {
  const label = text("chat.withdraw_of", { user: row.user });
  return el("button", { type: "button", class: "quiet withdraw", tabindex: "-1", "data-do": "withdraw", "aria-label": label }, text("chat.withdraw"));
}
