"""``aneeka setup models``: shows what can be downloaded and fetches what is chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from bot.config import Loaded
from bot.models.machine import this_machine
from bot.models.terminal import WELL, list_models, pull_model
from bot.setup.terminal import NoAnswer, Terminal
from bot.texts import text


def setup_models(
    loaded: Loaded,
    data: Path,
    terminal: Terminal | None = None,
    run: Callable[[Coroutine[Any, Any, int]], int] = asyncio.run,
) -> int:
    """Lead the user through it. Return the exit code; nobody there to answer means that nothing is fetched."""
    terminal = terminal or Terminal()
    list_models(loaded.settings, data, as_json=False)
    nothing = text("models.choose_nothing")
    try:
        name = terminal.ask(text("models.choose", name=this_machine().recommended().name, nothing=nothing), nothing)
    except NoAnswer:
        name = nothing
    return WELL if name == nothing else run(pull_model(loaded.settings, data, name))
