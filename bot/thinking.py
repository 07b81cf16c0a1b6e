"""What the brain is asked, and how it is kept ready: prompts built, read ahead, thought ahead, and forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.mind.forethought import Forethought
from bot.mind.prompts import Situation
from bot.supervisor import Keeper
from bot.vocabulary import Cue, Prompt, Reply

if TYPE_CHECKING:
    from bot.app import Aneeka

BUSY_S = 0.03
"""A timer that was so late tells of a machine that has no time for work that may be in vain."""


class Thinking:
    """The way from a cue to the brain. ``brain`` is the ladder, as one that can be asked ahead."""

    def __init__(self, aneeka: Aneeka, keeper: Keeper) -> None:
        self._aneeka = aneeka
        self._keeper = keeper
        self.brain = Forethought(aneeka.engines.brain)
        self.late_s = 0.0
        """How late the newest timer was."""
        self._warming: asyncio.Task[None] | None = None

    def prompt(self, reply: Reply) -> Prompt | str:
        """Return what the brain is asked for a reply, or the very words where it is not asked."""
        a, cue = self._aneeka, reply.cue
        if cue.mode == "say":
            return cue.heard[0].text
        if cue.mode == "event" and (line := a.policy.line(cue.heard[0])) is not None:
            return line
        prompt = self._prompt(cue)
        reply.marks.setdefault("prompt_ready", a.now())
        return prompt

    def _prompt(self, cue: Cue) -> Prompt:
        a, now = self._aneeka, self._aneeka.now()
        silent_s, overheard = now - a.intake.last_s, a.memory.overheard(now)
        situation = Situation(a.inbox.chat_per_min(now), a.inbox.chat_waiting, silent_s, overheard)
        prompt = a.prompts.build(cue, a.memory, situation)
        return replace(prompt, max_tokens=a.settings.llm.max_tokens, temperature=a.settings.llm.temperature)

    # ------------------------------------------------------------------ ahead of time

    def warm(self) -> None:
        """Let the brain read ahead what the next prompt will begin with, unless it is at work."""
        a = self._aneeka
        if a.reply is None:
            self.rest()
            self._warming = self._keeper.keep(self.brain.warm(a.prompts.warm_prompt(a.memory)))

    def rest(self) -> None:
        """Stop reading ahead: an answer is wanted."""
        if self._warming is not None:
            self._warming.cancel()

    async def warmed(self) -> None:
        """Wait until the brain has read ahead, if it is about to."""
        if self._warming is not None:
            await asyncio.wait([self._warming])

    def read_ahead(self, cue: Cue) -> None:
        """Somebody is still saying this: let the brain read what the prompt will begin with."""
        if self._aneeka.reply is None and (self._warming is None or self._warming.done()):
            self._warming = self._keeper.keep(self.brain.warm(self._prompt(cue)))

    def think_ahead(self, cue: Cue) -> None:
        """This will probably have to be answered: begin, unheard, if the machine has time for it."""
        a = self._aneeka
        if a.reply is None and not a.director.held and self.late_s < BUSY_S:
            self.rest()
            self.brain.foresee(self._prompt(cue))

    def think_again(self) -> None:
        """What was begun is not wanted."""
        self._keeper.keep(self.brain.drop())

    def forget(self) -> None:
        """Some of the history was withdrawn: the brain keeps nothing that it has read but what stays."""
        self._aneeka.engines.brain.forget()
        self.think_again()
        self.warm()
