"""Keeps her alive: the health of every part, and what to fall back to when an engine fails in mid-reply."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Any, Protocol, runtime_checkable

from bot.texts import text
from bot.vocabulary import (
    Brain,
    Cue,
    EngineDown,
    Health,
    Prompt,
    PromptTooLong,
    Tell,
)

log = logging.getLogger(__name__)

FAULT_S = 0.5
CANCEL_S = 1.0


class Living(Protocol):
    """A part that lives as long as she does."""

    @property
    def health(self) -> Health:
        """How it is."""
        ...

    @property
    def pid(self) -> int | None:
        """Its child process, if it has one that runs."""
        ...

    async def start(self) -> None:
        """Begin."""
        ...

    async def close(self) -> None:
        """End."""
        ...


class Board:
    """The lights: one ``Health`` a part. Tells and logs each change once."""

    def __init__(self, tell: Tell) -> None:
        self.parts: dict[str, Health] = {}
        self._tell = tell

    def report(self, health: Health) -> None:
        """Set a part's light."""
        before = self.parts.get(health.part)
        if before == health:
            return
        self.parts[health.part] = health
        self._tell({"type": "health", **asdict(health)})
        if before is None or before.state != health.state:
            starting = before is None and health.state != "down"
            level = logging.INFO if starting or health.state in ("ok", "off") else logging.WARNING
            log.log(level, "%s: %s %s", health.part, health.state, health.reason)

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return every light by part."""
        return {part: {k: v for k, v in asdict(h).items() if k != "part"} for part, h in sorted(self.parts.items())}


class Keeper:
    """Holds running work, so that none is forgotten and all of it ends together."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run this in the background."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Cancel everything and wait for its end."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()  # in Python 3.11 wait_for loses one that comes just as its work ends
            await asyncio.wait(list(self._tasks), timeout=CANCEL_S)


async def for_ever(step: Callable[[], Awaitable[None]]) -> None:
    """Repeat a step; a fault in it is logged and costs a moment, never the work itself."""
    while True:
        try:
            await step()
        except Exception:
            log.exception("%s failed", getattr(step, "__name__", step))
            await asyncio.sleep(FAULT_S)


class StandIn(Protocol):
    """A humbler brain that is awake only while the first one cannot serve."""

    name: str

    @property
    def is_ready(self) -> bool:
        """Whether it can answer now."""
        ...

    def want(self, wanted: bool) -> None:
        """Wake it, or let it sleep."""
        ...

    def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Stream an answer."""
        ...

    async def warm(self, prompt: Prompt) -> None:
        """Read ahead, if that is worth it."""
        ...


@runtime_checkable
class Forgetful(Protocol):
    """A brain that keeps what it has read, on this machine, and can let go of it."""

    def forget(self) -> None:
        """Keep, from the next request on, only what that request shares with what was read before."""
        ...


class BrainLadder:
    """The brain, its stand-in and the understudy behind it: a dead or stalled brain never means dead air.

    Implements ``vocabulary.Brain``. Before the first word the next one answers instead; after it, the understudy
    finds a way out of the sentence: nothing that was said is said again.
    """

    def __init__(self, first: Brain | None, understudy: Brain, rescue: Callable[[Cue], str], board: Board) -> None:
        self._first = first
        self._stand_in: StandIn | None = None
        self._understudy = understudy
        self._rescue = rescue
        self._board = board
        self.name = (first or understudy).name
        self.served = self.name
        self._own = Health("brain", "off")
        self._lacking: Health | None = None
        self.on_ready: Callable[[], object] = lambda: None
        """Called when the first brain has become able to serve."""

    @property
    def prompt_tokens(self) -> int:
        """Real size of the newest prompt; 0 while unknown."""
        return self._first.prompt_tokens if self._first else 0

    def swap(self, first: Brain, own: Health, stand_in: StandIn | None = None) -> None:
        """Put another brain in charge, with its health. Belongs between two replies: one in progress keeps its own."""
        self._first, self._stand_in, self._lacking = first, stand_in, None
        self.name = first.name
        self._own = Health("brain", "off")
        self.on_health(own)

    def lack(self, why: Health) -> None:
        """Show on the light that the brain in charge is not the one that was asked for, until the next ``swap``."""
        self._lacking = replace(why, part="brain")
        self.refresh()

    def on_health(self, health: Health) -> None:
        """Pass the first brain's own health on to the board, with who serves."""
        became_ready = health.state == "ok" and self._own.state != "ok"
        self._own = replace(health, part="brain")
        if self._stand_in:
            self._stand_in.want(health.state in ("degraded", "down"))
        if became_ready:
            self.on_ready()
        self.refresh()

    def refresh(self) -> None:
        """Set the light again: who serves may have changed."""
        serving = self.name if self._own.state == "ok" else self._behind()
        self._board.report(replace(self._lacking or self._own, serving=serving))

    def _behind(self) -> str:
        """Return who answers while the first brain cannot."""
        return self._stand_in.name if self._stand_in and self._stand_in.is_ready else self._understudy.name

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Stream an answer from the first brain that can give one."""
        said = False
        brains: list[Brain | StandIn] = [self._first] if self._first else []
        if self._stand_in and self._stand_in.is_ready:
            brains.append(self._stand_in)
        for brain in brains:
            self.served = brain.name
            try:
                async with aclosing(brain.think(prompt)) as pieces:
                    async for piece in pieces:
                        said = True
                        yield piece
                if said:
                    if brain is self._first:
                        self.refresh()
                    return
                down = EngineDown(text("engines.empty_answer"))
            except EngineDown as failure:
                down = failure
            except PromptTooLong:
                if brain is self._first:
                    raise
                down = EngineDown(text("engines.outgrown"))
            log.warning("brain %s failed: %s", brain.name, down.reason)
            if brain is self._first and self._own.state == "ok":
                self._board.report(Health("brain", "degraded", down.reason, down.repair, self._behind()))
            if said:
                yield " " + self._rescue(prompt.cue)
                return
        self.served = self._understudy.name
        async with aclosing(self._understudy.think(prompt)) as pieces:
            async for piece in pieces:
                yield piece

    def outgrown(self) -> Brain:
        """Tell that a prompt without any history is too long for the first brain; return who answers instead."""
        reason, repair = text("engines.outgrown"), text("engines.outgrown_repair")
        self._board.report(Health("brain", "degraded", reason, repair, self._understudy.name))
        self.served = self._understudy.name
        return self._understudy

    async def warm(self, prompt: Prompt) -> None:
        """Let the first brain read ahead, if it can, and its stand-in forget, if it has to."""
        for brain in (self._first, self._stand_in):
            if brain is not None:
                try:
                    await brain.warm(prompt)
                except (EngineDown, PromptTooLong) as failure:
                    log.debug("not warmed: %s", failure)

    def forget(self) -> None:
        """Let every brain on this machine forget, from its next request on, what that request does not share."""
        for brain in (self._first, self._stand_in):
            if isinstance(brain, Forgetful):
                brain.forget()
