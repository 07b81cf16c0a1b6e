"""Whether the operator is there: after so long without any input of theirs, she says nothing until they are back."""

from __future__ import annotations


class Away:
    """Watches the operator's input. ``minutes`` 0: never away."""

    def __init__(self, minutes: float, now: float) -> None:
        self._after_s = minutes * 60
        self._seen_s = now

    def seen(self, now: float) -> None:
        """The operator did or said something."""
        self._seen_s = now

    def is_away(self, now: float) -> bool:
        """Whether nothing was seen of the operator for too long."""
        return self._after_s > 0 and now - self._seen_s >= self._after_s
