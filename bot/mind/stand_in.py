"""A brain that sleeps until it is wanted, so that it costs nothing while a better one serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from bot.mind.llama import LlamaBrain
from bot.vocabulary import Prompt


class SleepingBrain:
    """Starts its child when it is wanted and ends it when it is not (``bot.supervisor.StandIn``)."""

    def __init__(self, brain: LlamaBrain) -> None:
        self.name = brain.name
        self._brain = brain
        self._wanted = self._awake = False
        self._tending: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it can answer now."""
        return self._awake and self._brain.health.state == "ok"

    @property
    def pid(self) -> int | None:
        """Its child while it is awake."""
        return self._brain.pid

    def want(self, wanted: bool) -> None:
        """Wake it, or let it sleep; returns at once."""
        self._wanted = wanted
        if self._wanted != self._awake and (self._tending is None or self._tending.done()):
            self._tending = asyncio.get_running_loop().create_task(self._tend())

    async def start(self) -> None:
        """Do nothing: it is started when it is wanted."""

    async def ready(self, timeout_s: float) -> bool:
        """Return ``True``: asleep is as it should be."""
        return True

    async def close(self) -> None:
        """Let it sleep for good."""
        self.want(False)
        if self._tending:
            await self._tending

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Stream an answer. Raises ``EngineDown`` or ``PromptTooLong``."""
        async with aclosing(self._brain.think(prompt)) as pieces:
            async for piece in pieces:
                yield piece

    async def warm(self, prompt: Prompt) -> None:
        """Let it read ahead, if it is awake. Raises ``EngineDown`` or ``PromptTooLong``."""
        if self.is_ready:
            await self._brain.warm(prompt)

    def forget(self) -> None:
        """See ``LlamaBrain.forget``."""
        self._brain.forget()

    async def _tend(self) -> None:
        while self._awake != self._wanted:
            self._awake = not self._awake
            await (self._brain.start() if self._awake else self._brain.close())
