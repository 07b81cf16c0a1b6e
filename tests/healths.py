"""Collects what a part reports about itself."""

from __future__ import annotations

import asyncio

from bot.vocabulary import Health


class Healths(list[Health]):
    """Every health reported so far, and a way to wait for one."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def report(self, health: Health) -> None:
        self.append(health)
        self._changed.set()

    async def until(self, *states: str) -> Health:
        while not self or self[-1].state not in states:
            self._changed.clear()
            await self._changed.wait()
        return self[-1]
