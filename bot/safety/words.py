"""Finds listed words in a text, however they are written, and lets innocent words pass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

from bot.safety.automaton import Automaton
from bot.safety.entries import Entry, automaton, runs_of
from bot.safety.folding import fold
from bot.safety.listing import Row
from bot.safety.masks import Masks
from bot.safety.misspellings import Misspellings
from bot.safety.sounds import Sounds
from bot.safety.stream import SEAM, Stream, leet_stream, numbered_stream, stream

ALLOWED = Path(__file__).with_name("lists") / "allowed.txt"
ORDINARY = Path(__file__).with_name("lists") / "ordinary.txt"
ENDINGS = frozenset(("", "s", "z", "x"))
SHORTEST_GLUED = 8
"""From this many letters on an entry of several words also counts written as one."""
SHORT = 4
"""Up to this many letters a word that repeats one letter is another word ("penne"); beyond, it is stretched."""
SHORTEST_DOTTED = 4
SHORTEST_IN_PAIRS = 5
SHORTEST_SPLIT = 6
MOST_PIECES = 5
SEVERE = 3
UNMISTAKABLE = 7
ALLOWED_REACH = 24
TINY = 3
PUNCTUATION = "!|(+"
"""Signs that may as well end a sentence: at the end of a short word they are no letters."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A listed entry found in a folded text, and where."""

    row: Row
    start: int
    end: int


def _lines(path: Path) -> list[str]:
    rows = path.read_text(encoding="utf-8").splitlines()
    return [row.strip() for row in rows if row.strip() and not row.startswith("#")]


@cache
def allowed() -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the innocent words that hold a listed one, and the innocent phrases."""
    lines = [fold(line).replace("ñ", "n") for line in _lines(ALLOWED)]
    return frozenset(line for line in lines if " " not in line), tuple(line for line in lines if " " in line)


@cache
def ordinary() -> frozenset[str]:
    """Return everyday words: two of them side by side are no split word."""
    return frozenset(fold(word).replace("ñ", "n") for line in _lines(ORDINARY) for word in line.split())


class Words:
    """The search for a set of rows."""

    def __init__(self, rows: Iterable[Row], *, trusted: bool = False) -> None:
        """``trusted``: the rows are the operator's own; they count as whole words, and no word excuses them."""
        listed = tuple(rows)
        self._plain: Automaton[Entry] = automaton(listed, merged=False)
        self._merged: Automaton[Entry] = automaton(listed, merged=True)
        self._masks = Masks(listed)
        self._sounds = Sounds(listed)
        self._wrong = Misspellings(listed)
        self._trusted = trusted
        self._allowed, self._phrases = (frozenset[str](), ()) if trusted else allowed()

    def find(self, folded: str) -> Iterator[Hit]:
        """Yield what is found in a text folded by ``bot.safety.folding.fold``."""
        yield from self.find_in(folded, stream(folded), leet_stream(folded))

    def find_in(self, folded: str, plain: Stream, leet: Stream | None) -> Iterator[Hit]:
        """Yield what is found in a folded text that is already read both ways."""
        yield from self._search(plain, self._plain)
        numbered = numbered_stream(folded)
        if numbered is not None:
            yield from self._search(numbered, self._plain)
        if leet is not None:
            yield from self._search(leet, self._merged)
        for row, start, end in chain(
            self._masks.find(folded), self._sounds.find(plain.text), self._wrong.find(plain.text)
        ):
            if not self._is_innocent(plain, start, end):
                yield Hit(row, start, end)

    def _search(self, read: Stream, search: Automaton[Entry]) -> Iterator[Hit]:
        for first, last, entry in search.search(read.letters):
            span = _span(read, first, last, entry)
            if span is not None and self._counts(read, entry, *span):
                yield Hit(entry.row, *span)

    def _counts(self, read: Stream, entry: Entry, start: int, end: int) -> bool:
        found = read.text[start:end]
        pieces = [piece for piece in re.split(r"[^a-z0-9]+", found.replace(SEAM, "")) if piece]
        letters = "".join(pieces)
        if "ñ" in entry.row.words and "ñ" not in read.real[start:end]:
            return False
        if not _runs_fit(letters, entry) or not _is_meant(read, entry, start, end):
            return False
        gap = found.replace(SEAM, "") != letters
        if gap and not _is_taken_apart(pieces, " " in found, entry):
            return False
        if not gap and entry.breaks and len(letters) < SHORTEST_GLUED:
            return False
        begins, ends = read.begins(start), read.ends(end)
        if not (begins and ends):
            if gap and not (begins and _tail(read, end) in ENDINGS):
                return False
            if not gap and not self._is_word_enough(read, entry, start, end, begins):
                return False
        return not self._is_innocent(read, start, end)

    def _is_word_enough(self, read: Stream, entry: Entry, start: int, end: int, begins: bool) -> bool:
        if (entry.row.inside or (not self._trusted and _is_unmistakable(entry.row))) and not entry.backwards:
            return True
        if begins and _tail(read, end) in ENDINGS and not entry.backwards:
            return True
        whole = _whole(read, start, end)
        return not whole.replace(entry.letters, "") or whole.strip("x") == entry.letters.strip("x")

    def _is_innocent(self, read: Stream, start: int, end: int) -> bool:
        if _whole(read, start, end) in self._allowed:
            return True
        if not self._phrases:
            return False
        near, offset = read.text[max(0, start - ALLOWED_REACH) : end + ALLOWED_REACH], max(0, start - ALLOWED_REACH)
        for phrase in self._phrases:
            at = near.find(phrase)
            if at >= 0 and offset + at <= start and end <= offset + at + len(phrase):
                return True
        return False


def _is_unmistakable(row: Row) -> bool:
    """Whether a slur is long enough to count inside a word too."""
    return row.kind == "slurs" and row.severity >= SEVERE and len(row.words) >= UNMISTAKABLE and " " not in row.words


def _span(read: Stream, first: int, last: int, entry: Entry) -> tuple[int, int] | None:
    """Return the shortest piece of text for a find that begins and ends at words, where its letters allow."""
    start, run_end = read.spans[first]
    wanted, seen = entry.runs[0], 0
    for at in range(run_end - 1, start - 1, -1):
        if read.text[at].isalnum():
            seen += 1
            if seen >= wanted and read.begins(at):
                start = at
                break
    run_start, end = read.spans[last]
    wanted, seen = entry.runs[-1], 0
    for at in range(run_start, end):
        if read.text[at].isalnum():
            seen += 1
            if seen >= wanted and read.ends(at + 1):
                end = at + 1
                break
    return start, end


def _runs_fit(letters: str, entry: Entry) -> bool:
    runs = runs_of(letters)
    if len(runs) != len(entry.runs) or any(has < needs for has, needs in zip(runs, entry.runs, strict=True)):
        return False
    if runs == entry.runs or len(entry.letters) > SHORT:
        return True
    return max(runs) > 2 or all(has == 2 * needs for has, needs in zip(runs, entry.runs, strict=True))


def _is_meant(read: Stream, entry: Entry, start: int, end: int) -> bool:
    """Whether enough of a word that is written with digits and signs are letters."""
    if not read.merged:
        return True
    real = read.real[start:end]
    letters = sum(c.isalpha() for c in real)
    long = len(entry.letters) >= SHORTEST_SPLIT
    inner = real if long else real.rstrip(PUNCTUATION)
    signs = sum(not c.isalpha() and read.text[start + at].isalnum() for at, c in enumerate(real))
    if not signs or (not long and inner.isalpha()):
        return False
    return letters >= (1 if len(entry.letters) > TINY else 2)


def _is_taken_apart(pieces: Sequence[str], spaced: bool, entry: Entry) -> bool:
    """Whether pieces with something between them are one word taken apart, or the words of a longer entry."""
    ends, total = [], 0
    for piece in pieces[:-1]:
        total += len(piece)
        ends.append(total)
    if entry.breaks:
        return sum(map(len, pieces)) > len(entry.letters) or entry.breaks.issuperset(ends) or _is_spelled(pieces)
    if _is_spelled(pieces):
        return True
    if entry.row.severity < 2:
        return False
    in_pairs = len(pieces) > 2 and max(map(len, pieces)) <= 2
    if in_pairs and entry.row.kind == "slurs" and len(entry.letters) >= SHORTEST_IN_PAIRS:
        return True
    if not spaced:
        return len(entry.letters) >= SHORTEST_DOTTED
    return (
        entry.row.kind == "slurs"
        and len(entry.letters) >= SHORTEST_SPLIT
        and len(pieces) <= MOST_PIECES
        and not all(piece in ordinary() for piece in pieces)
    )


def _is_spelled(pieces: Sequence[str]) -> bool:
    return all(len(piece) == 1 for piece in pieces) or (
        len(pieces) > 2 and all(len(set(piece)) == 1 for piece in pieces)
    )


def _tail(read: Stream, end: int) -> str:
    """Return the rest of the word behind a find."""
    at = end
    while at < len(read.text) and not read.ends(at):
        at += 1
    return read.text[end:at]


def _whole(read: Stream, start: int, end: int) -> str:
    """Return the find with the rest of the words that it stands in."""
    while start > 0 and read.text[start - 1].isalnum():
        start -= 1
    while end < len(read.text) and read.text[end].isalnum():
        end += 1
    return read.text[start:end].replace(SEAM, "")
