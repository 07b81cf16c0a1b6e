"""What she remembers of the stream: what was heard, and what the audience really heard her answer.

Append-only, because a model keeps what it has read only while the beginning stays the same. It gives way in rare big
steps (the oldest half at once), and wherever a moderator withdraws something.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from bot.vocabulary import Cue, Heard, Message, Spoken
from bot.withdrawal import Unwanted, Withdrawal

FULL = 0.75
"""Share of the context that a prompt may take before the oldest half of the history goes."""
OVERHEARD, OVERHEARD_S = 3, 90.0
"""So many of the things that her streamer said to others are kept, and for so long."""
CHARACTERS_A_TOKEN = 3
"""Low estimate for Spanish and English, used while no brain reports a real count."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange: the heard lines as the prompt showed them, and her words as they were audible."""

    heard: str
    sources: tuple[Heard, ...]
    spoken: str


class Memory:
    """The history of one stream."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.remembered = 0
        """Turns ever remembered; it never falls."""
        self._overheard: deque[Heard] = deque(maxlen=OVERHEARD)
        self._unwanted = Unwanted()

    def remember(self, cue: Cue, heard_text: str, spoken: Spoken, expression: str = "") -> None:
        """Add a turn, unless nothing was audible, or some of it or of what it answers was withdrawn meanwhile.

        ``expression``: the one she began with; it leads the stored words as a tag, so that the history shows the model
        the form that it is asked for.
        """
        said = spoken.text.strip()
        if not said or spoken.cut == "withdrawn" or any(heard.id in self._unwanted for heard in cue.heard):
            return
        if spoken.cut is not None:
            said = said.rstrip(".…") + "…"
        if expression:
            said = f"[{expression}] {said}"
        self.turns.append(Turn(heard_text, cue.heard, said))
        self.remembered += 1

    def overhear(self, heard: Heard) -> None:
        """Keep what her streamer said to others for a while; it is no part of the history."""
        self._overheard.append(heard)

    def overheard(self, now: float) -> tuple[Heard, ...]:
        """Return what was said to others lately, the oldest first."""
        return tuple(heard for heard in self._overheard if now - heard.at_s <= OVERHEARD_S)

    def forget(self, what: Withdrawal) -> int:
        """Remove every turn that answers something withdrawn or names the person, and what was overheard of them.

        Return how much went.
        """
        self._unwanted.bury(what.ids)
        kept = [t for t in self.turns if not any(map(what.takes, t.sources)) and not what.names_in(t.spoken)]
        gone = [heard for heard in self._overheard if what.takes(heard) or what.names_in(heard.text)]
        for heard in gone:
            self._overheard.remove(heard)
        return len(gone) + self._keep(kept)

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
