"""One phrase on its way from a voice that tells no times to ours: polished, with the shapes and words found in it."""

from __future__ import annotations

import numpy as np

from bot.vocabulary import Pcm, Shape, Sound, Word
from bot.voice.aligner import Aligner
from bot.voice.polish import Polisher, pause_after


class AlignedClip:
    """Takes the voice's sound in pieces; ``gain`` brings it to the level of all voices."""

    def __init__(self, spoken: str, rate_hz: int, gain: float, aligner: Aligner) -> None:
        self.rate_hz = rate_hz
        self._aligner = aligner
        self._polisher = Polisher(rate_hz, gain, pause_after(spoken))
        self._heard: list[Pcm] = []
        self._shapes: list[Shape] = []
        self._words: list[Word] = []

    @property
    def audible(self) -> bool:
        """Whether any sound of speech was given away."""
        return self._polisher.skipped is not None

    @property
    def raw(self) -> Pcm:
        """All the sound as it came."""
        return np.concatenate(self._heard)

    def add(self, pcm: Pcm, *, last: bool) -> Sound:
        """Take the next sound; return what is ready of it, with the shapes and words that belong to it."""
        self._heard.append(pcm)
        shapes, words = self._aligner.feed(pcm, last)
        self._shapes += shapes
        self._words += words
        polished = self._polisher.feed(pcm)
        if last:
            polished = np.concatenate((polished, self._polisher.finish()))
        skipped = self._polisher.skipped
        if skipped is None:
            return Sound(polished, self.rate_hz, last=last)
        ready = tuple(Shape(max(shape.at - skipped, 0), shape.viseme) for shape in self._shapes)
        begun = tuple(Word(max(word.at - skipped, 0), word.start, word.end) for word in self._words)
        self._shapes, self._words = [], []
        return Sound(polished, self.rate_hz, ready, begun, last)
