"""Words as the rules of hearing compare them: lower case, without marks."""

from __future__ import annotations

import re
import unicodedata


def words_of(text: str) -> list[str]:
    """Return the words of a text; a hyphen or an apostrophe does not part a word, and is left out."""
    return re.findall(r"\w+", re.sub(r"(?<=\w)['’‑-](?=\w)", "", text.casefold()))


def plain_words(text: str) -> list[str]:
    """Return the words of a text without their accents."""
    folded = unicodedata.normalize("NFKD", text)
    return words_of("".join(c for c in folded if not unicodedata.combining(c)))
