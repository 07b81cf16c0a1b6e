"""The open EventSub connections of one login: usually one, more while one replaces another. None is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from bot.chat.eventsub_socket import Socket

RETIRE_S = 30.0
"""How long an old connection may stand in for one whose subscriptions are not all made yet, or hold something back."""


class Connections:
    """Opens, retires and closes. ``connect(url)`` makes a socket that still waits for its welcome."""

    def __init__(self, connect: Callable[[str], Awaitable[Socket]], open_s: float) -> None:
        self._connect = connect
        self._open_s = open_s
        self._sockets: set[Socket] = set()
        self._watching: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, url: str) -> Socket:
        """Connect once and wait for the welcome. Raises ``SocketClosed``, or ``TimeoutError`` after ``open_s``."""
        async with asyncio.timeout(self._open_s):
            socket = await self._connect(url)
            self._sockets.add(socket)
            self._run(self._bury(socket), self._watching)
            try:
                await socket.welcomed()
            except BaseException:
                self.close(socket)
                raise
        return socket

    def retire(self, old: Socket, until: asyncio.Event | None = None) -> None:
        """Read an old connection until the new one does its work, and until all that it had to tell has come."""
        self._run(self._retire(old, until), self._watching)

    def close(self, socket: Socket) -> None:
        """Close one in the background."""
        if socket in self._sockets:
            self._sockets.discard(socket)
            self._run(socket.close(), self._closing)

    def close_all(self) -> None:
        """Close every one in the background."""
        for socket in tuple(self._sockets):
            self.close(socket)

    def close_silent(self) -> None:
        """Close those on which nothing is heard any more: Twitch grants a login few."""
        for socket in tuple(self._sockets):
            if not socket.is_alive:
                self.close(socket)

    def is_alive(self, session: str) -> bool:
        """Whether something may still be heard on this session."""
        return any(socket.session == session and socket.is_alive for socket in self._sockets)

    async def end(self) -> None:
        """Close everything and wait for it."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        self.close_all()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _retire(self, old: Socket, until: asyncio.Event | None) -> None:
        """One that has fallen silent may only be stalled: what it holds back was told nowhere else.

        One that still speaks is all there is if its heir dies meanwhile.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(RETIRE_S):
                is_over = False
                while not is_over:
                    if until is not None and old.is_alive:
                        await until.wait()
                    speaks = old.is_alive
                    await old.drained()
                    is_over = old.ended_s is not None or (speaks and (until is None or until.is_set()))
        self.close(old)

    async def _bury(self, socket: Socket) -> None:
        await socket.ended()
        self.close(socket)

    def _run(self, work: Coroutine[Any, Any, None], where: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        where.add(task)
        task.add_done_callback(where.discard)
