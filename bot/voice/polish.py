"""Makes a clip fit to be joined to others: no silence before it, a natural pause after it, one level, no clicks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bot.vocabulary import Pcm

LEVEL_DB = -18.0
"""RMS of speech in dBFS, pauses not counted."""
_AUDIBLE = 100
"""Samples (16 bits) below this are silence at either end of a clip."""
_KNEE, _CEILING = 0.75, 0.98
_FADE_S = 0.003
_BEFORE_S = 0.005
_AFTER_S = 0.005

_Floats = npt.NDArray[np.float32]


def pause_after(text: str) -> float:
    """Return the seconds of silence that a speaker leaves after a phrase."""
    mark = text.rstrip(" \"'”’»)")[-1:]
    if mark in tuple(".!?…"):
        return 0.15
    return 0.06 if mark in tuple(",;:–—") else 0.02


def gain_for(pcm: Pcm, rate_hz: int) -> float:
    """Return the factor that brings a voice, heard in a sample of its speech, to ``LEVEL_DB``; 1.0 for silence."""
    block = rate_hz // 50
    power = (pcm[: len(pcm) // block * block].astype(np.float64) ** 2).reshape(-1, block).mean(axis=1)
    speech = power[power > 400**2]
    if not len(speech):
        return 1.0
    return float(32768 * 10 ** (LEVEL_DB / 20) / np.sqrt(speech.mean()))


class Polisher:
    """Polishes one clip while it streams. ``skipped``: samples taken off its beginning; None until speech begins."""

    def __init__(self, rate_hz: int, gain: float, pause_s: float) -> None:
        self.skipped: int | None = None
        self.sent = 0
        """Samples returned so far."""
        self._gain = gain
        self._fade = round(rate_hz * _FADE_S)
        self._before = round(rate_hz * _BEFORE_S)
        self._after = round(rate_hz * _AFTER_S)
        self._pause = round(rate_hz * pause_s)
        self._held: Pcm = np.zeros(0, np.int16)
        self._dropped = 0

    def feed(self, pcm: Pcm) -> Pcm:
        """Take the next samples; return those that the end of the clip cannot change any more."""
        self._held = np.concatenate((self._held, pcm))
        audible = np.flatnonzero(np.abs(self._held.astype(np.int32)) > _AUDIBLE)
        if self.skipped is None:
            silent = (int(audible[0]) if len(audible) else len(self._held)) - self._before
            drop = max(silent, 0)
            self._held = self._held[drop:]
            self._dropped += drop
            if not len(audible):
                return np.zeros(0, np.int16)
            self.skipped = self._dropped
            audible -= drop
        certain = int(audible[-1]) + 1 - self._fade if len(audible) else 0
        return self._send(max(certain, 0))

    def finish(self) -> Pcm:
        """Return the rest, faded out, and the pause; nothing at all if nothing was audible."""
        if self.skipped is None:
            return np.zeros(0, np.int16)
        audible = np.flatnonzero(np.abs(self._held.astype(np.int32)) > _AUDIBLE)
        end = int(audible[-1]) + 1 + self._after if len(audible) else self._after
        self._held = self._held[:end].copy()
        fade = min(self._fade, len(self._held))
        if fade:
            self._held[-fade:] = (self._held[-fade:] * np.linspace(1.0, 0.0, fade)).astype(np.int16)
        speech = self._send(len(self._held))
        self.sent += self._pause
        return np.concatenate((speech, np.zeros(self._pause, np.int16)))

    def _send(self, count: int) -> Pcm:
        ready, self._held = self._held[:count], self._held[count:]
        level: _Floats = ready.astype(np.float32) * np.float32(self._gain / 32768)
        if self.sent < self._fade:
            rising = np.arange(self.sent, self.sent + count, dtype=np.float32) / self._fade
            level *= np.minimum(rising, 1.0)
        self.sent += count
        loud = np.abs(level)
        over = loud > _KNEE
        if over.any():
            room = _CEILING - _KNEE
            level[over] = np.sign(level[over]) * (_KNEE + room * np.tanh((loud[over] - _KNEE) / room))
        return np.rint(level * 32767).astype(np.int16)
