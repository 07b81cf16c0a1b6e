"""What a listed entry looks like to the matcher: letters without repeats, and where its own words end."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from bot.safety.automaton import Automaton
from bot.safety.listing import Row

MERGED = str.maketrans("li", "ii")
"""A digit one or a stroke is an i or an l: where they occur, both letters count as one."""
SHORTEST_REVERSED = 5
SHORTEST_MERGED_SEVERITY = 2
MIN_COLLAPSED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One way in which a listed entry may stand in a text."""

    row: Row
    letters: str
    """All its letters, without blanks."""
    runs: tuple[int, ...]
    """How often each letter of the collapsed word repeats."""
    breaks: frozenset[int]
    """After how many letters each of its words but the last ends."""
    backwards: bool = False


def bare(word: str) -> str:
    """Return the letters and digits of an entry in the alphabet of the matcher."""
    return re.sub(r"[^a-z0-9]", "", word.replace("ñ", "n"))


def collapsed(letters: str) -> str:
    """Return the letters with each repeated one written once."""
    return "".join(letter for letter, _ in groupby(letters))


def runs_of(letters: str) -> tuple[int, ...]:
    """Return how often each letter repeats, in order."""
    return tuple(len(list(run)) for _, run in groupby(letters))


def entry_of(row: Row, *, merged: bool = False, backwards: bool = False) -> Entry:
    """Build one way of a row."""
    words = [bare(word) for word in row.words.split()]
    ends, total = set(), 0
    for word in words[:-1]:
        total += len(word)
        ends.add(total)
    letters = "".join(words)
    if merged:
        letters = letters.translate(MERGED)
    if backwards:
        letters = letters[::-1]
    return Entry(row, letters, runs_of(letters), frozenset(ends), backwards)


def automaton(rows: Iterable[Row], *, merged: bool) -> Automaton[Entry]:
    """Return the search for all rows, with ``merged`` for texts in which digits and signs stand for letters."""
    entries = []
    for row in rows:
        if merged and row.severity < SHORTEST_MERGED_SEVERITY:
            continue
        entries.append(entry_of(row, merged=merged))
        letters = bare(row.words)
        if row.kind == "slurs" and " " not in row.words and len(letters) >= SHORTEST_REVERSED:
            entries.append(entry_of(row, merged=merged, backwards=True))
    found = ((collapsed(entry.letters), entry) for entry in entries)
    return Automaton((word, entry) for word, entry in found if len(word) >= MIN_COLLAPSED)
