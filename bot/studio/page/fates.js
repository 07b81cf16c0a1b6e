/** What became of a heard message, in words: the sign, the short word and, for what was not answered, why not. */

import { text, textOr } from "./language.js";

const SIGNS = { waiting: "…", chosen: "▸", answered: "✓", dropped: "–", withdrawn: "✕", lost: "?" };

/** Returns `{sign, word, why}` of a fate such as `{is: "dropped", reason: "too_old"}`. */
export function inWords(fate) {
  const why = fate.is === "dropped" ? textOr("why_not", fate.reason) : "";
  return { sign: SIGNS[fate.is], word: why || text(`fate.${fate.is}`), why };
}
