"""Captions by the word: where in a reply's sound each phrase and word is, and what of it was heard."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import soxr

from bot.stage.silent import RATE_HZ
from bot.vocabulary import Pcm, Phrase, Shape, Word

LETTERS_PER_S = 15.0
"""Usual speed of speech, for a voice that gives no word times."""


@dataclass(slots=True, eq=False)
class Line:
    """One phrase on the stage; positions are samples of the reply."""

    phrase: Phrase
    at: int
    samples: int = 0
    words: list[Word] = field(default_factory=list)
    complete: bool = False
    announced: bool = False
    told: int = 0
    shapes: list[Shape] = field(default_factory=list)
    unmouthed: list[Pcm] = field(default_factory=list)
    rate_hz: int = RATE_HZ
    resampler: Any = None

    def at_rate(self, rate_hz: int) -> None:
        """Expect sound at this rate from now on (a voice that fails is followed by another, at its own rate)."""
        if rate_hz != self.rate_hz:
            self.rate_hz = rate_hz
            self.resampler = soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="int16", quality="MQ")

    def heard_until(self, position: int) -> int:
        """Return how many characters of the text were audible when the sound stopped at ``position``."""
        text, into = self.phrase.text, position - self.at
        if into <= 0:
            return 0
        if self.complete and into >= self.samples:
            return len(text)
        if not self.words:
            expected = self.samples if self.complete else max(self.samples, len(text) / LETTERS_PER_S * RATE_HZ)
            return _word_end(text, int(len(text) * into / expected))
        ends = [word.at for word in self.words[1:]] + [self.at + self.samples]
        heard = 0
        for word, end in zip(self.words, ends, strict=True):
            if position >= (word.at + end) / 2:
                heard = word.end
        return _closed(text, heard)


def _word_end(text: str, near: int) -> int:
    """Return the end of the last whole word before ``near``."""
    cut = text.rfind(" ", 0, near + 1)
    return max(cut, 0)


def _closed(text: str, end: int) -> int:
    """Take in the punctuation that belongs to the word that ends at ``end``."""
    while 0 < end < len(text) and not text[end].isalnum() and not text[end].isspace() and text[end] not in "¿¡(«“":
        end += 1
    return end
