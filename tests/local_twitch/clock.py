"""The local Twitch's clock: the event loop's own, so that it works in virtual time as well."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class Clock:
    def __init__(self) -> None:
        self.s = asyncio.get_running_loop().time
        self._unix_s = time.time() - self.s()

    def unix_s(self) -> float:
        return self._unix_s + self.s()

    def stamp(self, later_s: float = 0.0) -> str:
        """Return RFC 3339 with nanoseconds, as Twitch writes it."""
        at_s = self.unix_s() + later_s
        whole = datetime.fromtimestamp(int(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{whole}.{int(at_s % 1 * 1e9):09d}Z"
