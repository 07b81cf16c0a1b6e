/** What became of a heard message, in words: the sign, the short word and, for what was not answered, why not. */

import { text, textOr } from "./language.js";

/** The gate's reasons: such words are blurred, since this page may be on stream itself. */
const UNFIT = new Set("blocked slurs sexual violence self_harm harassment profanity spam personal_data links hate denial own_list".split(" "));

const SIGNS = { waiting: "○", chosen: "▸", answered: "✓", dropped: "–", withdrawn: "✕", lost: "?" };

/** Whether the gate kept the message out because of its words. */
export const isUnfit = (fate) => fate.is === "dropped" && UNFIT.has(fate.reason);

/** Returns `{sign, word}` of a fate such as `{is: "dropped", reason: "too_old"}`. */
export function inWords(fate) {
  const word = fate.is === "dropped" ? textOr("why_not", fate.reason) : text(`fate.${fate.is}`);
  return { sign: SIGNS[fate.is], word };
}
