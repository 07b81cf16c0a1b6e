"""The operator's microphone by PortAudio, in a child process (see ``bot.hearing.microphone_engine``).

It is found by a part of its name, and looked for again when it is not there or was unplugged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

import numpy as np

from bot.texts import text
from bot.vocabulary import EngineDown, Health, Pcm
from bot.worker import Worker

log = logging.getLogger(__name__)

PART = "microphone"
ENGINE = "bot.hearing.microphone_engine:MicrophoneEngine"
OnBlock = Callable[[Pcm, float], None]
"""Takes 512 samples at 16 kHz and the ``time.monotonic()`` of the last one."""

OPEN_S = 15.0
"""How long a device may take to open; a driver that takes longer hangs."""
NEXT_S = 3.0
AGAIN_S = (0.5, 5.0)
"""A microphone that is not there is looked for so soon at first, and so seldom at last."""
READY_S = 30.0


class Microphone:
    """Delivers blocks from ``start`` to ``close``. ``device``: part of a name, empty for the system's choice."""

    def __init__(self, device: str, on_block: OnBlock, on_health: Callable[[Health], None]) -> None:
        self.health = Health(PART, "off")
        self._device = device
        self._on_block = on_block
        self._on_health = on_health
        self._worker = Worker(PART, ENGINE, {}, on_health=self._child_health)
        self._listening: asyncio.Task[None] | None = None
        self._lost = 0

    @property
    def pid(self) -> int | None:
        """The child's process id, ``None`` while there is no child."""
        return self._worker.pid

    async def start(self) -> None:
        """Begin to look for it; returns at once."""
        await self._worker.start()
        self._listening = asyncio.create_task(self._listen(), name=PART)

    async def close(self) -> None:
        """Let go of the device."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
            self._listening = None
        await self._worker.close()

    async def _listen(self) -> None:
        first_s, most_s = AGAIN_S
        wait_s = first_s
        while True:
            try:
                if await self._worker.ready(READY_S):
                    stream = self._worker.stream({"device": self._device}, first_s=OPEN_S, next_s=NEXT_S)
                    async with aclosing(stream) as items:
                        async for header, payload in items:
                            wait_s = first_s
                            if "device" in header:
                                self._opened(header["device"])
                            else:
                                self._take(np.frombuffer(payload, np.dtype("<i2")), header["at_s"], header["lost"])
            except EngineDown as down:
                self._say(Health(PART, "down", down.reason, down.repair))
            await asyncio.sleep(wait_s)
            wait_s = min(most_s, wait_s * 2)

    def _opened(self, name: str) -> None:
        self._lost = 0
        self._say(Health(PART, "ok", text("microphone.open", name=name), serving="sound_card"))

    def _take(self, pcm: Pcm, at_s: float, lost: int) -> None:
        if lost > self._lost:
            log.warning("microphone: %d pieces of sound lost since it was opened", lost)
            self._lost = lost
        self._on_block(pcm, at_s)

    def _child_health(self, health: Health) -> None:
        if health.state != "ok":
            self._say(replace(health, part=PART))

    def _say(self, health: Health) -> None:
        if health != self.health:
            self.health = health
            self._on_health(health)
