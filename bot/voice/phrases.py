"""Cuts a brain's stream of text into phrases, the first one as early as it can be spoken.

The first sound waits for the first phrase, so while little sound is queued a phrase ends at the first mark that a
speaker would pause at, the moment that mark arrives. Later ones are whole sentences, which sound better.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.vocabulary import Language
from bot.voice.cleaning import Cleaner, Item, Tag

_EARLY_LETTERS = 10
"""A comma, semicolon, colon or dash ends an early phrase after so many letters."""
_EARLY_WORDS = 12
_CONJUNCTION_AFTER_WORDS = 5

_ENDS = ".!?…‼⁉⁈。！？"
_PAUSES = ",;:"
_CLOSERS = "\"'”’»)›"
_OPENERS = "¿¡\"'“‘«(‹"
_MARKS = _CLOSERS + _ENDS + _PAUSES
_DASHES = (" -", " –", " —")
_LEADING_JUNK = _ENDS + _PAUSES + "”’»)›–—"

_ABBREVIATIONS: dict[Language, frozenset[str]] = {
    "es": frozenset(
        "sr sra srta sres sras dr dra drs prof profa lic ing arq ud uds vd vds av avda núm nº pág págs tel aprox ej "
        "etc vs ee uu cía dpto depto art cap máx mín excmo excma sto sta gral mr mrs ms jr st".split()
    ),
    "en": frozenset("mr mrs ms dr drs prof sr jr st vs etc approx dept inc ltd capt sgt lt mt ave sra srta".split()),
}
_CONJUNCTIONS: dict[Language, frozenset[str]] = {
    "es": frozenset("y e o u ni pero porque que cuando si aunque como mientras donde pues sino para con".split()),
    "en": frozenset("and or but because so that when if while which who then although since with for to".split()),
}


@dataclass(frozen=True, slots=True)
class Cut:
    """A phrase: text with at least one letter or digit, and the expression it is spoken in."""

    text: str
    expression: str


class PhraseCutter:
    """Cuts one reply. ``max_chars``: longer sentences are cut too. ``name``: see ``Cleaner``."""

    expression: str
    """Named by the newest tag; ``neutral`` at first."""

    def __init__(self, language: Language, *, max_chars: int = 220, name: str = "") -> None:
        self.expression = "neutral"
        self._abbreviations = _ABBREVIATIONS[language]
        self._conjunctions = _CONJUNCTIONS[language]
        self._max_chars = max_chars
        self._cleaner = Cleaner(name)
        self._text = ""
        self._joined = False

    def feed(self, piece: str, *, eager: bool) -> list[Cut]:
        """Take the next piece of text; return the phrases that it completes.

        ``eager``: little sound is queued, so cut at the first pause rather than at the end of the sentence.
        """
        cuts = self._catch_up() if eager else []
        return cuts + self._take_all(self._cleaner.feed(piece), eager)

    def finish(self) -> list[Cut]:
        """Return what is left at the end of the reply."""
        cuts = self._take_all(self._cleaner.finish(), eager=False)
        return cuts + self._cut(len(self._text))

    def _take_all(self, items: Sequence[Item], eager: bool) -> list[Cut]:
        cuts: list[Cut] = []
        for index, item in enumerate(items):
            if isinstance(item, Tag):
                if _speakable(self._text):
                    cuts += self._cut(len(self._text))
                self.expression = item.expression
            elif item == "\n":
                cuts += self._cut(len(self._text))
                self._joined = False
            else:
                following = items[index + 1] if index + 1 < len(items) else ""
                cuts += self._take(item, following if isinstance(following, str) else " ", eager)
        return cuts

    def _take(self, char: str, ahead: str, eager: bool) -> list[Cut]:
        """Append one character. ``ahead``: the one after it where that came in the same piece, else empty."""
        cuts: list[Cut] = []
        joins = char in _CLOSERS or char in _ENDS
        if not joins and self._ends(self._text, char, eager):
            cuts += self._cut(len(self._text))
        if not self._text and self._is_junk(char):
            self._joined = self._joined and char != " "
            return cuts
        if char in _ENDS + _PAUSES + ")" or char == " ":
            self._text = self._text.rstrip(" ")
        self._text += char
        if eager and not (ahead and (ahead in _CLOSERS or ahead in _ENDS)) and self._ends(self._text, ahead, eager):
            cuts += self._cut(len(self._text))
        elif eager and char == " " and len(self._text.split()) >= _EARLY_WORDS:
            cuts += self._cut(self._word_boundary())
        if len(self._text) > self._max_chars:
            cuts += self._cut(self._best_boundary())
        return cuts

    def _is_junk(self, char: str) -> bool:
        """Tell whether a character may not begin a phrase: a space, or what is left of the marks before the cut."""
        return char == " " or char in _LEADING_JUNK or (self._joined and char in _CLOSERS)

    def _catch_up(self) -> list[Cut]:
        """Cut at the last pause that was passed over while there was no hurry."""
        for end in range(len(self._text), 0, -1):
            if self._ends(self._text[:end], self._text[end : end + 1], eager=True):
                return self._cut(end)
        return self._cut(self._word_boundary()) if self._text.count(" ") >= _EARLY_WORDS else []

    def _ends(self, text: str, ahead: str, eager: bool) -> bool:
        """Tell whether a phrase ends with ``text``; ``ahead`` is the character after it, empty while unknown."""
        if eager and ahead == " " and text.endswith(_DASHES):
            return _letters(text) >= _EARLY_LETTERS
        if text[-1:] not in _MARKS:
            return False
        stem = text.rstrip(_MARKS)
        marks = text[len(stem) :].strip(_CLOSERS)
        if not marks or not _speakable(stem):
            return False
        if not ahead and (not eager or (stem[-1].isdigit() and marks[0] in ".,:")):
            return False
        word = stem.split()[-1].lstrip(_OPENERS).lower()
        if (_is_url(word) or word in ("http", "https")) and ahead != " ":
            return False
        if marks.strip("." + _PAUSES) or marks.count(".") > 1:
            return True
        if "." in marks and not self._is_abbreviation(word, stem) and not _inside_word(ahead):
            return True
        if not eager or marks == "." or _letters(stem) < _EARLY_LETTERS:
            return False
        return not (stem[-1].isdigit() and ahead.isdigit())

    def _is_abbreviation(self, word: str, stem: str) -> bool:
        """Tell whether a full stop after the word ends no sentence: "Dr.", "U.S.", an initial, "1." of a list."""
        if word in self._abbreviations or stem.isdigit():
            return True
        parts = word.split(".")
        return word[-1:].isalpha() and (len(word) == 1 or (len(parts) > 1 and all(len(part) <= 2 for part in parts)))

    def _word_boundary(self) -> int:
        """Return where to cut a phrase without marks: before its last conjunction, else after its last whole word."""
        starts = [match.start() for match in re.finditer(r"\S+", self._text)]
        for start in reversed(starts[_CONJUNCTION_AFTER_WORDS:]):
            if self._text[start:].split()[0].lower() in self._conjunctions:
                return start
        return self._text.rfind(" ") + 1

    def _best_boundary(self) -> int:
        """Return where to cut a phrase that is too long: at its last pause or space, never inside an address."""
        pauses = [m.end() for m in re.finditer(r"[,;:…!?.)–—] ", self._text) if m.end() > self._max_chars * 0.4]
        if pauses:
            return pauses[-1]
        space = self._text.rfind(" ") + 1
        if space or _is_url(self._text):
            return space
        return self._max_chars

    def _cut(self, end: int) -> list[Cut]:
        """Take the text up to ``end`` away as a phrase; what has nothing to speak is dropped."""
        text, rest = self._text[:end], self._text[end:]
        if end and not _speakable(text):
            self._text = rest
            return []
        if not end:
            return []
        self._text = rest.lstrip(" ")
        self._joined = True
        text = re.sub(r"\(\s*\)|^[-–—]\s+", "", text.strip())
        return [Cut(re.sub(r" {2,}", " ", text).strip(), self.expression)]


def _speakable(text: str) -> bool:
    return any(map(str.isalnum, text))


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _is_url(word: str) -> bool:
    return "://" in word or word.lstrip(_OPENERS).startswith("www.") or re.search(r"\w\.[a-z]{2,}/", word) is not None


def _inside_word(ahead: str) -> bool:
    """Tell whether a full stop before this character stands inside a word: "3.5", "twitch.tv"."""
    return ahead.isalnum() or ahead in tuple("/@_-=&%")
