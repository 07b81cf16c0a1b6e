"""The key to talk is let go of: what was said until then is still on its way, and belongs to the turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TAIL_S = 0.1
"""People let go a little early, and a browser's sound is a little older than it says."""
LATE_S = 0.5
"""What has not come by then does not come."""


class HeldKey:
    """Calls ``let_go`` when the sound of the moment of release has been heard, or is not to be expected any more."""

    def __init__(self, clock: Callable[[], float], let_go: Callable[[], None]) -> None:
        self.released_s: float | None = None
        """When it was let go of, while ``let_go`` has not returned."""
        self._clock = clock
        self._let_go = let_go
        self._late: asyncio.TimerHandle | None = None

    def release(self) -> None:
        """It is let go of; more than once is once."""
        if self.released_s is None:
            self.released_s = self._clock()
            self._late = asyncio.get_running_loop().call_later(LATE_S, self._end)

    def hold(self) -> None:
        """It is held again, or nothing is waited for any more."""
        self.released_s = None
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def heard(self, until_s: float) -> None:
        """All that was said until then has come."""
        if self.released_s is not None and until_s >= self.released_s + TAIL_S:
            self._end()

    def _end(self) -> None:
        self._let_go()
        self.hold()
