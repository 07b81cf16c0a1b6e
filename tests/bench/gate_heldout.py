"""Evasions that the gate is judged on and never tuned on. Each takes a term in lower-case ASCII letters and ñ.

They were written before the gate's normaliser was first measured; change none of them to make a figure better.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

Evasion = Callable[[str], str]

STROKED = str.maketrans("abcdefghijlortuyz", "ⱥƀȼđɇƒǥħɨɉłøɍŧʉɏƶ")
CHEROKEE = str.maketrans("abcdeghijklmprstvwyz", "ᎪᏴᏟᎠᎬᏀᎻᎥᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᎽᏃ")
LISU = str.maketrans("abcdefghijklmnoprstuvwxyz", "ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ")
MODIFIERS = str.maketrans("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")
TURNED = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz")
LEET = str.maketrans("aeiostbg", "43105789")


def _mathematical(term: str, first: int) -> str:
    return "".join(chr(first + ord(c) - ord("a")) if c.isascii() else c for c in term)


def stroked(term: str) -> str:
    """Latin letters with strokes through them."""
    return term.translate(STROKED)


def cherokee(term: str) -> str:
    """Cherokee capitals that look Latin."""
    return term.translate(CHEROKEE)


def lisu(term: str) -> str:
    """Lisu capitals that look Latin."""
    return term.translate(LISU)


def negative_squared(term: str) -> str:
    """White letters on black squares."""
    return "".join(chr(0x1F170 + ord(c) - ord("a")) if c.isascii() else c for c in term)


def monospaced(term: str) -> str:
    """Mathematical monospace letters."""
    return _mathematical(term, 0x1D68A)


def double_struck(term: str) -> str:
    """Mathematical double-struck letters, a figure space between them."""
    return "\u2007".join(_mathematical(term, 0x1D552))


def modifiers(term: str) -> str:
    """Raised modifier letters."""
    return term.translate(MODIFIERS)


def bracketed(term: str) -> str:
    """Every letter in brackets of its own."""
    return "".join(f"[{c}]" for c in term)


def stuttered(term: str) -> str:
    """The first letter said three times."""
    return f"{term[0]}-{term[0]}-{term}"


def leet_and_spaced(term: str) -> str:
    """Digits for letters, and all of it spaced."""
    return " ".join(term.translate(LEET))


def leet_and_stretched(term: str) -> str:
    """Digits for letters, the last letter but one stretched."""
    return (term[:-2] + term[-2] * 5 + term[-1]).translate(LEET)


def filled(term: str) -> str:
    """Fillers without width or meaning between the letters."""
    return "\u115f".join(term[:3]) + "\u0640" + "\u2060".join(term[3:])


def hearts(term: str) -> str:
    """A heart between the letters."""
    return "❤️".join(term)


def turned(term: str) -> str:
    """Upside down, read from the other end."""
    return unicodedata.normalize("NFC", term.translate(TURNED)[::-1])


EVASIONS: dict[str, Evasion] = {
    f.__name__: f
    for f in (
        stroked,
        cherokee,
        lisu,
        negative_squared,
        monospaced,
        double_struck,
        modifiers,
        bracketed,
        stuttered,
        leet_and_spaced,
        leet_and_stretched,
        filled,
        hearts,
        turned,
    )
}
