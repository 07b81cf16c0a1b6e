"""The demo brain on air: the same llama.cpp path as any model, with prompts cut to what so small a one can read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.mind.demo.reader import WEIGHTS, Meant, Reader, told
from bot.mind.llama import LlamaBrain
from bot.mind.prompts import names
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Message, Prompt, PromptTooLong

MODEL = Path(__file__).with_name("demo.gguf")
HER_NAME = "Aneeka"
"""The model knows her by no other; where she has another one, it is put in behind it."""
CONTEXT = 1024
LONGEST = 96
"""Tokens of an answer to one line: twice as many as most of its lessons have."""
READ = 200
"""Signs of a line that it reads: also in emoji, of four tokens each, they fit beside the persona and an answer."""
PARAGRAPH = "\n\n"
TEMPERATURE = 0.6
"""Warmer than this it garbles names; colder it repeats itself."""
MIN_P = 0.3
"""A small model's unlikely words are mostly wrong: letters of a name, above all."""

MOST_DOUBT, WELCOME_DOUBT = 4.0, 2.0
"""In nats. To choose one of nine answers takes 2; where it is not sure how an answer goes on, it garbles it.
Who is here for the first time is welcomed before the answer, in one of several ways."""
TRIES = 2
"""Answers that are drawn; then as many more to plainer words: a name and a text that it knows well."""
PLAIN_NAME, PLAIN_TEXT = "Ana", '"…"'

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
        ranked = sorted(zip(lines, meant, cue.heard, strict=True), key=lambda one: -_understood(one[1]))
        named = sum(_understood(each) >= UNDERSTOOD for _, each, _ in ranked)
        named = max(LEAST_NAMED, min(MOST_NAMED, named))
        parts = [
            (told(_short(line), each.intent, brief=True), replace(cue, heard=(who,)))
            for line, each, who in ranked[:named]
        ]
        if len(ranked) > named:
            parts.append((told("", CROWD), replace(cue, heard=())))
    else:
        heard = _short(heard)
        parts = [(told(heard, meant[0].intent) if meant else heard, cue)]
    warmth = min(prompt.temperature, TEMPERATURE)
    return [
        Prompt((Message("system", persona), Message("user", asked)), about, LONGEST, warmth) for asked, about in parts
    ]


def _understood(meant: Meant) -> float:
    """Return how well a line is understood; to be sure that it is not understood does not count."""
    return 0.0 if meant.intent == "unknown" else meant.sure


def _short(line: str) -> str:
    """Return a quoted line, cut to what is read of it."""
    return line if len(line) <= READ else f'{line[:READ].rstrip()}…"'


def _most_doubt(part: Prompt) -> float:
    """Return up to which doubt an answer is sure."""
    welcome = any(one.person and "first_timer" in one.person.roles for one in part.cue.heard)
    return MOST_DOUBT + WELCOME_DOUBT * welcome


def _in_plain_words(part: Prompt) -> tuple[Prompt, str]:
    """Return a part with a plain name and text in place of the viewer's own, and the viewer's name.

    What was meant stands behind the text, so the answer is as good.
    """
    (name,) = names(part.cue.heard)[:1] or (PLAIN_NAME,)
    heard = tuple(
        replace(one, person=replace(one.person, name=PLAIN_NAME, roles=frozenset())) if one.person else one
        for one in part.cue.heard
    )
    persona, asked = part.messages
    content = re.sub('".*"', PLAIN_TEXT, asked.content, flags=re.DOTALL)
    content = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)( \([^)]*\)(?=:))?", PLAIN_NAME, content)
    return replace(part, messages=(persona, replace(asked, content=content)), cue=replace(part.cue, heard=heard)), name


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

    async def start(self) -> None:
        """Begin to load."""
        self._reader = await asyncio.to_thread(Reader, self._bot, self._weights)
        await super().start()

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Give the answer, each part at once: it takes some 20 ms. Raises ``EngineDown``."""
        said = ""
        for part in requests(prompt, self._persona, self._reader.meant(prompt.cue)):
            if answer := self._as_herself(await self._surest(part), part):
                said = f" {answer}" if said else answer
                yield said
        self.prompt_tokens = 0  # it reads no history, so its prompts say nothing of how long that has become

    def _as_herself(self, said: str, part: Prompt) -> str:
        """Return what she says with the name that she has; viewers keep theirs."""
        viewers = "|".join(re.escape(name) for name in names(part.cue.heard)) or r"(?!)"
        return re.sub(rf"(?<!\w)({viewers})(?!\w)|\b{HER_NAME}\b", lambda found: found[1] or self._bot, said)

    async def _surest(self, part: Prompt) -> str:
        """Return an answer of which the model is sure, empty if there is none."""
        plain, name = _in_plain_words(part)
        for asked in (part,) * TRIES + (plain,) * TRIES:
            said = await self._answer(asked)
            if self.doubt <= _most_doubt(asked):
                return said if asked is part else re.sub(rf"\b{PLAIN_NAME}\b", lambda _: name, said)
        return ""

    async def _answer(self, part: Prompt) -> str:
        """Return an answer, broken off when the model doubts it too much."""
        try:
            async with aclosing(super().think(part)) as pieces:
                return "".join([piece async for piece in pieces])
        except PromptTooLong:  # no history of hers could be left out
            raise EngineDown(text("engines.outgrown")) from None

    def _held_to(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "names": names(prompt.cue.heard),
            "name_leads": prompt.cue.mode == "chat_many",
            "most_doubt": _most_doubt(prompt),
        }

    async def warm(self, prompt: Prompt) -> None:
        """Forget, if that was asked; nothing is worth reading ahead: a whole prompt takes it some milliseconds."""
        if self.must_forget:
            await super().warm(replace(prompt, messages=(Message("system", self._persona),)))
