"""Held for approval: answers that are written and wait for the operator's yes before a word of them is heard.

No clock inside: ``now`` is passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from bot.vocabulary import Cue, Mode
from bot.withdrawal import Withdrawal

Hold = Literal["off", "chat", "all"]
HELD_MODES: dict[Hold, frozenset[Mode]] = {
    "off": frozenset(),
    "chat": frozenset({"chat_one", "chat_many"}),
    "all": frozenset({"chat_one", "chat_many", "event", "idle", "operator"}),
}
MOST = 5
"""Answers that wait at once: while so many do, no more chat is chosen; beyond, the oldest leaves."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer that waits: what it answers, its text as shown, and the same text with its expression tags."""

    id: str
    cue: Cue
    text: str
    tagged: str
    why: str
    blocked: tuple[str, ...]
    """The gate's reasons for what it already took out of it."""
    expires_s: float

    def as_json(self, now: float) -> dict[str, Any]:
        """Return what the operator decides on."""
        heard = [
            {"id": h.id, "kind": h.kind, "user": h.person.name if h.person else "", "text": h.text}
            for h in self.cue.heard
        ]
        about = {"id": self.id, "mode": self.cue.mode, "why": self.why, "blocked": list(self.blocked)}
        return {**about, "heard": heard, "text": self.text, "expires_in_s": round(max(0.0, self.expires_s - now), 1)}


class Approvals:
    """The answers that wait, oldest first, and those approved and not yet begun."""

    def __init__(self, hold: Hold, patience_s: float) -> None:
        self.patience_s = patience_s
        self._modes = HELD_MODES[hold]
        self._waiting: OrderedDict[str, Draft] = OrderedDict()
        self._approved: OrderedDict[str, Draft] = OrderedDict()

    def holds(self, cue: Cue) -> bool:
        """Whether the answer to this must be approved."""
        return cue.mode in self._modes

    @property
    def full(self) -> bool:
        """Whether as many wait as the operator can be asked to look at."""
        return len(self._waiting) >= MOST

    @property
    def waiting(self) -> list[Draft]:
        """The answers that wait, oldest first."""
        return list(self._waiting.values())

    def add(self, draft: Draft) -> Draft | None:
        """Let an answer wait; return the one that leaves for it, if any."""
        self._waiting[draft.id] = draft
        return self._waiting.popitem(last=False)[1] if len(self._waiting) > MOST else None

    def approve(self, draft_id: str, edited: str | None = None) -> Draft | None:
        """Let her say it, or ``edited`` instead of it; ``None``: it does not wait."""
        draft = self._waiting.pop(draft_id, None)
        if draft is None:
            return None
        if edited is not None and edited != draft.text:
            draft = replace(draft, text=edited, tagged=edited)
        self._approved[draft.id] = draft
        return draft

    def reject(self, draft_id: str) -> Draft | None:
        """She will not say it; ``None``: it does not wait."""
        return self._waiting.pop(draft_id, None)

    def next(self) -> Draft | None:
        """Take the oldest approved answer, to be said now."""
        return self._approved.popitem(last=False)[1] if self._approved else None

    def expire(self, now: float) -> list[Draft]:
        """Remove and return what has waited too long to make sense, approved or not."""
        return self._remove(lambda draft: draft.expires_s <= now)

    def drop_approved(self) -> list[Draft]:
        """Remove and return what was approved and not yet begun."""
        gone = list(self._approved.values())
        self._approved.clear()
        return gone

    def take_back(self, what: Withdrawal) -> list[Draft]:
        """Remove and return every answer to something that was withdrawn, or that names who wrote it."""
        return self._remove(lambda draft: any(map(what.takes, draft.cue.heard)) or what.names_in(draft.text))

    def _remove(self, leaves: Callable[[Draft], bool]) -> list[Draft]:
        gone = []
        for lane in (self._waiting, self._approved):
            gone += [lane.pop(draft.id) for draft in list(lane.values()) if leaves(draft)]
        return gone
