"""One phrase on its way from Azure's sound and events to ours."""

from __future__ import annotations

import re
import sys
from bisect import bisect_right

import numpy as np

from bot.vocabulary import Pcm, Shape, Sound, Word
from bot.voice.polish import Polisher, pause_after

TICKS_HZ = 10_000_000
"""Azure counts time in units of 100 ns from the first sample of a request. Source: SDK reference, ``audio_offset``."""
_WORDS_AHEAD = 4
"""How many words of the text may be skipped to find the one that Azure says it speaks."""


class Clip:
    """Takes what Azure sends in any order of kinds; gives polished ``Sound``."""

    def __init__(self, spoken: str, rate_hz: int, gain: float) -> None:
        self._text = spoken
        self._rate_hz = rate_hz
        self._polisher = Polisher(rate_hz, gain, pause_after(spoken))
        self._tokens = [match.span() for match in re.finditer(r"\S+", spoken)]
        self._starts = [start for start, _ in self._tokens]
        self._next_token = 0
        self._from_char = 0
        self._odd = b""
        self._raw: list[Pcm] = []
        self._waiting: list[Pcm] = []
        self._made = 0
        self._last_shape_at = -1
        self._shapes: list[Shape] = []
        self._words: list[Word] = []
        self._viseme = -1

    @property
    def begun(self) -> bool:
        """Whether any sound has come."""
        return bool(self._raw)

    @property
    def audible(self) -> bool:
        """Whether any sound of speech was given away."""
        return self._polisher.skipped is not None

    @property
    def covered(self) -> bool:
        """Whether every shape of the sound that came is known, because a later one is."""
        return self._last_shape_at >= self._made

    @property
    def raw(self) -> Pcm:
        """All the sound as it came."""
        return np.concatenate(self._raw) if self._raw else np.zeros(0, np.int16)

    def add_audio(self, pcm: bytes) -> None:
        """Take the next bytes of 16 bit sound."""
        data = self._odd + pcm
        whole = len(data) // 2 * 2
        self._odd = data[whole:]
        samples = np.frombuffer(data[:whole], np.dtype("<i2")).astype(np.int16)
        self._raw.append(samples)
        self._waiting.append(samples)
        self._made += len(samples)

    def add_viseme(self, ticks: int, viseme: int) -> None:
        """Take a mouth shape and when it begins."""
        at = self._sample(ticks)
        self._last_shape_at = max(self._last_shape_at, at)
        if viseme != self._viseme and 0 <= viseme <= 21:
            self._viseme = viseme
            self._shapes.append(Shape(at, viseme))

    def add_word(self, ticks: int, word: str) -> None:
        """Take a word and when it begins. It counts as what stands between two spaces in the text, once."""
        found = self._find(word)
        if found is None:
            return  # said otherwise than it is written: the words around it have their times
        start, self._from_char = found
        token = bisect_right(self._starts, start) - 1
        if token >= self._next_token:
            self._next_token = token + 1
            self._words.append(Word(self._sample(ticks), *self._tokens[token]))

    def _find(self, word: str) -> tuple[int, int] | None:
        """Return where a word stands in the text, after the one before it and not far from it."""
        last = min(self._next_token + _WORDS_AHEAD, len(self._tokens)) - 1
        if not word or last < 0:
            return None
        exact = re.escape(word)
        for pattern in (rf"(?<!\w){exact}(?!\w)", exact):
            found = re.compile(pattern, re.IGNORECASE).search(self._text, self._from_char, self._tokens[last][1])
            if found:
                return found.span()
        return None

    def take(self) -> Sound:
        """Return what is ready; its sound may be empty."""
        return self._sound(self._polish(), last=False)

    def finish(self) -> Sound:
        """Return the rest, and the pause after it."""
        return self._sound(np.concatenate((self._polish(), self._polisher.finish())), last=True)

    def _polish(self) -> Pcm:
        if not self._waiting:
            return np.zeros(0, np.int16)
        waiting, self._waiting = self._waiting, []
        return self._polisher.feed(np.concatenate(waiting))

    def _sound(self, pcm: Pcm, *, last: bool) -> Sound:
        skipped = self._polisher.skipped
        if skipped is None:
            return Sound(pcm, self._rate_hz, last=last)
        most = self._polisher.sent if last else sys.maxsize

        def moved(at: int) -> int:
            return min(max(at - skipped, 0), most)

        shapes = tuple(Shape(moved(shape.at), shape.viseme) for shape in self._shapes)
        words = tuple(Word(moved(word.at), word.start, word.end) for word in self._words)
        self._shapes, self._words = [], []
        return Sound(pcm, self._rate_hz, shapes, words, last)

    def _sample(self, ticks: int) -> int:
        return round(ticks * self._rate_hz / TICKS_HZ)
