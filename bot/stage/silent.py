"""An output that keeps real time and discards the sound: the clock of everything without a device."""

from __future__ import annotations

from collections.abc import Callable

from bot.vocabulary import Pcm

RATE_HZ = 48_000
"""The one rate of the stage; outputs that need another convert behind it."""


class SilentOutput:
    """Plays on a clock alone: sample ``n`` is audible ``n / rate`` after its stretch began (see ``vocabulary.Output``).

    ``dry_s`` sums the silence inside replies: time between the end of what was written and the next write.
    """

    name = "none"
    rate_hz = RATE_HZ

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.dry_s = 0.0
        self._written = 0
        self._from = (0, 0.0)
        self._shown = 0

    def begin(self, serial: int) -> None:
        """Start at position 0."""
        self._written = self._shown = 0
        self._from = (0, self.clock())

    def write(self, pcm: Pcm) -> None:
        """Append sound; after a dry moment the clock goes on from here."""
        now = self.clock()
        if self.played() >= self._written:
            position, since = self._from
            ran_out = since + (self._written - position) / self.rate_hz
            if self._written:
                self.dry_s += max(0.0, now - ran_out)
            self._from = (self._written, now)
        self._written += len(pcm)

    def end(self) -> None:
        """Nothing is held back."""

    def played(self) -> int:
        """Return the audible position by the clock."""
        position, since = self._from
        reached = position + int((self.clock() - since) * self.rate_hz)
        self._shown = max(self._shown, min(self._written, reached))
        return self._shown

    def cut(self) -> int:
        """Forget what was not audible."""
        final = self.played()
        self._written = final
        return final

    def close(self) -> None:
        """Nothing to release."""


class FileOutput(SilentOutput):
    """For sound that goes to a file: everything counts as audible the moment it is written."""

    name = "file"

    def played(self) -> int:
        """Return all that was written."""
        return self._written
