"""What voices have in common whose engine lives in a child process of its own (``bot.worker``)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from bot.vocabulary import Health, Phrase, Sound
from bot.voice.wire import Item, as_sound
from bot.worker import Worker


class Child:
    """Owns the child. ``first_s``, ``next_s``: limits for the first item of an answer, and for those after it."""

    def __init__(self, worker: Worker, first_s: float, next_s: float) -> None:
        self._worker = worker
        self._first_s, self._next_s = first_s, next_s

    async def start(self) -> None:
        """Start the child; returns at once."""
        await self._worker.start()

    async def ready(self, timeout_s: float) -> bool:
        """Wait until it can serve; ``False``: not within that time."""
        return await self._worker.ready(timeout_s)

    async def close(self) -> None:
        """End the child."""
        await self._worker.close()

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        return self._worker.pid

    @property
    def health(self) -> Health:
        """How the child is."""
        return self._worker.health

    def _ask(self, request: dict[str, Any]) -> AsyncGenerator[Item, None]:
        """Stream the answer to one request. Raises ``EngineDown``."""
        return self._worker.stream(request, first_s=self._first_s, next_s=self._next_s)


class ChildVoice(Child):
    """Implements ``vocabulary.Voice`` but for its name; the engine takes ``text`` and gives ``wire`` items."""

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Stream one phrase. What cannot be pronounced is one empty last piece. Raises ``EngineDown``."""
        async with aclosing(self._ask({"text": phrase.text})) as items:
            async for header, payload in items:
                yield as_sound(header, payload)
