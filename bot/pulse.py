"""What goes on while she is on, whether she talks or not: her body moves, counters are told, the clock is watched."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.app import Aneeka

FRAME_S = 1 / 60
PAGE_FRAME_S = 1 / 30
"""Pages smooth what they are sent to their display's rate, so they alone need half as much."""
COUNTERS_S = 0.5


class Pulse:
    """``beats``: the steps to be repeated, each at its own pace."""

    def __init__(self, aneeka: Aneeka) -> None:
        self._aneeka = aneeka
        self._frame_due = aneeka.now()
        self._counted: dict[str, Any] = {}
        self.beats = (self._move, self._count, self._look_around)

    async def _move(self) -> None:
        """Her body, while somebody watches."""
        a = self._aneeka
        if not a.bodies:
            await a.pages.somebody()
        now = a.now()
        face = a.performer.frame(now, a.stage.mouth_now())
        a.pages.face(face.message())
        for body in a.bodies.values():
            mouth = a.stage.mouth_now(-body.offset_s) if body.offset_s else face.mouth
            body.show(replace(face, mouth=mouth), now)
        self._frame_due = max(self._frame_due + (FRAME_S if a.bodies else PAGE_FRAME_S), now)
        await asyncio.sleep(self._frame_due - now)

    async def _count(self) -> None:
        a = self._aneeka
        counters = a.desk.counters()
        if counters != self._counted:
            a.live.tell({"type": "counters", **counters})
            self._counted = counters
        await asyncio.sleep(COUNTERS_S)

    async def _look_around(self) -> None:
        a = self._aneeka
        a.hand.tick()
        a.outputs.look()
        due = a.now() + COUNTERS_S
        await asyncio.sleep(COUNTERS_S)
        a.thinking.late_s = a.now() - due
