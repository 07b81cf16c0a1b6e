"""The renewal's own program, killed with no warning at one step: ``python -m tests.dying_renewal STEP ARGUMENTS``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.chat import renewal
from bot.chat.oauth import OAuth
from bot.chat.token_store import TokenStore
from bot.chat.twitch_words import Who


def die(*_: object) -> Any:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def at(call: int, real: Callable[..., Any], *, instead: Callable[..., Any] = die) -> Callable[..., Any]:
    """Return ``real``, with something else in the place of its n-th call."""
    calls = iter(range(1, 1000))
    return lambda *given, **named: (instead if next(calls) == call else real)(*given, **named)


def renamed(fresh: Path, file: Path) -> None:
    os.replace(fresh, file)  # noqa: PTH105 - Path.replace is this
    die()


def half_written(store: TokenStore, who: Who, content: str) -> None:
    store._file(who).with_suffix(".new").write_text(content[: len(content) // 2])
    die()


# The first write is the rehearsal, the second one counts; each syncs the file and then its folder.
STEPS: dict[str, Callable[[], None]] = {
    "before_the_request": lambda: setattr(OAuth, "refresh", die),
    "after_the_answer": lambda: setattr(TokenStore, "_put", at(2, TokenStore._put)),
    "in_the_middle_of_the_write": lambda: setattr(TokenStore, "_put", at(2, TokenStore._put, instead=half_written)),
    "before_the_sync": lambda: setattr(os, "fsync", at(3, os.fsync)),
    "before_the_rename": lambda: setattr(Path, "replace", at(2, Path.replace)),
    "after_the_rename": lambda: setattr(Path, "replace", at(2, Path.replace, instead=renamed)),
}

if __name__ == "__main__":
    STEPS[sys.argv[1]]()
    sys.exit(asyncio.run(renewal._main(*sys.argv[2:])))
