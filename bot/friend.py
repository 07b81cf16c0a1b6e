"""A conversation beside the show: one spoken question, one spoken answer, nothing shown, remembered or recorded.

What she says live comes first: a private answer waits until she is silent, and makes way when she has something to say.
Nothing of it has been heard then, so it simply begins again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from bot.hearing.hallucinations import is_silent
from bot.hearing.ladder import RecogniserLadder
from bot.mind.memory import Memory
from bot.mind.prompts import Situation
from bot.mind.quoting import OPERATOR_LIMIT, clean_text
from bot.reply import Outcome, Performance, Platform
from bot.safety.gate import filtered_line
from bot.vocabulary import Brain, Cue, Heard, Message, Pcm, Phrase, Prompt, PromptTooLong, Reply
from bot.voice.phrases import PhraseCutter

if TYPE_CHECKING:
    from bot.app import Aneeka

WAIT_S = 30.0
"""How long a private question waits for the show."""
MOST_WAITING = 4


class NotUnderstood(Exception):
    """Nobody spoke, or no word was understood."""


class TooBusy(Exception):
    """The show leaves no room now, or too many ask at the same time."""


class OnHold(Exception):
    """She has been told to be silent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was understood, and what she says to it; ``sound`` at the stage's rate, ``rate_hz``."""

    input: str
    language: str
    text: str
    expression: str
    sound: Pcm
    rate_hz: int


class Friend:
    """Answers privately. ``gate`` judges what goes out, ``stage`` makes a stage that nobody sees or hears."""

    def __init__(
        self,
        aneeka: Aneeka,
        ears: RecogniserLadder,
        *,
        gate: Callable[[Phrase], str | None],
        stage: Callable[[], Platform],
        rate_hz: int,
        done: Callable[[], None],
    ) -> None:
        """``done`` is called when the brain has read something else than the show."""
        self._aneeka = aneeka
        self._ears = ears
        self._gate = gate
        self._stage = stage
        self._rate_hz = rate_hz
        self._done = done
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._ids = count(1)
        self._reply: Reply | None = None

    def make_way(self) -> None:
        """She begins to answer live: what is thought here is given up, and begun again afterwards."""
        if self._reply is not None:
            self._reply.stop("live")

    async def answer(self, pcm: Pcm, history: Sequence[Message]) -> Answer:
        """Answer what is said in this sound (16 kHz), after the conversation so far.

        Raises ``NotUnderstood``, ``TooBusy``, ``OnHold`` and, when nobody can listen, ``EngineDown``.
        """
        self._insist_allowed()
        if self._waiting >= MOST_WAITING:
            raise TooBusy
        self._waiting += 1
        try:
            heard, language = await self._listen(pcm)
            async with self._one_at_a_time:
                outcome = await self._think(Cue("operator", (heard,), heard.at_s, "operator"), list(history))
        finally:
            self._waiting -= 1
        self._insist_allowed()
        return Answer(heard.text, language, outcome.spoken.text, outcome.expression, outcome.sound, self._rate_hz)

    def _insist_allowed(self) -> None:
        if self._aneeka.director.held:
            raise OnHold

    async def _listen(self, pcm: Pcm) -> tuple[Heard, str]:
        if await asyncio.to_thread(is_silent, pcm):
            raise NotUnderstood
        utterance = self._ears.begin(lambda said: None)
        try:
            utterance.feed(pcm)
            transcript = await utterance.text_so_far()
        finally:
            utterance.close()
        heard = self._aneeka.intake.heard("operator", transcript.text)
        if self._aneeka.gate.comes_in(heard) is not None:
            raise NotUnderstood
        return heard, transcript.language

    async def _think(self, cue: Cue, history: list[Message]) -> Outcome:
        a = self._aneeka
        brain: Brain = a.engines.brain
        due_s = a.now() + WAIT_S
        while a.now() < due_s:
            if a.reply is not None:
                await a.rest(due_s - a.now())
                continue
            reply = self._reply = Reply(f"friend-{a.session}-{next(self._ids)}", cue)
            performance = Performance(
                reply,
                brain=brain,
                cutter=PhraseCutter(a.settings.persona.language, name=a.settings.persona.name),
                gate=self._gate,
                instead=lambda: filtered_line(a.reporter.phrases_blocked),
                second_opinion=a.second_opinion.on if a.second_opinion else None,
                voice=a.engines.voice,
                stage=self._stage(),
                tell=lambda message: None,
            )
            try:
                outcome = await performance.run(self._prompt(cue, history))
            except PromptTooLong:
                if not history:
                    brain = a.engines.brain.outgrown()
                del history[: (len(history) + 1) // 2]
                continue
            finally:
                self._reply = None
                self._done()
            if reply.cut is None:
                return outcome
        raise TooBusy

    def _prompt(self, cue: Cue, history: Sequence[Message]) -> Prompt:
        """Return what a brain is asked live, with this conversation in the place of the show's."""
        a = self._aneeka
        prompt = a.prompts.build(cue, Memory(), Situation())
        said = [self._message(message) for message in history]
        llm = a.settings.llm
        return replace(
            prompt,
            messages=(prompt.messages[0], *said, *prompt.messages[1:]),
            max_tokens=llm.max_tokens,
            temperature=llm.temperature,
        )

    def _message(self, message: Message) -> Message:
        """Write a message as the show's history would hold it."""
        if message.role == "user":
            heard = Heard("friend", "operator", message.content, 0.0)
            return Message("user", self._aneeka.prompts.heard_lines(Cue("operator", (heard,), 0.0)))
        tag = "[neutral] " if message.role == "assistant" else ""
        return Message(message.role, tag + clean_text(message.content, OPERATOR_LIMIT))
