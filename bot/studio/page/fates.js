/** What became of a heard message, in words: the sign, the short word and, for what was not answered, why not. */

import { text, textOr } from "./language.js";

const SIGNS = { waiting: "○", chosen: "▸", answered: "✓", dropped: "–", withdrawn: "✕", lost: "?" };

/** Returns `{sign, word}` of a fate such as `{is: "dropped", reason: "too_old"}`. */
export function inWords(fate) {
  const word = fate.is === "dropped" ? textOr("why_not", fate.reason) : text(`fate.${fate.is}`);
  return { sign: SIGNS[fate.is], word };
}
