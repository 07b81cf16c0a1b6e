"""The sound of one reply, kept while it lasts: to be recorded, measured, and said again from a word that was held."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from bot.stage.silent import RATE_HZ
from bot.vocabulary import Pcm

LEVEL_OVER = RATE_HZ // 25
SILENCE_DB = -96.0


class Track:
    """All samples of a reply, in the pieces in which they came."""

    def __init__(self) -> None:
        self.samples = 0
        self._pieces: list[Pcm] = []
        self._starts: list[int] = []

    def add(self, pcm: Pcm) -> None:
        """Append a piece that is not empty."""
        self._pieces.append(pcm)
        self._starts.append(self.samples)
        self.samples += len(pcm)

    def sound(self, start: int = 0) -> Pcm:
        """Return everything from sample ``start`` on."""
        return np.concatenate([np.zeros(0, np.int16), *self._pieces])[start:]

    def level_db(self, position: int) -> float:
        """Return how loud it is just before ``position``, in dBFS (RMS over 40 ms at most)."""
        if not 0 < position < self.samples:
            return SILENCE_DB
        i = bisect_left(self._starts, position) - 1
        into = position - self._starts[i]
        piece = self._pieces[i][max(0, into - LEVEL_OVER) : into]
        power = float(np.mean(np.square(piece, dtype=np.float32)))
        return max(SILENCE_DB, 10.0 * float(np.log10(power / 32768.0**2 + 1e-12)))
