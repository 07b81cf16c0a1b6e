"""The child's half of ``bot.hearing.hotkey``: sees every key of the desktop and tells of one alone."""

from __future__ import annotations

import importlib
import queue
import sys
from collections.abc import Iterator
from typing import Any

from bot.texts import text
from bot.vocabulary import EngineDown

LOOK_S = 0.2
"""How soon a dead listener or a cancel is noticed."""


def key_name(written: str) -> str:
    """Return a key's name as pynput has it, however it is written: ``Scroll Lock`` is ``scroll_lock``."""
    return written.strip().lower().replace(" ", "_").replace("-", "_")


class HotkeyEngine:
    """Options: ``key``, one character or a name of pynput's such as ``f9`` or ``scroll_lock``.

    Raises ``EngineDown`` when the desktop shows no keys to programs, or there is no such key.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        try:
            self._keyboard = importlib.import_module("pynput.keyboard")
        except Exception as error:  # without an X server it raises what its X library raises
            raise forbidden() from error
        self._key = self._find(options["key"])
        self._news: queue.SimpleQueue[bool | None] = queue.SimpleQueue()
        self._cancelled = False

    def run(self, request: dict[str, Any], payload: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield ``{"ready": true}``, then ``{"pressed": bool}`` for the key alone, until cancelled.

        Raises ``EngineDown`` when the desktop stops showing keys.
        """
        self._cancelled, self._news = False, queue.SimpleQueue()
        held = False
        listener = self._keyboard.Listener(
            on_press=lambda key: self._saw(key, True), on_release=lambda key: self._saw(key, False)
        )
        listener.start()
        try:
            listener.wait()
            if not getattr(listener, "IS_TRUSTED", True):
                raise forbidden()
            yield {"ready": True}, b""
            while not self._cancelled:
                try:
                    pressed = self._news.get(timeout=LOOK_S)
                except queue.Empty:
                    if not listener.is_alive():
                        raise forbidden() from None
                    continue
                if pressed is not None and pressed != held:  # a key that is held repeats
                    held = pressed
                    yield {"pressed": pressed}, b""
        finally:
            listener.stop()

    def cancel(self) -> None:
        """End the ``run`` in progress at once."""
        self._cancelled = True
        self._news.put(None)

    def _saw(self, key: Any, pressed: bool) -> None:
        if key == self._key or (getattr(key, "char", None) or "").lower() == getattr(self._key, "char", None):
            self._news.put(pressed)

    def _find(self, wanted: str) -> Any:
        name = key_name(wanted)
        named = self._keyboard.Key.__members__
        if name in named:
            return named[name]
        if len(wanted.strip()) == 1:
            return self._keyboard.KeyCode.from_char(wanted.strip().lower())
        repair = text("microphone.hotkey_unknown_repair", names=", ".join(sorted(named)))
        raise EngineDown(text("microphone.hotkey_unknown", name=wanted), repair)


def forbidden() -> EngineDown:
    """Return the error of a desktop that shows no keys to programs, with what helps on this system."""
    repairs = {"linux": "microphone.hotkey_forbidden_repair_linux", "darwin": "microphone.hotkey_forbidden_repair_mac"}
    repair = text(repairs.get(sys.platform, "microphone.hotkey_forbidden_repair"))
    return EngineDown(text("microphone.hotkey_forbidden"), repair)
