"""The loudness of a voice that cannot be heard before it speaks: learned from what it says, kept for the next time."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np

from bot.vocabulary import Pcm
from bot.voice.polish import gain_for

ENOUGH_S = 10.0
"""Seconds of a voice that tell its level."""
LEAST, MOST = 0.25, 4.0

_log = logging.getLogger(__name__)


class Level:
    """The factor that brings one voice to the level of all voices; 1.0 until it was heard.

    ``file`` keeps the factors of all voices, by ``voice``. What it says of this one is believed.
    """

    def __init__(self, file: Path, voice: str, rate_hz: int) -> None:
        self._file = file
        self._voice = voice
        self._rate_hz = rate_hz
        self._heard: list[Pcm] = []
        known = self._kept().get(voice)
        self._certain = known is not None
        self.gain = 1.0 if known is None else min(max(known, LEAST), MOST)

    def hear(self, pcm: Pcm) -> None:
        """Take a phrase as the voice made it; changes ``gain`` for the phrases after it, until enough was heard."""
        if self._certain:
            return
        self._heard.append(pcm)
        sound = np.concatenate(self._heard)
        self.gain = min(max(gain_for(sound, self._rate_hz), LEAST), MOST)
        if len(sound) >= ENOUGH_S * self._rate_hz:
            self._certain = True
            self._heard = []
            self._keep()

    def _kept(self) -> dict[str, float]:
        try:
            kept = json.loads(self._file.read_text("utf-8"))
            return {str(voice): float(gain) for voice, gain in kept.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _keep(self) -> None:
        kept = self._kept() | {self._voice: round(self.gain, 3)}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        except OSError as fault:
            _log.warning("the level of voice %s could not be kept: %s", self._voice, fault.strerror)
