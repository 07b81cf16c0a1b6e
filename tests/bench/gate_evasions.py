"""Evasions that the gate is built against. Each takes a term in lower-case ASCII letters and ñ."""

from __future__ import annotations

import re
from collections.abc import Callable

Evasion = Callable[[str], str]

DIGITS = str.maketrans("aeiostbg", "43105789")
SIGNS = str.maketrans("aeilost", "@€!|0$+")
HEAVY = str.maketrans("aeilostbgzc", "@31|0$7892(")
CYRILLIC = str.maketrans("abcehijkmoprstuxyv", "авсеніјкморгѕтцхуѵ")
GREEK = str.maketrans("abehikmnoptuvxyz", "αβεнικмησρτυνχγζ")
SMALL_CAPITALS = str.maketrans("abcdefghijklmnoprtuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ")
ACCENTED = str.maketrans("aceinosuyz", "âçéïñôšùÿž")
SHORTEST_SPLIT = 6
SHORTEST_HEARD = 6


def _shifted(term: str, first: int) -> str:
    return "".join(chr(first + ord(c) - ord("a")) if c.isascii() else c for c in term)


def _middle(term: str) -> int:
    return len(term) // 2


def plain(term: str) -> str:
    """As it is."""
    return term


def upper(term: str) -> str:
    """All capitals."""
    return term.upper()


def heard_in_spanish(term: str) -> str:
    """Other Spanish letters for the same sounds; the sound of a short term is that of an ordinary word."""
    if len(term) < SHORTEST_HEARD:
        return term
    term = re.sub(r"qu(?=[ei])", "k", term)
    term = re.sub(r"c(?![eih])", "k", term)
    return re.sub(r"z|c(?=[ei])", "s", term).replace("v", "b")


def heard_in_english(term: str) -> str:
    """Other English letters for the same sounds; the sound of a short term is that of an ordinary word."""
    if len(term) < SHORTEST_HEARD:
        return term
    term = term.replace("ck", "kk").replace("ph", "f").replace("oo", "ou")
    return re.sub(r"s$", "z", term)


def alternating(term: str) -> str:
    """Every second letter a capital."""
    return "".join(c.upper() if at % 2 else c for at, c in enumerate(term))


def digits(term: str) -> str:
    """Digits that look like letters, behind the first letter."""
    return term[0] + term[1:].translate(DIGITS)


def signs(term: str) -> str:
    """Signs that look like letters."""
    return term.translate(SIGNS)


def heavy(term: str) -> str:
    """Digits and signs wherever there is one behind the first letter."""
    return term[0] + term[1:].translate(HEAVY)


def full_width(term: str) -> str:
    """Full-width letters."""
    return _shifted(term, 0xFF41)


def bold(term: str) -> str:
    """Mathematical bold letters."""
    return _shifted(term, 0x1D41A)


def fraktur(term: str) -> str:
    """Mathematical bold Fraktur letters."""
    return _shifted(term, 0x1D586)


def circled(term: str) -> str:
    """Letters in circles."""
    return _shifted(term, 0x24D0)


def flags(term: str) -> str:
    """Regional-indicator letters, apart so that they make no flags."""
    return "\u200b".join(_shifted(term, 0x1F1E6))


def cyrillic(term: str) -> str:
    """Cyrillic look-alikes."""
    return term.translate(CYRILLIC)


def greek(term: str) -> str:
    """Greek look-alikes."""
    return term.translate(GREEK)


def small_capitals(term: str) -> str:
    """Small capitals of the phonetic alphabet."""
    return term.translate(SMALL_CAPITALS)


def zero_width(term: str) -> str:
    """A zero-width space between the letters."""
    return "\u200b".join(term)


def soft_hyphens(term: str) -> str:
    """A soft hyphen between the letters."""
    return "\u00ad".join(term)


def marked(term: str) -> str:
    """Several combining marks on every letter."""
    return "".join(c + "\u0336\u0353\u0300" for c in term)


def accented(term: str) -> str:
    """Accents on the letters."""
    return term.translate(ACCENTED)


def spaced(term: str) -> str:
    """A blank between the letters."""
    return " ".join(term)


def dotted(term: str) -> str:
    """A full stop between the letters."""
    return ".".join(term)


def underscored(term: str) -> str:
    """An underscore and a blank between the letters."""
    return "_ ".join(term)


def stretched(term: str) -> str:
    """One vowel five times."""
    return re.sub(r"[aeiou]", lambda vowel: vowel[0] * 5, term, count=1)


def doubled(term: str) -> str:
    """Every letter twice."""
    return "".join(c * 2 for c in term)


def split(term: str) -> str:
    """Two words of one; a shorter term is cut with a hyphen, as its halves are ordinary words."""
    at = _middle(term)
    return f"{term[:at]}{' ' if len(term) >= SHORTEST_SPLIT else '-'}{term[at:]}"


def reversed_(term: str) -> str:
    """From the other end; a shorter term than six letters makes an ordinary word so."""
    return term[::-1] if len(term) > 5 else term


def masked(term: str) -> str:
    """A star for the first vowel behind the first letter."""
    return term[0] + re.sub(r"[aeiou]", "*", term[1:], count=1)


EVASIONS: dict[str, Evasion] = {
    f.__name__: f
    for f in (
        plain,
        upper,
        heard_in_spanish,
        heard_in_english,
        alternating,
        digits,
        signs,
        heavy,
        full_width,
        bold,
        fraktur,
        circled,
        flags,
        cyrillic,
        greek,
        small_capitals,
        zero_width,
        soft_hyphens,
        marked,
        accented,
        spaced,
        dotted,
        underscored,
        stretched,
        doubled,
        split,
        reversed_,
        masked,
    )
}
