"""One EventSub socket: what it was told, whether it still can be, and the times after which it is closed."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

from tests.local_twitch.accounts import secret
from tests.local_twitch.clock import Clock

CUT = 1006
CLOSING_S = 5.0


@dataclass(frozen=True)
class Times:
    """Twitch's own by default, in seconds; ``ping_s`` and ``write_s`` are not documented and guessed."""

    first_subscription_s: float = 10.0
    keepalive_s: float | None = None
    """None: what the client asks for, 10 to 600."""
    grace_s: float = 30.0
    ping_s: float = 15.0
    write_s: float = 10.0

    def keepalive(self, asked: str) -> float:
        if self.keepalive_s is not None:
            return self.keepalive_s
        return float(min(max(int(asked), 10), 600)) if asked.isdigit() else 10.0


class Session:
    """``ended``: told once, as soon as the server knows that this socket is over, with the close code."""

    def __init__(
        self, id: str, wire: web.WebSocketResponse, request: web.Request, clock: Clock, times: Times, keepalive_s: float
    ) -> None:
        self.id = id
        self.wire = wire
        self.clock = clock
        self.times = times
        self.keepalive_s = keepalive_s
        self.connected_at = clock.stamp()
        self.code = 0
        """The close code, once it is over."""
        self.silent = False
        self.moving = False
        """It was told to reconnect."""
        self.recent: deque[str] = deque(maxlen=64)
        """The last notifications, as they were sent."""
        self.ended: Callable[[Session], None]
        self._transport = request.transport
        self._ponged = True
        self._last_s = clock.s()
        self._closing: asyncio.Task[bool] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        transport = self._transport
        return not self.code and not self.wire.closed and transport is not None and not transport.is_closing()

    # ------------------------------------------------------------------ sending

    async def tell(self, kind: str, payload: dict[str, Any], **more: str) -> None:
        metadata = {"message_id": secret(32), "message_type": kind, "message_timestamp": self.clock.stamp(), **more}
        await self.write(json.dumps({"metadata": metadata, "payload": payload}))

    async def write(self, frame: str | bytes) -> bool:
        """Return whether it was written. A client that does not read is closed (4005)."""
        self._last_s = self.clock.s()
        if self.silent or not self.open:
            return False
        try:
            async with asyncio.timeout(self.times.write_s):
                await (self.wire.send_str(frame) if isinstance(frame, str) else self.wire.send_bytes(frame))
        except TimeoutError:
            self._over(4005)
            assert self._transport
            self._transport.abort()
            return False
        except ConnectionError:
            return False
        return True

    async def welcome(self) -> None:
        told = {"id": self.id, "status": "connected", "connected_at": self.connected_at}
        whole = int(self.keepalive_s)
        keepalive = {"keepalive_timeout_seconds": whole if whole == self.keepalive_s else self.keepalive_s}
        await self.tell(
            "session_welcome", {"session": {**told, **keepalive, "reconnect_url": None, "recovery_url": None}}
        )
        self.later(self._keeping_alive())
        self.later(self._pinging())

    async def move_to(self, address: str) -> None:
        self.moving = True
        told = {"id": self.id, "status": "reconnecting", "connected_at": self.connected_at}
        more = {"keepalive_timeout_seconds": None, "reconnect_url": address, "recovery_url": None}
        await self.tell("session_reconnect", {"session": {**told, **more}})
        self.later(self._grace())

    async def listen(self) -> None:
        """Read until the client is gone. It may send nothing but pongs and a close frame."""
        async for frame in self.wire:
            if frame.type is WSMsgType.PING and self.open and not self.silent:
                await self.wire.pong(frame.data)
            elif frame.type is WSMsgType.PONG:
                self._ponged = True
            elif frame.type in (WSMsgType.TEXT, WSMsgType.BINARY) and self.open:
                self.close(4001)

    # ------------------------------------------------------------------ time

    async def _keeping_alive(self) -> None:
        while self.open:
            quiet_s = self.clock.s() - self._last_s
            if quiet_s >= self.keepalive_s - 1e-6:
                await self.tell("session_keepalive", {})
            else:
                await asyncio.sleep(self.keepalive_s - quiet_s)

    async def _pinging(self) -> None:
        while self.open:
            self._ponged = self.silent
            if not self.silent:
                await self.wire.ping()
            await asyncio.sleep(self.times.ping_s)
            if self.open and not self.silent and not self._ponged:
                self.close(4002)

    async def _grace(self) -> None:
        await asyncio.sleep(self.times.grace_s)
        self.close(4004)

    # ------------------------------------------------------------------ the end

    def close(self, code: int) -> None:
        """Send a close frame after all that was written; from now on nothing else is."""
        if self.open:
            self._over(code)
            self._closing = asyncio.get_running_loop().create_task(self.wire.close(code=code))

    def cut(self, *, reset: bool = False) -> None:
        """End the TCP connection without a close frame: with FIN after all that was written, or with RST."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._over(CUT)
        if not reset:
            transport.write_eof()
            asyncio.get_running_loop().call_later(CLOSING_S, transport.abort)
            return
        wire = transport.get_extra_info("socket")
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()

    async def gone(self) -> None:
        """The connection is over, whoever ended it."""
        self._over(CUT)
        for task in self._tasks:
            task.cancel()
        if self._closing:
            await self._closing

    def _over(self, code: int) -> None:
        if not self.code:
            self.code = code
            self.ended(self)

    def later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
