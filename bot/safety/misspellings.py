"""Finds slurs that are written wrong on purpose: without vowels, two letters swapped, one of a pair missing, or an l
that looks like an i.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bot.safety.entries import bare, collapsed
from bot.safety.listing import Row
from bot.safety.stream import SEAM

SHORTEST = 6
LEAST_CONSONANTS = 4

_WORD = re.compile(r"(?<![a-z0-9])[a-z^]{4,30}(?![a-z0-9])")
_VOWELS = re.compile("[aeiou]")


class Misspellings:
    """The search for a set of rows; only slurs of one longer word are looked for."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._swapped: dict[str, Row] = {}
        self._voiceless: dict[str, Row] = {}
        for row in rows:
            word = bare(row.words)
            if row.kind != "slurs" or row.severity < 2 or " " in row.words or len(word) < SHORTEST:
                continue
            for at in range(1, len(word) - 2):
                swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
                self._swapped.setdefault(swapped, row)
            for alike in (word.replace("i", "l"), word.replace("l", "i"), collapsed(word)):
                if alike != word and len(alike) >= SHORTEST:
                    self._swapped.setdefault(alike, row)
            consonants = _VOWELS.sub("", word)
            if len(consonants) >= LEAST_CONSONANTS:
                self._voiceless.setdefault(consonants, row)
                if len(collapsed(consonants)) >= LEAST_CONSONANTS:
                    self._voiceless.setdefault(collapsed(consonants), row)

    def find(self, text: str) -> Iterator[tuple[Row, int, int]]:
        """Yield what is found in the letters of a text, and where."""
        if not self._swapped:
            return
        for word in _WORD.finditer(text):
            written = word[0].replace(SEAM, "")
            row = self._swapped.get(written)
            if row is None and _VOWELS.search(written) is None:
                row = self._voiceless.get(written)
            if row is not None:
                yield row, *word.span()
