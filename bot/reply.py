"""Runs one reply: brain → phrases → gate → voice → stage, overlapped and cancellable.

The first clause is spoken while the brain still writes the rest. A reply is one TaskGroup: it is over when its tail
has been collected and what was really heard of it is known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from bot.timing import mark
from bot.vocabulary import Brain, EngineDown, Pcm, Phrase, Prompt, Reply, Sound, Spoken, Tell, Voice, sound_text

log = logging.getLogger(__name__)

EAGER_S = 1.2
"""While less sound than this is ahead, clauses go out as soon as they can be spoken; else whole sentences."""
LETTERS_PER_S = 15.0
WAITING_PHRASES = 2


class Piece(Protocol):
    """A cut piece of text with its expression (``bot.voice.phrases.Cut``)."""

    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def expression(self) -> str: ...  # noqa: D102


class Cutter(Protocol):
    """Cuts a stream of text into pieces fit to be spoken (``bot.voice.phrases.PhraseCutter``)."""

    def feed(self, piece: str, *, eager: bool) -> Sequence[Piece]: ...  # noqa: D102
    def finish(self) -> Sequence[Piece]: ...  # noqa: D102


class Platform(Protocol):
    """Where a reply is played (``bot.stage.playback.Stage``)."""

    def begin(self, reply: Reply) -> None: ...  # noqa: D102
    def play(self, reply: Reply, phrase: Phrase, sound: Sound) -> None: ...  # noqa: D102
    def end(self, reply: Reply) -> None: ...  # noqa: D102
    def cut(self, reply: Reply) -> None: ...  # noqa: D102
    def close(self, reply: Reply) -> tuple[Spoken, Pcm]: ...  # noqa: D102
    async def drained(self, reply: Reply) -> None: ...  # noqa: D102
    async def room(self, reply: Reply) -> None: ...  # noqa: D102
    def ahead_s(self) -> float: ...  # noqa: D102


@dataclass(slots=True)
class Outcome:
    """What became of a reply."""

    spoken: Spoken
    sound: Pcm
    generated: str
    expression: str
    blocked: list[str] = field(default_factory=list)


class Performance:
    """One run of one reply through the engines."""

    def __init__(
        self,
        reply: Reply,
        *,
        brain: Brain,
        cutter: Cutter,
        gate: Callable[[Phrase], str | None],
        voice: Voice,
        stage: Platform,
        tell: Tell,
        instead: Callable[[], str] | None = None,
        second_opinion: Callable[[str], Awaitable[str | None]] | None = None,
    ) -> None:
        """``instead`` gives what she says in place of a phrase that the gate stops.

        ``second_opinion`` is asked beside the voice's work on a phrase that the gate let pass, and like the gate gives
        the reason why it may not be said. Nothing of the phrase is heard before it has answered.
        """
        self.reply = reply
        self.brain = brain
        self.voice = voice
        self.stage = stage
        self._now = asyncio.get_running_loop().time
        self._cutter = cutter
        self._gate = gate
        self._instead = instead
        self._second_opinion = second_opinion
        self._opinions: dict[int, asyncio.Future[str | None]] = {}
        self._tell = tell
        self._phrases: asyncio.Queue[Phrase | None] = asyncio.Queue(WAITING_PHRASES)
        self._unvoiced = 0
        self._index = 0
        self._generated: list[str] = []
        self._expression = "neutral"
        self._blocked: list[str] = []
        self._refused = False

    async def run(self, prompt: Prompt | str) -> Outcome:
        """Answer a prompt, or say a given text exactly. Raises ``PromptTooLong`` before anything is said."""
        reply = self.reply
        self.stage.begin(reply)
        try:
            async with asyncio.TaskGroup() as group:
                work = [group.create_task(self._write(prompt)), group.create_task(self._speak())]
                over = group.create_task(self._watch(work))
                await asyncio.wait(work)
                over.cancel()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            for opinion in self._opinions.values():
                opinion.cancel()
            self.stage.cut(reply)
            spoken, sound = self.stage.close(reply)
        return Outcome(spoken, sound, "".join(self._generated), self._expression, self._blocked)

    async def _watch(self, work: list[asyncio.Task[None]]) -> None:
        await self.reply.stopped.wait()
        self.stage.cut(self.reply)
        for task in work:
            task.cancel()

    async def _write(self, prompt: Prompt | str) -> None:
        """Brain → phrases → gate."""
        pieces = _whole(prompt) if isinstance(prompt, str) else self.brain.think(prompt)
        marks = self.reply.marks
        async with aclosing(pieces):
            async for piece in pieces:
                mark(marks, "first_token", self._now())
                piece = sound_text(piece)
                self._generated.append(piece)
                for cut in self._cutter.feed(piece, eager=self._eager()):
                    if not await self._pass(cut):
                        return
        for cut in self._cutter.finish():
            if not await self._pass(cut):
                return
        await self._phrases.put(None)

    async def _pass(self, cut: Piece) -> bool:
        """Let a phrase through the gate to the voice; ``False``: it was blocked and the reply ends before it."""
        phrase = Phrase(self.reply.id, self._index, cut.text, cut.expression)
        if self._refused:
            await self._phrases.put(None)
            return False
        reason = self._gate(phrase)
        if reason is not None:
            self._stopped(reason)
            if self._instead is not None and reason != "empty":
                mark(self.reply.marks, "first_phrase", self._now())
                await self._phrases.put(Phrase(self.reply.id, self._index, self._instead(), "neutral"))
            await self._phrases.put(None)
            return False
        mark(self.reply.marks, "first_phrase", self._now())
        if self._second_opinion is not None:
            self._opinions[self._index] = asyncio.ensure_future(self._second_opinion(phrase.text))
        self._index += 1
        if phrase.expression != "neutral":
            self._expression = phrase.expression
        self._unvoiced += len(phrase.text)
        await self._phrases.put(phrase)
        return True

    def _stopped(self, reason: str) -> None:
        self._blocked.append(reason)
        self._tell({"type": "blocked", "reply": self.reply.id, "reason": reason})

    def _eager(self) -> bool:
        """Whether clauses go out; a voice whose requests are counted wants whole sentences."""
        return self._ahead_s() < EAGER_S and not getattr(self.voice, "packs", False)

    def _ahead_s(self) -> float:
        return self.stage.ahead_s() + self._unvoiced / LETTERS_PER_S

    async def _speak(self) -> None:
        """Voice → stage, one phrase after the other."""
        while (phrase := await self._phrases.get()) is not None:
            if self._refused:
                continue
            await self.stage.room(self.reply)
            await self._voice(phrase)
            if self._refused and self._instead is not None:
                await self._voice(Phrase(self.reply.id, phrase.index, self._instead(), "neutral"))
            self._unvoiced -= len(phrase.text)
        self.stage.end(self.reply)
        await self.stage.drained(self.reply)

    async def _voice(self, phrase: Phrase) -> None:
        try:
            async with aclosing(self.voice.speak(phrase)) as sounds:
                async for sound in sounds:
                    opinion = self._opinions.pop(phrase.index, None)
                    if opinion is not None and (reason := await opinion) is not None:
                        self._refused = True
                        self._stopped(reason)
                        return
                    self.stage.play(self.reply, phrase, sound)
        except EngineDown as down:
            log.warning("no voice: %s", down.reason)
            self.reply.stop("voice_lost")


async def _whole(text: str) -> AsyncGenerator[str, None]:
    yield text
