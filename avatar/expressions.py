"""What an expression does to the face, and how it comes and goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

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


class Temper(NamedTuple):
    """How long something colours her: seconds in full, seconds until it has faded, and how strongly, 0..1."""

    hold_s: float
    fade_s: float
    strength: float = 1.0


WISHED = Temper(hold_s=60.0, fade_s=30.0)
"""A mood that somebody asked for."""
EVENT_MOODS: dict[str, tuple[str, Temper]] = {
    "raid": ("excited", Temper(20.0, 20.0)),
    "gift": ("excited", Temper(12.0, 15.0)),
    "charity": ("excited", Temper(12.0, 15.0)),
    "hype_train": ("excited", Temper(20.0, 20.0)),
    "hype_train_level": ("excited", Temper(20.0, 20.0)),
    "hype_train_end": ("happy", Temper(10.0, 15.0)),
    "sub": ("happy", Temper(10.0, 12.0)),
    "resub": ("happy", Temper(10.0, 12.0)),
    "cheer": ("happy", Temper(8.0, 10.0)),
    "first_timer": ("happy", Temper(4.0, 6.0, 0.7)),
    "watch_streak": ("happy", Temper(4.0, 6.0, 0.7)),
    "follow": ("happy", Temper(3.0, 5.0, 0.6)),
}
"""What a channel event does to her mood, by the event's name."""


class Undertone:
    """A mood that lies under what she says, and fades."""

    def __init__(self) -> None:
        self._name, self._temper, self._since = "neutral", Temper(0.0, 1.0), -math.inf
        self._old_name, self._old_weight = "neutral", 0.0

    def feel(self, name: str, now: float, temper: Temper) -> None:
        """Take on a mood; the one before leaves first. Raises ``KeyError`` for a name without a look."""
        LOOKS[name]
        self._old_name, self._old_weight = self.at(now)
        self._name, self._temper, self._since = name, temper, now

    def at(self, now: float) -> tuple[str, float]:
        """Return the mood and its weight, 0..1; the weight never jumps."""
        since = now - self._since
        hold_s, fade_s, strength = self._temper
        full = 0.0 if self._name == "neutral" else strength * min(1.0, max(0.0, 1.0 - (since - hold_s) / fade_s))
        if self._old_name == self._name:
            change = min(since / RISE_S, max(-since / RISE_S, full - self._old_weight))
            return self._name, self._old_weight + change
        leaving = self._old_weight - since / RISE_S
        if leaving > 0.0:
            return self._old_name, leaving
        weight = min(full, since / RISE_S - self._old_weight)
        return (self._name, weight) if weight > 0.0 else ("neutral", 0.0)


class Mood:
    """One expression at a time: the old one leaves, the new one rises, and after the last phrase it fades.

    Where it would be neutral, ``undertone`` shows.
    """

    def __init__(self) -> None:
        self.undertone = Undertone()
        self._name = "neutral"
        self._since = -math.inf
        self._from = 0.0
        self._old_name = "neutral"
        self._old_weight = 0.0
        self._released_s = -math.inf
        self._plain_s = -math.inf
        """When the newest neutral moment began."""

    def set(self, name: str, now: float) -> None:
        """Take on an expression, kept until ``release``. Raises ``KeyError`` for a name without a look."""
        LOOKS[name]
        shown, weight = self._linear(now)
        if name == "neutral" and self._is_plain(now):
            self._name, self._since, self._old_weight = "neutral", -math.inf, 0.0
        else:
            if shown == name:
                self._from, self._old_weight = weight, 0.0
            else:
                self._from, self._old_name, self._old_weight = 0.0, shown, weight
            self._name, self._since = name, now
            self._plain_s = now + self._old_weight * RISE_S if name == "neutral" else math.inf
        self._released_s = math.inf

    def keep(self, now: float) -> None:
        """She speaks: what she shows stays until ``release``."""
        self.set("neutral" if self._is_plain(now) else self._linear(now)[0], now)

    def release(self, now: float) -> None:
        """The last phrase has ended: hold a little, then fade to neutral."""
        if now < self._released_s:
            self._released_s = now
            if self._name != "neutral":
                self._plain_s = now + HOLD_S + DECAY_S

    def at(self, now: float) -> tuple[str, float]:
        """Return the expression to show and its weight, 0..1; the weight never jumps."""
        name, weight = self._linear(now)
        return name, smooth(weight)

    def _is_plain(self, now: float) -> bool:
        return now >= self._plain_s

    def _linear(self, now: float) -> tuple[str, float]:
        under, below = self.undertone.at(now)
        if self._is_plain(now):
            weight = below if under == self._name else min(below, (now - self._plain_s) / RISE_S)
            return (under, weight) if weight > 0.0 else ("neutral", 0.0)
        leaving = self._old_weight - (now - self._since) / RISE_S
        if leaving > 0.0:
            return self._old_name, leaving
        risen = min(1.0, self._from + (now - self._since) / RISE_S - self._old_weight)
        faded = 1.0 - (now - self._released_s - HOLD_S) / DECAY_S
        weight = min(risen, max(faded, below if under == self._name else 0.0))
        return (self._name, weight) if weight > 0.0 else ("neutral", 0.0)
