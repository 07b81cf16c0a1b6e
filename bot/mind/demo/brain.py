"""The demo brain on air: the same llama.cpp path as any model, with prompts cut to what so small a one can read."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.mind.demo.reader import WEIGHTS, Meant, Reader, told
from bot.mind.llama import LlamaBrain
from bot.mind.prompts import names
from bot.vocabulary import Health, Message, Prompt

MODEL = Path(__file__).with_name("demo.gguf")
HER_NAME = "Aneeka"
"""The model knows her by no other; where she has another one, it is put in behind it."""
CONTEXT = 1024
LONGEST = 96
"""Tokens of an answer to one line: twice as many as most of its lessons have."""
PARAGRAPH = "\n\n"
TEMPERATURE = 0.6
"""Warmer than this it garbles names; colder it repeats itself."""
MIN_P = 0.3
"""A small model's unlikely words are mostly wrong: letters of a name, above all."""

MOST_DOUBT = 4.0
"""In nats. To choose one of nine answers takes 2; where it is not sure how an answer goes on, it garbles it."""
TRIES = 2
"""Answers that are drawn; if it doubts them all, it gives the one that is the likeliest word by word."""

LEAST_NAMED, MOST_NAMED = 2, 3
"""Viewers whom she calls by name in one answer."""
UNDERSTOOD = 0.9
"""How sure it must be of what a viewer means to name more than the fewest."""
CROWD = "many_crowd"
"""What is asked for behind an answer that could not name everybody."""


def requests(prompt: Prompt, persona: str, meant: list[Meant]) -> list[Prompt]:
    """Return what it reads of a prompt: the short persona, and what was heard with what is ``meant`` by it.

    Several viewers are answered one by one, whom it understood best first, and those left over together. Of the
    instruction it needs only the idea with which to break a silence.
    """
    heard, _, instruction = prompt.messages[-1].content.partition(PARAGRAPH)
    cue = prompt.cue
    if cue.mode == "idle":
        parts = [(instruction, cue)]
    elif cue.mode == "chat_many" and len(lines := heard.split("\n")) == len(meant):
        ranked = sorted(zip(lines, meant, cue.heard, strict=True), key=lambda one: -one[1].sure)
        named = sum(each.sure >= UNDERSTOOD for _, each, _ in ranked)
        named = max(LEAST_NAMED, min(MOST_NAMED, named))
        parts = [
            (told(line, each.intent, brief=True), replace(cue, heard=(who,))) for line, each, who in ranked[:named]
        ]
        if len(ranked) > named:
            parts.append((told("", CROWD), replace(cue, heard=())))
    else:
        parts = [(told(heard, meant[0].intent) if meant else heard, cue)]
    length, warmth = min(prompt.max_tokens, LONGEST), min(prompt.temperature, TEMPERATURE)
    return [
        Prompt((Message("system", persona), Message("user", asked)), about, length, warmth) for asked, about in parts
    ]


class DemoBrain(LlamaBrain):
    """The model that comes with the program; it fits every machine. What was meant is read for it beforehand."""

    name = "demo"

    def __init__(
        self,
        persona: str,
        bot: str,
        *,
        on_health: Callable[[Health], None],
        model: Path = MODEL,
        weights: Path = WEIGHTS,
    ) -> None:
        """``persona``: see ``bot.mind.prompts.short_persona``, with ``HER_NAME``; ``bot``: the name she really has.

        ``weights``: of the reader.
        """
        super().__init__(model, context=CONTEXT, gpu_layers=0, threads=1, min_p=MIN_P, on_health=on_health)
        self._persona = persona
        self._bot, self._weights = bot, weights
        self._reader: Reader
        self._most_doubt = MOST_DOUBT

    async def start(self) -> None:
        """Begin to load."""
        self._reader = await asyncio.to_thread(Reader, self._bot, self._weights)
        await super().start()

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Give the answer, each part at once: it takes some 20 ms. Raises ``EngineDown`` or ``PromptTooLong``."""
        for number, part in enumerate(requests(prompt, self._persona, self._reader.meant(prompt.cue))):
            said = await self._surest(part)
            if HER_NAME not in names(prompt.cue.heard):
                said = re.sub(rf"\b{HER_NAME}\b", lambda _: self._bot, said)
            yield f" {said}" if number else said
        self.prompt_tokens = 0  # it reads no history, so its prompts say nothing of how long that has become

    async def _surest(self, part: Prompt) -> str:
        """Return an answer of which the model is sure, if there is one."""
        for _ in range(TRIES):
            said = await self._answer(part, MOST_DOUBT)
            if self.doubt <= MOST_DOUBT:
                return said
        return await self._answer(replace(part, temperature=0.0), math.inf)

    async def _answer(self, part: Prompt, most_doubt: float) -> str:
        """Return an answer, broken off when the model doubts it more than that."""
        self._most_doubt = most_doubt
        async with aclosing(super().think(part)) as pieces:
            return "".join([piece async for piece in pieces])

    def _held_to(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "names": names(prompt.cue.heard),
            "name_leads": prompt.cue.mode == "chat_many",
            "most_doubt": self._most_doubt,
        }

    async def warm(self, prompt: Prompt) -> None:
        """Forget, if that was asked; nothing is worth reading ahead: a whole prompt takes it some milliseconds."""
        if self.must_forget:
            await super().warm(replace(prompt, messages=(Message("system", self._persona),)))
