"""A download seen from the bot: a child process that ends at once when nobody listens any more."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.models.bundles import Bundle
from bot.models.catalogue import Model
from bot.vocabulary import EngineDown
from bot.worker import Worker

READY_S = 60.0
STEP_S = 150.0
"""Longest time between two steps: the hub's silence and the waits between connections are shorter."""
SILENT_S = 20.0
"""How long the child may show no life; a slow disk can hold it up."""
PACE_S = 5.0
"""Over how long the speed is measured."""


@dataclass(frozen=True, slots=True)
class Progress:
    """``left_s`` is ``None`` while the speed is not known."""

    step: Literal["downloading", "checking"]
    done_bytes: int
    total_bytes: int
    bytes_per_s: float = 0.0
    left_s: float | None = None


async def pull(model: Model | Bundle, data: Path) -> AsyncGenerator[Progress, None]:
    """Fetch a model into the data folder; when the generator ends, all of it is there and whole.

    Raises ``EngineDown`` with why not. Closing the generator stops the download within a second; what is here stays.
    """
    worker = Worker(
        "models", "bot.models.fetch:Fetcher", {"data": str(data)}, on_health=lambda health: None, silent_s=SILENT_S
    )
    pace = _Pace()
    await worker.start()
    try:
        if not await worker.ready(READY_S):
            raise EngineDown(worker.health.reason, worker.health.repair)
        steps = worker.stream({"name": model.name}, first_s=STEP_S, next_s=STEP_S)
        async with aclosing(steps):
            async for step, _ in steps:
                yield pace.progress(step["step"], step["done"], step["total"], time.monotonic())
    finally:
        await worker.close()


class _Pace:
    """Measures the speed over the last seconds."""

    def __init__(self) -> None:
        self._step = ""
        self._seen: deque[tuple[float, int]] = deque()

    def progress(self, step: Literal["downloading", "checking"], done: int, total: int, now_s: float) -> Progress:
        if step != self._step or (self._seen and done < self._seen[-1][1]):
            self._seen.clear()
            self._step = step
        self._seen.append((now_s, done))
        while now_s - self._seen[0][0] > PACE_S and len(self._seen) > 2:
            self._seen.popleft()
        since_s, before = self._seen[0]
        if now_s <= since_s or done <= before:
            return Progress(step, done, total)
        speed = (done - before) / (now_s - since_s)
        return Progress(step, done, total, speed, (total - done) / speed)
