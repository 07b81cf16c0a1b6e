"""The channel events that wait to be answered: the most important first, and of those alike the oldest.

No clock inside: ``now`` is passed in, in seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bot.vocabulary import Heard

WAITING = 64
WAITING_A_PERSON = 2
"""So many events of one person wait; more would let somebody with small change have her to himself."""


@dataclass(frozen=True, slots=True)
class EventRule:
    """How events of one kind wait."""

    max_age_s: float = 180.0
    """Older ones are not answered any more."""
    cooldown_s: float = 0.0
    """Pause after she has finished with one of its ``group`` (of its kind, where it has none)."""
    maybe: bool = False
    """Answered only while chat is calm."""
    group: str = ""
    """Of the events of one group only the newest waits: a hype train's level 3 makes its level 2 old news."""


class EventLane:
    """Bounded; whatever leaves unanswered leaves through ``drop`` with its reason."""

    def __init__(self, rules: Mapping[str, EventRule], drop: Callable[[Heard, str], None]) -> None:
        """``rules``: by the name of the event; one without a rule waits as a plain ``EventRule`` says."""
        self._rules = rules
        self._drop = drop
        self._waiting: list[Heard] = []
        self._cool_since: dict[str, float] = {}

    def __iter__(self) -> Iterator[Heard]:
        return iter(tuple(self._waiting))

    def add(self, heard: Heard) -> None:
        """Take an event in; the least important may have to leave for it."""
        self._waiting.append(heard)
        group = self._rule(heard).group
        if group:
            of_group = sorted((h for h in self._waiting if self._rule(h).group == group), key=lambda h: h.at_s)
            self._leave(of_group[:-1], "outdated")
        person = heard.person
        of_person = [
            h for h in self._waiting if person is not None and h.person is not None and h.person.id == person.id
        ]
        if len(of_person) > WAITING_A_PERSON:
            self._leave([min(of_person, key=lambda h: (h.priority, -h.at_s))], "too_many")
        if len(self._waiting) > WAITING:
            self._leave([min(self._waiting, key=lambda h: (h.priority, h.at_s))], "crowded_out")

    def best(self, now: float, busy: bool) -> Heard | None:
        """Return what is to be answered first of what may be answered now; ``busy``: chat is quick."""
        ready = [h for h in self._waiting if self._ready_at(h) <= now and not (busy and self._rule(h).maybe)]
        return min(ready, key=lambda h: (-h.priority, h.at_s), default=None)

    def next_change(self, now: float, calm_at: float) -> float | None:
        """Return when a waiting event next becomes ready (``None``: never); ``calm_at``: when chat is calm again."""
        times = [max(self._ready_at(h), calm_at if self._rule(h).maybe else now) for h in self._waiting]
        return min((at for at in times if at > now), default=None)

    def next_expiry(self) -> float | None:
        """Return when the next waiting event is too old (``None``: none waits)."""
        return min((h.at_s + self._rule(h).max_age_s for h in self._waiting), default=None)

    def remove(self, heard: Heard) -> None:
        """Take one out that was withdrawn. Raises ``ValueError`` if it does not wait."""
        self._waiting.remove(heard)

    def take(self, heard: Heard) -> None:
        """It is going to be answered now."""
        self._waiting.remove(heard)

    def finished(self, heard: Heard, said: bool, now: float) -> None:
        """She has finished with it; its kind cools from now on if something of the answer was heard (``said``)."""
        if said:
            self._cool_since[self._kind(heard)] = now

    def put_back(self, heard: Heard) -> None:
        """Nothing of the answer was heard: let it wait again."""
        self.add(heard)

    def expire(self, now: float, held: str | None, busy: bool) -> None:
        """Drop what is too old, with the reason why it was not answered in time."""
        for heard in self:
            rule = self._rule(heard)
            if heard.at_s < now - rule.max_age_s:
                cooling = self._ready_at(heard) > now
                why = held or ("busy" if busy and rule.maybe else "cooldown" if cooling else "too_old")
                self._leave([heard], why)

    def _leave(self, leaving: list[Heard], reason: str) -> None:
        for heard in leaving:
            self._waiting.remove(heard)
            self._drop(heard, reason)

    def _rule(self, heard: Heard) -> EventRule:
        return self._rules.get(heard.event, _ANY)

    def _kind(self, heard: Heard) -> str:
        return self._rule(heard).group or heard.event

    def _ready_at(self, heard: Heard) -> float:
        cool_since = self._cool_since.get(self._kind(heard))
        return heard.at_s if cool_since is None else cool_since + self._rule(heard).cooldown_s


_ANY = EventRule()
