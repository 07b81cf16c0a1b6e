"""The studio page's microphone, with the browser's echo cancellation, over the WebSocket ``/api/microphone``.

Binary messages from the page: mono sound at 16 kHz, 16 bits, little endian, up to ``MESSAGE_LIMIT`` bytes each. Text
messages: ``{"label": …}``, the browser's name of the device. Nothing is sent back. One page at a time is the
microphone: who connects last. Close codes: 4000 the browser is not the chosen microphone, 4001 another page is it now,
1003 what was sent is no sound, 1008 it came faster than anybody can speak.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Literal

import numpy as np
from aiohttp import WSMsgType, web

from bot.hearing.blocks import Arrivals, Blocks
from bot.hearing.microphone import PART, OnBlock
from bot.hearing.silero import RATE_HZ
from bot.texts import text
from bot.vocabulary import Health

MESSAGE_LIMIT = 16_384
NOT_CHOSEN, TAKEN_OVER, NO_SOUND, TOO_FAST = 4000, 4001, 1003, 1008
GOODBYE_S = 0.5
"""How long a page may take to answer a goodbye."""
AHEAD_S = 5.0
"""A page may send so much more sound than time has passed: what piled up while one of us stood still."""
LABEL_LIMIT = 100


class BrowserMicrophone:
    """Delivers blocks from ``start`` to ``close``, while a page sends them. ``clock`` is the loop's."""

    pid = None

    def __init__(self, on_block: OnBlock, on_health: Callable[[Health], None], clock: Callable[[], float]) -> None:
        self.health = Health(PART, "off")
        self._on_block = on_block
        self._on_health = on_health
        self._clock = clock
        self._on = False
        self._socket: web.WebSocketResponse | None = None
        self._goodbyes: set[asyncio.Task[bool]] = set()

    async def start(self) -> None:
        """Begin to take a page's sound."""
        self._on = True
        self._wait()

    async def close(self) -> None:
        """Take no more, and let the page go."""
        self._on = False
        self._dismiss(NOT_CHOSEN)
        await asyncio.gather(*self._goodbyes)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Handle one page until it leaves."""
        socket = web.WebSocketResponse(timeout=GOODBYE_S, heartbeat=10.0, max_msg_size=MESSAGE_LIMIT, compress=False)
        await socket.prepare(request)
        if not self._on:
            await socket.close(code=NOT_CHOSEN)
            return socket
        self._dismiss(TAKEN_OVER)
        self._socket = socket
        self._say("ok", text("microphone.browser_open"))
        try:
            await self._take(socket)
        finally:
            if self._socket is socket:
                self._socket = None
                self._wait()
        return socket

    async def _take(self, socket: web.WebSocketResponse) -> None:
        blocks, begun_s, arrivals = Blocks(RATE_HZ), self._clock(), Arrivals(RATE_HZ)
        async for message in socket:
            if socket is not self._socket:
                return
            if message.type is WSMsgType.TEXT:
                self._name(message.data)
            elif message.type is WSMsgType.BINARY:
                if not message.data or len(message.data) % 2:
                    await socket.close(code=NO_SOUND)
                    return
                pcm = np.frombuffer(message.data, np.dtype("<i2"))
                now = self._clock()
                spoken_s = arrivals.add(len(pcm), now)
                if arrivals.taken / RATE_HZ > now - begun_s + AHEAD_S:
                    await socket.close(code=TOO_FAST)
                    return
                for block, at_s in blocks.feed(pcm, spoken_s):
                    self._on_block(block, at_s)

    def _name(self, data: str) -> None:
        try:
            label = json.loads(data)["label"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if isinstance(label, str) and label.strip():
            name = " ".join(label.encode("utf-8", "replace").decode().split())[:LABEL_LIMIT]
            self._say("ok", text("microphone.open", name=name))

    def _dismiss(self, code: int) -> None:
        """Let the page go that is the microphone, without waiting for its answer."""
        socket, self._socket = self._socket, None
        if socket is not None:
            goodbye = asyncio.create_task(socket.close(code=code))
            self._goodbyes.add(goodbye)
            goodbye.add_done_callback(self._goodbyes.discard)

    def _wait(self) -> None:
        if self._on:
            self._say("down", text("microphone.no_page"), text("microphone.no_page_repair"))

    def _say(self, state: Literal["ok", "down"], reason: str, repair: str = "") -> None:
        self.health = Health(PART, state, reason, repair, serving="browser" if state == "ok" else "")
        self._on_health(self.health)
