"""Where she turns for a while: to the chat that she reads, or to the operator. The eyes go first, the head follows."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from avatar.expressions import smooth

Place = Literal["chat", "operator"]

EYES_S = 0.07
"""A shift of gaze of this size takes about as long in people."""
HEAD_AFTER_S = 0.05
HEAD_S = 0.45
LINE_S = 0.9
"""How long the eyes take for one line of chat."""
STOPS = 4
"""Places in a line where reading eyes rest: they jump, they do not slide."""
LINE_WIDE = 0.34
LINE_LOW = 0.05


class Turn(NamedTuple):
    """How far she is turned. ``eyes`` and ``head``: 0..1, how much this replaces what they would do by themselves."""

    gaze_x: float = 0.0
    gaze_y: float = 0.0
    eyes: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    head: float = 0.0


PLACES: dict[Place, Turn] = {
    "chat": Turn(gaze_x=0.62, gaze_y=-0.18, eyes=1.0, yaw=7.0, pitch=-2.5, head=1.0),
    "operator": Turn(gaze_x=-0.6, gaze_y=0.02, eyes=1.0, yaw=-8.0, pitch=0.0, head=1.0),
}
"""Chat is at the viewer's right and a little lower, the operator at the viewer's left; a mirrored page swaps them."""
_AHEAD = Turn()


class Attention:
    """Follows ``turn`` after ``turn``; without one she looks ahead."""

    def __init__(self) -> None:
        self._from, self._to = _AHEAD, _AHEAD
        self._since_s, self._until_s = -math.inf, -math.inf
        self._reads = False

    def turn(self, place: Place, now: float, for_s: float, *, reads: bool = False) -> None:
        """Turn to a place for so many seconds; ``reads``: her eyes go along the lines there."""
        self._shift(PLACES[place], now)
        self._until_s, self._reads = now + for_s, reads

    def end(self, at_s: float) -> None:
        """Let her turn back at this time, if she would not earlier."""
        self._until_s = min(self._until_s, at_s)

    def at(self, now: float) -> Turn:
        """Return how far she is turned."""
        if now >= self._until_s and self._to is not _AHEAD:
            self._shift(_AHEAD, self._until_s)
        turned = self._pose(now)
        if self._reads and self._to is not _AHEAD:
            line, along = divmod((now - self._since_s - EYES_S) / LINE_S, 1.0)
            stop = math.floor(along * STOPS) / (STOPS - 1)
            across = LINE_WIDE * (stop - 0.5) * turned.eyes
            lower = LINE_LOW * min(max(line, 0.0), 3.0) * turned.eyes
            turned = turned._replace(gaze_x=turned.gaze_x + across, gaze_y=turned.gaze_y - lower)
        return turned

    def _shift(self, to: Turn, now: float) -> None:
        self._from, self._to, self._since_s = self._pose(now), to, now

    def _pose(self, now: float) -> Turn:
        since = now - self._since_s
        if since >= max(EYES_S, HEAD_AFTER_S + HEAD_S):
            return self._to
        eyes, head = smooth(since / EYES_S), smooth((since - HEAD_AFTER_S) / HEAD_S)
        shares = (eyes, eyes, eyes, head, head, head)
        return Turn(*(old + (new - old) * share for old, new, share in zip(self._from, self._to, shares, strict=True)))
