"""Finds listed words in which signs hide some letters."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from bot.safety.entries import bare
from bot.safety.listing import Row

_MASKED = re.compile(
    r"(?<![a-z0-9])[a-z]*(?:[*#%~?&^=•_-]{1,8}[a-z]+){1,4}(?![a-z0-9])|(?<![a-z0-9])[a-z]+[*#]{1,3}[a-z]*"
)
_SIGNS = re.compile(r"[^a-z]+")
_STARS = re.compile(r"[*#]")
LEAST_SHOWN = 3
SHORTEST = 4
SHORTEST_WITHOUT_STARS = 6


class Masks:
    """The search for a set of rows; only severe single words are looked for."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._by_first: dict[str, list[tuple[str, Row]]] = defaultdict(list)
        self._by_last: dict[str, list[tuple[str, Row]]] = defaultdict(list)
        for row in rows:
            if " " not in row.words and len(row.words) >= SHORTEST:
                word = bare(row.words)
                self._by_first[word[0]].append((word, row))
                self._by_last[word[-1]].append((word, row))

    def find(self, folded: str) -> Iterator[tuple[Row, int, int]]:
        """Yield what is found, and where."""
        for written in _MASKED.finditer(folded):
            parts = _SIGNS.split(written[0])
            shown = sum(map(len, parts))
            if shown < LEAST_SHOWN:
                continue
            starred = _STARS.search(written[0]) is not None
            hidden = len(written[0]) - shown
            words = self._by_first[parts[0][0]] if parts[0] else self._by_last[parts[-1][-1]] if parts[-1] else ()
            for word, row in words:
                missing = len(word) - shown
                if (
                    max(1, hidden - 2) <= missing <= min(hidden + 1, shown)
                    and (starred or len(word) >= SHORTEST_WITHOUT_STARS)
                    and _fits(word, parts)
                ):
                    yield row, written.start(), written.end()


def _fits(word: str, parts: list[str]) -> bool:
    if not (word.startswith(parts[0]) and word.endswith(parts[-1])):
        return False
    at, last = len(parts[0]), len(word) - len(parts[-1])
    for part in parts[1:-1]:
        at = word.find(part, at + 1, last)
        if at < 0:
            return False
        at += len(part)
    return at < last
