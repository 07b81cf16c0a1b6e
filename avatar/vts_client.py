"""One conversation with VTube Studio: requests matched by id, events, and face frames that nobody waits for.

Source of every name and number of the protocol: the public API 1.0, of August 2026.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Protocol

import aiohttp

log = logging.getLogger(__name__)

API_NAME, API_VERSION = "VTubeStudioPublicAPI", "1.0"

CONNECT_S = 1.5
"""A program on the same machine or network accepts at once; a longer wait would delay the next attempt."""
CLOSE_S = 0.5
REQUEST_S = 2.0
"""Slower than this she could not move her lips in time anyway; a lost answer must not cost more."""
MESSAGE_MAX = 2**24
"""Bytes: models with hundreds of expressions list them in one message."""

API_OFF, NOT_AUTHENTICATED, DENIED, POPUP_BUSY = 1, 8, 50, 51
UNKNOWN_PARAMETER, PARAMETER_HELD = 453, 454


class VtsError(Exception):
    """VTube Studio refused a request: its ``error_id`` and its own words."""

    def __init__(self, error_id: int, message: str) -> None:
        super().__init__(f"{error_id}: {message}")
        self.error_id = error_id
        self.message = message


class Wire(Protocol):
    """A connection that carries texts both ways."""

    async def send(self, message: str) -> None:
        """Send a text. Raises ``ConnectionError``."""
        ...

    async def receive(self) -> str:
        """Return the next text. Raises ``ConnectionError`` when the connection has ended."""
        ...

    async def close(self) -> None:
        """End it; may be called twice."""
        ...


Connect = Callable[[str], Awaitable[Wire]]
"""Opens a wire to an address. Raises ``ConnectionError``."""


class WebSocketWire:
    """A wire over aiohttp."""

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self._socket = socket

    async def send(self, message: str) -> None:
        """Send a text; waits while the other side reads nothing."""
        try:
            await self._socket.send_str(message)
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error)) from error

    async def receive(self) -> str:
        """Return the next text."""
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionError(message.type.name.lower())
        return str(message.data)

    async def close(self) -> None:
        """End it, whether the other side agrees or not."""
        try:
            await self._socket.close()
        finally:
            await self._session.close()


async def connect(url: str) -> Wire:
    """Open a WebSocket within ``CONNECT_S``. Raises ``ConnectionError``."""
    session = aiohttp.ClientSession()
    try:
        async with asyncio.timeout(CONNECT_S):
            closing = aiohttp.ClientWSTimeout(ws_close=CLOSE_S)
            return WebSocketWire(session, await session.ws_connect(url, max_msg_size=MESSAGE_MAX, timeout=closing))
    except BaseException as error:
        await session.close()
        if isinstance(error, aiohttp.ClientError | OSError | TimeoutError):
            raise ConnectionError(str(error)) from error
        raise


class VtsClient:
    """Speaks the API over a wire. ``run`` must be running for anything to be answered.

    ``on_event(name, data)`` and ``on_frame_error(error)`` are called from ``run`` and must not raise.
    """

    def __init__(
        self,
        wire: Wire,
        clock: Callable[[], float],
        on_event: Callable[[str, dict[str, Any]], None] = lambda name, data: None,
        on_frame_error: Callable[[VtsError], None] = lambda error: None,
    ) -> None:
        self._wire = wire
        self._clock = clock
        self._on_event = on_event
        self._on_frame_error = on_frame_error
        self._ids = count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._frames: dict[str, float] = {}
        self._gone: ConnectionError | None = None
        self._round_trip_s = 0.0
        self.sent_s = clock()
        """When something was sent last."""

    @property
    def unanswered(self) -> int:
        """How many frames wait for their answer."""
        return len(self._frames)

    @property
    def lag_s(self) -> float:
        """How long answers take now: the newest round trip, or longer if an answer is overdue."""
        oldest = next(iter(self._frames.values()), None)
        return self._round_trip_s if oldest is None else max(self._round_trip_s, self._clock() - oldest)

    async def run(self) -> None:
        """Read until the connection ends. Raises ``ConnectionError``, also in every request that waits."""
        try:
            while True:
                self._take(await self._wire.receive())
        except ConnectionError as error:
            self._gone = error
            raise
        finally:
            self._gone = self._gone or ConnectionError("closed")
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(self._gone)
                    waiting.exception()  # whoever waits gets it; nobody need

    async def request(
        self, kind: str, data: dict[str, Any] | None = None, timeout_s: float | None = REQUEST_S
    ) -> dict[str, Any]:
        """Ask and return the answer's data. Raises ``VtsError``, ``ConnectionError`` or ``TimeoutError``."""
        name = f"aneeka-{next(self._ids)}"
        answer: asyncio.Future[dict[str, Any]]
        answer = self._waiting[name] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._send(name, kind, data or {})
                return await answer
        finally:
            del self._waiting[name]

    async def send_frame(self, data: dict[str, Any]) -> None:
        """Inject parameters without waiting for the answer. Raises ``ConnectionError``."""
        name = f"aneeka-{next(self._ids)}"
        self._frames[name] = self._clock()
        await self._send(name, "InjectParameterDataRequest", data)

    async def _send(self, name: str, kind: str, data: dict[str, Any]) -> None:
        if self._gone:
            raise self._gone
        envelope = {"apiName": API_NAME, "apiVersion": API_VERSION, "requestID": name, "messageType": kind}
        self.sent_s = self._clock()
        await self._wire.send(json.dumps({**envelope, "data": data}))

    def _take(self, message: str) -> None:
        try:
            told = json.loads(message)
            kind, name = str(told["messageType"]), str(told.get("requestID", ""))
            data: dict[str, Any] = dict(told.get("data") or {})
            error = VtsError(int(data["errorID"]), str(data.get("message", ""))) if kind == "APIError" else None
        except (ValueError, KeyError, TypeError, AttributeError):
            log.warning("VTube Studio sent something unreadable: %.200r", message)
            return
        if kind.endswith("Event"):
            self._on_event(kind, data)
            return
        sent_s = self._frames.pop(name, None)
        waiting = self._waiting.get(name)
        if sent_s is not None:
            self._round_trip_s = self._clock() - sent_s
            if error:
                self._on_frame_error(error)
        elif waiting and not waiting.done():
            waiting.set_exception(error) if error else waiting.set_result(data)
