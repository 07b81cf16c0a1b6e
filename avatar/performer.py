"""The performer: what her face does at a time, out of idle life, what she is doing, her expression and her mouth."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, NamedTuple

from avatar.expressions import LOOKS, Mood, smooth
from avatar.idle import Blinks, Breath, Nods, Saccades, Sway
from avatar.lipsync import MouthShape

CHANGE_S = 0.4
"""How long it takes to change from one manner to another."""
REDUCED = 0.3
"""Share of the motion that is left for people whom motion makes unwell."""


class Manner(NamedTuple):
    """How she carries herself while she does something. Angles in degrees, gaze and sway -1..1."""

    head: float
    """Farthest that the head drifts."""
    sway: float
    nod: float
    """Depth of a nod."""
    gaze_spread: float
    """How far the eyes wander from ``gaze_x``, ``gaze_y``."""
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    smile: float = 0.1
    brow: float = 0.0
    lids: float = 0.0


MANNERS: dict[str, Manner] = {
    "idle": Manner(head=3.0, sway=0.5, nod=0.0, gaze_spread=0.5),
    "listening": Manner(head=1.8, sway=0.3, nod=3.0, gaze_spread=0.15, brow=0.2),
    "thinking": Manner(
        head=2.2, sway=0.3, nod=0.0, gaze_spread=0.15, gaze_x=0.45, gaze_y=0.5, yaw=5.0, pitch=3.0, brow=0.15
    ),
    "speaking": Manner(head=4.5, sway=0.8, nod=2.5, gaze_spread=0.3, smile=0.15),
    "muted": Manner(head=2.5, sway=0.4, nod=0.0, gaze_spread=0.5),
    "paused": Manner(head=1.2, sway=0.2, nod=0.0, gaze_spread=0.1, gaze_y=-0.2, pitch=-3.0, smile=0.0, lids=0.3),
}


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """The whole face at one time; right and up are the viewer's."""

    blink: tuple[float, float]
    """Left and right lid: 0 open .. 1 shut."""
    gaze: tuple[float, float]
    """-1..1: x to the right, y up."""
    head: tuple[float, float, float]
    """Degrees: yaw to the right, pitch up, roll clockwise."""
    sway: tuple[float, float]
    """Body, -1..1: x to the right, y up."""
    breath: float
    """0 out .. 1 in."""
    brow: float
    """-1 drawn down .. 1 raised."""
    smile: float
    """-1 .. 1: what the expression adds to the mouth."""
    expression: str
    weight: float
    """Of the expression, 0..1."""
    mouth: MouthShape

    def message(self) -> dict[str, Any]:
        """Return the pages' ``face`` message: everything but the mouth, which follows the sound by itself."""
        return {
            "type": "face",
            "blink": [round(lid, 3) for lid in self.blink],
            "gaze": [round(axis, 3) for axis in self.gaze],
            "head": [round(angle, 3) for angle in self.head],
            "breath": round(self.breath, 3),
            "brow": round(self.brow, 3),
            "sway": [round(axis, 3) for axis in self.sway],
            "expression": self.expression,
            "weight": round(self.weight, 3),
        }


class Performer:
    """Decides the face for every sink alike. Times are ``time.monotonic()`` and never go back."""

    def __init__(self, seed: int, reduced_motion: bool = False) -> None:
        self._motion = REDUCED if reduced_motion else 1.0
        self._random = random.Random(seed)
        self._blinks = Blinks(f"{seed}/blinks")
        self._saccades = Saccades(f"{seed}/gaze")
        self._nods = Nods(f"{seed}/nods")
        self._breath = Breath(f"{seed}")
        self._yaw, self._pitch, self._roll = (Sway(f"{seed}/{axis}", 2.3) for axis in ("yaw", "pitch", "roll"))
        self._sway_x, self._sway_y = Sway(f"{seed}/x", 4.1), Sway(f"{seed}/y", 3.7)
        self._mood = Mood()
        self._state = "idle"
        self._from = self._to = MANNERS["idle"]
        self._changed_s = float("-inf")

    def set_state(self, state: str, now: float) -> None:
        """She does something else now: one of ``MANNERS``."""
        if state == self._state:
            return
        manner = MANNERS[state]
        if state == "thinking" and self._random.random() < 0.5:
            manner = manner._replace(gaze_x=-manner.gaze_x, yaw=-manner.yaw)
        if state == "speaking":
            self._mood.keep(now)
        elif self._state == "speaking":
            self._mood.release(now)
        self._from, self._to, self._changed_s = self._manner(now), manner, now
        self._state = state

    def set_expression(self, name: str, now: float) -> None:
        """A phrase starts, or the operator asks: one of ``bot.vocabulary.EXPRESSIONS``."""
        self._mood.set(name, now)
        if self._state == "speaking":
            self._blinks.soon(now)
        else:
            self._mood.release(now)

    def frame(self, now: float, mouth: MouthShape) -> FaceFrame:
        """Return the face at a time, with the mouth that belongs to it."""
        manner = self._manner(now)
        expression, weight = self._mood.at(now)
        look = LOOKS[expression]
        motion = self._motion
        turn = motion * manner.head * (1.0 + (look.energy - 1.0) * weight)
        lids = min(1.0, manner.lids + look.lids * weight)
        lid = lids + (1.0 - lids) * self._blinks.at(now)
        eye_x, eye_y = self._saccades.at(now)
        spread = motion * manner.gaze_spread
        # A smile would spoil a rounded mouth, the shape that viewers read best.
        rounded = 0.5 * min(1.0, max(0.0, -mouth.form - 0.2) / 0.4)
        return FaceFrame(
            blink=(lid, lid),
            gaze=(
                _within(manner.gaze_x + spread * eye_x),
                _within(manner.gaze_y + look.gaze_y * weight + spread * eye_y),
            ),
            head=(
                motion * manner.yaw + turn * self._yaw.at(now),
                motion * (manner.pitch + look.pitch * weight - manner.nod * self._nods.at(now))
                + 0.7 * turn * self._pitch.at(now),
                motion * look.roll * weight + 0.8 * turn * self._roll.at(now),
            ),
            sway=(motion * manner.sway * self._sway_x.at(now), motion * manner.sway * self._sway_y.at(now)),
            breath=self._breath.at(now),
            brow=_within(manner.brow + look.brow * weight),
            smile=_within((manner.smile + look.smile * weight) * (1.0 - rounded)),
            expression=expression,
            weight=weight,
            mouth=mouth,
        )

    def _manner(self, now: float) -> Manner:
        share = smooth((now - self._changed_s) / CHANGE_S)
        if share >= 1.0:
            return self._to
        return Manner(*(old + (new - old) * share for old, new in zip(self._from, self._to, strict=True)))


def _within(value: float) -> float:
    return max(-1.0, min(1.0, value))
