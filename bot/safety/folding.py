"""Folds any text to small ASCII letters for matching: look-alikes, full-width, emoji letters, marks, zero width.

What is folded is for matching alone: it is never spoken, shown or prompted, since folding can create control tokens.
"""

from __future__ import annotations

import html
import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote

ALIKE = Path(__file__).with_name("lists") / "alike.txt"
LONGEST = 600
"""Characters of a text that are looked at from each end; what lies between is too long to be spoken anyway."""

# Letter, then what looks like it and neither decomposes to it nor says so in its Unicode name.
_LOOK_ALIKES = """
a аАαΑɑᎪꓮΛ∀Ⲁⲁ🜁ДдⱯ卂丹ﾑ
b вВьЬЪъβΒᏴꓐƄƅ฿Ⲃⲃ乃๒
c сСϲϹᏟꓚ¢©ⅭⲤⲥᴄ匚ɕ
d ԁԂᎠꓓժɖð∂ↁ
e еЕёЁεΕєЄэЭᎬꓰ€℮ɛɜⲈ∈ξ乇Σ
f ꓝϜƒ₣ſẝ千
g ԌɡᏀꓖɢǤ₲ցɠ
h нНһҺΗᎻꓧⲎħԦ卄ん
i іІїЇιΙᎥꓲıɩᎥꙇӏⵏ丨ɪ
j јЈϳᎫꓙʝנ
k кКκΚᏦꓗⲔҚқ₭
l ℓᏞꓡⅬłʟ∟˪
m мМΜᎷꓟⲘʍ爪ო₥
n пПИиΝηꓠηնռ₦ɳ冂几ղ
o оОοΟσΩ∅ꓳօⲞ◯○●⊙⓪〇ѳ০໐ϴθΘ¤๏〰
p рРρΡᏢꓑⲢ₱þ卩ק
q ԛԚգզ
r гГᎡꓣᏒʁɹяЯ尺₹
s ѕЅᏚꓢՏʂ§丂ⵢ∫
t тТτΤᎢꓔⲦ₮千†‡
u υցսՍꓴՄᑌ∪µɥц
v νѵѴᏙꓦⅤ∨√ⱱ
w ωѡѠᎳꓪшШщɯ₩山ᏔԝԜ
x хХχΧꓫⅩ×✕✖✗❌ҳ乂
y уУүҮγΥꓬⲨყ¥ʏЎў丫
z ᏃꓜΖζʐɀ乙
"""
_SIGNS = {"‼": "!!", "⁉": "!?", "🅾": "o", "⭕": "o", "🅱": "b", "🅰": "a", "🆎": "ab", "❗": "!", "❕": "!"}
_NAMED = re.compile(
    r"(?:LETTER|SYMBOL LETTER|ENCLOSED|SQUARED|CIRCLED)"
    r"(?: SMALL| CAPITAL| LATIN| TURNED| REVERSED| SIDEWAYS| OPEN| DOTLESS| LONG| SCRIPT| INVERTED| INSULAR| AFRICAN)*"
    r" ([A-Z])(?: WITH .*| BAR)?$"
)
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u0640\u2800\u17b4\u17b5\u034f\ufffc")
_KEPT = frozenset('0123456789@$+!|(#*%&"/\\<>[]{})_-=~^.,:;?`')
_TURNED = dict(zip("ɐqɔpǝɟƃɥᴉıɾʞlɯuodbɹsʇnʌʍxʎz", "abcdefghiijklmnopqrstuvwxyz", strict=True))
_TURNED_ONLY = re.compile("[ɐɔǝɟɥᴉɯɹʇʌʍʎ]")
_SHORTENED = re.compile(r"(who)['’]re\b", re.IGNORECASE)
"""Without its sign this one would be another word."""
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}){2}")
_DROPPED = frozenset("'’`´ʼ")
CACHED = 20_000


def _table() -> dict[str, str]:
    found = dict(_SIGNS)
    for row in [*_LOOK_ALIKES.splitlines(), *ALIKE.read_text(encoding="utf-8").splitlines()[1:]]:
        letter, _, alike = row.partition(" ")
        for one in alike:
            found.setdefault(one, letter)
    return found


_ALIKE = _table()


def _fold(char: str) -> str:
    """Return what one character stands for: letters, a kept sign, a blank, ``.`` for other marks, or nothing."""
    if char in _FILLERS or char in _DROPPED:
        return ""
    if char in _ALIKE:
        return _ALIKE[char]
    if char in _KEPT or "a" <= char <= "z":
        return char
    if "A" <= char <= "Z":
        return char.lower()
    if char in "ñÑ":
        return "ñ"
    category = unicodedata.category(char)
    if 0xE0020 <= ord(char) <= 0xE007E:
        return _fold(chr(ord(char) - 0xE0000))
    if char.isspace() or category in ("Zs", "Zl", "Zp"):
        return " "
    if category in ("Mn", "Me", "Cf", "Cc", "Cn", "Cs"):
        return ""
    named = _NAMED.search(unicodedata.name(char, ""))
    if named is not None:
        return named[1].lower()
    if category == "So" and "LATIN" not in unicodedata.name(char, ""):
        return "."
    decomposed = unicodedata.normalize("NFKD", char)
    if decomposed != char:
        folded = "".join(_fold(one) for one in decomposed)
        if folded:
            return folded[:4]
    if char.isdigit():
        return str(unicodedata.digit(char, 0))
    return "." if not char.isalpha() else "·"


class _Folding(dict[int, str]):
    """Folds each character once."""

    def __missing__(self, code: int) -> str:
        if len(self) > CACHED:
            self.clear()
        folded = self[code] = _fold(chr(code))
        return folded


_FOLDING = _Folding()


def fold(text: str) -> str:
    """Return the text in small letters, digits and plain signs; ``·`` stands for a letter of another script."""
    if len(text) > 2 * LONGEST:
        text = f"{text[:LONGEST]} {text[-LONGEST:]}"
    if "'" in text or "’" in text:
        text = _SHORTENED.sub(r"\1 are", text)
    if _PERCENT.search(text) is not None:
        text = unquote(text)
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return text.translate(_FOLDING)


def unturned(text: str) -> str | None:
    """Return an upside-down text as it is meant, or ``None`` when nothing in it stands upside down."""
    text = text[: 2 * LONGEST]
    if text.isascii() or not _TURNED_ONLY.search(text):
        return None
    return "".join(_TURNED.get(char, char) for char in reversed(text.lower()))
