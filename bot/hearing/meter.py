"""How loud the microphone is, for the page's meter, and whether it is switched off."""

from __future__ import annotations

from collections.abc import Callable

from bot.hearing.silero import RATE_HZ, SILENCE_DB, level_db
from bot.vocabulary import Pcm, Tell

TELL_S = 0.09
"""Three blocks, eleven times a second."""
MUTE_S = 3.0
"""Even a quiet room makes noise: samples that are all zero for so long come from a switch or a forbidding system."""


class Meter:
    """Tells ``{"type": "hearing", "level_db", "speech"}`` of the loudest block since it last did."""

    def __init__(self, tell: Tell, speech: Callable[[], bool]) -> None:
        """``speech``: whether the operator is speaking now."""
        self._tell = tell
        self._speech = speech
        self._loudest_db = SILENCE_DB
        self._next_s = 0.0
        self._zeros = 0

    @property
    def is_mute(self) -> bool:
        """Whether nothing but zeros has come for a while."""
        return self._zeros >= MUTE_S * RATE_HZ

    def feed(self, pcm: Pcm, at_s: float) -> None:
        """Take a block whose last sample was there at ``at_s``."""
        self._zeros = 0 if pcm.any() else self._zeros + len(pcm)
        self._loudest_db = max(self._loudest_db, level_db(pcm))
        if at_s >= self._next_s:
            self._tell({"type": "hearing", "level_db": round(self._loudest_db, 1), "speech": self._speech()})
            self._loudest_db, self._next_s = SILENCE_DB, at_s + TELL_S
