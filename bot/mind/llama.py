"""The local brain: llama.cpp in a child process, seen from the bot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from bot.mind.thoughts import spoken_of
from bot.vocabulary import Health, Message, Prompt
from bot.worker import Worker

FIRST_TOKEN_S = 5.0
BETWEEN_TOKENS_S = 3.0
COLD_CHARS_PER_S = 100.0
"""Reading speed that is still believed to be work: some 30 tokens a second, an 8B model on four desktop cores.

A prompt whose beginning is not cached may take that much longer. Giving up earlier would be no help: the next attempt
would be cold as well.
"""
LOAD_S = 180.0
"""An 8B file of 5 GB from a slow disk."""


class LlamaBrain:
    """A GGUF model. ``context`` in tokens; ``gpu_layers`` -1: all; ``threads`` 0: one fewer than the cores.

    ``min_p``: words less likely than this share of the likeliest are never drawn.
    """

    name = "llama"

    def __init__(
        self,
        model_path: Path,
        *,
        context: int = 8192,
        gpu_layers: int = -1,
        threads: int = 0,
        min_p: float = 0.05,
        on_health: Callable[[Health], None],
    ) -> None:
        options = {
            "model_path": str(model_path),
            "context": context,
            "gpu_layers": gpu_layers,
            "threads": threads,
            "min_p": min_p,
        }
        self._worker = Worker("llm", "bot.mind.llama_engine:LlamaEngine", options, on_health=on_health, load_s=LOAD_S)
        self.prompt_tokens = 0
        self.reused_tokens = 0
        """How many tokens of the newest prompt the model had already read."""
        self.doubt = 0.0
        """How improbable the newest answer was, in nats, where the model is watched (see ``_held_to``)."""
        self._known: tuple[int | None, tuple[Message, ...]] = (None, ())
        self._forgets = self._forgotten = 0
        self._warming: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._worker.pid

    @property
    def health(self) -> Health:
        """The state of the child."""
        return self._worker.health

    async def start(self) -> None:
        """Begin to load; returns at once."""
        await self._worker.start()

    async def ready(self, timeout_s: float) -> bool:
        """Wait until the model is loaded; False when it is not after ``timeout_s``."""
        return await self._worker.ready(timeout_s)

    async def close(self) -> None:
        """End the child."""
        await self._worker.close()

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Stream the answer. Raises ``EngineDown`` or ``PromptTooLong``. An unfinished ``warm`` makes way."""
        if self._warming:
            self._warming.cancel()
        limits = {"max_tokens": prompt.max_tokens, "temperature": prompt.temperature}
        items = self._ask("think", prompt, **limits, **self._held_to(prompt))
        async with aclosing(spoken_of(_words(items))) as pieces:
            async for piece in pieces:
                yield piece

    def _held_to(self, prompt: Prompt) -> dict[str, Any]:
        """Return by what this model must be helped and watched (see ``LlamaEngine.run``): a big one needs nothing."""
        return {}

    async def warm(self, prompt: Prompt) -> None:
        """Read the prompt ahead; ends early, without an error, when an answer is wanted meanwhile."""
        self._warming = task = asyncio.create_task(self._read_ahead(prompt))
        try:
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
        finally:
            task.cancel()

    def forget(self) -> None:
        """Let the next request begin by wiping from the child whatever it has read and that request does not share.

        Until then it stays in the child's memory; nothing can be answered from there but by a request. ``warm`` right
        behind this makes that moment short.
        """
        self._forgets += 1
        self._known = (None, ())

    @property
    def must_forget(self) -> bool:
        """Whether there is still something to wipe."""
        return self._forgets > self._forgotten

    async def _read_ahead(self, prompt: Prompt) -> None:
        items = self._ask("warm", prompt)
        async with aclosing(items):
            async for _ in items:
                pass

    async def _ask(self, do: str, prompt: Prompt, **more: Any) -> AsyncGenerator[dict[str, Any], None]:
        messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
        forgets = self._forgets
        stream = self._worker.stream(
            {"do": do, "messages": messages, "wipe": self.must_forget, **more},
            first_s=FIRST_TOKEN_S + self._unread_chars(prompt) / COLD_CHARS_PER_S,
            next_s=BETWEEN_TOKENS_S,
        )
        async with aclosing(stream):
            async for item, _ in stream:
                self.doubt = item.get("doubt", 0.0)
                if "prompt_tokens" in item:
                    self.prompt_tokens, self.reused_tokens = item["prompt_tokens"], item["reused"]
                    self._forgotten = max(self._forgotten, forgets)
                    if not self.must_forget:
                        self._known = (self.pid, prompt.messages)
                yield item

    def _unread_chars(self, prompt: Prompt) -> int:
        """Return how much of the prompt lies behind what this child has read last."""
        pid, known = self._known
        unread = list(prompt.messages)
        if pid == self.pid:
            for ours, theirs in zip(prompt.messages, known, strict=False):
                if ours != theirs:
                    break
                unread.pop(0)
        return sum(len(message.content) for message in unread)


async def _words(items: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[str, None]:
    async with aclosing(items):
        async for item in items:
            if piece := item.get("text"):
                yield piece
