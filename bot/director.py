"""The one decision: what to answer next, what may cut what, and when to break a silence.

Operator before events before chat. One viewer at a time while chat is calm, several in one answer when it is busy.
No clock inside: ``now`` is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from bot.inbox import Inbox
from bot.vocabulary import Cue, Heard, Mode, Spoken

YIELDING: frozenset[Mode] = frozenset({"chat_one", "chat_many", "idle"})
"""Replies that end when the operator wants something; answers to the operator and to events are finished first."""
PATIENCE_GROWTH = 1.5
MOST_SILENCES = 64
MANY_WAITING = 3
"""Viewers waiting from which one answer serves several, also in calm chat."""


@dataclass(frozen=True, slots=True)
class DirectorRules:
    """When she speaks; the ``chat`` section of the config says what each means."""

    window_s: float = 1.5
    max_many: int = 5
    idle_after_s: float = 60.0
    idle_max_s: float = 600.0


class Director:
    """Decides on ``Cue`` after ``Cue``; at most one is current."""

    def __init__(self, inbox: Inbox, rules: DirectorRules, now: float) -> None:
        self.inbox = inbox
        self.rules = rules
        self.current: Cue | None = None
        self.muted = False
        self.paused = False
        self.away = False
        """The operator is: she reads on and says nothing."""
        self.next_approved: Callable[[], Cue | None] = lambda: None
        """Gives what was held for approval and may be said now."""
        self.chat_full: Callable[[], bool] = lambda: False
        """Whether so many answers wait for approval that no more chat is to be chosen."""
        self._quiet_since = now
        self._silences = 0
        self._idle_ids = count(1)

    @property
    def held(self) -> str | None:
        """Why she does not speak at present, or ``None``."""
        return "muted" if self.muted or self.away else "paused" if self.paused else None

    def noticed(self, heard: Heard, now: float) -> None:
        """Somebody did something: the silence is over, and patience is fresh again."""
        self._quiet_since = now
        self._silences = 0

    def yields_to(self, heard: Heard) -> bool:
        """Whether the current reply should end at once because of what was just heard."""
        wants = heard.kind in ("operator", "say")
        return wants and self.current is not None and self.current.mode in YIELDING

    def decide(self, now: float) -> Cue | None:
        """Choose what to answer now, if anything; it becomes current until ``finished``."""
        self.inbox.expire(now, self.held)
        if self.held or self.current is not None:
            return None
        cue = self._operator(now) or self.next_approved() or self._event(now) or self._chat(now) or self._idle(now)
        if cue is not None:
            self.inbox.take(cue.heard)
            self.current = cue
        return cue

    def next_at(self, now: float) -> float | None:
        """When to decide again even if nothing new is heard; ``None``: no need.

        What waits grows too old also while she is held, and whoever paid for it gets it back.
        """
        if self.current is not None:
            return None
        expiry = self.inbox.next_expiry()
        if self.held:
            return expiry
        times = [expiry, self.inbox.next_change(now), self._idle_at()]
        ready = self.inbox.chat_ready(now)
        if ready and not self.chat_full():
            times.append(min(h.at_s for h in ready) + self.rules.window_s)
        return min((t for t in times if t is not None), default=None)

    def set_aside(self, now: float) -> None:
        """The answer waits for approval: she is free for the next, and what it answers is neither said nor unsaid."""
        self.current = None
        self._quiet_since = now

    def finished(self, cue: Cue, spoken: Spoken, now: float) -> bool:
        """Her reply is over: cooldowns and patience count from here. Return whether what it answers waits again."""
        self.current = None
        self._quiet_since = now
        if spoken.cut in ("operator", "barge_in", "withdrawn") and not spoken.text:
            self.inbox.put_back(cue.heard, now)
            return True
        self.inbox.finished(cue.heard, bool(spoken.text), now)
        return False

    # ------------------------------------------------------------------ one method a mode

    def _operator(self, now: float) -> Cue | None:
        heard = self.inbox.first_operator()
        if heard is None:
            return None
        return Cue("say" if heard.kind == "say" else "operator", (heard,), now, "operator")

    def _event(self, now: float) -> Cue | None:
        heard = self.inbox.first_event()
        return Cue("event", (heard,), now, "event") if heard else None

    def _chat(self, now: float) -> Cue | None:
        ready = self.inbox.chat_ready(now)
        if not ready or self.chat_full():
            return None
        if len(ready) < MANY_WAITING and self.inbox.busy(now):
            gathering = now < min(h.at_s for h in ready) + self.rules.window_s
            if gathering:
                return None
        if len(ready) >= 2 and (self.inbox.busy(now) or len(ready) >= MANY_WAITING):
            return Cue("chat_many", tuple(ready[: self.rules.max_many]), now, "busy")
        return Cue("chat_one", (ready[0],), now, "best")

    def _idle(self, now: float) -> Cue | None:
        at = self._idle_at()
        if at is None or now < at:
            return None
        self._silences += 1
        silence = Heard(f"silence-{next(self._idle_ids)}", "silence", "", now)
        return Cue("idle", (silence,), now, "silence")

    def _idle_at(self) -> float | None:
        if self.rules.idle_after_s <= 0:
            return None
        patience = self.rules.idle_after_s * PATIENCE_GROWTH ** min(self._silences, MOST_SILENCES)
        return self._quiet_since + min(patience, max(self.rules.idle_max_s, self.rules.idle_after_s))
