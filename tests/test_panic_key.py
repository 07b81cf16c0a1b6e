"""The key that is panic in every window: on a real (invisible) desktop, with the program's loop standing still."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.guard import Guard
from bot.panic_key import panic_key
from bot.studio.tokens import load_tokens
from bot.texts import text
from bot.vocabulary import Health
from tests.conftest import REAL_TIME
from tests.test_hotkey import PRESS, Thumb, desktop

pytestmark = REAL_TIME

__all__ = ["desktop"]

READY_S = 60
"""Only how long a hang is waited for: with all processors taken, three processes take their time to begin."""


class Keyed:
    """A guard with a panic key, and every light of that key."""

    def __init__(self, data: Path, key: str) -> None:
        self.lights: list[Health] = []
        self.panics = 0
        self._news = asyncio.Event()
        self.guard = Guard("127.0.0.1", load_tokens(data, ""), self._light, time.monotonic, key)
        self.guard.on_panic = self._panicked
        self.guard.start(0, 0)

    def _light(self, health: Health) -> None:
        if health.part == "panic_key":
            self.lights.append(health)
            self._news.set()

    def _panicked(self) -> None:
        self.panics += 1
        self._news.set()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(READY_S):
            while not done():
                self._news.clear()
                await self._news.wait()

    async def listens(self) -> None:
        async with asyncio.timeout(READY_S):
            while not await self.guard.ready():
                continue

    async def lit(self, state: str) -> Health:
        await self.until(lambda: bool(self.lights) and self.lights[-1].state == state)
        return self.lights[-1]


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[Callable[[str], Keyed]]:
    made: list[Keyed] = []

    def make(key: str) -> Keyed:
        made.append(Keyed(tmp_path, key))
        return made[-1]

    yield make
    for one in made:
        await one.guard.close()


def press(*steps: str) -> None:
    subprocess.run([sys.executable, "-c", PRESS, *steps], check=True, timeout=READY_S)


async def test_a_press_silences_her_while_the_program_hangs(desktop: None, keyed: Callable[[str], Keyed]) -> None:
    pytest.importorskip("pynput", exc_type=ImportError)
    one = keyed("F9")
    assert "F9" in (await one.lit("ok")).reason
    press("+F8", "-F8", "+F9", "+F9")  # the loop stands still here, and until she is silenced
    ends_s = time.monotonic() + READY_S
    while not one.guard.silenced() and time.monotonic() < ends_s:
        time.sleep(0.01)  # noqa: ASYNC251
    assert one.guard.silenced(), "before the program knows of it"
    assert one.panics == 0
    await one.until(lambda: one.panics > 0)
    one.guard.resume()
    assert not one.guard.silenced(), "a key that is held is one press"
    await asyncio.to_thread(press, "-F9", "+F9", "-F9")
    await one.until(lambda: one.panics > 1)
    assert one.guard.silenced(), "and works again"


async def test_a_key_that_cannot_work_is_told_and_the_guard_stays(
    keyed: Callable[[str], Keyed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_SESSION_TYPE", "wayland")
    one = keyed("f12")
    if sys.platform == "linux":
        down = await one.lit("down")
        assert "safety.panic_hotkey" in down.repair
        assert "/api/control/panic" in down.repair
        assert down.reason == text("microphone.hotkey_forbidden")
    await one.listens()


async def test_on_windows_the_light_names_the_windows_where_the_key_is_not_seen(
    desktop: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pynput", exc_type=ImportError)
    monkeypatch.setattr("sys.platform", "win32")
    talk = Thumb("F8")
    panic = Thumb("F9")
    panic.hotkey = panic_key("F9", lambda: None, panic._light)
    for thumb in (talk, panic):
        await thumb.hotkey.start()
        assert "administrador" in (await thumb.lit("ok")).reason
        await thumb.hotkey.close()


async def test_without_a_key_nobody_looks_at_the_keyboard(keyed: Callable[[str], Keyed]) -> None:
    one = keyed("")
    await one.listens()
    assert one.lights == []
