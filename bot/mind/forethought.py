"""Thinking ahead: an answer is begun before it is sure that it will be wanted, and thrown away silently if not.

What is thought ahead waits here, unheard, until the very same prompt is asked in earnest; then the words that have
come are there at once, and the rest follows as it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from bot.vocabulary import Brain, Prompt

MOST_TRIES = 3
"""Thoughts thrown away in a row, after which it waits for the end of what is said."""


class _Thought:
    """One answer in the making."""

    def __init__(self, brain: Brain, prompt: Prompt) -> None:
        self.prompt = prompt
        self._pieces: asyncio.Queue[str | Exception | None] = asyncio.Queue()  # bounded by the prompt's max_tokens
        self._work = asyncio.create_task(self._think(brain))

    async def _think(self, brain: Brain) -> None:
        try:
            async with aclosing(brain.think(self.prompt)) as pieces:
                async for piece in pieces:
                    self._pieces.put_nowait(piece)
            self._pieces.put_nowait(None)
        except Exception as failure:
            self._pieces.put_nowait(failure)

    async def pieces(self) -> AsyncGenerator[str, None]:
        try:
            while (piece := await self._pieces.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            await self.end()

    async def end(self) -> None:
        self._work.cancel()
        await asyncio.wait([self._work])


class Forethought:
    """A brain that may be asked ahead; implements ``vocabulary.Brain``."""

    def __init__(self, brain: Brain) -> None:
        self._brain = brain
        self._thought: _Thought | None = None
        self._wasted = 0

    @property
    def name(self) -> str:
        """What the record calls it."""
        return self._brain.name

    @property
    def prompt_tokens(self) -> int:
        """Real size of the newest prompt; 0 while unknown."""
        return self._brain.prompt_tokens

    def foresee(self, prompt: Prompt) -> None:
        """Begin to answer this, unless that was in vain too often; belongs where no reply is in progress."""
        if self._thought is None and self._wasted < MOST_TRIES:
            self._thought = _Thought(self._brain, prompt)

    async def drop(self) -> None:
        """What was foreseen is not wanted."""
        thought, self._thought = self._thought, None
        if thought is not None:
            self._wasted += 1
            await thought.end()

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Stream an answer, from what was thought ahead where it was this very prompt."""
        thought = self._thought
        if thought is not None and _asks(thought.prompt) == _asks(prompt):
            self._thought = None
            source = thought.pieces()
        else:
            await self.drop()
            source = self._brain.think(prompt)
        self._wasted = 0
        async with aclosing(source) as pieces:
            async for piece in pieces:
                yield piece

    async def warm(self, prompt: Prompt) -> None:
        """Read the prompt ahead, unless an answer is being thought ahead."""
        if self._thought is None:
            await self._brain.warm(prompt)


def _asks(prompt: Prompt) -> tuple[object, ...]:
    return prompt.messages, prompt.max_tokens, prompt.temperature
