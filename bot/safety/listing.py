"""The word lists of the gate, and the tool that reads and extends them.

They lie in ``lists/<language>.<class>.txt``, written in rot13 so that nobody reads them by accident. A row is a
severity and an entry: 3 is stopped at every strictness, 2 at ``standard`` and ``family``, 1 at ``family`` alone. An
entry is one or several words without accents; ``(a|b|)`` is one of these, and a ``*`` at both ends means "also inside
a word".

``python -m bot.safety.listing show es slurs`` prints a list in clear,
``python -m bot.safety.listing add es slurs 3 "entry(s|)"`` adds a row and keeps the file in order.
"""

from __future__ import annotations

import argparse
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

Strictness = Literal["standard", "family", "relaxed"]
ListClass = Literal["slurs", "sexual", "violence", "self_harm", "harassment", "profanity", "spam"]

LISTS = Path(__file__).with_name("lists")
LIST_CLASSES: tuple[ListClass, ...] = get_args(ListClass)
LEAST_SEVERITY: dict[Strictness, int] = {"family": 1, "standard": 2, "relaxed": 3}

_CHOICE = re.compile(r"\(([^()]*)\)")
_ROW = re.compile(r"([123]) (\*?[a-zñ0-9()| ]+\*?)")


@dataclass(frozen=True, slots=True)
class Row:
    """One expanded entry: its words without choices, its class, its severity, and whether it counts inside words."""

    words: str
    kind: ListClass
    severity: int
    inside: bool


def expand(entry: str) -> Iterator[str]:
    """Yield every way of reading an entry's choices."""
    choice = _CHOICE.search(entry)
    if choice is None:
        yield " ".join(entry.split())
        return
    for one in choice[1].split("|"):
        yield from expand(entry[: choice.start()] + one + entry[choice.end() :])


def read_file(path: Path) -> list[tuple[int, str]]:
    """Return the severity and entry of every row. Raises ``ValueError`` for a row that cannot be read."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        row = _ROW.fullmatch(codecs.decode(line, "rot13"))
        if row is None:
            raise ValueError(f"{path.name}, {number}: {line!r}")
        rows.append((int(row[1]), row[2]))
    return rows


@cache
def rows() -> tuple[Row, ...]:
    """Return all entries of all lists; of two alike the more severe one."""
    found: dict[str, Row] = {}
    for path in sorted(LISTS.glob("*.*.txt")):
        kind = next(k for k in LIST_CLASSES if k == path.name.split(".")[1])
        for severity, entry in read_file(path):
            for words in expand(entry.strip("*")):
                known = found.get(words)
                if known is None or known.severity < severity:
                    found[words] = Row(words, kind, severity, entry.startswith("*"))
    return tuple(found.values())


def add(language: str, kind: str, severity: int, entry: str) -> None:
    """Add a row to a list. Raises ``ValueError`` for an entry that cannot be read."""
    path = LISTS / f"{language}.{kind}.txt"
    if _ROW.fullmatch(f"{severity} {entry}") is None:
        raise ValueError(entry)
    known = {known_entry: known_severity for known_severity, known_entry in read_file(path)} if path.exists() else {}
    known[entry] = severity
    lines = (codecs.encode(f"{known[e]} {e}", "rot13") for e in sorted(known))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(prog="python -m bot.safety.listing", description=__doc__)
    parser.add_argument("act", choices=("show", "add"))
    parser.add_argument("language", choices=("es", "en"))
    parser.add_argument("kind", choices=LIST_CLASSES)
    parser.add_argument("severity", type=int, choices=(1, 2, 3), nargs="?")
    parser.add_argument("entry", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.act == "add":
        if asked.entry is None:
            parser.error("add needs a severity and an entry")
        add(asked.language, asked.kind, asked.severity, asked.entry)
        return
    for severity, entry in read_file(LISTS / f"{asked.language}.{asked.kind}.txt"):
        print(severity, entry)


if __name__ == "__main__":
    main()
