"""What an understood text is: nothing, her own words, a murmur, or words; and whether they are for her."""

from __future__ import annotations

from collections.abc import Iterable

from bot.hearing.addressed import Addressing
from bot.hearing.echo import Echo
from bot.hearing.murmurs import is_murmur
from bot.hearing.take import Take
from bot.hearing.words import plain_words

WORD_LETTERS = 3
"""A partial text of fewer letters may become a murmur yet."""


class Judgement:
    """Judges the text of one take at a time. ``murmurs``: the operator's own ones."""

    def __init__(self, addressing: Addressing, echo: Echo, murmurs: Iterable[str]) -> None:
        self._addressing = addressing
        self._echo = echo
        self._murmurs = tuple(murmurs)

    def is_nothing(self, take: Take, text: str) -> bool:
        """Whether a text says nothing: no words, her own, or a murmur while she spoke."""
        if not plain_words(text):
            return True
        if take.deliberate:
            return False
        return self._is_hers(take, text) or (take.over_her and is_murmur(text, self._murmurs))

    def already_says(self, take: Take, partial: str) -> bool:
        """Whether a text that may grow yet is words whatever follows."""
        letters = sum(len(word) for word in plain_words(partial))
        return letters >= WORD_LETTERS and not self.is_nothing(take, partial)

    def is_for_her(self, take: Take, whole: str) -> bool:
        """Whether a text, with what it continues, is for her; what it continues always was."""
        return take.deliberate or take.before is not None or self._addressing.to_her(whole, take.began_s)

    def learn(self, take: Take, nothing: str) -> None:
        """Remember how loud her own words came back that were taken for the operator's."""
        if self._is_hers(take, nothing):
            self._echo.mistaken()

    def _is_hers(self, take: Take, text: str) -> bool:
        return take.maybe_echo and self._echo.is_hers(text, take.began_s)
