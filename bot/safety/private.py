"""Finds what identifies a person or opens an account, and links: by shape, with the check digits that there are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

ShapeClass = Literal["personal_data", "links"]
Shape = tuple[ShapeClass, int, int]

_MAYBE = re.compile(r"[@:/]|\d|www|\.[a-z]{2}|dot|punto|arroba", re.IGNORECASE)
_DIGITS = re.compile(r"\d")

_EMAIL = re.compile(
    r"[\w.+-]{1,64}(?:@|\s?(?:\(at\)|\[at\]|\sarroba\s|\sat\s(?=\w+\s(?:dot|punto)\s))\s?)"
    r"[\w-]{1,63}(?:\s?(?:\.|\sdot\s|\spunto\s|\(dot\)|\[dot\])\s?(?:[a-z]{2,12}))+\b",
    re.IGNORECASE,
)
_IP4 = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]*\d)")
_SPOKEN_IP4 = re.compile(r"(?<!\d)\d{1,3}(?: (?:punto|dot) \d{1,3}){3}(?!\d)", re.IGNORECASE)
_IP6 = re.compile(
    r"(?<![\w:])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?![\w:])|(?<![\w:])[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){1,5}::"
    r"(?:[0-9a-f]{1,4})?",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"(?<![\w.,])(?:(?:\+|00)\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}"
    r"|(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{3,4}"
    r"|[679]\d{2}[ .-]?\d{2}[ .-]?\d{2}[ .-]?\d{2}|[679]\d{2}(?:[ .-]?|, |/)\d{3}(?:[ .-]?|, |/)\d{3})(?![\w]|[.,]\d)"
)
_CARD = re.compile(r"(?<!\d)(?:\d[ .-]?){12,18}\d(?!\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b", re.IGNORECASE)
_DNI = re.compile(r"\b(?:(?:\d{8}|[XYZ]\d{7})[ -]?|\d{2}\.\d{3}\.\d{3}-?)[A-Z]\b", re.IGNORECASE)
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-\d{2}-\d{4}(?![\d-])")
_KEY = re.compile(
    r"\b(?:sk-[\w-]{16,}|oauth:\w{20,}|gh[pousr]_\w{20,}|xox[abp]-[\w-]{10,}|AKIA[0-9A-Z]{12,}|AIza[\w-]{30,}"
    r"|live_\d{5,}_\w{10,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+)"
)
_STREET = re.compile(
    r"\b(?:calle|c/|avenida|avda\.?|plaza|paseo|camino|carretera|ronda|travesía|urbanización)\s+"
    r"(?:[\wáéíóúñü.ª]+\s+){0,5}?[\wáéíóúñü.ª]+,?\s+(?:n[º°o.]{0,2}\s?|número\s)?\d{1,4}\b"
    r"|\b\d{1,5}\s+(?:[NSEW]\.?\s+)?(?:[a-z]+\s+){1,3}(?:street|avenue|boulevard|blvd|ave)\b"
    r"|\b\d{1,5}\s+(?:(?-i:[A-Z])[a-z]+\s+){1,3}(?:road|lane|drive|court|st|rd)\b",
    re.IGNORECASE,
)
_NUMBER_WORD = (
    r"(?:cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|zero|oh|one|two|three|four|five|six|seven|eight|nine)"
)
_SPOKEN_PHONE = re.compile(rf"\b{_NUMBER_WORD}(?:[\s,.-]+{_NUMBER_WORD}){{8,}}\b", re.IGNORECASE)
_FIGURES = {
    word: figure
    for words in (
        "cero uno dos tres cuatro cinco seis siete ocho nueve",
        "zero one two three four five six seven eight nine",
    )
    for figure, word in enumerate(words.split())
}
DIFFERENT_DIGITS = 3
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"

_TOP_LEVEL = (
    "com|net|org|info|biz|io|gg|tv|me|ly|to|co|es|mx|ar|cl|uk|us|eu|de|fr|it|pt|br|ru|cn|xyz|top|site|online|shop|store|"
    "link|live|club|app|dev|ai|fun|pro|win|vip|bet|casino|stream|gift|gl|be|im|cc|ws|la|cat|edu|gov|porn|xxx"
)
_LINK = re.compile(
    rf"\b(?:https?|ftp)\s?:\s?//\S+|\bwww\s?\.\s?\S+"
    rf"|(?<![\w@.])(?:[a-z0-9-]{{1,63}}\.)+(?:{_TOP_LEVEL})(?:/\S*|:\d{{2,5}}\b|(?![\w.-]*\w))"
    rf"|\b[a-z0-9-]{{2,63}}\s?(?:\(dot\)|\[dot\]|\sdot\s|\(punto\)|\spunto\s)\s?(?:{_TOP_LEVEL})\b",
    re.IGNORECASE,
)
_SHORT_NAMES = frozenset(
    (
        "me",
        "to",
        "be",
        "la",
        "us",
        "it",
        "de",
        "es",
        "im",
        "so",
        "co",
        "ai",
        "win",
        "live",
        "app",
        "pro",
        "fun",
        "top",
        "link",
        "club",
        "store",
        "shop",
        "site",
        "stream",
        "gift",
        "bet",
        "cat",
    )
)


def shapes(text: str) -> Iterator[Shape]:
    """Yield every personal datum and link in a text; where it stands is counted in what is left to be read of it."""
    if not text.isascii():
        text = _legible(text)
    if _MAYBE.search(text) is None and _SPOKEN_PHONE.search(text) is None:
        return
    text = text[:1200]
    mail = _EMAIL.search(text)
    if mail is not None:
        yield "personal_data", mail.start(), mail.end()
    else:
        for link in _LINK.finditer(text):
            if _is_link(text, link):
                yield "links", link.start(), link.end()
    if _DIGITS.search(text) is not None:
        yield from _numbers(text)
    spoken = _SPOKEN_PHONE.search(text)
    if spoken is not None and not _is_counting(spoken[0]):
        yield "personal_data", spoken.start(), spoken.end()


def _legible(text: str) -> str:
    """Return the text as a voice reads it: full-width and circled figures are figures, what is unseen is not there."""
    text = unicodedata.normalize("NFKC", text)
    return "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Mn", "Me"))


def _numbers(text: str) -> Iterator[Shape]:
    for pattern in (_IP4, _SPOKEN_IP4, _IP6, _PHONE, _SSN, _KEY, _STREET):
        found = pattern.search(text)
        if found is None or (pattern is _IP4 and _is_version(text, found)):
            continue
        if pattern is not _PHONE or len(set(_DIGITS.findall(found[0]))) >= DIFFERENT_DIGITS:
            yield "personal_data", found.start(), found.end()
    for pattern, holds in ((_CARD, _luhn), (_IBAN, _iban), (_DNI, _dni)):
        for found in pattern.finditer(text):
            if holds(re.sub(r"[ .-]", "", found[0]).upper()):
                yield "personal_data", found.start(), found.end()


def _is_version(text: str, found: re.Match[str]) -> bool:
    return (
        re.search(r"(?:v|version|versión|patch|parche|build)\.?\s?$", text[: found.start()], re.IGNORECASE) is not None
    )


def _is_link(text: str, found: re.Match[str]) -> bool:
    """Whether it is more than a full stop without a blank behind it."""
    written = found[0]
    if "/" in written or written.lower().startswith("www"):
        return True
    top = re.split(r"[.\s]", written.rstrip(")]"))[-1].lower()
    return top not in _SHORT_NAMES


def _is_counting(spoken: str) -> bool:
    """Whether numbers follow each other upwards or downwards, as in a countdown."""
    figures = [_FIGURES.get(word, 0) for word in re.findall(r"[a-z]+", spoken.lower())]
    steps = {after - before for before, after in pairwise(figures)}
    return steps in ({1}, {-1})


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return len(set(number)) > 1 and number[0] in "3456" and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _iban(number: str) -> bool:
    moved = number[4:] + number[:4]
    return len(number) >= 15 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _dni(number: str) -> bool:
    figures = number[:-1].translate(str.maketrans("XYZ", "012"))
    return _DNI_LETTERS[int(figures) % 23] == number[-1]
