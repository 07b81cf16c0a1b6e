"""What she remembers of the stream: what was heard, and what the audience really heard her answer.

Append-only, because a model keeps what it has read only while the beginning stays the same. It gives way in rare big
steps (the oldest half at once), and wherever a moderator withdraws something.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bot.vocabulary import Cue, Message, Spoken

FULL = 0.75
"""Share of the context that a prompt may take before the oldest half of the history goes."""
CHARACTERS_A_TOKEN = 3
"""Low estimate for Spanish and English, used while no brain reports a real count."""
_TOMBSTONES = 2000
"""Withdrawn ids kept, so that a reply that was on its way when they were withdrawn is not remembered either."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange: the heard lines as the prompt showed them, and her words as they were audible."""

    heard: str
    heard_ids: frozenset[str]
    spoken: str


class Memory:
    """The history of one stream."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.remembered = 0
        """Turns ever remembered; it never falls."""
        self._withdrawn: dict[str, None] = {}

    def remember(self, cue: Cue, heard_text: str, spoken: Spoken, expression: str = "") -> None:
        """Add a turn, unless nothing was audible or what it answers was withdrawn meanwhile.

        ``expression``: the one she began with; it leads the stored words as a tag, so that the history shows the model
        the form that it is asked for.
        """
        said = spoken.text.strip()
        if not said or self._is_withdrawn(cue):
            return
        if spoken.cut is not None:
            said = said.rstrip(".…") + "…"
        if expression:
            said = f"[{expression}] {said}"
        heard_ids = frozenset(heard.id for heard in cue.heard)
        self.turns.append(Turn(heard_text, heard_ids, said))
        self.remembered += 1

    def forget(self, ids: Collection[str]) -> int:
        """Remove every turn that answers one of these withdrawn ``Heard``; return how many turns went."""
        for heard_id in ids:
            self._withdrawn[heard_id] = None
        while len(self._withdrawn) > _TOMBSTONES:
            del self._withdrawn[next(iter(self._withdrawn))]
        return self._keep([turn for turn in self.turns if turn.heard_ids.isdisjoint(ids)])

    def fit(self, prompt_tokens: int, budget: int) -> bool:
        """After a reply: drop the oldest half if its prompt took too much of ``budget`` tokens; return whether.

        ``prompt_tokens`` is the brain's real count; 0, while unknown, means an estimate from the history's length.
        """
        tokens = prompt_tokens or sum(len(turn.heard) + len(turn.spoken) for turn in self.turns) // CHARACTERS_A_TOKEN
        return tokens > FULL * budget and self.shrink()

    def shrink(self) -> bool:
        """Drop the oldest half now, at least one turn; return ``False`` if there was nothing left to drop."""
        return self._keep(self.turns[(len(self.turns) + 1) // 2 :]) > 0

    def messages(self) -> tuple[Message, ...]:
        """Return the history, user and assistant in turns."""
        return tuple(
            message
            for turn in self.turns
            for message in (Message("user", turn.heard), Message("assistant", turn.spoken))
        )

    def _keep(self, turns: list[Turn]) -> int:
        gone = len(self.turns) - len(turns)
        self.turns = turns
        return gone

    def _is_withdrawn(self, cue: Cue) -> bool:
        return any(heard.id in self._withdrawn for heard in cue.heard)
