"""The speech service's websocket sub-protocol USP, server side: frames, handshake, and what the service refuses.

A text frame is header lines (``Name:Value`` CRLF), an empty line and a body; a binary one has the length of its
header lines in two bytes (big-endian) before them. ``Path`` names the message, ``X-RequestId`` the turn it belongs to.
Sources: the service's own description of its websocket protocol, and what the Speech SDK sends and accepts.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

from aiohttp import WSMsgType, web

KEY = "0123456789abcdef0123456789abcdef"
PROTOCOL = "USP"
LARGEST_FRAME = 16 * 1024 * 1024
HEX_32 = re.compile(r"[0-9a-fA-F]{32}")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,7}Z")

BAD_REQUEST, INTERNAL, QUOTA = 1007, 1011, 4429

Handshake = int | Literal["hang", "abort"] | None
"""What a handshake meets: an HTTP status, no answer ever, a torn connection; None: it is served."""


class Refused(Exception):
    """The service closes the connection: a websocket close code and the reason in words."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a client; header names are in lower case."""

    headers: dict[str, str]
    body: str | bytes

    @property
    def path(self) -> str:
        return self.headers["path"].lower()

    @property
    def request_id(self) -> str:
        return self.headers.get("x-requestid", "")

    def json(self) -> dict[str, Any]:
        """Return the body. Raises ``Refused`` unless it is a JSON object."""
        try:
            body = json.loads(self.body)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refused(BAD_REQUEST, f"{self.path}: the body must be a JSON object")
        return body


def read_frame(data: str | bytes) -> Frame:
    """Take one websocket message apart. Raises ``Refused`` where it breaks the protocol."""
    if isinstance(data, str):
        head, end, body = data.partition("\r\n\r\n")
        if not end:
            raise Refused(BAD_REQUEST, "no empty line after the headers")
    else:
        if len(data) < 2 or int.from_bytes(data[:2], "big") > len(data) - 2:
            raise Refused(BAD_REQUEST, "the header length does not fit the frame")
        length = 2 + int.from_bytes(data[:2], "big")
        head, body = data[2:length].decode("ascii", "replace"), data[length:]
    headers = {}
    for line in head.rstrip("\r\n").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[A-Za-z-]+", name):
            raise Refused(BAD_REQUEST, "a header line is not Name:Value")
        if name.lower() in headers:
            raise Refused(BAD_REQUEST, f"the header {name} comes twice")
        headers[name.lower()] = value.strip()
    if not headers.get("path"):
        raise Refused(BAD_REQUEST, "no Path header")
    frame = Frame(headers, body)
    if frame.path != "speech.config" and not HEX_32.fullmatch(frame.request_id):
        raise Refused(BAD_REQUEST, "X-RequestId must be 32 hexadecimal digits")
    if not _TIMESTAMP.fullmatch(headers.get("x-timestamp", "")):
        raise Refused(BAD_REQUEST, "X-Timestamp must be an ISO time in UTC")
    return frame


def text_frame(path: str, request_id: str, body: dict[str, Any]) -> str:
    """Return a message of the service."""
    head = f"X-RequestId:{request_id}\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n"
    return head + json.dumps(body, ensure_ascii=False)


def audio_frame(request_id: str, stream_id: str, pcm: bytes) -> bytes:
    """Return a piece of sound; an empty one ends the sound of a turn."""
    head = f"X-RequestId:{request_id}\r\nContent-Type:audio/x-wav\r\nX-StreamId:{stream_id}\r\nPath:audio\r\n".encode()
    return len(head).to_bytes(2, "big") + head + pcm


def check_config(frame: Frame) -> None:
    """Check the first message of a connection. Raises ``Refused``."""
    if frame.path != "speech.config":
        raise Refused(BAD_REQUEST, f"the first message must be speech.config, not {frame.path}")
    if frame.request_id:
        raise Refused(BAD_REQUEST, "speech.config belongs to no request")
    context = frame.json().get("context", {})
    for part, names in (("system", ("name", "version", "build")), ("os", ("platform", "name", "version"))):
        if not all(isinstance(context.get(part, {}).get(name), str) for name in names):
            raise Refused(BAD_REQUEST, f"speech.config: context.{part} is incomplete")


class Connection:
    """One client, after the handshake."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.id = request.headers["X-ConnectionId"]
        self.query = request.query
        self._request = request
        self._socket = socket

    async def receive(self) -> Frame | None:
        """Return the next message; None: the client has left. Raises ``Refused``."""
        message = await self._socket.receive()
        return read_frame(message.data) if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) else None

    async def send(self, path: str, request_id: str, body: dict[str, Any]) -> None:
        await self._socket.send_str(text_frame(path, request_id, body))

    async def send_audio(self, request_id: str, stream_id: str, pcm: bytes) -> None:
        await self._socket.send_bytes(audio_frame(request_id, stream_id, pcm))

    async def send_raw(self, data: str | bytes) -> None:
        """Send a message as it is, for faults."""
        if isinstance(data, str):
            await self._socket.send_str(data)
        else:
            await self._socket.send_bytes(data)

    async def start_turn(self, request_id: str) -> str:
        """Send turn.start; return its service tag."""
        tag = uuid.uuid4().hex
        await self.send("turn.start", request_id, {"context": {"serviceTag": tag}})
        return tag

    async def end_turn(self, request_id: str) -> None:
        await self.send("turn.end", request_id, {})

    async def refuse(self, refusal: Refused) -> None:
        """Close with a code and a reason."""
        await self._socket.close(code=refusal.code, message=refusal.reason.encode()[:120])

    def abort(self) -> None:
        """Tear the connection without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()


class Service(Protocol):
    """What answers behind one path, such as synthesis."""

    path: str

    async def serve(self, connection: Connection) -> None:
        """Serve one client until it leaves. May raise ``Refused``."""
        ...


@dataclass(slots=True)
class Log:
    """What the server saw."""

    handshakes: list[int] = field(default_factory=list)
    """The HTTP status of each; 101: served, 0: never answered."""
    refused: list[str] = field(default_factory=list)
    """Reasons of the connections it closed because the client broke the protocol."""
    now_open: int = 0


class LocalAzure:
    """The server, on a loop in a thread of its own; a context manager.

    ``at_handshake`` gives what each handshake meets, in turn; ``handshake_s`` is how long one takes.
    """

    def __init__(self, *services: Service, key: str = KEY) -> None:
        self.key = key
        self.log = Log()
        self.at_handshake: Iterator[Handshake] = iter(())
        self.handshake_s = 0.0
        self.port = 0
        self.services = services
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def endpoint(self) -> str:
        """What ``azure.endpoint`` is set to."""
        return f"ws://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def drop_all(self) -> None:
        """Tear every connection, as when the network goes."""
        self._loop.call_soon_threadsafe(lambda: [connection.abort() for connection in list(self._connections)])

    async def _start(self) -> None:
        self._connections: set[Connection] = set()
        app = web.Application()
        for service in self.services:
            app.router.add_get(service.path, functools.partial(self._answer, service))
            for path, handler in getattr(service, "pages", {}).items():
                app.router.add_get(path, functools.partial(self._page, handler))
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        for connection in list(self._connections):
            connection.abort()
        await self._runner.cleanup()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _knows(self, request: web.Request) -> bool:
        return request.headers.get("Ocp-Apim-Subscription-Key") == self.key

    async def _page(self, handler: Any, request: web.Request) -> web.Response:
        return await handler(request) if self._knows(request) else web.Response(status=401)

    async def _answer(self, service: Service, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.handshake_s)
        planned = next(self.at_handshake, None)
        if planned == "hang":
            self.log.handshakes.append(0)
            await asyncio.Event().wait()
        if planned == "abort":
            self.log.handshakes.append(0)
            assert request.transport is not None
            request.transport.abort()
        status = planned if isinstance(planned, int) else self._status(request)
        self.log.handshakes.append(status)
        if status != 101:
            return web.Response(status=status)
        socket = web.WebSocketResponse(protocols=(PROTOCOL,), compress=False, max_msg_size=LARGEST_FRAME, timeout=1.0)
        try:
            await socket.prepare(request)
        except ConnectionError:
            return socket  # the client left before the answer
        connection = Connection(request, socket)
        self._connections.add(connection)
        self.log.now_open += 1
        try:
            frame = await connection.receive()
            if frame is not None:
                check_config(frame)
                await service.serve(connection)
        except Refused as refusal:
            self.log.refused.append(refusal.reason)
            await connection.refuse(refusal)
        except ConnectionError:
            pass  # the client left in the middle of an answer
        finally:
            self._connections.discard(connection)
            self.log.now_open -= 1
        return socket

    def _status(self, request: web.Request) -> int:
        """Return 101, or what a handshake without what it must have gets."""
        headers = request.headers
        if not self._knows(request):
            return 401
        if PROTOCOL not in (offer.strip() for offer in headers.get("Sec-WebSocket-Protocol", "").split(",")):
            return 400
        if not HEX_32.fullmatch(headers.get("X-ConnectionId", "")) or "User-Agent" not in headers:
            return 400
        if headers.get("Upgrade", "").lower() != "websocket":
            return 426
        return 101
