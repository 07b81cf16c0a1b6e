"""What viewers call her moods, in both languages."""

from __future__ import annotations

from functools import cache

from bot.likeness import plain
from bot.texts import table
from bot.vocabulary import EXPRESSIONS, Language

LANGUAGES: tuple[Language, ...] = ("es", "en")
WORDS_READ = 20


def mood_in(said: str) -> str | None:
    """Return the expression that the first word of a mood in a viewer's text names, or ``None``."""
    words = plain(said[:500]).split()[:WORDS_READ]
    return next((_moods()[word] for word in words if word in _moods()), None)


@cache
def _moods() -> dict[str, str]:
    named = [(table(language)[f"moods.{mood}"], mood) for language in LANGUAGES for mood in EXPRESSIONS]
    return {plain(word): mood for words, mood in named for word in (*words.split(), mood)}
