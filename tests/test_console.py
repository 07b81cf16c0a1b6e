"""Windows asks her to end: by Ctrl-C, twice by the impatient, or by closing the window; she ends cleanly."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.cli import _once
from bot.console import CLOSED, LOGS_OFF, SHUTS_DOWN, console_handler, end_by

CTRL_C, CTRL_BREAK = 0, 1
Begin = Callable[[Callable[[], None]], None]


@pytest.fixture
def ctrl_c() -> Iterator[int]:
    before = signal.getsignal(signal.SIGINT)
    yield signal.SIGINT
    signal.signal(signal.SIGINT, before)


def live(begin: Begin, ask: Callable[[], object], told: list[str]) -> None:
    """Run a program that is asked to end, and again while it tidies up."""

    async def program() -> None:
        task = asyncio.current_task()
        assert task is not None
        begin(_once(task.cancel))
        ask()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ask()
            for _ in range(5):
                await asyncio.sleep(0)
            told.append("tidied up")

    asyncio.run(program())


def test_an_impatient_second_ctrl_c_does_not_disturb_a_clean_end(ctrl_c: int) -> None:
    told: list[str] = []
    live(lambda end: end_by((ctrl_c,), end), lambda: signal.raise_signal(ctrl_c), told)
    assert told == ["tidied up"]


def test_what_hangs_after_the_end_can_still_be_interrupted(ctrl_c: int) -> None:
    live(lambda end: end_by((ctrl_c,), end), lambda: signal.raise_signal(ctrl_c), [])
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(ctrl_c)


@pytest.mark.parametrize("event", [CLOSED, LOGS_OFF, SHUTS_DOWN])
def test_windows_is_kept_waiting_until_she_has_ended(event: int) -> None:
    told, ended = [], threading.Event()
    handlers: list[Callable[[int], bool]] = []

    def call() -> None:
        if handlers[0](event):
            told.append("Windows goes on")

    with ThreadPoolExecutor(2) as windows:
        begin: Begin = lambda end: handlers.append(console_handler(end, ended))  # noqa: E731
        live(begin, lambda: windows.submit(call), told)
        assert told == ["tidied up"]
        ended.set()
    assert told == ["tidied up", "Windows goes on", "Windows goes on"]


def test_what_comes_as_a_signal_is_left_to_the_signal() -> None:
    async def program() -> list[bool]:
        handle = console_handler(lambda: pytest.fail("not for this"), threading.Event())
        return [handle(CTRL_C), handle(CTRL_BREAK)]

    assert asyncio.run(program()) == [False, False]


def test_a_window_that_is_closed_after_the_end_waits_for_nothing() -> None:
    ended = threading.Event()
    handlers: list[Callable[[int], bool]] = []

    def begin(end: Callable[[], None]) -> None:
        handlers.append(console_handler(end, ended))
        end()

    live(begin, lambda: None, [])
    ended.set()
    assert handlers[0](CLOSED)
