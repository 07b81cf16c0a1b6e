"""The log of who decided what: one JSON line a decision, without viewers' words and without secrets."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Literal

log = logging.getLogger(__name__)

Who = Literal["page", "script", "guard", "moderator", "clock"]
"""Who decided: the operator in the studio's page, a script or stream deck with the key, whoever pressed panic at the
guard, a moderator in chat, or time alone."""

KEPT_IN_MEMORY = 200
FILE_BYTES = 1_000_000


class Decisions:
    """Keeps decisions in memory and in a file; at ``FILE_BYTES`` the file becomes ``.old`` and a new one begins."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._newest: deque[dict[str, Any]] = deque(maxlen=KEPT_IN_MEMORY)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None

    def note(self, what: str, who: Who, **about: str) -> dict[str, Any]:
        """Keep a decision and return it; ``about``: ids and names that it concerns."""
        decision = {"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "what": what, "who": who, **about}
        self._newest.append(decision)
        self._lines.put(json.dumps(decision, ensure_ascii=False))
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, daemon=True)
            self._writer.start()
        return decision

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """Return up to ``limit`` decisions of this session, newest first."""
        return list(reversed(self._newest))[: max(0, limit)]

    def close(self) -> None:
        """Wait until everything is on disk."""
        if self._writer is not None:
            self._lines.put(None)
            self._writer.join(1.0)
            self._writer = None

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                if self._file.exists() and self._file.stat().st_size > FILE_BYTES:
                    self._file.replace(self._file.with_suffix(".old"))
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
            except OSError as error:
                log.error("cannot write the log of decisions: %s", error)
