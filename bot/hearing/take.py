"""One turn of the operator on its way from sound to text."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from bot.hearing.joining import Said
from bot.vocabulary import EngineDown, Pcm, Recogniser

log = logging.getLogger(__name__)

GONE_S = 2.0
"""A microphone that brings nothing for so long is gone."""
LOOK_S = 0.5
"""What came while the program itself stood still has been taken in by then."""


class Ladder(Recogniser, Protocol):
    """Recognisers that stand in for each other (``bot.hearing.ladder.RecogniserLadder``)."""

    @property
    def served(self) -> str:
        """Who wrote the newest transcript."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a take so far, who read it, and when it was there."""

    text: str
    served: str
    at_s: float


class Take:
    """Feeds one utterance and asks for its text.

    ``on_reading`` gets every answer that is still wanted; ``on_gone`` is called when no sound comes any more.
    """

    def __init__(
        self,
        recogniser: Ladder,
        began_s: float,
        clock: Callable[[], float],
        on_partial: Callable[[str], None],
        on_reading: Callable[[], None],
        on_gone: Callable[[], None],
    ) -> None:
        self.began_s = began_s
        self.before: Said | None = None
        """What was said just before, and told as if it had been all."""
        self.deliberate = False
        """A key was pressed for it: it is for her, and no murmur."""
        self.over_her = False
        """Some of it was said while she spoke, or was about to."""
        self.maybe_echo = False
        """She was audible when it began."""
        self.held = False
        """She was held for it, and nothing is decided yet."""
        self.voiced_before_s = 0.0
        """Speech in it before that."""
        self.taken_over = False
        """It was found to be words, so what she was saying is over."""
        self.told_probable = False
        """The app may be answering what was probably said."""
        self.ended: tuple[float, float] | None = None
        """When the speech ended, and when that was decided."""
        self.reading: Reading | None = None
        """All that was said, while nothing has been said since."""
        self._recogniser = recogniser
        self._clock = clock
        self._on_reading = on_reading
        self._on_gone = on_gone
        self._utterance = recogniser.begin(on_partial)
        self._asking: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._fed_s = clock()
        self._looking = self._loop.call_later(GONE_S, self._look, False)

    def feed(self, pcm: Pcm) -> None:
        """Append sound at 16 kHz."""
        self._fed_s = self._clock()
        self._utterance.feed(pcm)

    def ask(self) -> None:
        """Ask for the text unless it is known or asked for already."""
        if self.reading is None and self._asking is None:
            self._asking = asyncio.create_task(self._read())

    def whole(self, text: str) -> str:
        """Return a text of this take after what it continues."""
        return f"{self.before.text} {text}".strip() if self.before else text

    def was_nothing(self) -> None:
        """Take it as silence: nobody spoke."""
        self.reading = Reading("", "", self._clock())

    def goes_on(self) -> None:
        """More is being said: a text that was asked for is worth nothing any more."""
        self.ended = self.reading = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def close(self) -> None:
        """Drop it."""
        self._looking.cancel()
        self.goes_on()
        self._utterance.close()

    def _look(self, doubted: bool) -> None:
        quiet = self._clock() - self._fed_s >= GONE_S
        gone = quiet and doubted
        doubted = quiet and not gone
        self._looking = self._loop.call_later(LOOK_S if doubted else GONE_S, self._look, doubted)
        if gone:
            self._on_gone()

    async def _read(self) -> None:
        said = ""
        try:
            with suppress(EngineDown):  # its own health tells; without a text nothing was understood
                said = (await self._utterance.text_so_far()).text.strip()
        except Exception as fault:
            log.error("%s failed: %s", self._recogniser.name, type(fault).__name__)
        self._asking = None
        self.reading = Reading(said, self._recogniser.served, self._clock())
        self._on_reading()
