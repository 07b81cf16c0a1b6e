"""A word that stands nowhere but in her instructions: whoever hears it hears what nobody was to hear.

It is new at every start and means nothing, so that no honest sentence contains it. Long before all of it is out it is
recognised, also spelled, stretched, reversed, in ROT13, or with its letters hidden at the beginnings of words.
"""

from __future__ import annotations

import codecs
import re
import secrets
from collections.abc import Iterator

from bot.safety.folding import fold
from bot.texts import table
from bot.vocabulary import Language

TELLING = 6
"""So many of its letters in a row are no coincidence."""
SYLLABLE = 2
"""A piece of the word between other words counts from this length on."""
HEARD = 400
"""Characters of what she said last that are read together, so that no letter a sentence gives it away."""

_CONSONANTS = "kwzxjvf"  # the rarest of Spanish and English; no two of them sound alike in both
_VOWELS = "aeiou"
_NAMES = {
    **dict.fromkeys(("ka", "kay", "kilo"), "k"),
    **dict.fromkeys(("zeta", "ceta", "zed", "zee", "zulu"), "z"),
    **dict.fromkeys(("equis", "ex", "xray"), "x"),
    **dict.fromkeys(("jota", "jay", "juliett", "juliet"), "j"),
    **dict.fromkeys(("uve", "ve", "vee", "victor"), "v"),
    **dict.fromkeys(("efe", "ef", "eff", "foxtrot"), "f"),
    **dict.fromkeys(("w", "whiskey"), "w"),
    **dict.fromkeys(("alfa", "alpha"), "a"),
    **dict.fromkeys(("ee", "echo"), "e"),
    **dict.fromkeys(("eye", "india"), "i"),
    **dict.fromkeys(("oh", "oscar"), "o"),
    **dict.fromkeys(("you", "uniform"), "u"),
    **{letter: letter for letter in _CONSONANTS + _VOWELS},
}
"""What letters are called in Spanish, in English and on the radio."""
_DOUBLE_U = re.compile(r"\b(?:(?:uve|ve) doble|doble (?:uve|ve|u)|double (?:you|u))\b")
_BETWEEN = frozenset("de como for as in and y luego then coma letra letter la the".split())
"""Words that stand between the letters of a spelled word, or before the words that stand for them."""
_LEET = str.maketrans("4@310!|", "aaeioii")
_NO_FIGURES = str.maketrans("", "", "0123456789")
_WORD = re.compile(r"[a-z0-9]+")
_REPEATED = re.compile(r"(.)\1+")


def new_word() -> str:
    """Return a word for one life of hers: ten small letters, consonants and vowels in turn, each only once."""
    draw = secrets.SystemRandom().sample
    return "".join(map("".join, zip(draw(_CONSONANTS, len(_VOWELS)), draw(_VOWELS, len(_VOWELS)), strict=True)))


def line(word: str, language: Language) -> str:
    """Return the sentence that puts the word into her instructions."""
    return table(language)["canary.line"].format(word=word)


class Canary:
    """Knows one word by its parts."""

    def __init__(self, word: str) -> None:
        """``word``: letters and figures; what else is in it does not count. An empty one is never recognised."""
        plain = _once(fold(word))
        size = min(TELLING, len(plain))
        turned = codecs.encode(plain, "rot13")
        self._wholes = (plain, plain[::-1], turned, turned[::-1])
        self._parts = {whole[at : at + size] for whole in self._wholes for at in range(len(plain) - size + 1) if size}

    def is_told(self, text: str) -> bool:
        """Whether a text gives the word, or most of it, away."""
        return any(part in reading for reading in self._readings(fold(text)) for part in self._parts)

    def _readings(self, folded: str) -> Iterator[str]:
        """Yield every way in which a folded text may hide the word, each repeated letter written once."""
        yield _once(folded)
        yield _once(folded.translate(_LEET))
        yield _once(folded.translate(_NO_FIGURES))
        words = _WORD.findall(_DOUBLE_U.sub("w", folded))
        yield _once("".join(_NAMES.get(word, "") for word in words))
        yield _once("".join(word[0] for word in words if word not in _BETWEEN))
        yield _once("".join(_NAMES.get(word, word[0]) for word in words if word not in _BETWEEN))
        yield _once("".join(word[-1] for word in words))
        for whole in self._wholes:
            yield _once("".join(word for word in words if len(word) >= SYLLABLE and word in whole))


def _once(letters: str) -> str:
    return _REPEATED.sub(r"\1", "".join(_WORD.findall(letters)))
