"""The last step down: no sound, only captions at the pace of speech."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import numpy as np

from bot.vocabulary import Phrase, Sound, Word

RATE_HZ = 48_000
LETTERS_PER_S = 15.0


class CaptionsOnly:
    """Silent for as long as speaking would take, so that captions can be read (see ``vocabulary.Voice``)."""

    name = "captions"

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Yield silence with the words' times."""
        per_letter = RATE_HZ / LETTERS_PER_S
        words, at = [], 0
        for word in phrase.text.split():
            start = phrase.text.index(word, at)
            at = start + len(word)
            words.append(Word(round(start * per_letter), start, at))
        yield Sound(np.zeros(round(len(phrase.text) * per_letter), np.int16), RATE_HZ, words=tuple(words), last=True)

    async def ready(self, timeout_s: float) -> bool:
        """Return ``True``: nothing can fail."""
        return True
