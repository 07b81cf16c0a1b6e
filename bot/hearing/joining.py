"""Who goes on after a short pause, before she is heard to answer, has not been understood whole yet."""

from __future__ import annotations

import math
from dataclasses import dataclass

JOIN_S = 1.5
"""The longest pause of that kind."""


@dataclass(frozen=True, slots=True)
class Said:
    """A turn as it was told: its text, when its speech ended, its marks, and who turned it into text."""

    text: str
    ended_s: float
    marks: dict[str, float]
    served: str


class Joining:
    """Remembers the newest turn that was for her, until she is heard."""

    def __init__(self) -> None:
        self._said: Said | None = None
        self._she_sounded_s = -math.inf

    def she_sounds(self, at_s: float) -> None:
        """She is audible at this moment."""
        self._she_sounded_s = at_s

    def told(self, said: Said, *, addressed: bool) -> None:
        """A turn was told; what was not for her is not gone on with."""
        self._said = said if addressed else None

    def before(self, onset_s: float) -> Said | None:
        """Return what speech from ``onset_s`` on continues, if anything."""
        said = self._said
        if said is None or onset_s - said.ended_s > JOIN_S or self._she_sounded_s >= said.ended_s:
            return None
        return said
