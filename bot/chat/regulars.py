"""Who has written on the channel before. EventSub does not tell whose first message it is, so she keeps count herself.

Only ids are kept. While the book is young everybody would seem new, so nobody does.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from bot.files import take_place
from bot.likeness import remember
from bot.vocabulary import Person

YOUNG_S = 7 * 24 * 3600.0
MOST = 50_000
"""The ids of those who have been away longest go first."""


class Regulars:
    """The book of one channel."""

    def __init__(self, file: Path, unix_s: Callable[[], float]) -> None:
        """Read the book; one that is missing or damaged begins anew. ``unix_s``: the time of day."""
        self._file = file
        self._unix_s = unix_s
        self._since_s = unix_s()
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._is_saved = True
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            ids = [id_ for id_ in kept["ids"] if isinstance(id_, str)]
            self._since_s = min(float(kept["since_s"]), self._since_s)
            self._ids = OrderedDict.fromkeys(ids[-MOST:])
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            pass

    def __contains__(self, person_id: str) -> bool:
        return person_id in self._ids

    def is_newcomer(self, person: Person) -> bool:
        """Whether this person writes for the first time; from now on it is known. Who wears a badge is no stranger."""
        known = person.id in self._ids
        remember(self._ids, person.id, None, MOST)
        self._is_saved = self._is_saved and known
        return not known and not person.roles and self._unix_s() - self._since_s >= YOUNG_S

    def forget(self, person_id: str) -> None:
        """This person wants nothing kept."""
        if person_id in self._ids:
            del self._ids[person_id]
            self._is_saved = False  # last: what is being written meanwhile still has it

    def save(self) -> None:
        """Write the book anew if somebody came or went; it takes some milliseconds.

        Raises ``OSError``: asked again, it is tried again.
        """
        if self._is_saved:
            return
        self._is_saved = True  # now, and not when it is written: somebody may come or go meanwhile
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps({"since_s": self._since_s, "ids": list(self._ids)}), encoding="utf-8")
            take_place(fresh, self._file)
        except OSError:
            self._is_saved = False
            raise
