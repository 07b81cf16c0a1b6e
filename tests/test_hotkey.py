"""The key to talk, on a real (invisible) desktop; and what is said where there is none, or no package."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bot.hearing.hotkey import Hotkey
from bot.texts import text
from bot.vocabulary import Health
from tests.conftest import HANGS_S, REAL_TIME, needs

pytestmark = REAL_TIME

PRESS = """
import sys
from Xlib import X, XK, display
from Xlib.ext import xtest
desktop = display.Display()
for step in sys.argv[1:]:
    key = desktop.keysym_to_keycode(XK.string_to_keysym(step[1:]))
    xtest.fake_input(desktop, X.KeyPress if step[0] == "+" else X.KeyRelease, key)
desktop.sync()
"""
"""The keyboard itself, by the X test extension: ``+F9`` presses, ``-F9`` lets go."""


class Thumb:
    """What the key did, and every light."""

    def __init__(self, key: str) -> None:
        self.moves: list[str] = []
        self.lights: list[Health] = []
        self.hotkey = Hotkey(key, lambda: self._move("press"), lambda: self._move("release"), self._light)
        self._news = asyncio.Event()

    def _move(self, what: str) -> None:
        self.moves.append(what)
        self._news.set()

    def _light(self, health: Health) -> None:
        self.lights.append(health)
        self._news.set()

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(HANGS_S):
            while not done():
                self._news.clear()
                await self._news.wait()

    async def lit(self, state: str) -> Health:
        await self.until(lambda: self.lights and self.lights[-1].state == state)
        return self.lights[-1]


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    xvfb = needs("Xvfb", "xvfb")
    read, write = os.pipe()
    server = subprocess.Popen(
        [xvfb, "-displayfd", str(write), "-screen", "0", "320x240x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        monkeypatch.setenv("DISPLAY", f":{pipe.readline().strip()}")
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    monkeypatch.delenv("XAUTHORITY", raising=False)
    yield
    server.kill()
    server.wait()


async def press(*steps: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PRESS, *steps)
    assert await process.wait() == 0


async def test_one_key_and_no_other_is_the_key_to_talk(desktop: None) -> None:
    pytest.importorskip("pynput", exc_type=ImportError)
    thumb = Thumb("F9")
    await thumb.hotkey.start()
    assert "F9" in (await thumb.lit("ok")).reason
    await press("+a", "-a", "+F9", "+F9", "-F9", "+F8", "-F8", "+F9")
    await thumb.until(lambda: len(thumb.moves) >= 3)
    assert thumb.moves == ["press", "release", "press"]
    await thumb.hotkey.close()
    assert thumb.moves[3:] == ["release"], "nobody talks for ever because the program that saw the key is gone"


async def test_a_letter_is_the_same_with_shift_and_an_unknown_key_is_told(desktop: None) -> None:
    pytest.importorskip("pynput", exc_type=ImportError)
    letter, nonsense = Thumb("t"), Thumb("any key")
    await letter.hotkey.start()
    await nonsense.hotkey.start()
    await letter.lit("ok")
    await press("+Shift_L", "+t", "-t", "-Shift_L")
    await letter.until(lambda: letter.moves == ["press", "release"])
    down = await nonsense.lit("down")
    assert down.reason == text("microphone.hotkey_unknown", name="any key")
    assert "scroll_lock" in down.repair
    await letter.hotkey.close()
    await nonsense.hotkey.close()


@pytest.mark.parametrize(
    ("session", "display", "package", "reason"),
    [
        ("wayland", ":0", True, "microphone.hotkey_forbidden"),
        ("", "", True, "microphone.hotkey_forbidden"),
        ("x11", ":0", False, "microphone.hotkey_missing"),
    ],
)
async def test_where_it_cannot_work_that_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, session: str, display: str, package: bool, reason: str
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_SESSION_TYPE", session)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if package else None)
    thumb = Thumb("f9")
    await thumb.hotkey.start()
    assert thumb.lights == [thumb.hotkey.health]
    assert (thumb.hotkey.health.state, thumb.hotkey.health.reason) == ("down", text(reason, name="f9"))
    assert thumb.hotkey.health.repair
    assert thumb.hotkey.pid is None, "no process for nothing"
    await thumb.hotkey.close()
