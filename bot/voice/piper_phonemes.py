"""What Piper's phonemes tell: the mouth shapes that they show, and where the words of a text begin."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np

from bot.vocabulary import Language
from bot.voice.ipa import visemes

_STRESS = "ˈˌ"
NEAR = 1.5
"""How many sounds a word may begin from where it would begin by its length, to begin after a blank."""

Timed = tuple[int, str]
"""The sample at which a phoneme begins, and the phoneme."""


def word_begins(
    spoken: str, sentences: Sequence[Sequence[str]], phonemes_of: Callable[[str], Sequence[Sequence[str]]]
) -> dict[int, tuple[int, int]]:
    """Return which phonemes of a text's ``sentences`` begin a word of it, with the word's place in the text.

    Piper leaves a blank between words, except where they flow together ("of the"). Where blanks and words are
    not as many, each word begins at the blank that is nearest to where it would be by how long it is alone.
    """
    spans = [match.span() for match in re.finditer(r"\S*\w\S*", spoken)]
    phonemes = [*chain(*([*sentence, " "] for sentence in sentences))]
    sounds = [place for place, phoneme in enumerate(phonemes) if _is_sound(phoneme)]
    groups = [
        number
        for number, place in enumerate(sounds)
        if number == 0 or any(map(_is_break, phonemes[sounds[number - 1] : place]))
    ]
    if not (groups and spans):
        return {}
    first = groups
    if len(groups) != len(spans):
        alone = [sum(map(_is_sound, chain(*phonemes_of(spoken[slice(*span)])))) for span in spans]
        expected = np.cumsum([0, *alone[:-1]]) * (len(sounds) / max(1, sum(alone)))
        first = [_nearest(groups, float(at)) for at in expected]
    begins: dict[int, tuple[int, int]] = {}
    for number, span in zip(first, spans, strict=True):
        place = sounds[min(number, len(sounds) - 1)]
        while place and phonemes[place - 1] in _STRESS:
            place -= 1
        begins.setdefault(place, span)
    return begins


def shapes_of(timed: Sequence[Timed], language: Language) -> list[tuple[int, int]]:
    """Return (sample, viseme) for phonemes as Piper spells them, a character each.

    A stress mark belongs to what follows it, a length mark to what it follows; two characters that are one sound in
    the table of ``bot.voice.ipa``, such as a diphthong, are one shape. Blanks and punctuation are rests.
    """
    sounds: list[Timed] = []
    stressed_at: int | None = None
    for at, phoneme in timed:
        if phoneme in _STRESS:
            stressed_at = at if stressed_at is None else stressed_at
        elif _is_sound(phoneme):
            sounds.append((at if stressed_at is None else stressed_at, phoneme))
            stressed_at = None
        elif not _is_mark(phoneme):
            sounds.append((at, ""))
    shapes: list[tuple[int, int]] = []
    place = 0
    while place < len(sounds):
        at, ipa = sounds[place]
        place += 1
        if ipa and place < len(sounds) and (pair := _as_one(ipa, sounds[place][1], language)) is not None:
            place += 1
            shapes.append((at, pair))
        else:
            shapes += [(at, viseme) for viseme in visemes(ipa, language)[:1]]
    return shapes


def _as_one(first: str, second: str, language: Language) -> int | None:
    """Return the shape of two characters that are one sound; None: they are two."""
    together = visemes(first + second, language)
    apart = visemes(first, language) + visemes(second, language)
    return together[0] if second and len(together) == 1 and len(apart) == 2 and apart[0] != apart[1] else None


def _is_mark(phoneme: str) -> bool:
    """Return whether it only changes the sound beside it."""
    return all(unicodedata.category(character) in ("Lm", "Mn", "Sk") for character in phoneme)


def _is_sound(phoneme: str) -> bool:
    return phoneme[0].isalpha() and not _is_mark(phoneme)


def _is_break(phoneme: str) -> bool:
    return not (_is_sound(phoneme) or _is_mark(phoneme))


def _nearest(groups: Sequence[int], at: float) -> int:
    """Return the group that begins near this sound, or else the sound itself."""
    near = min(groups, key=lambda group: abs(group - at))
    return near if abs(near - at) <= NEAR else round(at)
