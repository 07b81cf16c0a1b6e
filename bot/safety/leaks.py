"""Notices when she recites what she was told in secret: a piece of her instructions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.safety.folding import fold

SHARED_WORDS = 7
"""So many words in a row are no coincidence."""

_WORD = re.compile(r"[a-zñ0-9]+")
_TELLING = re.compile(
    r"\b(?:my|the) (?:system prompt|system message|hidden instructions|secret instructions|initial instructions)\b"
    r" (?:is|are|says?|reads?|begins?|starts?|tells?)\b(?! (?:a |top )?secret| in | private| hidden| safe| locked)"
    r"|\bi (?:was|am) (?:instructed|prompted|programmed) to (?:always|never|say|act)\b"
    r"|\b(?:mi prompt|mi mensaje de sistema|el mensaje de sistema|el prompt de sistema"
    r"|mis instrucciones (?:secretas|ocultas|iniciales))"
    r" (?:es|son|dice|dicen|empieza|empiezan|pone)\b(?! (?:un )?secret| en | privad)"
    r"|\bme (?:han|ha) (?:programado|ordenado|instruido) (?:para|que) (?:siempre|nunca|diga|actue)\b"
    r"|<\|?(?:system|im_start|start_header|end_header|eot_id|begin_of_text)|\[/?inst\]|<<sys>>"
    r"|<\|[a-z_]+\|>|</?(?:s|tool_call|function_call|(?:start|end)_of_turn)>"
)


class Leaks:
    """Knows the secret texts by their runs of words."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """``secrets``: persona and templates as they are prompted."""
        self._runs: set[tuple[str, ...]] = set()
        self._known: frozenset[str] = frozenset()
        for secret in secrets:
            words = [part for word in secret.split() for part in _WORD.findall(fold(word))]  # fold() cuts long texts
            self._known |= frozenset(words)
            self._runs.update(tuple(words[at : at + SHARED_WORDS]) for at in range(len(words) - SHARED_WORDS + 1))

    def find(self, folded: str) -> tuple[int, int] | None:
        """Return where a folded text gives a secret away, or ``None``."""
        telling = _TELLING.search(folded)
        if telling is not None:
            return telling.span()
        words = _WORD.findall(folded)
        shared = 0
        for at, word in enumerate(words, 1):
            shared = shared + 1 if word in self._known else 0
            if shared >= SHARED_WORDS and tuple(words[at - SHARED_WORDS : at]) in self._runs:
                return 0, len(folded)
        return None
