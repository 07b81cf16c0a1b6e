"""The key that is panic in every window (``safety.panic_hotkey``), looked at from the guard's process.

What a press does so needs nothing of the program: it works while that hangs. The keys themselves are seen in a child of
the guard (see ``bot.hearing.hotkey``), so that a desktop's library that crashes takes nothing with it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace

from bot.hearing.hotkey import Hotkey
from bot.texts import text
from bot.vocabulary import Health

PART = "panic_key"


def panic_key(name: str, on_press: Callable[[], object], on_health: Callable[[Health], None]) -> Hotkey:
    """Return the key, not yet looked at; ``on_press`` is called in the loop's thread, once a press."""

    def tell(health: Health) -> None:
        if health.state == "ok":
            ready = "guard.key_ready_windows" if sys.platform == "win32" else "guard.key_ready"
            health = replace(health, reason=text(ready, name=name), repair="")
        elif health.state == "down" and importlib.util.find_spec("pynput") is None:
            reason = text("guard.key_missing", name=name)
            health = replace(health, reason=reason, repair=text("guard.key_missing_repair"))
        elif health.state == "down":
            health = replace(health, repair=text("guard.key_repair"))
        on_health(replace(health, part=PART))

    return Hotkey(name, on_press, lambda: None, tell)
