/** What she is answering and why, and her words: they light up as they become audible. */

import { byId, el, showText } from "./dom.js";
import { languageOfServer, onLanguage, text, textOr } from "./language.js";

/** Mounts the card. `find(id)` returns the `{user, text}` of a chat row, if it is still known. */
export function mountNow(find) {
  const words = byId("now-words");
  const quotes = byId("now-heard");
  let current = null;

  function begin(reply) {
    current = { reply, cue: null, phrases: new Map(), expression: "", held: "" };
    words.replaceChildren();
    draw();
  }

  function draw() {
    const cue = current?.cue;
    byId("now").dataset.busy = String(Boolean(current));
    showText(byId("now-mode"), cue ? text(`mode.${cue.mode}`) : "");
    showText(byId("now-expression"), current?.expression ? textOr("expression", current.expression) : "");
    byId("now-why").lang = languageOfServer();
    showText(byId("now-why"), cue?.why);
    showText(byId("now-held"), current?.held ? text("now.held", { reason: textOr("blocked", current.held) }) : "");
    const heard = (cue?.heard ?? []).map((id) => find(id)).filter((row) => row && row.fate.is !== "withdrawn");
    quotes.replaceChildren(...heard.map((row) => el("li", {}, row.user ? el("bdi", { class: "user" }, row.user) : null, el("q", {}, row.text))));
    byId("now-quiet").hidden = Boolean(current);
  }

  function phrase({ reply, index, text: said, expression }) {
    if (current?.reply !== reply) begin(reply);
    for (const [earlier, { characters }] of current.phrases) {
      lightWord({ reply, index: earlier, start: characters.length, end: characters.length });
    }
    const before = el("span", { class: "said" });
    const word = el("mark", {});
    const after = el("span", { class: "to-say" }, said);
    words.append(el("span", { class: "phrase" }, before, word, after), " ");
    current.phrases.set(index, { characters: Array.from(said), before, word, after });
    current.expression = expression;
    words.scrollTop = words.scrollHeight;
    draw();
  }

  function lightWord({ reply, index, start, end }) {
    const spoken = current?.reply === reply ? current.phrases.get(index) : undefined;
    if (!spoken) return;
    const piece = (from, to) => spoken.characters.slice(from, to).join("");
    spoken.before.textContent = piece(0, start);
    spoken.word.textContent = piece(start, end);
    spoken.after.textContent = piece(end);
  }

  onLanguage(draw);
  return {
    phrase,
    word: lightWord,
    withdrawn({ turns }) {
      if (turns.includes(current?.reply)) clear();
      else draw();
    },
    cue(cue) {
      begin(cue.reply);
      current.cue = cue;
      draw();
    },
    blocked({ reply, reason }) {
      if (current?.reply !== reply) return;
      current.held = reason;
      draw();
    },
    /** A turn is over: the log has it now. */
    turn({ id }) {
      if (current?.reply === id) clear();
    },
    clear,
  };

  function clear() {
    current = null;
    words.replaceChildren();
    draw();
  }
}
