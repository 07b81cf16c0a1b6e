"""How Windows asks a program to end: Ctrl-C and Ctrl-Break are signals, a closed window and logging off are calls.

Such a call comes in a thread of its own, and when it returns the process is ended: it has to wait for a clean end.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

CLOSED, LOGS_OFF, SHUTS_DOWN = 2, 5, 6
"""``CTRL_CLOSE_EVENT``, ``CTRL_LOGOFF_EVENT`` and ``CTRL_SHUTDOWN_EVENT``."""
CLEAN_END_S = 4.0
"""Windows itself waits for 5 s."""


def end_by(signals: Iterable[int], end: Callable[[], None]) -> None:
    """Run ``end`` in this thread's loop at each of these signals, where loops have no ``add_signal_handler``."""
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: object) -> None:
        if loop.is_closed():
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(end)

    for each in signals:
        signal.signal(each, handle)


def console_handler(end: Callable[[], None], ended: threading.Event) -> Callable[[int], bool]:
    """Return what to call with the console's events: it has ``end`` run in this thread's loop and waits for ``ended``.

    It returns whether the event was its own.
    """
    loop = asyncio.get_running_loop()

    def handle(event: int) -> bool:
        if event not in (CLOSED, LOGS_OFF, SHUTS_DOWN):
            return False
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(end)
        ended.wait(CLEAN_END_S)
        return True

    return handle


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _kept: list[object] = []
    """What Windows may still call must not be collected."""

    def end_when_asked(end: Callable[[], None], ended: threading.Event) -> None:
        """Have ``end`` run in this thread's loop when Windows wants this program to end; ``ended`` is when it has."""
        end_by((signal.SIGINT, signal.SIGBREAK), end)
        called = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)(console_handler(end, ended))
        _kept.append(called)
        ctypes.windll.kernel32.SetConsoleCtrlHandler(called, True)
