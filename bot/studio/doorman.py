"""Who may stand in the studio's door: so many connections, and none that takes for ever to say what it wants."""

from __future__ import annotations

import asyncio

MOST = 256
"""Connections at a time; pages need a handful each, and the program needs descriptors of its own."""
HEAD_S = 10.0
"""How long the first request's head may take: a connection that trickles would stay for ever."""
END = b"\r\n\r\n"


class Doorman(asyncio.Protocol):
    """Stands before one connection's HTTP protocol. ``inside`` holds those that were let in."""

    def __init__(self, inner: asyncio.Protocol, inside: set[Doorman]) -> None:
        self._inner = inner
        self._inside = inside
        self._late: asyncio.TimerHandle | None = None
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or hang up at once."""
        assert isinstance(transport, asyncio.Transport)
        if len(self._inside) >= MOST:
            transport.abort()
            return
        self._inside.add(self)
        self._late = asyncio.get_running_loop().call_later(HEAD_S, transport.abort)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass it on; with the end of the first head the hurry is over."""
        if self not in self._inside:
            return
        if self._late is not None:
            if END in self._tail + data:
                self._in_time()
            self._tail = (self._tail + data)[1 - len(END) :]
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received() if self in self._inside else None

    def pause_writing(self) -> None:
        """Pass it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room."""
        if self in self._inside:
            self._inside.discard(self)
            self._in_time()
            self._inner.connection_lost(exc)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
