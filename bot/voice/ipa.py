"""IPA, as espeak-ng writes it, to viseme ids (Azure's 0 to 21)."""

from __future__ import annotations

from bot.vocabulary import Language

CLOSED = 21
UNKNOWN = 19
"""A tongue behind the teeth: the least conspicuous shape."""

_COMMON = {
    1: "æ ə ʌ ɐ ᵊ",
    2: "ɑ ɑː aː ɒ",
    3: "ɔ ɔː oː",
    4: "ɛ ʊ e eː ɛː",
    5: "ɝ ɚ ɜ ɜː",
    6: "j i ɪ iː ᵻ y ʝ",
    7: "w u uː ʉ ɯ",
    8: "o",
    12: "h ɦ",
    13: "ɹ r ʁ",
    14: "l ɫ ʎ",
    15: "s z",
    16: "ʃ ʒ ɕ ʑ dʒ tɕ dʑ",
    17: "ð",
    18: "f v ɸ",
    19: "d t n θ ɾ ɲ",
    20: "k g ɡ ŋ ɣ",
    CLOSED: "p b m β",
}
_OWN: dict[Language, dict[int, str]] = {
    "es": {2: "a", 12: "x χ"},
    "en": {1: "a", 4: "eɪ", 8: "oʊ əʊ", 9: "aʊ", 10: "ɔɪ", 11: "aɪ aɪɚ", 16: "tʃ", 20: "x"},
}
_VISEMES: dict[Language, dict[str, int]] = {
    language: {ipa: viseme for table in (_COMMON, own) for viseme, row in table.items() for ipa in row.split()}
    for language, own in _OWN.items()
}
_UNSEEN = str.maketrans("", "", "ˈˌ ʲʰʷˑ͜͡\u0329\u0303\u032a\u0361")


def visemes(ipa: str, language: Language) -> list[int]:
    """Return the shapes of one phoneme event in order; a diphthong or an affricate may have two.

    A pause (empty) is 0, an unknown sound 19. A glottal stop shows no shape of its own: the list is empty.
    """
    known = _VISEMES[language]
    rest = ipa.translate(_UNSEEN)
    if not rest:
        return [0]
    shapes: list[int] = []
    while rest:
        length = next((n for n in (4, 3, 2, 1) if rest[:n] in known), 0)
        if length:
            shapes.append(known[rest[:length]])
        elif rest[0] not in "ʔː":
            shapes.append(UNKNOWN)
        rest = rest[max(length, 1) :]
    return [shape for index, shape in enumerate(shapes) if index == 0 or shape != shapes[index - 1]]
