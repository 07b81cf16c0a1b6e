"""Her body in VMC apps (VSeeFace, Warudo, VNyan, VMagicMirror …): one full set of shapes and bones a frame over UDP.

A frame is sent at once or never. When frames stop coming, the newest goes on at up to 10 Hz, soon with a shut mouth:
some apps reset a face that hears nothing for half a second.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from avatar.lipsync import REST as SHUT
from avatar.lipsync import MouthShape
from avatar.osc import Packets, Slot
from avatar.osc_link import Link
from avatar.performer import FaceFrame
from avatar.vmc_face import BONES, REST, ROOT, SHAPES, Body, Names, Place, bones, shapes
from bot.texts import text
from bot.vocabulary import Health

LATE_S = 0.05
"""A frame later than this is dropped: a mouth 60 ms late is seen by everybody (EBU R37), and a newer one follows."""
SILENT_S = 0.1
"""Without a frame for so long, the newest is sent again with every beat of the link."""
FROZEN_S = 0.3
"""Without a frame for so long, the mouth shuts: a vowel that is left alone stays open."""
FADE_S, FADE_STEPS = 1 / 60, 4
"""From her last frame to neutral at the end; with the step after it, within 120 ms."""
GOODBYES, GOODBYE_S = 3, 0.02
"""The neutral face is sent so often: UDP may lose one."""

NEUTRAL = FaceFrame((0.0, 0.0), (0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0), 0.5, 0.0, 0.0, "neutral", 0.0, SHUT)


class Vmc:
    """Sends her to one VMC receiver; an engine part of the program.

    ``names``: of the shapes, as the receiver's model has them. ``body``: how much of her is sent. ``rest``: metres from
    each bone to its parent in the receiver's model, for receivers that take positions. ``clock``: seconds, never back.
    """

    def __init__(
        self,
        host: str,
        port: int,
        names: Names,
        on_health: Callable[[Health], None],
        clock: Callable[[], float],
        *,
        body: Body = "upper",
        rest: Mapping[str, Place] = REST,
    ) -> None:
        self._clock = clock
        self._body: Body = body
        self._rest = {**REST, **rest}
        self._packets = Packets(
            [
                *(Slot("/VMC/Ext/Blend/Val", name, "f") for name in SHAPES[names]),
                Slot("/VMC/Ext/Blend/Apply"),
                Slot("/VMC/Ext/OK", numbers="i"),
                Slot("/VMC/Ext/T", numbers="f"),
                *([Slot("/VMC/Ext/Root/Pos", "root", "fffffff")] if BONES[body] else []),
                *(Slot("/VMC/Ext/Bone/Pos", name, "fffffff") for name in BONES[body]),
            ]
        )
        self._link = Link("vmc", host, port, text("vmc.app_repair"), on_health, clock, self._beat)
        self._frame = NEUTRAL
        self._begun_s = clock()
        self._sent_s = -math.inf
        self._newest_s = -math.inf
        self._open = False
        self.sent = 0
        """Frames sent, heartbeats among them."""
        self.dropped = 0
        """Frames that came late, or while nothing could be sent."""

    @property
    def pid(self) -> int | None:
        """It lives in this process."""
        return None

    async def start(self) -> None:
        """Find the receiver and begin, in the background."""
        self._open = True
        self._link.start()

    async def close(self) -> None:
        """Let go of her face, back to neutral, and end."""
        if self._open:
            self._open = False
            last = self._frame
            for step in range(1, FADE_STEPS + 1):
                self._put(_faded(last, step / FADE_STEPS))
                await asyncio.sleep(FADE_S)
            for goodbye in range(1, GOODBYES + 1):
                self._put(NEUTRAL, loaded=goodbye < GOODBYES)
                await asyncio.sleep(GOODBYE_S)
        await self._link.close()

    async def ready(self, timeout_s: float) -> bool:
        """Wait until she is sent and nothing says that nobody listens; ``False``: not within that time."""
        return await self._link.ready(timeout_s)

    def send(self, frame: FaceFrame, at_s: float) -> None:
        """Send the face that is due at ``at_s`` of the clock, or drop it: late, older than the newest, or not open."""
        if not self._open:
            return
        if at_s <= self._newest_s or self._clock() - at_s > LATE_S:
            self.dropped += 1
            return
        self._newest_s = at_s
        self._frame = frame
        if not self._put(frame):
            self.dropped += 1

    def _beat(self) -> None:
        now = self._clock()
        if not self._open or now - self._sent_s < SILENT_S:
            return
        if now - self._newest_s >= FROZEN_S:
            self._frame = replace(self._frame, mouth=SHUT)
        self._put(self._frame)

    def _put(self, frame: FaceFrame, loaded: bool = True) -> bool:
        now = self._clock()
        numbers = [*shapes(frame), int(loaded), now - self._begun_s]
        if self._body != "face":
            numbers += (*ROOT, *bones(frame, self._body, self._rest))
        sent = [self._link.send(datagram) for datagram in self._packets.filled(numbers)]
        if not all(sent):
            return False
        self._sent_s = now
        self.sent += 1
        return True


def _faded(frame: FaceFrame, share: float) -> FaceFrame:
    """Return a frame that is this much nearer to neutral."""
    left = 1.0 - share
    a, i, u, e, o = (left * weight for weight in frame.mouth.vowels)
    yaw, pitch, roll = frame.head
    return replace(
        frame,
        blink=(left * frame.blink[0], left * frame.blink[1]),
        gaze=(left * frame.gaze[0], left * frame.gaze[1]),
        head=(left * yaw, left * pitch, left * roll),
        sway=(left * frame.sway[0], left * frame.sway[1]),
        breath=0.5 + left * (frame.breath - 0.5),
        weight=left * frame.weight,
        mouth=MouthShape(left * frame.mouth.open, left * frame.mouth.form, (a, i, u, e, o)),
    )
