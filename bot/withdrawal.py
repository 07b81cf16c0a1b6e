"""What a moderator takes back: some messages, all of one person, or everything that viewers wrote."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.likeness import plain, remember
from bot.vocabulary import Heard

WRITTEN_EVENTS = frozenset("announcement cheer first_timer notice redemption resub reward watch_streak".split())
"""Channel events that are a viewer's line in chat as well; the others are deeds, which clearing the chat leaves."""
SILENCED_S = 300.0
"""How long a banned person stays unheard when nobody says for how long: what comes now was written before."""
REMEMBERED_IDS = 20_000
REMEMBERED_PEOPLE = 5_000
NAME_LETTERS = 4
"""A shorter name is not looked for in her words: too many words are names of somebody."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Which lines are taken back, and which of her words with them."""

    ids: frozenset[str] = frozenset()
    person_id: str = ""
    names: frozenset[str] = frozenset()
    """The person's names, folded (see ``folded_names``): what she says with one of them in it is taken back too."""
    chat: bool = False
    """Every line of chat."""

    def takes(self, heard: Heard) -> bool:
        """Whether this is taken back."""
        person_id = heard.person.id if heard.person else ""
        return self._takes(heard.id, heard.kind, heard.event, person_id)

    def takes_line(self, line: dict[str, Any]) -> bool:
        """Whether a heard line of a turn record is taken back; one without ``user_id`` is known by the name."""
        person_id = str(line.get("user_id", ""))
        if not person_id and plain(str(line.get("user", ""))) in self.names:
            return True
        return self._takes(str(line["id"]), str(line["kind"]), str(line.get("event", "")), person_id)

    def names_in(self, said: str) -> bool:
        """Whether she names the person."""
        folded = f" {plain(said)} "
        return any(f" {name} " in folded for name in self.names)

    def may_be_in(self, raw: str) -> bool:
        """Whether a line that cannot be read may hold something of it."""
        marks = (*self.ids, self.person_id) if self.person_id else self.ids
        return self.chat or any(mark in raw for mark in marks)

    def _takes(self, heard_id: str, kind: str, event: str, person_id: str) -> bool:
        if heard_id in self.ids or (self.person_id and person_id == self.person_id):
            return True
        return self.chat and (kind == "chat" or event in WRITTEN_EVENTS)


def folded_names(names: Iterable[str]) -> frozenset[str]:
    """Return the names as ``Withdrawal.names`` wants them, without those too short to be told from other words."""
    folded = (plain(name) for name in names)
    return frozenset(name for name in folded if len(name) >= NAME_LETTERS)


class Unwanted:
    """What was taken back and who was silenced: tombstones, so that what comes later is not taken in either."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._silent_until: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, heard_id: str) -> bool:
        return heard_id in self._ids

    def bury(self, ids: Iterable[str]) -> None:
        """Take in nothing with these ids any more."""
        for heard_id in ids:
            remember(self._ids, heard_id, None, REMEMBERED_IDS)

    def silence(self, person_id: str, until_s: float) -> None:
        """Take in nothing of this person until then, or until ``allow``; a longer silence is not shortened."""
        until_s = max(until_s, self._silent_until.get(person_id, 0.0))
        remember(self._silent_until, person_id, until_s, REMEMBERED_PEOPLE)

    def allow(self, person_id: str) -> None:
        """Take in what this person says from now on."""
        self._silent_until.pop(person_id, None)

    def takes(self, heard: Heard, now: float) -> bool:
        """Whether this is not to be taken in."""
        person_id = heard.person.id if heard.person else ""
        return heard.id in self._ids or self._silent_until.get(person_id, now) > now
