"""How things are said in one language: the words of ``bot/voice/spoken/<language>.toml``."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

from bot.vocabulary import Language

_CLOSE = frozenset("W V L p MP".split())
"""Units only where they stand at the number itself: elsewhere these letters mean something else."""


class Sayings:
    """The words of a language, ready for use."""

    def __init__(self, language: Language) -> None:
        file = Path(__file__).parent / "spoken" / f"{language}.toml"
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        self.language = language
        self.months: list[str] = table["months"]["names"].split()
        self.fractions: dict[int, list[str]] = {int(under): pair for under, pair in table["fractions"].items()}
        self.currencies: dict[str, list[str]] = table["currencies"]
        self.unit_names: dict[str, list[str]] = table["units"]
        names = sorted(map(re.escape, self.unit_names), key=len, reverse=True)
        loose, close = ("|".join(n for n in names if (n in _CLOSE) is wanted) for wanted in (False, True))
        self.units = re.compile(rf"(?<![\w.,])(\d+(?:[.,]\d+)*)(\s?(?:{loose})|{close})(?![\w/²³])")
        self.words: dict[str, str] = table["words"]
        self.dotted: dict[str, str] = table["dotted"]
        abbreviations = "|".join(map(re.escape, sorted(self.dotted, key=len, reverse=True)))
        self.abbreviations = re.compile(rf"(?<!\w)({abbreviations})\.(?=\s*(.))?", re.I)
        self.acronyms = frozenset(table["acronyms"]["list"].split())
        self.caps_words = frozenset(table["acronyms"]["as_words"].split())
        self.singles = frozenset(table["stretched"]["singles"].split())
        self.doubles = frozenset(table["stretched"]["doubles"].split())
        self.slashed: dict[str, str] = table["slashed"]
        self.slashes = re.compile(rf"(?<![\w/])({'|'.join(map(re.escape, self.slashed))})(?![\w/])", re.I)
        self._table = table

    def __getitem__(self, key: str) -> str:
        word: str = self._table[key]
        return word

    def pair(self, key: str) -> list[str]:
        """Return how one and many of something are called."""
        pair: list[str] = self._table[key]
        return pair


@cache
def sayings(language: Language) -> Sayings:
    """Return the words of a language."""
    return Sayings(language)
