"""Windows' event loop, on a stand-in for the system's own part of it: a client that hangs up closes no door."""

from __future__ import annotations

import asyncio
import socket
from asyncio.proactor_events import BaseProactorEventLoop
from collections.abc import Iterator
from typing import Any

import pytest

from bot.proactor import keep_accepting


class Fault(OSError):
    """As Windows numbers it."""

    def __init__(self, winerror: int) -> None:
        super().__init__(22, "The specified network name is no longer available")
        self.winerror = winerror


class Proactor:
    """Stands in for IOCP: tells asyncio's loop what becomes of each client that knocks."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[Any]] = []

    def set_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def accept(self, listener: socket.socket) -> asyncio.Future[Any]:
        self.asked.append(self._loop.create_future())
        return self.asked[-1]

    def select(self, timeout: float | None = None) -> list[Any]:
        return []

    def recv(self, sock: socket.socket, size: int, flags: int = 0) -> asyncio.Future[Any]:
        return self._loop.create_future()

    recv_into = recv

    def _stop_serving(self, listener: socket.socket) -> None:
        pass

    def close(self) -> None:
        pass


class Door:
    """A listening socket of a loop as Windows has it."""

    def __init__(self) -> None:
        self.proactor = Proactor()
        self.loop: Any = BaseProactorEventLoop(self.proactor)
        self.faults: list[str] = []
        self.loop.set_exception_handler(lambda _, context: self.faults.append(context["message"]))
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.inside: list[asyncio.Protocol] = []
        self.server: asyncio.Server | None = None

    def open(self) -> None:
        keep_accepting(self.loop)
        self.server = self.loop.run_until_complete(self.loop.create_server(self._admit, sock=self.socket))
        self.turn()

    def _admit(self) -> asyncio.Protocol:
        self.inside.append(asyncio.Protocol())
        return self.inside[-1]

    def turn(self) -> None:
        """Let the loop do all that it has to do."""

        async def turns() -> None:
            for _ in range(10):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    def fails(self, winerror: int) -> None:
        self.proactor.asked[-1].set_exception(Fault(winerror))
        self.turn()

    def connects(self) -> None:
        ours, _theirs = socket.socketpair()
        self.proactor.asked[-1].set_result((ours, ("127.0.0.1", 1)))
        self.turn()
        _theirs.close()

    @property
    def is_open(self) -> bool:
        return self.socket.fileno() != -1

    def close(self) -> None:
        self.loop.close()
        self.socket.close()


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.close()


def test_a_client_that_is_gone_before_it_is_let_in_costs_nobody_else_the_door(door: Door) -> None:
    door.open()
    for winerror in (64, 10054, 64):
        door.fails(winerror)
    assert door.is_open
    assert door.faults == []
    door.connects()
    assert len(door.inside) == 1
    assert not door.proactor.asked[-1].done(), "the next one is waited for"


def test_a_listening_socket_that_is_broken_is_told_and_not_tried_for_ever(door: Door) -> None:
    door.open()
    door.fails(10038)
    assert door.faults == ["Accept failed on a socket"]
    assert len(door.proactor.asked) == 1


def test_closing_ends_the_waiting(door: Door) -> None:
    door.open()
    assert door.server is not None
    door.server.close()
    door.turn()
    assert door.proactor.asked[0].cancelled()
    assert not door.is_open
