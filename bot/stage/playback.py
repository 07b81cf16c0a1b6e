"""The stage: one reply at a time on one sample clock. Mouth, captions and history read what is audible now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from bot.stage.captions import Line, word_start
from bot.stage.lips import Lips, Mouth
from bot.stage.page_stream import PageStream
from bot.stage.silent import RATE_HZ
from bot.stage.telling import announce, next_position
from bot.stage.track import SILENCE_DB, Track
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
FADE_IN = RATE_HZ // 300
"""What goes on in the middle of a phrase must not click."""


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
        self.current: Reply | None = None
        self.on_expression: Callable[[str], None] = lambda name: None
        self._pages = PageStream(show)
        self._new_mouth = mouth
        self._tell = tell
        self._clock = clock
        self._clear()

    def _clear(self) -> None:
        self._lines: list[Line] = []
        self._track = Track()
        self._lips = Lips(self._new_mouth(), self._pages)
        self._heard: list[tuple[int, int]] = []
        """What was audible before the stream in progress, from sample to sample."""
        self._held: int | None = None
        self._unknown = False
        """Held since it began."""
        self._silent_s = 0.0
        self._looks_at = 0
        """The position at which the follower looks again, at the latest."""
        self._final: int | None = None
        self._ended = False
        self._changed = asyncio.Event()
        self._progress = asyncio.Event()
        self._over = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ one reply's life

    def begin(self, reply: Reply, *, held: bool = False) -> None:
        """Make a reply the current one; whatever still comes for another is dropped.

        ``held``: nobody hears or sees anything of it before ``resume``; one that is cut until then has never been.
        """
        self._clear()
        self.current = reply
        if held:
            self._held = 0
            self._unknown = True
            self._pages.none()
        else:
            self._pages.begin(reply.id)
            self.output.begin(self._pages.serial)
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
        position = self._now_at()
        dry = position >= self._track.samples
        line.words += words
        line.samples += len(pcm)
        line.complete = sound.last
        if len(pcm):
            mark(reply.marks, "first_sound", self._clock())
            self._track.add(pcm)
            if self._held is None:
                self.output.write(pcm)
        self._pages.words(line, words)
        line.unmouthed.append(pcm)
        line.shapes += shapes
        self._lips.follow(line, position)
        if dry or words or sound.last or (line.unmouthed and self._lips.due() < self._looks_at):
            self._changed.set()

    def end(self, reply: Reply) -> None:
        """All of the reply has been written."""
        if reply is self.current and not self._ended:
            self._ended = True
            if self._held is None:
                self._end_stream()
            self._changed.set()

    def _end_stream(self) -> None:
        self.output.end()
        self._pages.end(self._track.samples)

    def hold(self, reply: Reply) -> None:
        """Silence now; what was not audible waits for ``resume``, or for ``cut``."""
        if reply is not self.current or self._final is not None or self._held is not None:
            return
        self._held = self._silence(reply)

    def resume(self, reply: Reply) -> None:
        """Go on after ``hold``, from the word at which it stopped."""
        if reply is not self.current or self._final is not None or self._held is None:
            return
        sound = self._track.sound()
        self._heard.append((self._pages.start, self._held))
        start = word_start(self._lines, sound, self._held)
        self._held = None
        self._unknown = False
        self._pages.begin(reply.id, start)
        self.output.begin(self._pages.serial)
        for line in self._lines:
            self._pages.phrase(line)
        self._lips.tell_again(start)
        if len(rest := sound[start:].copy()):
            rise = np.linspace(0.0, 1.0, min(FADE_IN, len(rest))) if start else 1.0
            rest[:FADE_IN] = (rest[:FADE_IN] * rise).astype(np.int16)
            self.output.write(rest)
        if self._ended:
            self._end_stream()
        self._changed.set()

    def _silence(self, reply: Reply) -> int:
        position = self._pages.start + self.output.cut()
        self._silent_s = self._clock()
        self._mark_first(reply, position)
        self._pages.cut()
        self._changed.set()
        return position

    def cut(self, reply: Reply) -> None:
        """Silence now; what was not audible is dropped for good."""
        if reply is not self.current or self._final is not None:
            return
        self._final = self._held if self._held is not None else self._silence(reply)
        if self._final > 0 or any(to for _, to in self._heard):
            mark(reply.marks, "last_audible", self._silent_s)
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
        heard = [*self._heard, (self._pages.start, self._now_at())]
        furthest = max(to for _, to in heard)
        pieces = [line.phrase.text[: line.heard_until(furthest)].strip() for line in self._lines]
        spoken = Spoken(reply.id, " ".join(piece for piece in pieces if piece), reply.cut)
        whole = self._track.sound()
        sound: Pcm = np.concatenate([whole[start:to] for start, to in heard])
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

    @property
    def busy(self) -> bool:
        """Whether a reply is under way that is heard, or will be."""
        return self.current is not None and not self._unknown

    def ahead_s(self) -> float:
        """Return the seconds of sound that are written and not audible yet."""
        return (self._track.samples - self._now_at()) / RATE_HZ if self.current else 0.0

    @property
    def position(self) -> int | None:
        """The audible position of the current reply, ``None`` between replies and while it is held."""
        if self.current is None or self._final is not None or self._held is not None:
            return None
        return self._pages.start + self.output.played()

    def mouth_now(self, ahead_s: float = 0.0) -> Any:
        """Return the mouth's shape at the audible position or so long after it (at rest between replies)."""
        return self._lips.at(-1 if self.position is None else self.position + ahead_s * RATE_HZ)

    def level_db(self) -> float:
        """Return how loud she is at this moment, in dBFS."""
        return SILENCE_DB if self.position is None else self._track.level_db(self.position)

    @property
    def rate_hz(self) -> int:
        """The rate of every position."""
        return RATE_HZ

    def nudge(self) -> None:
        """The output knows more about its position: look at once."""
        self._changed.set()

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the page messages that bring a page which comes in mid-reply to the present."""
        return self._pages.snapshot(self._now_at(), self._clock()) if self.current is not None else []

    # ------------------------------------------------------------------ inside

    def _now_at(self) -> int:
        """How far the reply has come, also while it is held or cut."""
        if self._final is not None:
            return self._final
        return self._held if self._held is not None else self._pages.start + self.output.played()

    def _line(self, phrase: Phrase) -> Line:
        if self._lines and self._lines[-1].phrase is phrase:
            return self._lines[-1]
        line = Line(phrase, self._track.samples)
        self._lines.append(line)
        self._pages.phrase(line)
        return line

    async def _follow(self, reply: Reply) -> None:
        loop = asyncio.get_running_loop()
        clock_due, moved_at = 0.0, self._clock()
        before = -1
        while True:
            self._changed.clear()
            position = self._now_at()
            self._mark_first(reply, position)
            if announce(self._lines, position, reply.id, self._tell, self.on_expression):
                self._progress.set()
            if self._lines:
                self._lips.follow(self._lines[-1], position)
            if self._ended and position >= self._track.samples:
                mark(reply.marks, "last_audible", self._clock())
                self._over.set()
                return
            if position > 0 and self._clock() >= clock_due:
                clock_due = self._clock() + CLOCK_S
                self._pages.clock(position, self._clock())
            wait_s = CLOCK_S if position < self._track.samples or not self._lines else 5.0
            due = next_position(self._lines, position, self._track.samples)
            if self._lines and self._lines[-1].unmouthed:
                due = self._lips.due() if due is None else min(due, self._lips.due())
            if due is not None:
                wait_s = min(wait_s, max(0.001 if position != before else STALLED_S, (due - position) / RATE_HZ))
            if position != before or position >= self._track.samples or self._held is not None:
                moved_at = self._clock()
            elif self._clock() - moved_at > STUCK_S:
                raise TimeoutError(self.output.name)
            before = position
            self._looks_at = position + round(wait_s * RATE_HZ)
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
