"""Captions by the word: where in a reply's sound each phrase and word is, and what of it was heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soxr

from bot.stage.silent import RATE_HZ
from bot.vocabulary import Pcm, Phrase, Shape, Word

LETTERS_PER_S = 15.0
"""Usual speed of speech, for a voice that gives no word times."""

QUIET_S = 0.02
LOOK_BACK = 30
"""So many pieces of ``QUIET_S``."""
INAUDIBLE = 100
"""Samples up to this are a pause: what is left of a phrase then needs no word said again."""


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


def word_start(lines: Sequence[Line], sound: Pcm, position: int) -> int:
    """Return the sample from which to say again what stopped at ``position``: where its word begins.

    For a voice that gives no word times it is the quietest moment shortly before.
    """
    line = next((line for line in reversed(lines) if line.at <= position), None)
    if line is None:
        return position
    end = line.at + line.samples
    if line.complete and not np.any(np.abs(sound[position:end]) > INAUDIBLE):
        return position
    if line.words:
        return max((word.at for word in line.words if word.at <= position), default=line.at)
    block = round(RATE_HZ * QUIET_S)
    before = sound[max(line.at, position - LOOK_BACK * block) : position]
    blocks = before[len(before) % block :].reshape(-1, block).astype(np.float32)
    if not len(blocks):
        return line.at
    return position - (len(blocks) - int(np.argmin(np.square(blocks).mean(axis=1)))) * block


def _word_end(text: str, near: int) -> int:
    """Return the end of the last whole word before ``near``."""
    cut = text.rfind(" ", 0, near + 1)
    return max(cut, 0)


def _closed(text: str, end: int) -> int:
    """Take in the punctuation that belongs to the word that ends at ``end``."""
    while 0 < end < len(text) and not text[end].isalnum() and not text[end].isspace() and text[end] not in "¿¡(«“":
        end += 1
    return end
