"""Stands for XTTS2 where it has to change its process: without ``room`` for two the second one cannot load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bot.vocabulary import EngineDown, Sound
from bot.voice.wire import Item, as_item

PIECES, PIECE_S = 60, 0.02


class LeakingEngine:
    """Speaks ``long`` until the second process has been tried, and a while longer; anything else at once."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._loads = Path(options["model_dir"]) / "loads"
        with self._loads.open("a") as file:
            file.write("x")
        if len(self._loads.read_text()) == 2 and not options["room"]:
            raise EngineDown("no memory")

    def run(self, request: dict[str, Any], payload: bytes) -> Iterator[Item]:
        tone = (np.sin(np.arange(2400) / 9) * 9000).astype(np.int16)
        if request["text"] == "long":
            yield as_item(Sound(tone, 24_000))
            while len(self._loads.read_text()) < 2:
                time.sleep(PIECE_S)
            for _ in range(PIECES):
                time.sleep(PIECE_S)
                yield as_item(Sound(tone, 24_000))
        header, data = as_item(Sound(tone, 24_000, last=True))
        yield header | {"bytes": 0}, data

    def cancel(self) -> None:
        """Nothing is cancelled here."""
