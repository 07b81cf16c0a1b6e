"""The stage: one reply at a time on one sample clock. Mouth, captions and history read what is audible now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from bot.stage.captions import Line
from bot.stage.silent import RATE_HZ
from bot.timing import mark
from bot.vocabulary import Output, Pcm, Phrase, Reply, Shape, Sound, Spoken, Tell, Word

log = logging.getLogger(__name__)

CLOCK_S = 0.2
"""How often pages that do not sound hear where the sound is."""
STUCK_S = 5.0
"""After so long without a step, with sound waiting, the output is taken as dead."""
STALLED_S = 0.005
"""How often a position that does not move is looked at again."""
PHRASES_AHEAD = 2
AHEAD_S = 2.0
MOUTH_LEAD = RATE_HZ // 10
"""Samples that the mouth track must be ahead of what is audible."""
STEP = RATE_HZ // 100
"""Samples between two rows of the mouth track."""


class Mouth(Protocol):
    """The mouth track of one reply (``avatar.lipsync.MouthTrack``)."""

    def add(self, at: int, shapes: Sequence[Shape], pcm: Pcm, last: bool) -> None:
        """Append a piece of a phrase that begins at sample ``at``; shapes are absolute in the reply."""
        ...

    def rows(self, start: int) -> list[list[int]]:
        """Return the final rows from row ``start`` on."""
        ...

    def at(self, sample: float) -> Any:
        """Return the shape at a sample; at rest outside the track."""
        ...


class Stage:
    """Plays replies on an ``Output`` and tells what is audible, when it is.

    ``show`` receives page messages (see ``bot.studio.pages``), ``tell`` the studio's live messages.
    """

    def __init__(
        self,
        output: Output,
        mouth: Callable[[], Mouth],
        show: Tell,
        tell: Tell,
        clock: Callable[[], float],
    ) -> None:
        self.output = output
        self.mouth: Mouth = mouth()
        self.current: Reply | None = None
        self.on_expression: Callable[[str], None] = lambda name: None
        self._new_mouth = mouth
        self._show = show
        self._tell = tell
        self._clock = clock
        self._serial = 0
        self._clear()

    def _clear(self) -> None:
        self._lines: list[Line] = []
        self._shown: list[dict[str, Any]] = []
        self._sound: list[Pcm] = []
        self._rows = self._written = 0
        self._final: int | None = None
        self._ended = False
        self._changed = asyncio.Event()
        self._progress = asyncio.Event()
        self._over = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ one reply's life

    def begin(self, reply: Reply) -> None:
        """Make a reply the current one; whatever still comes for another is dropped."""
        self._clear()
        self.current = reply
        self._serial += 1
        self.mouth = self._new_mouth()
        self.output.begin(self._serial)
        self._put({"type": "begin", "serial": self._serial, "reply": reply.id})
        self._follower = asyncio.create_task(self._follow(reply))
        self._follower.add_done_callback(lambda task: self._lost_sight(task, reply))

    def play(self, reply: Reply, phrase: Phrase, sound: Sound) -> None:
        """Append a piece of a phrase's sound. Late pieces of a reply that is not current are dropped."""
        if reply is not self.current or self._final is not None:
            return
        line = self._line(phrase)
        line.at_rate(sound.rate_hz)
        scale = RATE_HZ / sound.rate_hz
        native = sound.rate_hz == RATE_HZ
        pcm = sound.pcm if native else line.resampler.resample_chunk(sound.pcm, last=sound.last)
        words = [Word(line.at + round(w.at * scale), w.start, w.end) for w in sound.words]
        shapes = [Shape(line.at + round(s.at * scale), s.viseme) for s in sound.shapes]
        position = self.output.played()
        dry = position >= self._written
        line.words += words
        line.samples += len(pcm)
        line.complete = sound.last
        self._written += len(pcm)
        if len(pcm):
            mark(reply.marks, "first_sound", self._clock())
            self._sound.append(pcm)
            self.output.write(pcm)
        if words:
            spots = [[w.at, w.start, w.end] for w in words]
            self._put({"type": "words", "serial": self._serial, "index": phrase.index, "words": spots})
        line.unmouthed.append(pcm)
        line.shapes += shapes
        self._lip_sync(line, position)
        if dry or words or sound.last:
            self._changed.set()

    def _lip_sync(self, line: Line, position: int) -> None:
        """Move the mouth track on when it is needed soon, and at the end of a phrase: few long steps cost least."""
        if not line.unmouthed:
            return
        if not line.complete and self._rows * STEP - position > MOUTH_LEAD:
            return
        self.mouth.add(line.at, line.shapes, np.concatenate(line.unmouthed), line.complete)
        line.shapes, line.unmouthed = [], []
        rows = self.mouth.rows(self._rows)
        if rows:
            at = self._rows * STEP
            self._put({"type": "mouth", "serial": self._serial, "at": at, "step": STEP, "frames": rows})
            self._rows += len(rows)

    def end(self, reply: Reply) -> None:
        """All of the reply has been written."""
        if reply is self.current and not self._ended:
            self._ended = True
            self.output.end()
            self._put({"type": "end", "serial": self._serial, "samples": self._written})
            self._changed.set()

    def cut(self, reply: Reply) -> None:
        """Silence now; what was not audible is dropped for good."""
        if reply is not self.current or self._final is not None:
            return
        self._final = self.output.cut()
        self._mark_first(reply, self._final)
        if self._final > 0:
            mark(reply.marks, "last_audible", self._clock())
        self._put({"type": "cut", "serial": self._serial})
        self._progress.set()
        self._over.set()

    async def drained(self, reply: Reply) -> None:
        """Wait until the reply's last sample has been audible, or it was cut."""
        if reply is self.current:
            await self._over.wait()

    def close(self, reply: Reply) -> tuple[Spoken, Pcm]:
        """End the reply; return what was heard of it as words and as sound."""
        if self._follower is not None:
            self._follower.cancel()
        position = self._final if self._final is not None else self.output.played()
        pieces = [line.phrase.text[: line.heard_until(position)].strip() for line in self._lines]
        spoken = Spoken(reply.id, " ".join(piece for piece in pieces if piece), reply.cut)
        sound: Pcm = np.concatenate(self._sound)[:position] if self._sound else np.zeros(0, np.int16)
        self._clear()
        self.current = None
        return spoken, sound

    # ------------------------------------------------------------------ what others ask

    async def room(self, reply: Reply) -> None:
        """Wait until one more phrase may be synthesised: text runs at most about two phrases ahead of the sound."""
        while reply is self.current and self._final is None:
            waiting = sum(not line.announced for line in self._lines)
            if waiting < PHRASES_AHEAD or self.ahead_s() < AHEAD_S:
                return
            self._progress.clear()
            await self._progress.wait()

    def ahead_s(self) -> float:
        """Return the seconds of sound that are written and not audible yet."""
        return (self._written - self.output.played()) / RATE_HZ if self.current else 0.0

    @property
    def position(self) -> int | None:
        """The audible position of the current reply, ``None`` between replies."""
        return self.output.played() if self.current is not None and self._final is None else None

    def mouth_now(self, ahead_s: float = 0.0) -> Any:
        """Return the mouth's shape at the audible position or so long after it (at rest between replies)."""
        return self.mouth.at(-1 if self.position is None else self.position + ahead_s * RATE_HZ)

    @property
    def rate_hz(self) -> int:
        """The rate of every position."""
        return RATE_HZ

    def nudge(self) -> None:
        """The output knows more about its position: look at once."""
        self._changed.set()

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the page messages that bring a page which comes in mid-reply to the present."""
        return [*self._shown, self._clock_message()] if self.current is not None and self._final is None else []

    # ------------------------------------------------------------------ inside

    def _line(self, phrase: Phrase) -> Line:
        if self._lines and self._lines[-1].phrase is phrase:
            return self._lines[-1]
        line = Line(phrase, self._written)
        self._lines.append(line)
        message = {"type": "phrase", "serial": self._serial, "index": phrase.index, "at": line.at}
        self._put({**message, "text": phrase.text, "expression": phrase.expression, "words": []})
        return line

    def _put(self, message: dict[str, Any]) -> None:
        self._shown.append(message)
        self._show(message)

    def _clock_message(self) -> dict[str, Any]:
        now_ms = round(self._clock() * 1000)
        return {"type": "clock", "serial": self._serial, "played": self.output.played(), "server_ms": now_ms}

    async def _follow(self, reply: Reply) -> None:
        loop = asyncio.get_running_loop()
        clock_due, moved_at = 0.0, self._clock()
        before = -1
        while True:
            self._changed.clear()
            position = self.output.played()
            self._mark_first(reply, position)
            self._announce(reply, position)
            if self._lines:
                self._lip_sync(self._lines[-1], position)
            if self._ended and position >= self._written:
                mark(reply.marks, "last_audible", self._clock())
                self._over.set()
                return
            if position > 0 and self._clock() >= clock_due:
                clock_due = self._clock() + CLOCK_S
                self._show(self._clock_message())
            wait_s = CLOCK_S if position < self._written or not self._lines else 5.0
            due = self._next_position(position)
            if due is not None:
                wait_s = min(wait_s, max(0.001 if position != before else STALLED_S, (due - position) / RATE_HZ))
            if position != before or position >= self._written:
                moved_at = self._clock()
            elif self._clock() - moved_at > STUCK_S:
                raise TimeoutError(self.output.name)
            before = position
            alarm = loop.call_later(wait_s, self._changed.set)
            await self._changed.wait()
            alarm.cancel()

    def _mark_first(self, reply: Reply, position: int) -> None:
        if position > 0:
            mark(reply.marks, "first_audible", self._clock() - position / RATE_HZ)

    def _lost_sight(self, follower: asyncio.Task[None], reply: Reply) -> None:
        """End the reply when its position cannot be followed any more."""
        if not follower.cancelled() and (fault := follower.exception()) is not None:
            log.error("the sound of %s cannot be followed: %s", reply.id, fault)
            reply.stop("sound_lost")

    def _announce(self, reply: Reply, position: int) -> None:
        for line in self._lines:
            if not line.announced and position >= line.at and line.complete and not line.samples:
                line.announced = True  # nothing of it can be pronounced, so nobody will ever hear it begin
                self._progress.set()
            if not line.announced and position > line.at:
                line.announced = True
                self._progress.set()
                self.on_expression(line.phrase.expression)
                shown = {"text": line.phrase.text, "expression": line.phrase.expression}
                self._tell({"type": "phrase", "reply": reply.id, "index": line.phrase.index, **shown})
            while line.told < len(line.words) and position >= line.words[line.told].at and line.announced:
                word = line.words[line.told]
                line.told += 1
                spot = {"index": line.phrase.index, "start": word.start, "end": word.end}
                self._tell({"type": "word", "reply": reply.id, **spot})

    def _next_position(self, position: int) -> int | None:
        """Return the next position at which something is to be told."""
        ahead = [self._written] if self._written > position else []
        for line in self._lines:
            if not line.announced:
                ahead.append(line.at + 1)
            if line.told < len(line.words):
                ahead.append(line.words[line.told].at)
        return min((p for p in ahead if p > position), default=None)
