"""Numerals in words, and how a number is taken apart."""

from __future__ import annotations

import re
from functools import lru_cache

from num2words import num2words  # type: ignore[import-untyped]

from bot.vocabulary import Language

MOST_DIGITS = 12
"""A longer number is spoken digit by digit."""
SPELLED_DIGITS = 24
"""Of a number without end so many digits are spoken."""
NO_NOUN = frozenset(
    "y o u e de del a al que por para en con es el la los las se no ni ya más menos pero como contra entre punto coma "
    "si sí me te le lo fue son era hay casi".split()
)
_MASCULINE = frozenset(
    "día días mapa mapas programa programas problema problemas tema temas sistema planeta tera teras giga gigas mega "
    "megas".split()
)
_FEMININE = frozenset("muertes veces noches partes clases misiones canciones suscripciones donaciones".split())


def digits(number: str, language: Language) -> str:
    """Read a number digit by digit."""
    return " ".join(cardinal(int(digit), language) for digit in number[:SPELLED_DIGITS])


def digits_or(number: str, language: Language) -> str:
    """Read a whole number; one that begins with 0, or is too long, digit by digit."""
    if len(number) > MOST_DIGITS or (len(number) > 1 and number[0] == "0"):
        return digits(number, language)
    return cardinal(int(number), language)


@lru_cache(1024)
def cardinal(number: int, language: Language) -> str:
    """Return a number in words, such as ``veintiuno``."""
    said: str = num2words(number, lang=language)
    return said.replace(",", "").replace(" and ", " ") if language == "en" else said


@lru_cache(256)
def ordinal(number: int, language: Language) -> str:
    """Return an ordinal in words, masculine in Spanish."""
    said: str = num2words(number, lang=language, to="ordinal")
    if language == "en":
        return said.replace(",", "").replace(" and ", " ")
    said = said.replace("décimoprimero", "undécimo").replace("décimosegundo", "duodécimo")
    return re.sub(r"décimo(?=\w)", "decimo", said)


def year(number: int) -> str:
    """Return an English year in words."""
    said: str = num2words(number, lang="en", to="year")
    return said.replace(" and ", " ")


def parts(number: str, language: Language) -> tuple[str, str, str]:
    """Return the digits before the decimal mark, the mark, and those after it; thousands are told by their groups."""
    marks = re.findall(r"[.,]", number)
    groups = re.split(r"[.,]", number)
    grouped = len(groups[0]) <= 3 and groups[0] != "0" and all(len(group) == 3 for group in groups[1:])
    if not marks:
        return number, "", ""
    if grouped and len(set(marks)) == 1 and (len(marks) > 1 or language == "es" or marks[0] == ","):
        return "".join(groups), "", ""
    return "".join(groups[:-1]), marks[-1], groups[-1]


def agreed(said: str, noun: str) -> str:
    """Return a Spanish number as it agrees with the noun after it."""
    feminine = noun in _FEMININE or (noun.endswith(("as", "a")) and noun not in _MASCULINE)
    if feminine and noun.endswith("s"):
        said = re.sub(r"(cient|quinient)os\b", r"\1as", said)
    if said == "uno":
        return said if noun in NO_NOUN else "una" if feminine else "un"
    if said.endswith("uno") and noun.endswith("s") and noun not in NO_NOUN:
        return said[:-1] + "a" if feminine else re.sub(r"veintiuno$", "veintiún", said).removesuffix("o")
    return said


def roman(numeral: str) -> int:
    """Return what a Roman numeral is worth."""
    values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in numeral]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))
