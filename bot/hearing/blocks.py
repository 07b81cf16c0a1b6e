"""Cuts what a microphone delivers, in pieces of any length and at any rate, into blocks at 16 kHz, and dates them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from bot.hearing.silero import BLOCK, RATE_HZ
from bot.vocabulary import Pcm

QUALITY = "LQ"
"""soxr holds back at most 20 ms of 48 kHz at this quality and 37 ms at the next one (measured); what it costs is treble
that no recogniser listens to."""
STALL_S = 2.0
"""What arrives late for so long is not taken for speech that came later: somebody on the way stood still."""


class Arrivals:
    """When samples were spoken, by how many came until when: the quickest arrival of late tells how long the way is.

    Clocks that tick every 16 ms, as on Windows, do no harm to it either.
    """

    def __init__(self, rate_hz: int) -> None:
        self.taken = 0
        self._rate_hz = rate_hz
        self._offsets: deque[tuple[float, float]] = deque(maxlen=200)
        self._last_s = float("-inf")

    def add(self, samples: int, now: float) -> float:
        """Take so many samples that are there ``now``; return when the last one was spoken, never less than before."""
        self.taken += samples
        so_far_s = self.taken / self._rate_hz
        self._offsets.append((now, now - so_far_s))
        while now - self._offsets[0][0] > STALL_S:
            self._offsets.popleft()
        self._last_s = max(self._last_s, so_far_s + min(offset for _, offset in self._offsets))
        return self._last_s


class Blocks:
    """One stretch of sound without gaps at ``rate_hz``, mono."""

    def __init__(self, rate_hz: int) -> None:
        self._resampler: Any = None
        if rate_hz != RATE_HZ:
            import soxr  # the browser's sound comes at our rate

            self._resampler = soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="int16", quality=QUALITY)
        self._rest: Pcm = np.zeros(0, np.int16)

    def feed(self, pcm: Pcm, at_s: float) -> Iterator[tuple[Pcm, float]]:
        """Take a piece whose last sample was there at ``at_s``; yield blocks, each with its last sample's time."""
        held_s = 0.0
        if self._resampler is not None:
            pcm = self._resampler.resample_chunk(pcm)
            held_s = float(self._resampler.delay()) / RATE_HZ
        sound = np.concatenate([self._rest, pcm])
        whole = len(sound) // BLOCK * BLOCK
        for end in range(BLOCK, whole + 1, BLOCK):
            yield sound[end - BLOCK : end], at_s - held_s - (len(sound) - end) / RATE_HZ
        self._rest = sound[whole:]
