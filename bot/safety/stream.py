"""A folded text as one stream of letters, in which words may stand spaced, stretched, dotted or split."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

_RUN = re.compile(r"([a-z0-9])(?:[^a-z0-9]*\1)*")
_REPEATED = re.compile(r"([a-z0-9])\1+")
_GAP = re.compile(r"[^a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-zñáéíóú])(?=[A-ZÑ])")
_PADDING = re.compile(r"(?<![a-z])x{2,}(?=[a-wyz])|(?<=[a-wyz])x{2,}(?![a-z])")
_NOT_A_WORD = re.compile(r"[^a-zñ0-9 ·]")
SEAM = "^"
"""Where small letters meet a capital: a word may begin there, and need not."""

_LEET = str.maketrans("4@36019852$7+!|(ñl", "aaegoigbszsttiicni")
_SHAPES = {"/\\": "a", "|\\|": "n", "|_|": "u", "\\/": "v", "|-|": "h", "()": "o", "|)": "d", "|<": "k"}
_SIGN = re.compile(r"[0-9@$|+(]|!(?=[a-z0-9])|(?<![a-z0-9!])!(?!!)")
"""Signs that may be letters; an exclamation mark behind a word alone is none."""
_NUMBERED = re.compile(r"(?:[a-z]\d){3}[a-z]")
_FIGURE = re.compile(r"\d")
_SHAPED = re.compile("|".join(re.escape(shape) for shape in sorted(_SHAPES, key=len, reverse=True)))


@dataclass(frozen=True)
class Stream:
    """One way of reading a text."""

    text: str
    """Letters, digits, blanks, seams, and ``.`` for everything else."""
    real: str
    """The same length: what stood there before signs became letters."""
    letters: str
    """The letters and digits with each repeated one written once."""
    merged: bool = False
    """Whether signs became letters."""

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Where each letter of ``letters`` stands in ``text``, with all its repeats."""
        return [run.span() for run in _RUN.finditer(self.text)]

    def begins(self, at: int) -> bool:
        """Whether a word may begin here."""
        return at == 0 or not self.real[at - 1].isalpha()

    def ends(self, at: int) -> bool:
        """Whether a word may end before here."""
        return at >= len(self.text) or not self.real[at].isalpha()


def seams(text: str) -> str:
    """Mark where small letters meet a capital."""
    return text if text.islower() or text.isupper() else _CAMEL.sub(SEAM, text)


def stream(folded: str) -> Stream:
    """Read a folded text as it stands."""
    real = _PADDING.sub(_dots, _NOT_A_WORD.sub(_other, folded))
    return _cut(real.replace("ñ", "n"), real, merged=False)


def numbered_stream(folded: str) -> Stream | None:
    """Read a folded text whose letters have figures between them without these, or return ``None``."""
    if _NUMBERED.search(folded) is None:
        return None
    return stream(_FIGURE.sub(".", folded))


def leet_stream(folded: str) -> Stream | None:
    """Read a folded text with its digits and signs as letters, or return ``None`` when there is nothing to read so."""
    if "\\" in folded or "|" in folded or "()" in folded:
        folded = _SHAPED.sub(lambda shape: _SHAPES[shape[0]], folded)
    if _SIGN.search(folded) is None:
        return None
    real = _PADDING.sub(_dots, folded)
    text = _NOT_A_WORD.sub(_other, real.translate(_LEET))
    return _cut(text, real, merged=True)


def _other(sign: re.Match[str]) -> str:
    return SEAM if sign[0] == SEAM else "."


def _dots(padding: re.Match[str]) -> str:
    return "." * len(padding[0])


def _cut(text: str, real: str, *, merged: bool) -> Stream:
    return Stream(text, real, _REPEATED.sub(r"\1", _GAP.sub("", text)), merged)
