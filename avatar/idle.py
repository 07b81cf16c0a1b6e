"""Idle life: what a body does without deciding to. Everything follows from a seed and the time asked for.

A face that is asked 30, 60 or 5 times a second lives the same life; a long gap is simply skipped. The rates are those
of people at rest: a blink every 2 to 6 s of 120 to 180 ms, a breath every 3.3 to 5 s, a new gaze every 1 to 4 s.
"""

from __future__ import annotations

import math
import random

from avatar.expressions import smooth

BLINK_EVERY_S = (2.0, 6.0)
BLINK_S = (0.12, 0.18)
GAZE_EVERY_S = (1.0, 4.0)
SACCADE_S = 0.05
BREATH_HZ = 0.25
NOD_EVERY_S = (1.0, 3.0)
NOD_S = (0.45, 0.7)
GLANCE_EVERY_S = (2.4, 6.0)
GLANCE_S = (0.5, 1.1)
ACCENT_S = 0.42
ACCENT_REST_S = 0.9
"""From one accent to the next at least: people do not nod with every word."""
ACCENT_CHANCE, FLASH_CHANCE = 0.65, 0.4
FLASH_S = 0.6
_SKIPPED_S = 60.0
"""After a gap of this length the moments in between are not made up for."""


class Wander:
    """A smooth random walk within -1..1 that never comes back on itself: cubic B-splines through seeded points."""

    def __init__(self, seed: str, every_s: float) -> None:
        """``every_s``: seconds from one point to the next."""
        self._seed = seed
        self._every_s = every_s
        self._piece: int | None = None
        self._cubic = (0.0, 0.0, 0.0, 0.0)

    def at(self, now: float) -> float:
        """Return the place at a time; its slope is at most ``2 / every_s`` a second."""
        place = now / self._every_s
        piece = math.floor(place)
        if piece != self._piece:
            self._piece = piece
            a, b, c, d = (self._point(piece + step) for step in range(4))
            self._cubic = ((a + 4 * b + c) / 6, (c - a) / 2, (a - 2 * b + c) / 2, (d - 3 * c + 3 * b - a) / 6)
        u = place - piece
        c0, c1, c2, c3 = self._cubic
        return c0 + u * (c1 + u * (c2 + u * c3))

    def _point(self, index: int) -> float:
        return random.Random(f"{self._seed}/{index}").uniform(-1.0, 1.0)


class Sway:
    """A slow wander with a quicker, smaller one on it: how a head or a body drifts, within -1..1."""

    def __init__(self, seed: str, every_s: float) -> None:
        self._slow = Wander(f"{seed}/slow", every_s)
        self._quick = Wander(f"{seed}/quick", every_s * 0.37)

    def at(self, now: float) -> float:
        """Return the place at a time."""
        return 0.75 * self._slow.at(now) + 0.25 * self._quick.at(now)


class Breath:
    """A breath 0 (out) .. 1 (in) at 0.2 to 0.3 a second, never quite evenly."""

    _EVERY_S = 8.0
    # A wander's slope is at most 2 / every_s: with this many cycles of drift the rate stays within 0.05 Hz of the mean.
    _DRIFT_CYCLES = 0.05 * _EVERY_S / 2

    def __init__(self, seed: str) -> None:
        self._drift = Wander(f"{seed}/breath", self._EVERY_S)

    def at(self, now: float) -> float:
        """Return how far the breath is in."""
        phase = 2.0 * math.pi * (BREATH_HZ * now + self._DRIFT_CYCLES * self._drift.at(now))
        return 0.5 - 0.5 * math.cos(phase + 0.35 * math.sin(phase))


class _Moments:
    """Things that happen now and then: each draws how it goes and how long it is until the next one starts."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._start = -math.inf
        self._next: float | None = None

    def _reach(self, now: float) -> float:
        """Let everything due until ``now`` happen; return the seconds since the newest one started."""
        if self._next is None or now - self._next > _SKIPPED_S:
            self._next = now + self._draw()
        while now >= self._next:
            self._start = self._next
            self._next += self._draw()
        return now - self._start

    def _draw(self) -> float:
        raise NotImplementedError


class Blinks(_Moments):
    """Blinks at log-normal intervals, one in seven of them double."""

    _PAUSE_S = 0.06

    def at(self, now: float) -> float:
        """Return how far the lids are down, 0..1."""
        since = self._reach(now)
        if since < self._first_s:
            return self._lid(since / self._first_s)
        since -= self._first_s + self._PAUSE_S
        return self._lid(since / self._second_s) if 0.0 <= since < self._second_s else 0.0

    def soon(self, now: float) -> None:
        """Bring a blink that is nearly due forward to now: people blink between phrases."""
        since = self._reach(now)
        if self._next is not None and self._next - now < BLINK_EVERY_S[0] / 2 and since > BLINK_EVERY_S[0] / 2:
            self._next = now

    def _draw(self) -> float:
        self._first_s = self._random.uniform(*BLINK_S)
        self._second_s = self._random.uniform(*BLINK_S) if self._random.random() < 1 / 7 else 0.0
        while True:
            interval = self._random.lognormvariate(math.log(3.4), 0.4)
            if BLINK_EVERY_S[0] <= interval <= BLINK_EVERY_S[1]:
                return interval

    @staticmethod
    def _lid(share: float) -> float:
        """Lids fall quicker than they rise."""
        return smooth(share / 0.4) if share < 0.4 else smooth((1.0 - share) / 0.6)


class Saccades(_Moments):
    """Eyes that rest on a point, then jump to the next; mostly near the middle, where the viewer is."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self._from = self._to = (0.0, 0.0)

    def at(self, now: float) -> tuple[float, float]:
        """Return where the eyes look, each axis -1..1."""
        share = smooth(self._reach(now) / SACCADE_S)
        (x0, y0), (x1, y1) = self._from, self._to
        return x0 + (x1 - x0) * share, y0 + (y1 - y0) * share

    def _draw(self) -> float:
        self._from, self._to = self._to, (self._near(), self._near())
        return self._random.uniform(*GAZE_EVERY_S)

    def _near(self) -> float:
        return max(-1.0, min(1.0, self._random.gauss(0.0, 0.4)))


class Glances(_Moments):
    """Short looks aside while she speaks: the eyes first, the head a little after them."""

    _EYES_S, _HEAD_S, _AFTER_S = 0.06, 0.35, 0.05

    def at(self, now: float) -> tuple[float, float]:
        """Return how far the eyes and the head are turned, 0..1 each."""
        since = self._reach(now)
        eyes = smooth(since / self._EYES_S) * (1.0 - smooth((since - self._length_s) / self._EYES_S))
        since -= self._AFTER_S
        head = smooth(since / self._HEAD_S) * (1.0 - smooth((since - self._length_s) / self._HEAD_S))
        return eyes, head

    def _draw(self) -> float:
        self._length_s = self._random.uniform(*GLANCE_S)
        return self._random.uniform(*GLANCE_EVERY_S)


class Accents:
    """Nods and lifted brows on stressed words, not on every one."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._since_s = -math.inf
        self._depth = self._flash = 0.0

    def beat(self, now: float) -> None:
        """A word that may be stressed begins."""
        if now - self._since_s < ACCENT_REST_S or self._random.random() > ACCENT_CHANCE:
            return
        self._since_s = now
        self._depth = self._random.uniform(0.45, 1.0)
        self._flash = self._random.uniform(0.5, 1.0) if self._random.random() < FLASH_CHANCE else 0.0

    def at(self, now: float) -> tuple[float, float]:
        """Return how far the head is down in a nod and how far the brows are up, 0..1 each."""
        since = now - self._since_s
        nod = math.sin(math.pi * since / ACCENT_S) ** 2 if since < ACCENT_S else 0.0
        flash = math.sin(math.pi * since / FLASH_S) ** 2 if since < FLASH_S else 0.0
        return self._depth * nod, self._flash * flash


class Nods(_Moments):
    """Small nods, deeper and shallower."""

    def at(self, now: float) -> float:
        """Return how far the head is down in a nod, 0..1."""
        share = self._reach(now) / self._length_s
        return self._depth * math.sin(math.pi * share) ** 2 if share < 1.0 else 0.0

    def _draw(self) -> float:
        self._length_s = self._random.uniform(*NOD_S)
        self._depth = self._random.uniform(0.4, 1.0)
        return self._random.uniform(*NOD_EVERY_S)
