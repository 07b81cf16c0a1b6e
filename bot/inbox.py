"""What waits to be answered: bounded, de-duplicated, scored. The best and newest wins; what is withdrawn leaves.

No clock inside: every method takes ``now`` in seconds of one monotonic clock.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.chat_choice import FRESHNESS_PER_S, ChatChoice, ChatRules
from bot.event_lane import EventLane, EventRule
from bot.likeness import plain, remember
from bot.vocabulary import Heard, Person
from bot.withdrawal import Unwanted, Withdrawal

Dropped = Callable[[str, str], None]
"""Called with the id of a dropped message and the reason."""

RATE_WINDOW_S = 20.0
OPERATOR_WAITING = 16
OPERATOR_PATIENCE = 3
"""The operator's words wait so many times as long as chat."""
REMEMBERED_IDS = 20_000
REMEMBERED_PEOPLE = 5_000


@dataclass(slots=True)
class _Waiting:
    heard: Heard
    points: float
    """See ``ChatChoice.points``."""
    cooled: bool = True
    """Whether it could have been answered at some moment (else its end is the cooldown's fault)."""


@dataclass(slots=True)
class _Known:
    name: str = ""
    unanswered: int = 0
    cool_until: float = 0.0


class Inbox:
    """Everything heard and not answered yet, in three lanes: operator, events, chat.

    Every message ends answered, waiting or dropped with a counted reason:
    ``received == answered + sum(dropped.values()) + waiting`` for chat.
    """

    def __init__(
        self,
        rules: ChatRules,
        on_drop: Dropped,
        seed: int | None = None,
        events: Mapping[str, EventRule] | None = None,
    ) -> None:
        """``events``: how each kind of channel event waits, by its name."""
        self.rules = rules
        self._on_drop = on_drop
        self._choice = ChatChoice(rules, seed)
        self._operator: deque[Heard] = deque()
        self._events = EventLane(events or {}, self._drop)
        self._looked_at = 0.0
        self._chat: dict[str, _Waiting] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()
        self.unwanted = Unwanted()
        self._people: OrderedDict[str, _Known] = OrderedDict()
        self._arrivals: deque[float] = deque()
        self.received = 0
        self.duplicates = 0
        self.answered = 0
        self.events_received = 0
        self.dropped: Counter[str] = Counter()
        self.events_dropped: Counter[str] = Counter()

    # ------------------------------------------------------------------ coming in

    def add(self, heard: Heard, now: float, blocked: str | None = None) -> str | None:
        """Take a message in; return ``None``, or the reason why it was dropped at once.

        ``blocked``: the gate's reason why it may not be chosen.
        """
        if heard.id in self._seen:
            self.duplicates += heard.kind == "chat"
            self._on_drop(heard.id, "duplicate")
            return "duplicate"
        remember(self._seen, heard.id, None, REMEMBERED_IDS)
        if self.unwanted.takes(heard, now):
            blocked = "withdrawn"
        if heard.kind == "chat":
            self.received += 1
            return self._add_chat(heard, now, blocked)
        self.events_received += heard.kind == "event"
        if blocked is not None:
            self._drop(heard, blocked)
            return blocked
        if heard.kind == "event":
            self._events.add(heard)
            return None
        self._operator.append(heard)
        if len(self._operator) > OPERATOR_WAITING:
            self._drop(self._operator.popleft(), "crowded_out")
        return None

    def _add_chat(self, heard: Heard, now: float, blocked: str | None) -> str | None:
        self._arrivals.append(now)
        while self._arrivals and self._arrivals[0] < now - RATE_WINDOW_S:
            self._arrivals.popleft()
        folded = plain(heard.text)
        reason = blocked or self._choice.unfit(heard, folded, now, busy=self.busy(now))
        if reason is not None:
            self._drop(heard, reason)
            return reason
        known = self._person(heard.person)
        known.unanswered += 1
        return self._wait(heard, folded, known, now)

    def _wait(self, heard: Heard, folded: str, known: _Known, now: float) -> str | None:
        points = self._choice.points(heard, folded, known.unanswered)
        self._chat[heard.id] = _Waiting(heard, points, cooled=known.cool_until <= now)
        if len(self._chat) > self.rules.max_waiting:
            worst = min(self._chat.values(), key=lambda w: w.points).heard
            del self._chat[worst.id]
            self._drop(worst, "crowded_out")
            return "crowded_out" if worst.id == heard.id else None
        return None

    # ------------------------------------------------------------------ state

    def chat_per_min(self, now: float) -> float:
        """Messages a minute over the last seconds."""
        recent = sum(1 for at in self._arrivals if at >= now - RATE_WINDOW_S)
        return recent * 60.0 / RATE_WINDOW_S

    def busy(self, now: float) -> bool:
        """Whether chat is too quick to answer viewers one by one."""
        return self.chat_per_min(now) >= self.rules.busy_per_min

    @property
    def chat_waiting(self) -> int:
        """How many chat messages wait."""
        return len(self._chat)

    def waiting(self, now: float) -> list[tuple[Heard, float]]:
        """Chat that waits, best first, with its present score."""
        ranked = sorted(self._chat.values(), key=lambda w: -w.points)
        return [(w.heard, round(w.points - FRESHNESS_PER_S * now, 2)) for w in ranked]

    def chat_ready(self, now: float) -> list[Heard]:
        """Chat that may be answered now, best first, one message a viewer."""
        ready: dict[str, Heard] = {}
        for waiting in sorted(self._chat.values(), key=lambda w: -w.points):
            person = waiting.heard.person
            if self._person(person).cool_until <= now:
                waiting.cooled = True
                ready.setdefault(person.id if person else waiting.heard.id, waiting.heard)
        return list(ready.values())

    def next_change(self, now: float) -> float | None:
        """When, without new messages, a waiting message next becomes ready (``None``: never)."""
        ends = [self._person(w.heard.person).cool_until for w in self._chat.values()]
        event = self._events.next_change(now, self._calm_at(now))
        return min((end for end in (*ends, event) if end is not None and now < end < float("inf")), default=None)

    def next_expiry(self) -> float | None:
        """When the next of those that wait is too old to be answered (``None``: nothing waits)."""
        chat = min((w.heard.at_s for w in self._chat.values()), default=None)
        ends = [
            None if chat is None else chat + self.rules.max_age_s,
            self._operator[0].at_s + OPERATOR_PATIENCE * self.rules.max_age_s if self._operator else None,
            self._events.next_expiry(),
        ]
        return min((end + 0.001 for end in ends if end is not None), default=None)

    def _calm_at(self, now: float) -> float:
        """When chat, if nobody wrote any more, would no longer be busy."""
        if not self.busy(now):
            return now
        fewest = math.ceil(self.rules.busy_per_min * RATE_WINDOW_S / 60.0)
        return self._arrivals[-fewest] + RATE_WINDOW_S + 0.001

    def first_operator(self) -> Heard | None:
        """The operator's oldest waiting words."""
        return self._operator[0] if self._operator else None

    def first_event(self) -> Heard | None:
        """The event to be answered first, as of the last ``expire``."""
        return self._events.best(self._looked_at, self.busy(self._looked_at))

    # ------------------------------------------------------------------ going out

    def take(self, chosen: Iterable[Heard]) -> None:
        """Remove what is going to be answered now; its viewers' cooldown runs until she has finished."""
        for heard in chosen:
            self._chat.pop(heard.id, None)
            if heard in self._operator:
                self._operator.remove(heard)
            if heard in self._events:
                self._events.take(heard)
            if heard.kind == "chat":
                self._person(heard.person).cool_until = float("inf")

    def finished(self, chosen: Iterable[Heard], said: bool, now: float) -> None:
        """She has finished with these: the cooldown starts; ``said``: something of the answer was heard."""
        for heard in chosen:
            if heard.kind == "event":
                self._events.finished(heard, said, now)
                if not said:
                    self._drop(heard, "withdrawn" if heard.id in self.unwanted else "unsaid")
            if heard.kind != "chat":
                continue
            known = self._person(heard.person)
            known.cool_until = now + (self.rules.viewer_cooldown_s if said else 0.0)
            if said:
                known.unanswered = 0
                self.answered += 1
            else:
                self._drop(heard, "withdrawn" if heard.id in self.unwanted else "unsaid")

    def put_back(self, chosen: Iterable[Heard], now: float) -> None:
        """Nothing of the answer was heard: let these wait again, but for what was withdrawn."""
        for heard in chosen:
            wanted = heard.id not in self.unwanted
            if heard.kind == "chat":
                known = self._person(heard.person)
                known.cool_until = now
                if wanted:
                    self._wait(heard, plain(heard.text), known, now)
            elif heard.kind == "event" and wanted:
                self._events.put_back(heard)
            elif heard.kind == "operator" and wanted:
                self._operator.appendleft(heard)
            if not wanted:
                self._drop(heard, "withdrawn")

    def withdraw(self, heard_id: str) -> bool:
        """A moderator took one message back: see ``take_back``. Return whether it was waiting."""
        return bool(self.take_back(Withdrawal(frozenset((heard_id,)))))

    def take_back(self, what: Withdrawal) -> frozenset[str]:
        """These leave, also if they come again later, or only come later. Return the ids of those that waited."""
        waiting = (*(w.heard for w in self._chat.values()), *self._events, *self._operator)
        gone = [heard for heard in waiting if what.takes(heard)]
        ids = frozenset(heard.id for heard in gone)
        self.unwanted.bury(what.ids | ids)
        for heard in gone:
            if heard.kind == "chat":
                del self._chat[heard.id]
            else:
                (self._events if heard.kind == "event" else self._operator).remove(heard)
            self._drop(heard, "withdrawn")
        return ids

    def name_of(self, person_id: str) -> str:
        """Return the name under which this person last wrote something fit to be answered, if any."""
        known = self._people.get(person_id)
        return known.name if known else ""

    def waiting_of(self, person_id: str) -> int:
        """Return how many messages and events of this person wait."""
        waiting = (*(w.heard for w in self._chat.values()), *self._events)
        return sum(heard.person is not None and heard.person.id == person_id for heard in waiting)

    def forget(self, person_id: str) -> None:
        """Keep nothing about this person that is done with; a ban stays."""
        self._people.pop(person_id, None)

    def expire(self, now: float, held: str | None = None) -> None:
        """Drop what is too old to be answered; ``held`` names why she does not speak at present, if so."""
        limit = now - self.rules.max_age_s
        for waiting in [w for w in self._chat.values() if w.heard.at_s < limit]:
            del self._chat[waiting.heard.id]
            self._drop(waiting.heard, held or ("too_old" if waiting.cooled else "cooldown"))
        while self._operator and self._operator[0].at_s < now - OPERATOR_PATIENCE * self.rules.max_age_s:
            self._drop(self._operator.popleft(), held or "too_old")
        self._looked_at = now
        self._events.expire(now, held, self.busy(now))

    def _drop(self, heard: Heard, reason: str) -> None:
        if heard.kind == "chat":
            self.dropped[reason] += 1
        elif heard.kind == "event":
            self.events_dropped[reason] += 1
        self._on_drop(heard.id, reason)

    def _person(self, person: Person | None) -> _Known:
        key = person.id if person else ""
        known = self._people.get(key)
        if known is None:
            known = _Known()
        known.name = person.name if person else ""
        remember(self._people, key, known, REMEMBERED_PEOPLE)
        return known
