"""Where in a stretch of sound somebody may be speaking, by its level alone."""

from __future__ import annotations

import numpy as np

from bot.hearing.silero import BLOCK, level_db
from bot.vocabulary import Pcm

QUIET_DB = -55.0
"""Nobody speaks so low."""
ABOVE_DB = 6.0
"""So much louder than the room is speech at least."""


class Voiced:
    """Positions are samples from the first. Speech is what is nearer to the loudest than to the room's own noise."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._length = 0
        self._ends: list[int] = []
        self._levels: list[float] = []
        self._lengths: list[int] = []

    def add(self, pcm: Pcm) -> None:
        """Append sound."""
        for at in range(0, len(pcm), BLOCK):
            block = pcm[at : at + BLOCK]
            self._length += len(block)
            self._ends.append(self._length)
            self._levels.append(level_db(block))
            self._lengths.append(len(block))

    def skip(self, samples: int) -> None:
        """Append what was not heard by the microphone."""
        self._length += samples

    @property
    def end(self) -> int:
        """Where the last speech ends; 0: there is none."""
        spots = np.flatnonzero(self._speech())
        return self._ends[spots[-1]] if len(spots) else 0

    def seconds_after(self, position: int) -> float:
        """Return how much speech there is after a position."""
        after = np.array(self._ends, dtype=int) > position
        return float(np.array(self._lengths, dtype=int)[after & self._speech()].sum()) / self._rate_hz

    def _speech(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        levels = np.array(self._levels, dtype=float)
        if not len(levels):
            return np.zeros(0, bool)
        room, loudest = np.percentile(levels, (10, 90))
        return np.asarray(levels > max(QUIET_DB, room + ABOVE_DB, (room + loudest) / 2))
