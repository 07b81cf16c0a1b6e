"""The guard: panic that works while everything else hangs.

A tiny process (``bot.guard_child``) listens beside the studio. It can silence her without the program's help: the
sound card's callback reads its flag, and the pages hear it over a line of their own. The program keeps it alive, and
learns of a panic as soon as its event loop breathes.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot.guard_flag import Flag
from bot.studio.tokens import Tokens
from bot.texts import chosen, text
from bot.vocabulary import Health
from bot.worker_process import FramedProcess

log = logging.getLogger(__name__)

BACK_S = 1.0
READY_S = 10.0


class Guard:
    """Keeps the guard's process. ``on_panic`` is called for each panic, ``on_moved`` when its address is new."""

    def __init__(
        self,
        host: str,
        tokens: Tokens,
        report: Callable[[Health], None],
        clock: Callable[[], float],
        panic_key: str = "",
    ) -> None:
        """``panic_key``: the name of a key that is panic in every window; empty: none."""
        self.port: int | None = None
        """Where it listens; ``None`` while it does not."""
        self.on_panic: Callable[[], None] = lambda: None
        self.on_moved: Callable[[], None] = lambda: None
        self._options = {"host": host, "life": secrets.token_hex(4), "panic_key": panic_key, **asdict(tokens)}
        self._report = report
        self._clock = clock
        self._folder = tempfile.TemporaryDirectory(prefix="aneeka-", ignore_cleanup_errors=True)
        file = Path(self._folder.name) / "silence"
        Flag.make(file)
        self._flag = Flag(file)
        self._options["flag"] = str(file)
        self._panics = 0
        self._process: FramedProcess | None = None
        self._ready = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    def start(self, studio_port: int, port: int) -> None:
        """Begin to listen on ``port``, or a free one if it is taken or 0, and keep listening until closed."""
        self._keeper = asyncio.create_task(self._keep({**self._options, "studio_port": studio_port}, port))

    async def ready(self) -> bool:
        """Wait until it listens; ``False``: not within reasonable time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), READY_S)
        return self._ready.is_set()

    def silenced(self) -> bool:
        """Whether all sound is silenced by a panic that was not resumed from. Any thread may ask."""
        return self._flag.silent()

    def clock(self) -> float:
        """Return the time as far as she was audible: it stands still from a panic until ``resume``."""
        now = self._clock()
        return min(now, self._flag.since_s) if self._flag.silent() else now

    def resume(self) -> None:
        """Lift every panic that ``on_panic`` has told of."""
        self._flag.resume(self._panics)
        if self._process is not None:
            self._process.write({"op": "look"})

    def news(self) -> dict[str, Any]:
        """What pages need to know: where the guard listens, and whether they must be silent."""
        counts = {"panics": self._flag.panics, "resumed": self._flag.resumed}
        return {"type": "guard", "port": self.port, "life": self._options["life"], **counts}

    async def close(self) -> None:
        """End the process and let go of the flag."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._process is not None:
            self._process.kill()
            await self._process.bury()
        self._flag.close()
        self._folder.cleanup()

    def _heard_of(self, panics: int) -> None:
        """Tell of panics that are new here, also of those that a guard before could not tell of any more."""
        if panics > self._panics:
            self._panics = panics
            self.on_panic()

    async def _keep(self, options: dict[str, Any], port: int) -> None:
        while True:
            try:
                self._process = await FramedProcess.spawn("guard", "-m", "bot.guard_child")
                self._process.write({**options, "port": port, "language": chosen()})
                async for frame, _ in self._process.frames():
                    if frame["op"] == "listening":
                        port = self.port = frame["port"]
                        self._ready.set()
                        self._report(Health("guard", "ok", text("guard.listens", port=port)))
                        self.on_moved()
                        self._heard_of(self._flag.panics)
                    elif frame["op"] == "panic":
                        self._heard_of(frame["panics"])
                    elif frame["op"] == "key":
                        self._report(Health(frame["part"], frame["state"], frame["reason"], frame["repair"]))
                ended = await self._process.bury()
                log.warning("the guard ended: %s", ended)
            except (OSError, ValueError, KeyError) as fault:
                log.warning("the guard failed: %r", fault)
            self.port = None
            self._ready.clear()
            self._report(Health("guard", "degraded", text("guard.gone"), text("guard.gone_repair")))
            await asyncio.sleep(BACK_S)
