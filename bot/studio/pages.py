"""The pages that show her (studio, OBS): sound, mouth, captions and body over ``/api/stage``; one of them sounds.

Binary messages: ``<uint32 serial><uint32 first sample>`` little endian, then mono PCM, 16 bits, 48 kHz, to the page
that sounds alone. JSON messages to every page: ``hello``, ``sounding``, ``begin``, ``phrase``, ``words``, ``mouth``,
``clock``, ``end``, ``cut``, ``withdrawn``, ``face``, ``state``, ``card``; from the pages: ``ready``, ``take_sound``,
``played``, ``stopped``. Sample positions count from the start of the stream that
``serial`` names; a reply that was held goes on in another one.
"""

from __future__ import annotations

import asyncio
import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

from bot.studio.live import GOODBYE_S
from bot.vocabulary import Pcm

BACKLOG = 2000
DRIFT_S = 5e-6
"""From one report to the next the two clocks may run apart by so much."""
OLDEST_S = 0.25
LATE_FRAMES = 12
"""Body frames are left out for a page that has so many messages waiting: late ones are worthless."""


@dataclass(slots=True, eq=False)
class _Page:
    number: int
    kind: str = "stage"
    can_sound: bool = False
    took_sound: int = 0
    queue: asyncio.Queue[str | bytes | None] = field(default_factory=asyncio.Queue)
    soonest_s: float = math.inf
    """The least time from a report's making to its arrival, on two clocks that have nothing to do with each other."""

    def age_s(self, at_ms: object, now: float) -> float:
        """Return how long ago the page made a report; reports can only be late, so the least delay seen is none."""
        if not isinstance(at_ms, int | float) or not abs(at_ms) < 1e15:
            return 0.0
        took_s = now - at_ms / 1000
        self.soonest_s = min(self.soonest_s + DRIFT_S, took_s)
        return min(took_s - self.soonest_s, OLDEST_S)


class Pages:
    """The connected pages. Implements ``bot.stage.browser.SoundingPage``."""

    def __init__(
        self, hello: Callable[[], dict[str, Any]], snapshot: Callable[[], list[dict[str, Any]]], *, sound: bool
    ) -> None:
        self._hello = hello
        self._snapshot = snapshot
        self._may_sound = sound
        self._pages: dict[_Page, web.WebSocketResponse] = {}
        self._numbers = count(1)
        self._takes = count(1)
        self._somebody = asyncio.Event()
        self.sounding: _Page | None = None
        self.on_played: Callable[[int, int, float], None] = lambda serial, samples, age_s: None
        """Called with the serial, the samples that were audible, and how many seconds ago they were."""
        self.on_sounding: Callable[[bool], None] = lambda some: None

    # ------------------------------------------------------------------ to the pages

    def show(self, message: dict[str, Any]) -> None:
        """Send a message to every page."""
        if self._pages:
            line = json.dumps(message, ensure_ascii=False)
            for page in list(self._pages):
                self._put(page, line)

    def face(self, message: dict[str, Any]) -> None:
        """Send a body frame to every page that keeps up."""
        line = json.dumps(message)
        for page in self._pages:
            if page.kind != "captions" and page.queue.qsize() < LATE_FRAMES:
                page.queue.put_nowait(line)

    def send_sound(self, serial: int, at: int, pcm: Pcm) -> bool:
        """Send samples to the page that sounds; ``False``: none does."""
        if self.sounding is None:
            return False
        self._put(self.sounding, struct.pack("<II", serial, at) + pcm.astype("<i2").tobytes())
        return True

    async def somebody(self) -> None:
        """Wait until at least one page is there."""
        await self._somebody.wait()

    def _put(self, page: _Page, item: str | bytes) -> None:
        if page.queue.qsize() >= BACKLOG:
            page.queue.put_nowait(None)
            self._leave(page)
        else:
            page.queue.put_nowait(item)

    # ------------------------------------------------------------------ from the pages

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Handle one page until it leaves."""
        socket = web.WebSocketResponse(timeout=GOODBYE_S, heartbeat=10.0, max_msg_size=4096, compress=False)
        await socket.prepare(request)
        page = _Page(next(self._numbers))
        hello = {"type": "hello", "page": page.number, "sounding": False, **self._hello()}
        for shown in [hello, *self._snapshot()]:
            page.queue.put_nowait(json.dumps(shown, ensure_ascii=False))
        self._pages[page] = socket
        self._somebody.set()
        sender = asyncio.create_task(_send(page.queue, socket))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._said(page, message.data)
        finally:
            self._leave(page)
            sender.cancel()
        return socket

    def _said(self, page: _Page, data: str) -> None:
        try:
            said = json.loads(data)
            kind = said["type"]
            if kind == "ready":
                page.kind = str(said["kind"])
                page.can_sound = said["can_sound"] is True and page.kind in ("stage", "studio")
                self._elect()
            elif kind == "take_sound":
                page.took_sound = next(self._takes)
                self._elect()
            elif kind in ("played", "stopped") and page is self.sounding:
                age_s = page.age_s(said.get("at_ms"), asyncio.get_running_loop().time())
                self.on_played(int(said["serial"]), int(said["samples"]), age_s)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return

    def _leave(self, page: _Page) -> None:
        self._pages.pop(page, None)
        if not self._pages:
            self._somebody.clear()
        self._elect()

    def _elect(self) -> None:
        """Choose the page that sounds: who took it last, else an OBS page, else the studio; the eldest of equals."""
        able = [page for page in self._pages if page.can_sound and self._may_sound]
        best = max(able, key=lambda p: (p.took_sound, p.kind == "stage", -p.number), default=None)
        if best is self.sounding:
            return
        for page, value in ((self.sounding, False), (best, True)):
            if page in self._pages and page is not None:
                page.queue.put_nowait(json.dumps({"type": "sounding", "value": value}))
        self.sounding = best
        self.on_sounding(best is not None)

    async def close(self) -> None:
        """Say goodbye to every page."""
        await asyncio.gather(*(socket.close(code=1001) for socket in self._pages.values()))


async def _send(queue: asyncio.Queue[str | bytes | None], socket: web.WebSocketResponse) -> None:
    while (item := await queue.get()) is not None:
        try:
            await (socket.send_bytes(item) if isinstance(item, bytes) else socket.send_str(item))
        except (ConnectionError, RuntimeError):
            return
    await socket.close(code=1013)
