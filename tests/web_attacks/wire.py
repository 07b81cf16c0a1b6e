"""HTTP and WebSocket by raw sockets: what no well-behaved client would send."""

from __future__ import annotations

import base64
import os
import socket
import struct
from dataclasses import dataclass
from types import TracebackType

TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Door:
    """Where she listens, and the keys there are."""

    port: int
    full: str
    watch: str
    deck: str

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def cookie(self) -> str:
        return f"aneeka_{self.port}={self.full}"

    def ask(
        self, line: str, *headers: str, body: bytes = b"", host: str | None = "own", key: str | None = None
    ) -> bytes:
        """Return a request's bytes: ``line`` is method and target; ``key`` goes into the Authorization header."""
        lines = [f"{line} HTTP/1.1"]
        if host is not None:
            lines.append(f"Host: {self.host if host == 'own' else host}")
        if key is not None:
            lines.append(f"Authorization: Bearer {key}")
        names = " ".join(headers).lower()
        if body and "content-length" not in names and "transfer-encoding" not in names:
            lines.append(f"Content-Length: {len(body)}")
        if "connection:" not in names:
            lines.append("Connection: close")
        return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body

    def knock(self, path: str, *headers: str, version: int = 13, **options: str | None) -> bytes:
        """Return the bytes that ask for a WebSocket."""
        key = f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}"
        upgrade = ("Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Version: {version}", key)
        return self.ask(f"GET {path}", *upgrade, *headers, **options)


class Wire:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send as much as is taken: who is refused early may be hung up on."""
        try:
            self.socket.sendall(data)
        except OSError:
            return

    def head(self) -> bytes:
        """Read an answer's head."""
        data = b""
        while b"\r\n\r\n" not in data and (more := self._some(1)):
            data += more
        return data

    def body(self, head: bytes) -> bytes:
        """Read what follows an answer's head."""
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        left, data = int(lengths[0].split(b":")[1]) if lengths else 0, b""
        while len(data) < left and (more := self._some(left - len(data))):
            data += more
        return data

    def rest(self) -> bytes:
        """Read until the other side hangs up."""
        data = b""
        while more := self._some(65_536):
            data += more
        return data

    def _some(self, most: int) -> bytes:
        try:
            return self.socket.recv(most)
        except ConnectionError:
            return b""


def status_of(answer: bytes) -> int:
    """Return an answer's status; 0: there was none."""
    first = answer.partition(b"\r\n")[0].split(b" ")
    return int(first[1]) if len(first) > 1 and first[1].isdigit() else 0


def frame(
    data: bytes, opcode: int = 1, *, fin: bool = True, rsv: int = 0, mask: bool = True, says: int | None = None
) -> bytes:
    """Return a WebSocket frame (RFC 6455, section 5.2); ``says``: the length that it claims."""
    length = len(data) if says is None else says
    first, bit = (fin << 7) | (rsv << 4) | opcode, mask << 7
    if length < 126:
        head = struct.pack("!BB", first, bit | length)
    elif length < 2**16:
        head = struct.pack("!BBH", first, bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, bit | 127, length)
    if not mask:
        return head + data
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(data))
