"""Sound in a page: PCM over its WebSocket, and the page's reports as the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from bot.stage.silent import RATE_HZ, SilentOutput
from bot.vocabulary import Pcm

TRUST_S = 0.25
"""How far the position is extrapolated past a report (pages report about every 40 ms)."""
LOST_S = 1.5
"""After so long without a report the page is taken as frozen, and she goes on by the clock alone."""
ASLEEP_S = 0.5
"""When nobody asked for the position for so long, it was we who were frozen: the page's reports wait to be read."""


class SoundingPage(Protocol):
    """The link to the page that sounds, if there is one."""

    def send_sound(self, serial: int, at: int, pcm: Pcm) -> bool:
        """Send samples from position ``at``; ``False``: no page sounds now."""
        ...


class BrowserOutput:
    """One page sounds; its reports of what was audible are the clock (see ``vocabulary.Output``).

    When the page vanishes or freezes in mid-reply, she goes on silently in real time, and a page that comes (back)
    joins at the audible position.
    """

    name = "browser"
    rate_hz = RATE_HZ

    def __init__(self, page: SoundingPage, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._page = page
        self._silent = SilentOutput(clock)
        self._serial = 0
        self._chunks: list[Pcm] = []
        self._written = 0
        self._shown = 0
        self._report: tuple[int, float | None] | None = None
        self._waiting_since: float | None = None
        self._asked = 0.0
        self._alone = True
        self._offset = 0

    def begin(self, serial: int) -> None:
        """Start a reply at position 0 on the page that sounds."""
        self._serial = serial
        self._chunks = []
        self._written = self._shown = 0
        self._report = self._waiting_since = None
        self._asked = self.clock()
        self._alone = False

    def write(self, pcm: Pcm) -> None:
        """Send sound to the page; without one, go on by the clock."""
        if self._report is not None and self.played() >= self._written:
            self._report = (self._written, None)  # it ran dry: only the page knows when it goes on
        at, self._written = self._written, self._written + len(pcm)
        self._chunks.append(pcm)
        if self._alone:
            self._silent.write(pcm)
        elif not self._page.send_sound(self._serial, at, pcm):
            self.lost()
        elif self._waiting_since is None or self.played() >= at:
            self._waiting_since = self.clock()

    def reported(self, serial: int, samples: int, age_s: float = 0.0) -> None:
        """Take the page's word for what was audible ``age_s`` ago."""
        if serial == self._serial and not self._alone:
            now = self.clock()
            self._report = (max(0, min(samples, self._written)), now - age_s)
            self._waiting_since = now

    def end(self) -> None:
        """Nothing is held back; the stage tells the page."""

    def played(self) -> int:
        """Return the audible position: the newest report, carried on by the clock for a moment."""
        now = self.clock()
        if self._waiting_since is not None and now - self._asked > ASLEEP_S:
            self._waiting_since = now
        self._asked = now
        if not self._alone and self._overdue():
            self.lost()
        self._shown = max(self._shown, min(self._written, self._reached()))
        return self._shown

    def _reached(self) -> int:
        if self._alone:
            return self._offset + self._silent.played()
        if self._report is None:
            return 0
        samples, at = self._report
        if at is None:
            return samples
        return samples + int(min(self.clock() - at, TRUST_S) * self.rate_hz)

    def _overdue(self) -> bool:
        pending = self._shown < self._written
        return pending and self._waiting_since is not None and self.clock() - self._waiting_since > LOST_S

    def lost(self) -> None:
        """Go on by the clock: no page sounds any more."""
        if self._alone:
            return
        self._offset = self._shown = max(self._shown, min(self._written, self._reached()))
        self._alone = True
        self._silent.begin(self._serial)
        rest = self._rest(self._shown)
        if len(rest):
            self._silent.write(rest)

    def joined(self) -> None:
        """A page sounds from now on: hand it the rest of the reply from the audible position."""
        position = self.played()
        self._alone = False
        self._report, self._waiting_since = (position, self.clock()), self.clock()
        rest = self._rest(position)
        if len(rest) and not self._page.send_sound(self._serial, position, rest):
            self.lost()

    def _rest(self, position: int) -> Pcm:
        whole: Pcm = np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int16)
        return whole[position:]

    def cut(self) -> int:
        """Drop what was not audible; the stage tells the page."""
        final = self.played()
        self._written = final
        self._chunks = []
        return final

    def close(self) -> None:
        """Nothing to release."""
