"""Asks espeak-ng, in a child process of its own, how phrases are read: the scripts that ``bot.voice.aligner`` fits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import aclosing

import numpy as np

from bot.vocabulary import EngineDown, Health
from bot.voice.aligner import FEATURES, Script
from bot.voice.child import Child
from bot.worker import Worker

SCRIPT_S = 0.5
"""A script needs 10 ms. A voice that waited longer speaks without shapes, and its loudness opens the mouth."""
NO_SCRIPT = Script(np.zeros((0, FEATURES), np.float32), (), (), ())

_log = logging.getLogger(__name__)


class Speller(Child):
    """Reads phrases of one language, such as ``es``."""

    def __init__(self, language: str, *, on_health: Callable[[Health], None] = lambda health: None) -> None:
        worker = Worker(
            "speller", "bot.voice.speller_engine:SpellerEngine", {"language": language}, on_health=on_health
        )
        super().__init__(worker, SCRIPT_S, SCRIPT_S)

    async def script(self, text: str) -> Script:
        """Return how a phrase is read; an empty script while espeak-ng cannot serve."""
        try:
            async with aclosing(self._ask({"text": text})) as items:
                async for header, payload in items:
                    rows = np.frombuffer(payload, np.dtype("<f4")).reshape(-1, FEATURES)
                    shapes = tuple((row, viseme) for row, viseme in header["shapes"])
                    words = tuple((row, start, end) for row, start, end in header["words"])
                    return Script(rows, tuple(header["pauses"]), shapes, words)
        except EngineDown as down:
            _log.warning("no mouth shapes: %s", down.reason)
        return NO_SCRIPT
