"""The log of who decided what: one JSON line a decision, without viewers' words and without secrets."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from bot.files import take_place

log = logging.getLogger(__name__)

Who = Literal["page", "script", "guard", "moderator", "clock"]
"""Who decided: the operator in the studio's page, a script or stream deck with the key, whoever pressed panic at the
guard, a moderator in chat, or time alone."""

KEPT_IN_MEMORY = 200
FILE_BYTES = 1_000_000
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"
Decision = dict[str, Any]
Change = Callable[[Decision], Decision | None]
"""Returns a decision as it is to be kept; ``None``: not at all."""
Answer = TypeVar("Answer")


class Decisions:
    """Keeps decisions in memory and in a file; at ``FILE_BYTES`` the file becomes ``.old`` and a new one begins."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._newest: deque[Decision] = deque(maxlen=KEPT_IN_MEMORY)
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._changes: list[Change] = []
        """What is due in the files: tried until every file has taken it."""
        self._worker: threading.Thread | None = None

    def note(self, what: str, who: Who, **about: str) -> Decision:
        """Keep a decision and return it; ``about``: ids and names that it concerns."""
        decision = {"at": time.strftime(TIME_FORMAT), "what": what, "who": who, **about}
        self._newest.append(decision)
        self._later(partial(self._append, json.dumps(decision, ensure_ascii=False)))
        return decision

    def newest(self, limit: int) -> list[Decision]:
        """Return up to ``limit`` decisions of this session, newest first."""
        return list(reversed(self._newest))[: max(0, limit)]

    async def about(self, person_id: str) -> list[Decision]:
        """Return every decision that concerns this person, oldest first."""

        def look() -> list[Decision]:
            kept = [one for file in self._files() for one in _read(file)]
            return [one for one in kept if one.get("user_id") == person_id]

        return await self._answer(look)

    def forget(self, person_id: str) -> None:
        """Take this person's id and name out of every decision; on disk in the background (see ``forgotten``)."""
        for decision in self._newest:
            _forgotten(decision, person_id)
        self._later(partial(self._change, lambda decision: _forgotten(decision, person_id)))

    async def forgotten(self) -> None:
        """Wait until all that is to go has gone from the files.

        Raises ``OSError`` when a file is held or full: it is tried again with all that is to go later, and at the end.
        """
        await self._answer(self._make_changes)

    def expire(self, before_s: float) -> None:
        """Drop every decision older than this time of day (Unix seconds)."""
        fresh = [decision for decision in self._newest if _at_s(decision) >= before_s]
        self._newest = deque(fresh, maxlen=KEPT_IN_MEMORY)
        self._later(partial(self._change, lambda one: one if _at_s(one) >= before_s else None))

    def close(self) -> None:
        """Wait until everything is on disk."""
        if self._worker is not None:
            self._jobs.put(self._make_changes)
            self._jobs.put(None)
            self._worker.join(1.0)
            self._worker = None

    async def _answer(self, job: Callable[[], Answer]) -> Answer:
        answer: Future[Answer] = Future()

        def work() -> None:
            try:
                answer.set_result(job())
            except Exception as error:
                answer.set_exception(error)

        self._later(work)
        return await asyncio.wrap_future(answer)

    def _later(self, job: Callable[[], None]) -> None:
        """Do this with the files, in order, in a thread of their own."""
        self._jobs.put(job)
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # one that cannot be written must not cost those that come after it
                log.error("cannot write the log of decisions: %s", error)

    def _append(self, line: str) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self._file.exists() and self._file.stat().st_size > FILE_BYTES:
            with suppress(OSError):  # while somebody holds it, it grows
                take_place(self._file, self._file.with_suffix(".old"))
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _files(self) -> list[Path]:
        return [file for file in (self._file.with_suffix(".old"), self._file) if file.exists()]

    def _change(self, change: Change) -> None:
        self._changes.append(change)
        self._make_changes()

    def _make_changes(self) -> None:
        """Write the files anew with all that is due; what cannot be read goes.

        Raises the last ``OSError`` after it has tried every file, and is due then still.
        """
        fault: OSError | None = None
        for file in self._files() if self._changes else []:
            try:
                _write_anew(file, self._changes)
            except OSError as error:
                fault = error
        if fault is not None:
            raise fault
        self._changes.clear()


def _write_anew(file: Path, changes: list[Change]) -> None:
    decisions = _read(file)
    for change in changes:
        decisions = [changed for changed in map(change, decisions) if changed is not None]
    lines = "".join(json.dumps(decision, ensure_ascii=False) + "\n" for decision in decisions)
    if lines != file.read_text(encoding="utf-8", errors="replace"):
        fresh = file.with_suffix(".new")
        fresh.write_text(lines, encoding="utf-8")
        take_place(fresh, file)


def _read(file: Path) -> list[Decision]:
    decisions = []
    for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            decision = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(decision, dict):
            decisions.append(decision)
    return decisions


def _forgotten(decision: Decision, person_id: str) -> Decision:
    if decision.get("user_id") == person_id:
        del decision["user_id"]
        decision.pop("user", None)
    return decision


def _at_s(decision: Decision) -> float:
    """Return when it was decided, in Unix seconds; 0 if it does not say."""
    try:
        return datetime.strptime(decision["at"], TIME_FORMAT).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return 0.0
