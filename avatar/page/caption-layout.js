/** Breaks a phrase into balanced lines, two to a screen, before the first word is shown: nothing moves afterwards. */

import { isBlank } from "./caption-text.js";

export const LINES = 2;
const TRIES = 7; // halvings of the width while balancing: under 1 % of it

/**
 * @param {string[]} letters code points of the phrase
 * @param {number} width pixels a line may take
 * @param {(text: string) => number} measure width of a text in pixels
 * @returns {{from: number, to: number}[][]} screens of up to two lines, as ranges of code points
 */
export function layOut(letters, width, measure) {
  const tokens = tokensOf(letters, width, measure);
  let lines = fill(letters, tokens, width, measure);
  if (lines.length > 1) {
    const most = Math.ceil(lines.length / LINES) * LINES;
    let [low, high] = [0, width];
    for (let i = 0; i < TRIES; i++) {
      const middle = (low + high) / 2;
      const tried = fill(letters, tokens, middle, measure);
      const fits = tried.length <= most && tried.every((line) => measure(textOf(letters, line)) <= middle);
      if (fits) [lines, high] = [tried, middle];
      else low = middle;
    }
  }
  const screens = [];
  for (let i = 0; i < lines.length; i += LINES) screens.push(lines.slice(i, i + LINES));
  return screens;
}

/** Ranges between blanks; one that is wider than a line is broken anywhere. */
function tokensOf(letters, width, measure) {
  const tokens = [];
  let from = 0;
  for (let i = 0; i <= letters.length; i++) {
    const blank = i === letters.length || isBlank(letters[i]);
    if (blank) {
      if (i > from) tokens.push({ from, to: i });
      from = i + 1;
    } else if (i > from && measure(textOf(letters, { from, to: i + 1 })) > width) {
      tokens.push({ from, to: i });
      from = i;
    }
  }
  return tokens;
}

function fill(letters, tokens, width, measure) {
  const lines = [];
  for (const { from, to } of tokens) {
    const line = lines.at(-1);
    if (line && measure(textOf(letters, { from: line.from, to })) <= width) line.to = to;
    else lines.push({ from, to });
  }
  return lines;
}

function textOf(letters, { from, to }) {
  return letters.slice(from, to).join("");
}
