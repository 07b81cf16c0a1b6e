"""Talking over her: she is held at once, and cut only when it turns out to be words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot.hearing.listener import Listener
from bot.hearing.take import Take

WORDS_S = 0.9
"""So much speech after she was held is no murmur, cough or short laugh."""
HELD_MOST_S = 2.5
"""Nobody has understood a word since she was held: she goes on."""


class BargeIn:
    """Decides for one take at a time. ``busy``: a reply is under way. Not ``enabled``: nothing interrupts her."""

    def __init__(self, listener: Listener, busy: Callable[[], bool], *, enabled: bool) -> None:
        self._listener = listener
        self._busy = busy
        self._enabled = enabled
        self._patience: asyncio.TimerHandle | None = None

    def begins(self, take: Take, voiced_s: float) -> None:
        """Somebody speaks while she does, and has spoken for so long."""
        take.over_her = True
        if self._enabled and not take.held and not take.taken_over:
            take.held = True
            take.voiced_before_s = voiced_s
            self._listener.interrupts()
            self._patience = asyncio.get_running_loop().call_later(HELD_MOST_S, self.nothing, take)

    def lasts(self, take: Take, voiced_s: float) -> None:
        """So much has been said by now."""
        if take.held and voiced_s - take.voiced_before_s >= WORDS_S:
            self.words(take)

    def words(self, take: Take) -> None:
        """What is said is words."""
        if self._enabled and take.over_her and not take.taken_over:
            take.taken_over = True
            self._decided(take)
            self._listener.takes_over()

    def nothing(self, take: Take) -> None:
        """It was nothing that should stop her, or nobody knows.

        A reply that nobody had heard yet was not ended by words, and waits still.
        """
        if take.held or (take.taken_over and self._busy()):
            self._decided(take)
            self._listener.murmured()

    def _decided(self, take: Take) -> None:
        take.held = False
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
