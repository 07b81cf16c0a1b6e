"""What counts as the same text: folding, and who said nearly the same a moment ago."""

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from itertools import islice
from typing import TypeVar

V = TypeVar("V")

REMEMBERED_TEXTS = 2_000
COMPARED_TEXTS = 64
"""How many of the newest texts a longer message is compared with word by word."""
NEAR_IDENTICAL = 0.8
"""Share of common words from which two longer messages count as the same."""
LONGER_WORDS = 4
GREETING_WORDS = 2


def first_word(said: str) -> str:
    """Return the word that a chat message begins with, behind the ``@name`` of whom it replies to; empty if none."""
    words = said.split(maxsplit=2)[:2]
    return words[-1] if words and words[0].startswith("@") else "".join(words[:1])


def plain(text: str) -> str:
    """Fold a text to what people recognise as the same: no case, accents, marks or stretched letters."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c if c.isalnum() else " " for c in decomposed if not unicodedata.combining(c))
    return " ".join(re.sub(r"(.)\1+", r"\1", kept).split())


class Repeats:
    """Remembers what was said within a window, and by whom."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._texts: OrderedDict[str, tuple[float, frozenset[str], frozenset[str]]] = OrderedDict()

    def heard_again(self, folded: str, who: str, now: float, busy: bool) -> bool:
        """Whether nearly the same folded text was said within the window; if not, it is remembered.

        Short greetings of different viewers each count while chat is calm (not ``busy``).
        """
        while self._texts:
            oldest = next(iter(self._texts))
            if self._texts[oldest][0] >= now - self._window_s:
                break
            del self._texts[oldest]
        words = list(dict.fromkeys(folded.split()))
        key, bag = " ".join(words), frozenset(words)
        twin = self._texts.get(key)
        if twin is None and len(bag) >= LONGER_WORDS:
            newest = islice(reversed(self._texts.values()), COMPARED_TEXTS)
            twin = next((text for text in newest if _alike(bag, text[2])), None)
        if twin is not None and (len(words) > GREETING_WORDS or who in twin[1] or busy):
            return True
        by = frozenset((who,)) | (twin[1] if twin else frozenset())
        remember(self._texts, key, (now, by, bag), REMEMBERED_TEXTS)
        return False


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    small, large = sorted((len(one), len(other)))
    return small >= NEAR_IDENTICAL * large and len(one & other) >= NEAR_IDENTICAL * len(one | other)


def remember(store: OrderedDict[str, V], key: str, value: V, limit: int) -> None:
    """Put a value last and let the oldest go when there are more than ``limit``."""
    store[key] = value
    store.move_to_end(key)
    if len(store) > limit:
        store.popitem(last=False)
