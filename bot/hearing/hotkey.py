"""One key that works in every window: the key to talk (``audio.push_to_talk_key``).

The keys are seen in a child process (``bot.hearing.hotkey_engine``): on Windows every key of the desktop waits for the
program that looks at it, and ours may be busy.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import aclosing

from bot.hearing.hotkey_engine import forbidden
from bot.texts import text
from bot.vocabulary import EngineDown, Health
from bot.worker import Worker

PART = "hotkey"
READY_S = 30.0
FIRST_S = 10.0
NEVER_S = float("inf")
AGAIN_S = 10.0


class Hotkey:
    """Calls ``on_press`` and ``on_release`` in the loop's thread, once for each press however long it is held."""

    def __init__(
        self,
        key: str,
        on_press: Callable[[], object],
        on_release: Callable[[], object],
        on_health: Callable[[Health], None],
    ) -> None:
        self.health = Health(PART, "off")
        self._key = key
        self._on_press = on_press
        self._on_release = on_release
        self._on_health = on_health
        self._worker = Worker(
            PART, "bot.hearing.hotkey_engine:HotkeyEngine", {"key": key}, on_health=self._child_health
        )
        self._looking: asyncio.Task[None] | None = None
        self._held = False

    @property
    def pid(self) -> int | None:
        """The child's process id, ``None`` while there is no child."""
        return self._worker.pid

    async def start(self) -> None:
        """Begin to look at the key, unless that can be seen to be useless; returns at once."""
        if importlib.util.find_spec("pynput") is None:
            reason = text("microphone.hotkey_missing", name=self._key)
            self._say(Health(PART, "down", reason, text("microphone.hotkey_missing_repair")))
        elif _no_desktop():
            why = forbidden()
            self._say(Health(PART, "down", why.reason, why.repair))
        else:
            await self._worker.start()
            self._looking = asyncio.create_task(self._look(), name=PART)

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
            self._looking = None
            await self._worker.close()

    async def _look(self) -> None:
        while True:
            try:
                if await self._worker.ready(READY_S):
                    async with aclosing(self._worker.stream({}, first_s=FIRST_S, next_s=NEVER_S)) as items:
                        async for header, _ in items:
                            if "ready" in header:
                                self._say(Health(PART, "ok", _ready(self._key)))
                            else:
                                self._moved(header["pressed"])
            except EngineDown as down:
                self._say(Health(PART, "down", down.reason, down.repair))
            finally:
                self._moved(False)
            await asyncio.sleep(AGAIN_S)

    def _moved(self, pressed: bool) -> None:
        if pressed != self._held:
            self._held = pressed
            self._on_press() if pressed else self._on_release()

    def _child_health(self, health: Health) -> None:
        if health.state != "ok":
            self._say(health)

    def _say(self, health: Health) -> None:
        if health != self.health:
            self.health = health
            self._on_health(health)


def _ready(key: str) -> str:
    """Return what the light says; Windows gives keys of an administrator's window to administrators alone (UIPI)."""
    ready = "microphone.hotkey_ready_windows" if sys.platform == "win32" else "microphone.hotkey_ready"
    return text(ready, name=key)


def _no_desktop() -> bool:
    """Whether this is Wayland, which shows a program its own keys alone, or no desktop at all."""
    if sys.platform in ("win32", "darwin"):
        return False
    return os.environ.get("XDG_SESSION_TYPE") == "wayland" or not os.environ.get("DISPLAY")
