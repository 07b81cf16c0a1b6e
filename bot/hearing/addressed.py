"""Whom the operator talks to: her, or the audience. What is not for her is heard, and not answered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from bot.hearing.words import plain_words

RECENT_S = 8.0
"""After her answer to the operator, what they say next is for her."""
ASKED_S = 20.0
"""The same for a question, and for an answer to one of hers."""
_AUDIENCE = frozenset(
    """chat chicos chicas gente todos todas muchachos ustedes vosotros familia publico audiencia
    guys everyone everybody folks yall people viewers audience""".split()
)
_SHORTEST_FUZZY = 5
_VOWELS = frozenset("aeiou")


class Addressing:
    """Judges what the operator says aloud. ``everything``: all of it is for her."""

    def __init__(self, names: Iterable[str], *, everything: bool) -> None:
        self._names = tuple(names)
        self._everything = everything
        self._answering = False
        self._answered_s: float | None = None
        self._asked = False

    def answers(self) -> None:
        """She begins to answer the operator: what they say until ``answered`` is for her."""
        self._answering = True

    def answered(self, text: str, now_s: float) -> None:
        """She has answered the operator, with this text; an empty one (she was cut at once) counts too."""
        self._answering = False
        self._answered_s = now_s
        self._asked = text.rstrip(' "”»)').endswith("?")

    def to_her(self, text: str, began_s: float) -> bool:
        """Return whether this, said from ``began_s`` on, is for her."""
        if self._everything or any(names(text, name) for name in self._names):
            return True
        if not _AUDIENCE.isdisjoint(plain_words(text)):
            return False
        if self._answering or self._answered_s is None:
            return self._answering
        question = self._asked or "?" in text
        return began_s - self._answered_s <= (ASKED_S if question else RECENT_S)


def names(text: str, name: str) -> bool:
    """Return whether a text contains the name, also as a recogniser that does not know it writes it.

    "Aneeka" comes as Anika, Annika, Aneca or "a Nika": the sounds count; one vowel may differ, the first letter not.
    """
    wanted = "".join(plain_words(name))
    words = plain_words(text)
    if not wanted:
        return False
    if len(wanted) < _SHORTEST_FUZZY:
        return wanted in words
    sound = _sound(wanted)
    pairs = ["".join(pair) for pair in pairwise(words) if len(pair[0]) <= 2]
    return any(_alike(_sound(word), sound) for word in [*words, *pairs])


def _sound(word: str) -> str:
    """Return a rough spelling by sound, one for Spanish and English."""
    for written, heard in (("ee", "i"), ("ea", "i"), ("oo", "u"), ("qu", "k"), ("ck", "k"), ("ph", "f"), ("h", "")):
        word = word.replace(written, heard)
    word = re.sub(r"c(?=[ei])", "s", word).replace("c", "k").replace("z", "s").replace("v", "b").replace("y", "i")
    return re.sub(r"(.)\1+", r"\1", word)


def _alike(word: str, wanted: str) -> bool:
    if word[:1] != wanted[:1] or len(word) != len(wanted):
        return False
    wrong = [(a, b) for a, b in zip(word, wanted, strict=True) if a != b]
    return len(wrong) <= 1 and all(a in _VOWELS and b in _VOWELS for a, b in wrong)
