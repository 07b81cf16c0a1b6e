"""One phrase on its way from Azure's sound and events to ours."""

from __future__ import annotations

import re
from bisect import bisect_right

import numpy as np

from bot.vocabulary import Pcm, Shape, Sound, Word
from bot.voice.clip import PolishedClip

TICKS_HZ = 10_000_000
"""Azure counts time in units of 100 ns from the first sample of a request. Source: SDK reference, ``audio_offset``."""
_WORDS_AHEAD = 4
"""How many words of the text may be skipped to find the one that Azure says it speaks."""


class Clip(PolishedClip):
    """Takes what Azure sends in any order of kinds; gives polished ``Sound``."""

    def __init__(self, spoken: str, rate_hz: int, gain: float) -> None:
        super().__init__(spoken, rate_hz, gain)
        self._text = spoken
        self._tokens = [match.span() for match in re.finditer(r"\S+", spoken)]
        self._starts = [start for start, _ in self._tokens]
        self._next_token = 0
        self._from_char = 0
        self._odd = b""
        self._waiting: list[Pcm] = []
        self._come = 0
        self._last_shape_at = -1

    @property
    def begun(self) -> bool:
        """Whether any sound has come."""
        return self._come > 0

    @property
    def covered(self) -> bool:
        """Whether every shape of the sound that came is known, because a later one is."""
        return self._last_shape_at >= self._come

    def add_audio(self, pcm: bytes) -> None:
        """Take the next bytes of 16 bit sound."""
        data = self._odd + pcm
        whole = len(data) // 2 * 2
        self._odd = data[whole:]
        samples = np.frombuffer(data[:whole], np.dtype("<i2")).astype(np.int16)
        self._waiting.append(samples)
        self._come += len(samples)

    def add_viseme(self, ticks: int, viseme: int) -> None:
        """Take a mouth shape and when it begins."""
        at = self._sample(ticks)
        self._last_shape_at = max(self._last_shape_at, at)
        if 0 <= viseme <= 21:
            self.note((Shape(at, viseme),))

    def add_word(self, ticks: int, word: str) -> None:
        """Take a word and when it begins. It counts as what stands between two spaces in the text, once."""
        found = self._find(word)
        if found is None:
            return  # said otherwise than it is written: the words around it have their times
        start, self._from_char = found
        token = bisect_right(self._starts, start) - 1
        if token >= self._next_token:
            self._next_token = token + 1
            self.note(words=(Word(self._sample(ticks), *self._tokens[token]),))

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
        return self.add(self._taken())

    def finish(self) -> Sound:
        """Return the rest, and the pause after it."""
        return self.add(self._taken(), last=True)

    def _taken(self) -> Pcm:
        waiting, self._waiting = [np.zeros(0, np.int16), *self._waiting], []
        return np.concatenate(waiting)

    def _sample(self, ticks: int) -> int:
        return round(ticks * self.rate_hz / TICKS_HZ)
