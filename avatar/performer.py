"""The performer: what her face does at a time, out of idle life, what she is doing, her expression and her mouth."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, NamedTuple

from avatar.attention import Attention, Place
from avatar.expressions import EVENT_MOODS, LOOKS, WISHED, Mood, smooth
from avatar.idle import Accents, Blinks, Breath, Glances, Nods, Saccades, Sway
from avatar.lipsync import MouthShape

CHANGE_S = 0.4
"""How long it takes to change from one manner to another."""
REDUCED = 0.3
"""Share of the motion that is left for people whom motion makes unwell."""
GLANCE_S = (0.7, 1.3)
GLANCE_REST_S = 5.0
"""From one glance at new chat to the next: in a quick chat she would do nothing else."""
READ_S = (0.8, 2.2)
LETTERS_PER_S = 60.0
"""A quick reader's; a longer message is not read to its end before she begins to think."""
HEED_S = 1.6
"""How long she looks at the operator who says something."""
SETTLES = 0.3
"""Share of a look aside that the eyes give back once the head has followed."""
LOOKS_UP_S = 0.25
"""From her first sound to her eyes leaving what she read."""
STRESSED_LETTERS = 5
"""A word of so many letters may carry an accent of the sentence."""


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
    glance: float = 0.0
    """How far she turns in a glance at whom she speaks to."""
    accent: float = 0.0
    """Depth of a nod on a stressed word."""
    flash: float = 0.0
    """How far the brows rise with some of these words."""


MANNERS: dict[str, Manner] = {
    "idle": Manner(head=4.5, sway=0.7, nod=0.0, gaze_spread=0.5),
    "listening": Manner(head=2.5, sway=0.4, nod=3.0, gaze_spread=0.15, brow=0.2),
    "thinking": Manner(
        head=2.6, sway=0.4, nod=0.0, gaze_spread=0.15, gaze_x=0.45, gaze_y=0.5, yaw=6.0, pitch=4.0, brow=0.15
    ),
    "speaking": Manner(head=7.5, sway=1.0, nod=1.0, gaze_spread=0.3, smile=0.15, glance=0.75, accent=4.5, flash=0.4),
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
        self._accents = Accents(f"{seed}/accents")
        self._attention, self._partner = Attention(), Attention()
        self._glances = Glances(f"{seed}/glances")
        self._glanced_s = float("-inf")
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
            self._attention.end(now + LOOKS_UP_S)
        elif self._state == "speaking":
            self._mood.release(now)
            self._blinks.soon(now)
        if state == "listening":
            self._turn("operator", now, float("inf"))
        elif self._state == "listening":
            self._attention.end(now + LOOKS_UP_S)
        self._from, self._to, self._changed_s = self._manner(now), manner, now
        self._state = state

    def notices(self, kind: str, event: str, now: float) -> None:
        """Something was said or done to her (``Heard.kind``, ``Heard.event``): she looks there, and it may move her."""
        if event in EVENT_MOODS:
            name, temper = EVENT_MOODS[event]
            self._mood.undertone.feel(name, now, temper)
        if kind == "operator":
            self._turn("operator", now, HEED_S)
        elif kind in ("chat", "event") and self._state in ("idle", "muted") and now - self._glanced_s > GLANCE_REST_S:
            self._glanced_s = now
            self._turn("chat", now, self._random.uniform(*GLANCE_S), reads=True)

    def answers(self, mode: str, letters: int, now: float) -> None:
        """She is going to answer (``Cue.mode``): chat she reads first, so many letters; then she glances there."""
        if mode == "operator":
            self._partner.turn("operator", now, float("inf"))
        elif mode in ("chat_one", "chat_many", "event"):
            self._partner.turn("chat", now, float("inf"))
            shortest, longest = READ_S
            self._turn("chat", now, min(shortest + letters / LETTERS_PER_S, longest), reads=True)
        else:
            self._partner.end(now)

    def feels(self, name: str, now: float) -> None:
        """Somebody wishes her this mood: it lies under all that she does for a while. Raises ``KeyError``."""
        self._mood.undertone.feel(name, now, WISHED)

    def says(self, letters: int, now: float) -> None:
        """A word of so many letters begins to sound: a long one may get an accent, of the head and of the brows."""
        if letters >= STRESSED_LETTERS:
            self._accents.beat(now)

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
        turned, aside = self._attention.at(now), self._partner.at(now)
        glance_eyes, glance_head = self._glances.at(now)
        eyes, head = manner.glance * glance_eyes, manner.glance * glance_head
        nod, flash = self._accents.at(now)
        eye_x, eye_y = self._saccades.at(now)
        spread = motion * manner.gaze_spread
        free = 1.0 - turned.eyes
        drift = spread * (1.0 - 0.5 * turned.eyes)
        settled = 1.0 - SETTLES * turned.head
        gaze_x = settled * turned.gaze_x + free * (manner.gaze_x + eyes * aside.gaze_x) + drift * eye_x
        gaze_y = turned.gaze_y + free * (manner.gaze_y + look.gaze_y * weight + eyes * aside.gaze_y) + drift * eye_y
        free = 1.0 - turned.head
        yaw = turned.yaw + free * (manner.yaw + head * aside.yaw)
        pitch = turned.pitch + free * (manner.pitch + head * aside.pitch)
        pitch += look.pitch * weight - manner.nod * self._nods.at(now) - manner.accent * nod
        # A smile would spoil a rounded mouth, the shape that viewers read best.
        rounded = 0.5 * min(1.0, max(0.0, -mouth.form - 0.2) / 0.4)
        return FaceFrame(
            blink=(lid, lid),
            gaze=(_within(gaze_x), _within(gaze_y)),
            head=(
                motion * yaw + turn * self._yaw.at(now),
                motion * pitch + 0.7 * turn * self._pitch.at(now),
                motion * look.roll * weight + 0.8 * turn * self._roll.at(now),
            ),
            sway=(motion * manner.sway * self._sway_x.at(now), motion * manner.sway * self._sway_y.at(now)),
            breath=self._breath.at(now),
            brow=_within(manner.brow + look.brow * weight + manner.flash * flash),
            smile=_within((manner.smile + look.smile * weight) * (1.0 - rounded)),
            expression=expression,
            weight=weight,
            mouth=mouth,
        )

    def _turn(self, place: Place, now: float, for_s: float, *, reads: bool = False) -> None:
        self._attention.turn(place, now, for_s, reads=reads)
        self._blinks.soon(now)

    def _manner(self, now: float) -> Manner:
        share = smooth((now - self._changed_s) / CHANGE_S)
        if share >= 1.0:
            return self._to
        return Manner(*(old + (new - old) * share for old, new in zip(self._from, self._to, strict=True)))


def _within(value: float) -> float:
    return max(-1.0, min(1.0, value))
