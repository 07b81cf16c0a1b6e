"""How often Azure may be asked."""

from __future__ import annotations

from collections import deque

WINDOW_S = 60.0
MOST = 18
"""Requests in the window that are dared; the service's own limit is 20."""
TELLING = 15
"""A refusal after fewer requests is no sign of the limit: the service refuses some of anybody's while it grows."""


class Budget:
    """Keeps to the free tier's limit of requests once the service has shown that the account has it.

    Source: Azure Speech documentation, "Speech service quotas and limits". Times are seconds of any one clock.
    """

    def __init__(self) -> None:
        self.limited = False
        """Whether the limit is known to hold."""
        self._made: deque[float] = deque(maxlen=MOST)

    def spend(self, now: float) -> None:
        """Count one request."""
        self._made.append(now)

    def refused(self, now: float) -> None:
        """The service has refused a request because there were too many."""
        recent = sum(now - at < WINDOW_S for at in self._made)
        self.limited = self.limited or recent >= TELLING

    def wait_s(self, now: float) -> float:
        """Return how long the next request has to wait."""
        if not self.limited or len(self._made) < MOST:
            return 0.0
        return max(0.0, self._made[0] + WINDOW_S - now)
