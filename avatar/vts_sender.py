"""Sends the newest face, one request a frame, and never lets VTube Studio forget it while she is on."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from avatar.performer import FaceFrame
from avatar.vts_client import PARAMETER_HELD, UNKNOWN_PARAMETER, VtsClient, VtsError
from avatar.vts_faces import Inputs, MouthMode, parameters

FRAME_S = 1 / 60
EARLY_S = 0.75 * FRAME_S
"""A face that comes a little early is not kept waiting; on average no more than 60 requests a second are sent."""
KEEP_S = 0.3
"""What is not repeated within 1 s falls back to the tracking; this leaves room for two that come late."""
STALE_S = 0.3
"""A mouth is shut when nobody has said for this long what it does."""
SHUT_S = 0.1
"""How long an open mouth takes to shut: the jaw is at rest within 120 ms."""
FADE_S = 0.3
"""How long control takes to go over from the face tracking to her and back."""
MOST_UNANSWERED = 12
"""While more frames than this (0.2 s) wait for an answer, new ones are dropped but for the repeats."""
HELD_AGAIN_S = (1.0, 2.0, 4.0, 10.0)
"""When to try again for a parameter that another plugin holds; the last step repeats. A session of hers that has just
ended may be the holder for a second."""


class Sender:
    """Holds the newest face and the share of control that is hers."""

    def __init__(self, clock: Callable[[], float], mouth: MouthMode) -> None:
        self._clock = clock
        self._mouth = mouth
        self.inputs: Inputs = {}
        self.held: frozenset[str] = frozenset()
        """Parameters that another plugin holds."""
        self.on_held: Callable[[], None] = lambda: None
        """Called when ``held`` has changed."""
        self.dropped = 0
        """Repeats and frames that were not sent because answers are overdue."""
        self.released = asyncio.Event()
        """Set while nothing is sent."""
        self.released.set()
        self._face: FaceFrame | None = None
        self._on = False
        self._shown_s = self._since_s = self._sent_s = -math.inf
        self._from = 0.0
        self._sent = (0.0, 1.0)
        """Weight and opening of the newest request."""
        self._fresh, self._refused = asyncio.Event(), asyncio.Event()
        self._unknown: frozenset[str] = frozenset()

    def show(self, face: FaceFrame) -> None:
        """Take the newest face; one that was not sent yet is forgotten."""
        self._face, self._shown_s = face, self._clock()
        if self._on:
            self._fresh.set()

    def switch(self, on: bool) -> None:
        """Take control, or fade it out so that the face tracking has it again."""
        if on != self._on:
            self._from, self._since_s, self._on = self.weight(), self._clock(), on
            self._fresh.set()

    def begin(self, inputs: Inputs) -> None:
        """Another session or model: all its inputs are hers to try."""
        self.inputs = inputs
        self.held = self._unknown = frozenset()
        self._fresh.set()

    def weight(self) -> float:
        """Return how much of the face is hers now, 0..1."""
        step = (self._clock() - self._since_s) / FADE_S
        return max(0.0, min(1.0, self._from + (step if self._on else -step)))

    def refused(self, error: VtsError) -> None:
        """A frame was refused."""
        if error.error_id in (UNKNOWN_PARAMETER, PARAMETER_HELD):
            self._refused.set()

    async def run(self, client: VtsClient) -> None:
        """Send for as long as the session lasts, from no control to full control. Raises ``ConnectionError``."""
        self._from, self._since_s, self._sent_s, self._sent = 0.0, self._clock(), -math.inf, (0.0, 1.0)
        due_s = -math.inf
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._wait_s()):
                        await self._fresh.wait()
                await asyncio.sleep(max(0.0, due_s - EARLY_S - self._clock()))
                self._fresh.clear()
                due_s = max(due_s, self._clock() - FRAME_S / 2) + FRAME_S
                if client.unanswered > MOST_UNANSWERED and self._clock() - self._sent_s < KEEP_S:
                    self.dropped += 1
                else:
                    await self._send(client)
        finally:
            self.released.set()

    async def sort_out(self, client: VtsClient) -> None:
        """When frames are refused, find out by which parameter, and do without it until it is free again."""
        tries = 0
        while True:
            again_s = HELD_AGAIN_S[min(tries, len(HELD_AGAIN_S) - 1)] if self.held else None
            try:
                async with asyncio.timeout(again_s):
                    await self._refused.wait()
                asked, kept, tries = frozenset(self._values()), self.held, 0
            except TimeoutError:
                asked, kept, tries = self.held, frozenset(), tries + 1
            if self.weight() > 0.0:
                answers = await asyncio.gather(*(self._is_held(client, name) for name in sorted(asked)))
                held = kept | {name for name, is_held in zip(sorted(asked), answers, strict=True) if is_held}
                if held != self.held:
                    self.held = held
                    self.on_held()
            else:
                await asyncio.sleep(FRAME_S)
            self._refused.clear()

    async def _is_held(self, client: VtsClient, name: str) -> bool:
        """Try one parameter alone; one that is unknown is not sent again to this model."""
        if self._face is None or name not in self.inputs:
            return False
        value = parameters(self._face, self.inputs, self._mouth, self._opening())[name]
        try:
            await client.request("InjectParameterDataRequest", _request({name: value}, self.weight()))
        except VtsError as error:
            if error.error_id == UNKNOWN_PARAMETER:
                self._unknown |= {name}
            return error.error_id == PARAMETER_HELD
        return False

    async def _send(self, client: VtsClient) -> None:
        weight, opening = self.weight(), self._opening()
        values = self._values()
        leaves = weight <= 0.0 and not self._on
        if values and not (leaves and self.released.is_set()):
            self._sent_s, self._sent = self._clock(), (weight, opening)
            self.released.clear()
            await client.send_frame(_request(values, weight))
        if leaves:
            self.released.set()

    def _wait_s(self) -> float | None:
        """Return how long to wait for a new face: until the next step of a fade, or the time to repeat."""
        if self._face is None or not self.inputs or (self.released.is_set() and not self._on):
            return None
        now, (weight, opening) = self._clock(), self._sent
        shuts_s = self._shuts_s()
        if weight != float(self._on) or (now >= shuts_s and opening > 0.0):
            return FRAME_S
        again_s = max(self._sent_s, now - KEEP_S) + KEEP_S
        return max(0.0, (min(again_s, shuts_s) if shuts_s > now else again_s) - now)

    def _shuts_s(self) -> float:
        """Return when an open mouth begins to shut by itself."""
        if self._face is None or self._face.mouth.open <= 0.0:
            return math.inf
        return min(self._shown_s + STALE_S, math.inf if self._on else self._since_s)

    def _opening(self) -> float:
        """Return the share of the mouth's opening that is left, 0..1."""
        return max(0.0, min(1.0, 1.0 - (self._clock() - self._shuts_s()) / SHUT_S))

    def _values(self) -> dict[str, float]:
        if self._face is None:
            return {}
        values = parameters(self._face, self.inputs, self._mouth, self._opening())
        return {name: value for name, value in values.items() if name not in self.held | self._unknown}


def _request(values: dict[str, float], weight: float) -> dict[str, Any]:
    """``weight`` is sent while it is not 1, the default."""
    share = {} if weight >= 1.0 else {"weight": round(weight, 4)}
    rows = [{"id": name, "value": value, **share} for name, value in values.items()]
    return {"faceFound": True, "mode": "set", "parameterValues": rows}
