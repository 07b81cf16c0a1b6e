"""Takes one voice's sounds as they come, within a limit of time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from bot.texts import text
from bot.vocabulary import EngineDown, Sound

END_S = 0.1
"""How long a voice may take to end by itself after its last sound."""


class Pull:
    """Takes one voice's sounds within a limit of time, without losing one that comes later."""

    def __init__(self, sounds: AsyncGenerator[Sound, None]) -> None:
        self._sounds = sounds
        self._step: asyncio.Task[Sound | None] | None = None

    async def next(self, within_s: float) -> Sound | None:
        """Return the next sound; None: it has not come yet. Raises ``EngineDown``."""
        if self._step is None:
            self._step = asyncio.create_task(self._advance())
        await asyncio.wait([self._step], timeout=within_s)
        if not self._step.done():
            return None
        step, self._step = self._step, None
        sound = step.result()
        if sound is None:
            raise EngineDown(text("voices.broke_off"))
        return sound

    async def finish(self) -> None:
        """Let the voice end by itself after its last sound."""
        self._step = asyncio.create_task(self._advance())
        await asyncio.wait([self._step], timeout=END_S)

    async def leave(self) -> None:
        """End the voice's work."""
        if self._step is not None:
            self._step.cancel()
            await asyncio.wait([self._step])
            if not self._step.cancelled():
                self._step.exception()
        with suppress(EngineDown):
            await self._sounds.aclose()

    async def _advance(self) -> Sound | None:
        try:
            return await anext(self._sounds)
        except StopAsyncIteration:
            return None
