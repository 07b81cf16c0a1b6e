"""What an expression does to the face, and how it comes and goes."""

from __future__ import annotations

import math
from dataclasses import dataclass

RISE_S = 0.15
"""From nothing to the full expression; also how quickly the one before it leaves."""
HOLD_S = 3.0
"""How long it stays after the last phrase."""
DECAY_S = 1.5
"""How long it then takes to fade to neutral."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a full expression adds to a neutral face."""

    smile: float = 0.0
    """-1 corners of the mouth down … 1 up."""
    brow: float = 0.0
    """-1 drawn down … 1 raised."""
    lids: float = 0.0
    """0 as open as at rest … 1 shut."""
    pitch: float = 0.0
    """Degrees that the head lifts."""
    roll: float = 0.0
    """Degrees that the head tilts."""
    gaze_y: float = 0.0
    """How far the eyes look up (1) or down (-1)."""
    energy: float = 1.0
    """How much livelier the head moves."""


LOOKS: dict[str, Look] = {
    "neutral": Look(),
    "happy": Look(smile=0.7, brow=0.25, lids=0.15, pitch=1.0, roll=2.0, energy=1.15),
    "excited": Look(smile=0.9, brow=0.7, pitch=2.0, energy=1.5),
    "sad": Look(smile=-0.6, brow=-0.3, lids=0.3, pitch=-4.0, roll=-2.5, gaze_y=-0.3, energy=0.6),
    "angry": Look(smile=-0.5, brow=-0.9, lids=0.15, pitch=-2.0, energy=1.2),
    "surprised": Look(brow=1.0, pitch=2.0, gaze_y=0.1, energy=0.8),
    "shy": Look(smile=0.35, brow=0.15, lids=0.2, pitch=-4.0, roll=4.0, gaze_y=-0.35, energy=0.7),
}
"""One look for every name in ``bot.vocabulary.EXPRESSIONS``."""


def smooth(share: float) -> float:
    """Ease ``share`` (clamped to 0..1) in and out."""
    share = min(1.0, max(0.0, share))
    return share * share * (3.0 - 2.0 * share)


class Mood:
    """One expression at a time: the old one leaves, the new one rises, and after the last phrase it fades."""

    def __init__(self) -> None:
        self._name = "neutral"
        self._since = -math.inf
        self._from = 0.0
        self._old_name = "neutral"
        self._old_weight = 0.0
        self._released_s = -math.inf

    def set(self, name: str, now: float) -> None:
        """Take on an expression, kept until ``release``. Raises ``KeyError`` for a name without a look."""
        LOOKS[name]
        shown, weight = self._linear(now)
        if shown == name:
            self._from, self._old_weight = weight, 0.0
        else:
            self._from, self._old_name, self._old_weight = 0.0, shown, weight
        self._name, self._since, self._released_s = name, now, math.inf

    def keep(self, now: float) -> None:
        """She speaks: what she shows stays until ``release``."""
        self.set(self._linear(now)[0], now)

    def release(self, now: float) -> None:
        """The last phrase has ended: hold a little, then fade to neutral."""
        self._released_s = min(self._released_s, now)

    def at(self, now: float) -> tuple[str, float]:
        """Return the expression to show and its weight, 0..1; the weight never jumps."""
        name, weight = self._linear(now)
        return name, smooth(weight)

    def _linear(self, now: float) -> tuple[str, float]:
        leaving = self._old_weight - (now - self._since) / RISE_S
        if leaving > 0.0:
            return self._old_name, leaving
        if self._name == "neutral":
            return "neutral", 0.0
        risen = min(1.0, self._from + (now - self._since) / RISE_S - self._old_weight)
        faded = 1.0 - (now - self._released_s - HOLD_S) / DECAY_S
        weight = min(risen, faded)
        return (self._name, weight) if weight > 0.0 else ("neutral", 0.0)
