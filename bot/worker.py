"""One heavy engine in one child process: stream, cancel, heartbeat, restart.

A crash, a leak or a hang of an engine never reaches the bot: the child is killed and started again. The process list
shows it as ``python -m bot.worker ENGINE``; the protocol is described in ``bot.worker_child``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from bot import texts
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Options, PromptTooLong, State
from bot.worker_child import Engine, main
from bot.worker_process import FramedProcess

__all__ = ["Engine", "Worker"]

TAIL_S = 1.0
"""How long a cancelled request may take to end before its child is killed."""
SETTLED_S = 30.0
"""A child that lived this long, or served a request, starts the back-off from the beginning when it dies."""
BACKOFF_S = (0.5, 30.0)
PERMANENT_RETRY_S = 30.0
DOWN_AFTER = 3
"""Failed lives in a row after which the part counts as down, though it is still tried."""
BURIED_S = 1.5
"""How long a child takes to be seen out at most."""
LATE_S = 0.25
"""A timer of ours this late means that our own loop stood still (a suspended laptop): nobody is blamed for it."""
ITEMS_AHEAD = 256

_log = logging.getLogger(__name__)


class _Job:
    """One request in flight. ``number`` is its identity: what arrives for another one is dropped."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.items: asyncio.Queue[tuple[dict[str, Any], bytes] | Exception | None] = asyncio.Queue(ITEMS_AHEAD)
        self.abandoned = False
        self.tail: asyncio.TimerHandle | None = None


class Worker:
    """Keeps one engine alive in a child process and hands it one request at a time.

    ``part`` names it in its ``Health``; ``engine`` is ``module:Class``. ``load_s`` limits loading; a child that says
    nothing for ``silent_s`` is taken for hung. ``on_health`` is called on changes only.
    """

    def __init__(
        self,
        part: str,
        engine: str,
        options: Options,
        *,
        on_health: Callable[[Health], None],
        load_s: float = 60.0,
        silent_s: float = 2.0,
    ) -> None:
        self.health = Health(part, "off")
        self._engine = engine
        self._options = dict(options)
        self._on_health = on_health
        self._load_s = load_s
        self._silent_s = silent_s
        self._process: FramedProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._decided = asyncio.Event()
        self._turn = asyncio.Lock()
        self._job: _Job | None = None
        self._numbers = 0
        self._failures = 0
        self._heard_s = 0.0
        self._lost_for = ""

    @property
    def pid(self) -> int | None:
        """The child's process id, ``None`` while there is no child."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Begin to keep the child alive; returns at once."""
        self._say("degraded", text("worker.starting"))
        self._keeper = asyncio.create_task(self._keep(), name=f"worker {self.health.part}")

    async def ready(self, timeout_s: float) -> bool:
        """Wait until it can serve; False when it is down for good, or cannot after ``timeout_s``."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._decided.wait(), timeout_s)
        return self._up.is_set()

    async def close(self) -> None:
        """End the child: asked first, killed after one second."""
        if self._keeper:
            while not self._keeper.done():
                self._keeper.cancel()  # in Python 3.11 wait_for loses one that comes just as the child ends
                await asyncio.wait([self._keeper], timeout=BURIED_S)
            self._keeper = None
        self._say("off", text("worker.closed"))

    async def stream(
        self, request: dict[str, Any], payload: bytes = b"", *, first_s: float, next_s: float
    ) -> AsyncGenerator[tuple[dict[str, Any], bytes], None]:
        """Do one request and stream its items; closing the generator cancels it, the tail is collected unseen.

        Another request in progress is waited for. Raises ``EngineDown`` at once while the child is not ready, when
        the first item takes longer than ``first_s`` or a later one longer than ``next_s`` (the request is cancelled
        then, and the child killed if even that takes over a second), and when the engine fails or dies; raises
        ``PromptTooLong`` when the engine did.
        """
        self._insist_ready()
        try:
            async with asyncio.timeout(first_s):
                await self._turn.acquire()
        except TimeoutError:
            raise EngineDown(text("worker.busy", part=self.health.part)) from None
        try:
            self._insist_ready()
        except EngineDown:
            self._turn.release()
            raise
        self._numbers += 1
        job = self._job = _Job(self._numbers)
        try:
            self._write({"op": "run", "n": job.number, "request": request}, payload)
            limit_s = first_s
            while (item := await self._next(job, limit_s)) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
                limit_s = next_s
        finally:
            self._abandon(job)

    def _insist_ready(self) -> None:
        if not self._up.is_set():
            raise EngineDown(self.health.reason or text("worker.not_started"), self.health.repair)

    async def _next(self, job: _Job, limit_s: float) -> tuple[dict[str, Any], bytes] | Exception | None:
        grace_s = limit_s
        while True:
            due_s = time.monotonic() + grace_s
            try:
                async with asyncio.timeout(grace_s):
                    return await job.items.get()
            except TimeoutError:
                if time.monotonic() - due_s < LATE_S:
                    raise EngineDown(text("worker.slow", part=self.health.part, seconds=f"{limit_s:.1f}")) from None
                grace_s = 2 * LATE_S

    def _abandon(self, job: _Job) -> None:
        """Cancel what still runs of a job that nobody listens to any more, and make sure that it ends."""
        if self._job is not job:
            return
        job.abandoned = True
        while not job.items.empty():
            job.items.get_nowait()  # the reader may be waiting for room
        self._write({"op": "cancel", "n": job.number})
        self._await_tail(job, TAIL_S)

    def _await_tail(self, job: _Job, within_s: float) -> None:
        job.tail = asyncio.get_running_loop().call_later(within_s, self._tail_missing, job, time.monotonic() + within_s)

    def _tail_missing(self, job: _Job, due_s: float) -> None:
        if time.monotonic() - due_s > LATE_S:
            self._await_tail(job, LATE_S)
        else:
            self._kill(text("worker.stuck"))

    def _finish(self, job: _Job | None) -> None:
        """Let the next request in; the one before has ended, or its child has."""
        if job is None:
            return
        if job.tail:
            job.tail.cancel()
        self._job = None
        self._turn.release()

    def _write(self, header: dict[str, Any], payload: bytes = b"") -> None:
        if self._process:
            self._process.write(header, payload)

    def _kill(self, reason: str) -> None:
        if self._process and not self._lost_for:
            self._lost(reason)
            self._process.kill()

    def _say(self, state: State, reason: str = "", repair: str = "") -> None:
        if state in ("ok", "down"):
            self._decided.set()
        else:
            self._decided.clear()
        health = Health(self.health.part, state, reason, repair)
        if health != self.health:
            self.health = health
            self._on_health(health)

    def _lost(self, reason: str, repair: str = "", *, permanent: bool = False) -> None:
        self._up.clear()
        self._lost_for = reason
        self._say("down" if permanent or self._failures >= DOWN_AFTER else "degraded", reason, repair)

    async def _keep(self) -> None:
        """Give the engine one life after another."""
        while True:
            self._lost_for = ""
            since_s = time.monotonic()
            permanent = False
            try:
                permanent = await self._live()
            except Exception as fault:  # whatever it was, the next life may be better than none
                _log.exception("%s: a life of its process failed", self.health.part)
                self._lost(text("worker.no_start", error=str(fault)))
            if permanent:
                await asyncio.sleep(PERMANENT_RETRY_S)
                continue
            if time.monotonic() - since_s >= SETTLED_S:
                self._failures = 0
            self._failures += 1
            if self._failures > 1:
                first_s, most_s = BACKOFF_S
                await asyncio.sleep(
                    min(most_s, first_s * 2 ** min(self._failures - 2, 10)) * random.uniform(0.75, 1.25)
                )

    async def _live(self) -> bool:
        """Run one child from birth to death; return whether trying again soon is useless."""
        process = self._process = await FramedProcess.spawn(self.health.part, "-m", "bot.worker", self._engine)
        watch = asyncio.create_task(self._watch())
        try:
            process.write({"op": "load", "options": self._options, "language": texts.chosen()})
            permanent = await self._read(process)
            self._up.clear()
            how = await process.bury()
            if not self._lost_for:
                self._lost(text("worker.ended", how=how))
        finally:
            watch.cancel()
            self._up.clear()
            if not process.buried:
                await process.bury()
            self._process = None
            if self._job and not self._job.abandoned:
                _put_last(self._job, EngineDown(self._lost_for or text("worker.closed"), self.health.repair))
            self._finish(self._job)
        return permanent

    async def _read(self, process: FramedProcess) -> bool:
        """Take the child's frames until it is gone; return whether it said that trying again soon is useless."""
        permanent = False
        try:
            async for frame, payload in process.frames():
                self._heard_s = time.monotonic()
                match frame["op"]:
                    case "ready" if not self._lost_for:
                        self._up.set()
                        self._say("ok")
                    case "failed":
                        permanent = frame["permanent"]
                        reason = frame["error"] if permanent else text("worker.no_start", error=frame["error"])
                        self._lost(reason, frame.get("repair", ""), permanent=permanent)
                    case "item" | "end" if self._job and frame["n"] == self._job.number:
                        await self._deliver(self._job, frame, payload)
        except ValueError:
            self._kill(text("worker.garbled"))
        return permanent

    async def _deliver(self, job: _Job, frame: dict[str, Any], payload: bytes) -> None:
        self._heard_s = math.inf  # while the listener makes us wait, the child's silence is not its fault
        ended = frame["op"] == "end"
        if ended:
            self._failures = 0
        if not job.abandoned:
            await job.items.put(self._verdict(frame) if ended else (frame["item"], payload))
        if ended and self._job is job:
            self._finish(job)
        self._heard_s = time.monotonic()

    def _verdict(self, frame: dict[str, Any]) -> Exception | None:
        match frame.get("kind"):
            case None:
                return None
            case "PromptTooLong":
                return PromptTooLong(frame["error"])
            case "EngineDown":
                return EngineDown(frame["error"], frame["repair"])
            case _:
                return EngineDown(text("worker.fault", part=self.health.part, error=frame["error"]))

    async def _watch(self) -> None:
        """Kill a child that takes too long to load, or falls silent afterwards."""
        try:
            await asyncio.wait_for(self._up.wait(), self._load_s)
        except TimeoutError:
            self._kill(text("worker.load_slow", seconds=f"{self._load_s:.0f}"))
            return
        self._heard_s = time.monotonic()
        while True:
            pause_s = min(max(self._heard_s + self._silent_s - time.monotonic(), 0.0), self._silent_s)
            due_s = time.monotonic() + pause_s
            await asyncio.sleep(pause_s)
            now_s = time.monotonic()
            if now_s - due_s > LATE_S:
                self._heard_s = now_s
            elif now_s - self._heard_s >= self._silent_s:
                self._kill(text("worker.silent", seconds=f"{self._silent_s:.1f}"))
                return


def _put_last(job: _Job, verdict: Exception) -> None:
    """Say how a job ended, even to a listener whose queue is full."""
    if job.items.full():
        job.items.get_nowait()
    job.items.put_nowait(verdict)


if __name__ == "__main__":
    main()
