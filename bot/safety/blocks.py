"""Viewers whom the operator has blocked in the studio: kept in the data folder, obeyed at once."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

from bot.files import take_place
from bot.vocabulary import Person

log = logging.getLogger(__name__)

MOST = 10_000


class Blocks:
    """Platform ids of blocked viewers with the names they had; a file that cannot be read is left alone."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._names: dict[str, str] = {}
        self._saving = threading.Lock()
        self._is_saved = True
        if file.exists():
            try:
                kept = json.loads(file.read_text(encoding="utf-8"))
                self._names = {str(person_id): str(name) for person_id, name in kept.items()}
            except (OSError, ValueError, AttributeError) as error:
                log.error("cannot read %s, so nobody is blocked: %s", file.name, error)
                take_place(file, file.with_suffix(".unreadable"))

    def __contains__(self, person: Person | None) -> bool:
        return person is not None and person.id in self._names

    def names(self) -> dict[str, str]:
        """Return the blocked viewers, the newest first, as id to name."""
        return dict(reversed(self._names.items()))

    def block(self, person_id: str, name: str) -> None:
        """Block a viewer."""
        self._names.pop(person_id, None)
        self._names[person_id] = name
        while len(self._names) > MOST:
            del self._names[next(iter(self._names))]
        self._is_saved = False  # last: what is being written meanwhile is without it

    def unblock(self, person_id: str) -> bool:
        """Let a viewer be heard again; ``False``: they were not blocked."""
        if person_id not in self._names:
            return False
        del self._names[person_id]
        self._is_saved = False
        return True

    def save(self) -> None:
        """Keep the list if it has changed; call it in a thread. Raises ``OSError``."""
        with self._saving:
            if self._is_saved:
                return
            self._is_saved = True  # now, and not when it is written: it may change meanwhile
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                fresh = self._file.with_suffix(".new")
                fresh.write_text(json.dumps(dict(self._names), ensure_ascii=False), encoding="utf-8")
                take_place(fresh, self._file)
            except OSError:
                self._is_saved = False
                raise
