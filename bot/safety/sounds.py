"""Finds listed words by how they sound when they are read aloud, in Spanish or in English."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from bot.safety.entries import bare
from bot.safety.listing import Row

SHORTEST_WORD = 6
SHORTEST_KEY = 4
CACHED = 8192

_WORD = re.compile(r"[a-z]{4,24}")
_REPEATED = re.compile(r"([a-fh-z])\1+")
"""A doubled g stays: it makes another word in both languages."""
_CLUSTERS = (
    (re.compile(r"^kn"), "n"),
    (re.compile(r"ph"), "f"),
    (re.compile(r"ck|qu(?=[ei])|q|c(?![eih])"), "k"),
    (re.compile(r"c(?=[ei])|z|ç"), "s"),
    (re.compile(r"x"), "ks"),
    (re.compile(r"(?<![cs])h"), ""),
    (re.compile(r"gu(?=[ei])|gh"), "g"),
    (re.compile(r"v"), "b"),
    (re.compile(r"ee|ea|ie|y"), "i"),
    (re.compile(r"oo|ou"), "u"),
    (re.compile(r"ll(?=[aeiou])"), "i"),
)


@lru_cache(CACHED)
def sound(word: str) -> str:
    """Return a spelling that is the same for words that sound alike."""
    for cluster, plain in _CLUSTERS:
        word = cluster.sub(plain, word)
    return _REPEATED.sub(r"\1", word)


class Sounds:
    """The search for a set of rows; only slurs of one word are looked for."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._by_sound: dict[str, Row] = {}
        for row in rows:
            word = bare(row.words)
            if row.kind == "slurs" and row.severity > 1 and " " not in row.words and len(word) >= SHORTEST_WORD:
                key = sound(word)
                if len(key) >= SHORTEST_KEY:
                    self._by_sound[key] = row

    def find(self, text: str) -> Iterator[tuple[Row, int, int]]:
        """Yield what is found in the letters of a text, and where."""
        if not self._by_sound:
            return
        for word in _WORD.finditer(text):
            row = self._by_sound.get(sound(word[0]))
            if row is not None and (word.start() == 0 or not text[word.start() - 1].isalnum()):
                yield row, word.start(), word.end()
