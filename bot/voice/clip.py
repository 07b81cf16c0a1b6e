"""One phrase on its way from a voice's own sound to ours: polished, with its shapes and words moved along."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np

from bot.vocabulary import Pcm, Shape, Sound, Word
from bot.voice.polish import Polisher, pause_after


class PolishedClip:
    """Takes positions in the voice's own sound, from its first sample, and gives those in ours.

    ``gain`` brings the voice to the level of all voices.
    """

    def __init__(self, spoken: str, rate_hz: int, gain: float) -> None:
        self.rate_hz = rate_hz
        self.made = 0
        """Samples of the voice's own sound that have come."""
        self._polisher = Polisher(rate_hz, gain, pause_after(spoken))
        self._heard: list[Pcm] = []
        self._shapes: list[Shape] = []
        self._words: list[Word] = []
        self._viseme = -1

    @property
    def audible(self) -> bool:
        """Whether speech has begun."""
        return self._polisher.skipped is not None

    @property
    def raw(self) -> Pcm:
        """All the sound as it came."""
        return np.concatenate(self._heard) if self._heard else np.zeros(0, np.int16)

    def note(self, shapes: Iterable[Shape] = (), words: Iterable[Word] = ()) -> None:
        """Take what begins in the sound that comes next, or later; a shape that is shown already is left out."""
        for shape in shapes:
            if shape.viseme != self._viseme:
                self._viseme = shape.viseme
                self._shapes.append(shape)
        self._words += words

    def add(self, pcm: Pcm, *, last: bool = False) -> Sound:
        """Take the next sound; return what is ready of it. While no sound is ready shapes and words wait for it."""
        self.made += len(pcm)
        self._heard.append(pcm)
        polished = self._polisher.feed(pcm)
        if last:
            polished = np.concatenate((polished, self._polisher.finish()))
        skipped = self._polisher.skipped
        if skipped is None or not (len(polished) or last):
            return Sound(polished, self.rate_hz, last=last)
        most = self._polisher.sent if last else sys.maxsize

        def moved(at: int) -> int:
            return min(max(at - skipped, 0), most)

        shapes = tuple(Shape(moved(shape.at), shape.viseme) for shape in self._shapes)
        words = tuple(Word(moved(word.at), word.start, word.end) for word in self._words)
        self._shapes, self._words = [], []
        return Sound(polished, self.rate_hz, shapes, words, last)
