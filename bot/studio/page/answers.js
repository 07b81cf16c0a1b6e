/** The log of her last answers, newest first: to whom, what was heard of it, in which expression, and whether it was cut. */

import { byId, el } from "./dom.js";
import { number, onLanguage, text, textOr } from "./language.js";
import { readMarks } from "./marks.js";

const KEPT = 40;

/** Mounts the log; `add(turn)` takes one turn record, `restore(turns)` many, oldest first. */
export function mountAnswers() {
  const list = byId("answers");
  const held = new Map();
  let turns = [];

  function drawHeard({ user, text: words, kind }) {
    const who = user ? el("bdi", { class: "user" }, user) : el("span", { class: "user" }, textOr("kind", kind));
    return el("span", { class: "heard" }, who, words ? el("q", {}, words) : el("i", { class: "gone" }, text("chat.withdrawn_text")));
  }

  function draw(turn) {
    const { audible, reactionMs } = readMarks(turn.marks_ms);
    const marks = [el("span", { class: "chip-text" }, text(`mode.${turn.mode}`))];
    if (turn.expression) marks.push(el("span", { class: "chip-text", "data-expression": turn.expression }, textOr("expression", turn.expression)));
    if (turn.cut) marks.push(el("span", { class: "chip-text cut" }, text("answers.cut", { why: textOr("cut", turn.cut) })));
    for (const reason of held.get(turn.id) ?? []) marks.push(el("span", { class: "chip-text held-back" }, text("now.held", { reason: textOr("blocked", reason) })));
    if (audible) marks.push(el("span", { class: "figure" }, text("latency.seconds", { s: number(reactionMs / 1000, 2) })));
    const words = turn.withdrawn
      ? el("p", { class: "spoken gone" }, text("chat.withdrawn_text"))
      : el("p", { class: turn.spoken ? "spoken" : "spoken gone" }, turn.spoken || text("answers.nothing"), turn.cut && turn.spoken ? el("span", { class: "cut-mark", "aria-hidden": "true" }, " ✂") : null);
    const head = el("div", { class: "answer-head" }, ...marks);
    const to = turn.heard.length ? el("div", { class: "answer-heard" }, ...turn.heard.map(drawHeard)) : null;
    return el("li", { id: `answer-${turn.id}`, class: "answer", tabindex: "-1", "data-cut": turn.cut }, head, to, words);
  }

  function drawAll() {
    list.replaceChildren(...[...turns].reverse().map(draw));
    byId("answers-empty").hidden = turns.length > 0;
  }

  function add(turn) {
    turns = [...turns.filter(({ id }) => id !== turn.id), { ...turn }].slice(-KEPT);
    drawAll();
    held.delete(turn.id);
  }

  onLanguage(drawAll);
  return {
    add,
    restore(records) {
      turns = records.slice(-KEPT).map((turn) => ({ ...turn }));
      held.clear();
      drawAll();
    },
    blocked({ reply, reason }) {
      held.set(reply, [...new Set([...(held.get(reply) ?? []), reason])]);
    },
    /** What a moderator took back leaves the log as well, with the answer that may repeat it. */
    withdrawn({ ids, turns: replies }) {
      const gone = new Set(ids);
      for (const turn of turns.filter(({ id, heard }) => replies.includes(id) || heard.some((item) => gone.has(item.id)))) {
        turn.heard = turn.heard.map((item) => (gone.has(item.id) ? { ...item, text: "", user: "" } : item));
        turn.withdrawn = true;
        turn.spoken = turn.generated = "";
      }
      drawAll();
    },
  };
}
