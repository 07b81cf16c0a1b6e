"""Her in VRChat: parameters of the user's avatar, and captions in the chatbox, over OSC.

The avatar needs the parameters of ``PARAMETERS``; those that it lacks are ignored. They reach other players at a low
rate, so they are sent at 10 Hz at most and only where they changed; all of them once a second, for an avatar just put
on.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from avatar.lipsync import REST as SHUT
from avatar.osc import message
from avatar.osc_link import Link
from avatar.performer import FaceFrame
from avatar.vmc import FROZEN_S, GOODBYE_S, GOODBYES, LATE_S, NEUTRAL
from avatar.vmc_face import share
from bot.texts import text
from bot.vocabulary import EXPRESSIONS, Health, sound_text

PORT = 9000
"""Where VRChat listens unless it was started otherwise."""
PARAMETERS = ("AneekaOpen", "AneekaForm", "AneekaBlink", "AneekaSmile", "AneekaEmotion", "AneekaSpeaking")
"""Float 0..1, float -1..1, float 0..1, float -1..1, int (place in ``EXPRESSIONS``), bool."""
EVERY_S = 0.1
REFRESH_S = 1.0
STEPS = 127
"""VRChat passes a float on in 8 bits: finer changes are not worth a message."""
SPOKE_S = 0.4
"""Closed lips of no more than this are still speech."""

CHAT_MOST = 144
"""Characters that a chatbox holds, counted as UTF-16 as VRChat's own language does."""
CHAT_EVERY_S = 2.0
"""From one text to the next: quicker ones are taken for spam, and then nothing is shown for 30 s."""

_CONTROLS = dict.fromkeys([*range(32), 127], " ")

Value = float | int | bool


class VrChat:
    """Sends her to one VRChat; an engine part of the program.

    ``avatar``: send parameters. ``captions``: send what ``caption`` is given. ``clock``: seconds, never back.
    """

    def __init__(
        self,
        host: str,
        port: int,
        on_health: Callable[[Health], None],
        clock: Callable[[], float],
        *,
        avatar: bool = True,
        captions: bool = False,
    ) -> None:
        self._clock = clock
        self._avatar, self._captions = avatar, captions
        self._link = Link("vrchat", host, port, text("vmc.vrchat_repair"), on_health, clock, self._beat)
        self._frame = NEUTRAL
        self._newest_s = self._put_s = self._whole_s = self._spoke_s = self._chat_s = -math.inf
        self._known: dict[str, Value] = {}
        self._waiting: deque[str] = deque()
        self._shown = self._typing = self._open = False
        self.dropped = 0
        """Frames that came late or older than one before."""

    @property
    def pid(self) -> int | None:
        """It lives in this process."""
        return None

    async def start(self) -> None:
        """Find VRChat's machine and begin, in the background."""
        self._open = True
        self._link.start()

    async def close(self) -> None:
        """Take back what is shown, let go of the face, and end."""
        if self._open:
            self.caption("")
            self.thinking(False)
            self._open = False
            self._frame, self._spoke_s = NEUTRAL, -math.inf
            for _ in range(GOODBYES):
                self._known.clear()
                self._put()
                await asyncio.sleep(GOODBYE_S)
        await self._link.close()

    async def ready(self, timeout_s: float) -> bool:
        """Wait until she is sent and nothing says that VRChat is not there; ``False``: not within that time."""
        return await self._link.ready(timeout_s)

    def send(self, frame: FaceFrame, at_s: float) -> None:
        """Take the face that is due at ``at_s`` of the clock; ten a second are sent, late ones never."""
        if not self._open:
            return
        now = self._clock()
        if at_s <= self._newest_s or now - at_s > LATE_S:
            self.dropped += 1
            return
        self._newest_s, self._frame = at_s, frame
        if frame.mouth.open > 0.0:
            self._spoke_s = at_s
        if now - self._put_s >= EVERY_S:
            self._put()

    def caption(self, said: str) -> None:
        """Show this in the chatbox, a piece every two seconds, in place of what still waits. Empty: clear it now."""
        if not (self._captions and self._open):
            return
        self._waiting = deque(pieces(said))
        if self._waiting:
            self._chat()
        elif self._shown and self._link.send(message("/chatbox/input", "", True, False)):
            self._shown, self._chat_s = False, self._clock()

    def thinking(self, typing: bool) -> None:
        """Show or hide the dots of somebody who writes."""
        if self._captions and self._open and typing != self._typing:
            self._typing = typing
            self._link.send(message("/chatbox/typing", typing))

    def _beat(self) -> None:
        if not self._open:
            return
        self._chat()
        now = self._clock()
        if now - self._newest_s >= FROZEN_S:
            self._frame = replace(self._frame, mouth=SHUT)
        if now - self._put_s >= EVERY_S:
            self._put()

    def _chat(self) -> None:
        now = self._clock()
        if self._waiting and now - self._chat_s >= CHAT_EVERY_S:
            self._chat_s, self._shown = now, True
            self._link.send(message("/chatbox/input", self._waiting.popleft(), True, False))

    def _put(self) -> None:
        now = self._clock()
        self._put_s = now
        if not self._avatar:
            if not self._link.ok and now - self._whole_s >= REFRESH_S:
                self._whole_s = now
                self._link.send(message("/chatbox/typing", self._typing))  # captions are rare: ask whether it is there
            return
        if now - self._whole_s >= REFRESH_S:
            self._whole_s = now
            self._known.clear()
        for name, value in zip(PARAMETERS, self._values(now), strict=True):
            if self._known.get(name) != value and self._link.send(message(f"/avatar/parameters/{name}", value)):
                self._known[name] = value

    def _values(self, now: float) -> tuple[Value, ...]:
        frame = self._frame
        shown = EXPRESSIONS.index(frame.expression) if frame.weight > 0.0 else 0
        return (
            _coarse(frame.mouth.open),
            _coarse(frame.mouth.form),
            _coarse(min(frame.blink)),
            _coarse(frame.smile),
            shown,
            now - self._spoke_s < SPOKE_S,
        )


def pieces(said: str) -> Iterator[str]:
    """Split a text at its spaces into pieces that a chatbox holds; only a longer word is cut."""
    piece = ""
    for word in sound_text(said).translate(_CONTROLS).split():
        longer = f"{piece} {word}" if piece else word
        if _length(longer) <= CHAT_MOST:
            piece = longer
            continue
        if piece:
            yield piece
        piece = ""
        for character in word:
            if _length(piece + character) > CHAT_MOST:
                yield piece
                piece = ""
            piece += character
    if piece:
        yield piece


def _length(said: str) -> int:
    return len(said.encode("utf-16-le")) // 2


def _coarse(value: float) -> float:
    return math.copysign(round(share(abs(value)) * STEPS) / STEPS, value)
