"""One EventSub connection: its reader, what Twitch said on it, and since when it is silent.

Source of every name of the protocol: Twitch's "Handling WebSocket Events" and "EventSub WebSocket reference".
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import aiohttp
from yarl import URL

log = logging.getLogger(__name__)

CLOSE_S = 0.5
FRAME_MAX = 2**23
"""Bytes of one message; Twitch's own are a few thousand."""
FRAMES_A_TURN = 32
"""After so many waiting frames the reader lets others run."""
KEEPALIVE_MAX_S = 600.0
"""Twitch grants no more; a longer one in a welcome is not believed."""
DRAIN_S = 1.0
"""What was sent so much later comes last for certain, for all that clocks and ways differ."""
LOOK_S = 0.25
SLACK_S = 3.0
"""How much later than promised the next message may come before the connection counts as silent."""


class SocketClosed(Exception):
    """A connection has ended or was refused; ``code``: the close code, 0 without one."""

    def __init__(self, code: int = 0) -> None:
        super().__init__(str(code))
        self.code = code


class Transport(Protocol):
    """A WebSocket that is only read. Answering pings is its own work."""

    async def receive(self) -> str | bytes:
        """Return the next frame. Raises ``SocketClosed``."""
        ...

    async def close(self) -> None:
        """End it; may be called twice."""
        ...


Connect = Callable[[str], Awaitable[Transport]]
"""Opens a transport to an address, exactly as it is written. Raises ``SocketClosed``."""


class WebSocketTransport:
    """A transport over aiohttp."""

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self._socket = socket

    async def receive(self) -> str | bytes:
        """Return the next frame."""
        message = await self._socket.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            data: str | bytes = message.data
            return data
        raise SocketClosed(self._socket.close_code or 0)

    async def close(self) -> None:
        """End it, whether the other side agrees or not."""
        try:
            await self._socket.close()
        finally:
            await self._session.close()


async def connect(url: str) -> Transport:
    """Open a WebSocket. Raises ``SocketClosed``."""
    session = aiohttp.ClientSession()
    closing = aiohttp.ClientWSTimeout(ws_close=CLOSE_S)
    try:
        address = URL(url, encoded=True)
        return WebSocketTransport(session, await session.ws_connect(address, max_msg_size=FRAME_MAX, timeout=closing))
    except BaseException as error:
        await session.close()
        if isinstance(error, aiohttp.ClientError | OSError | ValueError):
            raise SocketClosed from None
        raise


@dataclass(frozen=True, slots=True)
class Message:
    """One message of Twitch's. ``sent_s``: Unix time by Twitch's clock, not a number when it is unknown."""

    id: str
    kind: str
    type: str
    """Of the subscription; empty where there is none."""
    sent_s: float
    payload: Mapping[str, Any]


def parse(frame: str | bytes) -> Message:
    """Read a frame. Raises ``ValueError``, ``TypeError`` or ``RecursionError`` for what is no message."""
    if isinstance(frame, bytes):
        raise TypeError("binary")
    whole = json.loads(frame)
    metadata, payload = whole["metadata"], whole["payload"]
    number, kind, kind_of = metadata["message_id"], metadata["message_type"], metadata.get("subscription_type", "")
    if not (isinstance(number, str) and number and isinstance(kind, str) and isinstance(kind_of, str)):
        raise TypeError("metadata")
    if not isinstance(payload, dict):
        raise TypeError("payload")
    return Message(number, kind, kind_of, _unix_s(metadata.get("message_timestamp")), payload)


def _unix_s(stamp: object) -> float:
    """Return the time of an RFC 3339 stamp; not a number when it is none."""
    with suppress(ValueError, OverflowError):
        if isinstance(stamp, str) and (at := datetime.fromisoformat(stamp)).tzinfo:
            return at.timestamp()
    return math.nan


class Socket:
    """An open connection that is being read until it ends or is closed.

    ``on_message(socket, message)`` gets every message that can be read; ``on_odd()`` is called for each that cannot.
    """

    def __init__(
        self,
        transport: Transport,
        on_message: Callable[[Socket, Message], None],
        on_odd: Callable[[], None],
        now: Callable[[], float],
        keepalive_s: float,
    ) -> None:
        self._transport = transport
        self._on_message = on_message
        self._on_odd = on_odd
        self._now = now
        self.session = ""
        """Empty until the welcome."""
        self.moved_to = ""
        """Where Twitch wants this session to go on; empty while it may stay."""
        self.code = 0
        self.ended_s: float | None = None
        self.last_s = self.opened_s = now()
        self._keepalive_s = keepalive_s
        self._ahead_s = math.nan
        self._told_until_s = -math.inf
        self._changed = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @property
    def silent_at_s(self) -> float:
        """When it counts as silent, if nothing comes until then."""
        return self.last_s + self._keepalive_s + SLACK_S

    @property
    def is_alive(self) -> bool:
        """Whether it is open and not silent."""
        return self.ended_s is None and self._now() < self.silent_at_s

    @property
    def alive_until_s(self) -> float:
        """Until when something could be heard on it."""
        return self._now() if self.is_alive else self.last_s if self.ended_s is None else self.ended_s

    def age_s(self, message: Message) -> float:
        """How long ago a message was made, by Twitch's own clock; not a number when it is unknown."""
        return self._now() + self._ahead_s - message.sent_s

    async def welcomed(self) -> None:
        """Wait for the welcome. Raises ``SocketClosed``."""
        while not self.session:
            if self.ended_s is not None:
                raise SocketClosed(self.code)
            await self._news()

    async def watch(self) -> None:
        """Return when it has ended, is silent or has to move. Needs nothing of the reader, which may be dead."""
        while self.is_alive and not self.moved_to:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.silent_at_s - self._now()):
                    await self._news()

    async def ended(self) -> None:
        """Wait for its end."""
        await asyncio.wait([self._reader])

    async def drained(self) -> None:
        """Return when nothing sent until now can come any more: it has ended, or has brought what was sent later."""
        due_s = self._now() + DRAIN_S
        while self.ended_s is None and self._told_until_s < due_s:  # noqa: ASYNC110 - a frame costs nothing more so
            await asyncio.sleep(LOOK_S)

    async def close(self) -> None:
        """End it within about ``CLOSE_S``."""
        self._reader.cancel()
        await asyncio.wait([self._reader])
        with suppress(Exception):
            async with asyncio.timeout(2 * CLOSE_S):
                await self._transport.close()

    async def _news(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _read(self) -> None:
        frames = 0
        try:
            while True:
                self._take(await self._transport.receive())
                frames += 1
                if frames % FRAMES_A_TURN == 0:
                    await asyncio.sleep(0)
        except SocketClosed as error:
            self.code = error.code
        except Exception as error:
            log.warning("EventSub's reader ended: %s", type(error).__name__)
        finally:
            self.ended_s = self._now()
            self._changed.set()

    def _take(self, frame: str | bytes) -> None:
        try:
            message = parse(frame)
            self.last_s = self._now()
            if message.sent_s - self._ahead_s > self._told_until_s:
                self._told_until_s = message.sent_s - self._ahead_s
            if message.kind == "session_welcome":
                self._welcome(message)
            elif message.kind == "session_reconnect":
                self._move(message)
            self._on_message(self, message)
        except Exception as error:
            log.debug("an odd message from EventSub: %s", type(error).__name__)
            self._on_odd()

    def _welcome(self, message: Message) -> None:
        session = message.payload["session"]
        number, keepalive_s = session["id"], session.get("keepalive_timeout_seconds")
        if not isinstance(number, str) or not number:
            raise TypeError("session")
        if isinstance(keepalive_s, int | float) and keepalive_s > 0:
            self._keepalive_s = min(keepalive_s, KEEPALIVE_MAX_S)
        self._ahead_s = message.sent_s - self._now()
        self.session = number
        self._changed.set()

    def _move(self, message: Message) -> None:
        address = message.payload["session"]["reconnect_url"]
        if not isinstance(address, str) or not address:
            raise TypeError("reconnect_url")
        self.moved_to = address
        self._changed.set()
