"""Which chat messages may be answered, and how many points each is worth."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from bot.likeness import Repeats, first_word, plain
from bot.vocabulary import Heard

KNOWN_BOTS = frozenset(
    "nightbot streamelements streamlabs moobot fossabot wizebot stayhydratedbot sery_bot soundalerts botrixoficial "
    "botrix kofistreambot coebot deepbot phantombot streamlootsbot pokemoncommunitygame commanderroot".split()
)
FRESHNESS_PER_S = 0.1
"""How many points a message loses for each second that it waits."""
QUESTION_STARTS = frozenset(
    "que quien como cuando donde cual cuanto cuantos cuantas por what who how when where which why whose "
    "do does did are is can could would will should".split()
)


@dataclass(frozen=True, slots=True)
class ChatRules:
    """How chat is chosen; the ``chat`` section of the config says what each means."""

    names: tuple[str, ...] = ("Aneeka",)
    max_age_s: float = 60.0
    viewer_cooldown_s: float = 5.0
    busy_per_min: float = 30.0
    max_waiting: int = 200
    reply_chance: float = 1.0
    repeat_window_s: float = 30.0
    ignored_users: frozenset[str] = frozenset()


class ChatChoice:
    """Judges one message after the other."""

    def __init__(self, rules: ChatRules, seed: int | None = None) -> None:
        self._rules = rules
        self._random = random.Random(seed)
        self._names = tuple(plain(name) for name in rules.names)
        self._ignored = frozenset(plain(user) for user in rules.ignored_users)
        self._repeats = Repeats(rules.repeat_window_s)

    def unfit(self, heard: Heard, folded: str, now: float, *, busy: bool) -> str | None:
        """Return why a message is not chosen, ``None`` if it may be; asked once a message, which is a repetition then.

        ``busy``: whether chat is too quick for everybody to be answered.
        """
        person = heard.person
        name = plain(person.name) if person else ""
        if person and ("bot" in person.roles or person.name.casefold() in KNOWN_BOTS):
            return "bot"
        if name and name in self._names:
            return "herself"
        if name in self._ignored or (person and plain(person.id) in self._ignored):
            return "ignored"
        if first_word(heard.text).startswith("!"):
            return "command"
        if not folded:
            return "empty"
        who = person.id if person else ""
        if self._repeats.heard_again(folded, who, now, busy):
            return "repeated"
        return None if self._lucky(heard, folded) else "chance"

    def points(self, heard: Heard, folded: str, unanswered: int) -> float:
        """Return its score at time 0, so that order never changes while messages wait.

        ``unanswered``: how many messages of this viewer she has not answered.
        """
        roles = heard.person.roles if heard.person else frozenset()
        words = len(folded.split())
        return (
            6.0 * self._addressed(folded)
            + 2.0 * _asks(heard.text, folded)
            + 3.0 * ("first_timer" in roles)
            + 2.0 * bool(roles & {"broadcaster", "moderator"})
            + 1.0 * bool(roles & {"vip", "subscriber"})
            + 0.5 * min(unanswered, 6)
            + 0.1 * min(words, 10)
            + FRESHNESS_PER_S * heard.at_s
        )

    def _addressed(self, folded: str) -> bool:
        return any(re.search(rf"\b{re.escape(name)}\b", folded) for name in self._names if name)

    def _lucky(self, heard: Heard, folded: str) -> bool:
        if self._rules.reply_chance >= 1 or self._addressed(folded) or _asks(heard.text, folded):
            return True
        first = heard.person is not None and "first_timer" in heard.person.roles
        return first or self._random.random() < self._rules.reply_chance


def _asks(text: str, folded: str) -> bool:
    return "?" in text or folded.split(" ", 1)[0] in QUESTION_STARTS
