"""Murmurs: what a listener says without wanting the floor ("mm-hm", "ajá", a laugh). They never interrupt her."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.hearing.words import plain_words

_BOTH = "ah oh uh eh hm mm mhm mmhm hmhm uhu uhum aha ok okay okey wow uf guau"
_SPANISH = "si ya aja claro vale bueno bien exacto exactamente cierto verdad genial anda vaya uy ay ajam sip dale eso"
_ENGLISH = "yeah yep yup yes uhhuh right sure true huh aw cool nice gotcha exactly"
_PHRASES = {("claro", "que", "si"), ("ya", "veo"), ("que", "bueno"), ("que", "bien"), ("i", "see"), ("uh", "huh")}
_WORDS = frozenset(f"{_BOTH} {_SPANISH} {_ENGLISH}".split())
_LAUGH = re.compile(r"a?(?:j[aeiou]|h[aeo]){2,}[jh]?|j[ae]+|ha+|heh+|l+o+l+|x+d+")
_STRETCHED = re.compile(r"(.)\1+")
_SHORT = frozenset(_STRETCHED.sub(r"\1", word) for word in _WORDS)
_NOISE = re.compile(r"[\[(*♪][^\])*♪]*[\])*♪]")
"""What recognisers write for what is no speech: "[risas]", "(coughs)", "*sighs*", "♪"."""
MOST_WORDS = 4


def is_murmur(text: str, own: Iterable[str] = ()) -> bool:
    """Return whether a text is nothing but murmurs, at most four words of them. ``own``: the operator's own ones.

    An empty text is one too: nothing was understood of it.
    """
    words = plain_words(_NOISE.sub(" ", text))
    if len(words) > MOST_WORDS:
        return all(_LAUGH.fullmatch(word) for word in words)
    mine = {tuple(plain_words(phrase)) for phrase in own}
    if tuple(words) in _PHRASES | mine:
        return True
    return all(_small(word) or (word,) in mine for word in words)


def _small(word: str) -> bool:
    return word in _WORDS or _STRETCHED.sub(r"\1", word) in _SHORT or _LAUGH.fullmatch(word) is not None
