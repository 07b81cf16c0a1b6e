/**
 * What of a phrase has been heard, as pieces of text with the sample at which each begins to sound.
 *
 * Offsets are code points, as on the wire; texts are kept as arrays of them.
 */

const LETTERS_PER_S = 15; // a usual pace of speech, for as long as nothing better is known

/** One phrase of a reply. `words` are [at, start, end] in samples of the reply and code points of the text. */
export class Phrase {
  constructor({ index, at, text, words = [], expression = "neutral" }) {
    this.index = index;
    this.at = at;
    this.expression = expression;
    this.letters = Array.from(String(text));
    this.words = [];
    this.pieces = [];
    this.addWords(words);
  }

  get text() {
    return this.letters.join("");
  }

  addWords(words) {
    this.words.push(...words);
    this.pieces = this.#timedPieces();
  }

  /**
   * How many code points are heard at `position`. `end` is the sample at which the phrase is over, or null.
   * A phrase whose voice gives no word times is revealed in proportion to its letters.
   */
  heard(position, end, rateHz) {
    if (position <= this.at) return 0;
    if (end !== null && position >= end) return this.letters.length;
    const pieces = this.words.length ? this.pieces : this.#evenPieces(end, rateHz);
    let to = 0;
    for (const piece of pieces) if (piece.at <= position) to = Math.max(to, piece.to);
    return to;
  }

  /** A piece is a word with the punctuation that follows it; the blanks before it come with it. */
  #timedPieces() {
    const sorted = [...this.words].sort((a, b) => a[1] - b[1]);
    return sorted.map(([at, , wordEnd], i) => {
      const limit = sorted[i + 1]?.[1] ?? this.letters.length;
      let to = Math.min(wordEnd, this.letters.length);
      while (to < limit && !isBlank(this.letters[to])) to++;
      return { at, to };
    });
  }

  #evenPieces(end, rateHz) {
    const total = this.letters.length;
    const length = (end ?? this.at + (total / LETTERS_PER_S) * rateHz) - this.at;
    const pieces = [];
    let from = 0;
    for (let i = 1; i <= total; i++) {
      if (i < total && !(isBlank(this.letters[i]) && !isBlank(this.letters[i - 1]))) continue;
      pieces.push({ at: this.at + (length * from) / total, to: i });
      from = i;
    }
    return pieces;
  }
}

export function isBlank(letter) {
  return /\s/.test(letter);
}
