"""Her face and upper body in the words of VRM: blend shapes by name, and bones by Unity's axes.

Unity's axes are left-handed: x to her right, y up, z forward. Turning is positive to her right about y, downwards about
x, and towards her left shoulder about z. A ``FaceFrame`` speaks as its viewer sees her: the viewer's right is her left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from avatar.performer import FaceFrame

Names = Literal["vrm0", "vrm1"]
Body = Literal["face", "upper", "arms"]
"""``face``: shapes alone; ``upper``: head, neck, eyes, chest and spine too; ``arms``: and arms that hang down."""
Place = tuple[float, float, float]

SHAPES: dict[Names, tuple[str, ...]] = {
    "vrm0": (
        *("A", "I", "U", "E", "O"),
        *("Blink", "Blink_L", "Blink_R"),
        *("Neutral", "Joy", "Angry", "Sorrow", "Fun", "Surprised"),
        *("LookUp", "LookDown", "LookLeft", "LookRight"),
    ),
    "vrm1": (
        *("aa", "ih", "ou", "ee", "oh"),
        *("blink", "blinkLeft", "blinkRight"),
        *("neutral", "happy", "angry", "sad", "relaxed", "surprised"),
        *("lookUp", "lookDown", "lookLeft", "lookRight"),
    ),
}
"""Names in the order of ``shapes``. VRM 0 has no surprise; models that do call it ``Surprised``."""

_EMOTIONS: dict[str, tuple[float, float, float, float, float]] = {
    # joy, angry, sorrow, fun, surprised; never more than 1 together
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0),
    "happy": (1.0, 0.0, 0.0, 0.0, 0.0),
    "excited": (0.7, 0.0, 0.0, 0.3, 0.0),
    "sad": (0.0, 0.0, 1.0, 0.0, 0.0),
    "angry": (0.0, 1.0, 0.0, 0.0, 0.0),
    "surprised": (0.0, 0.0, 0.0, 0.2, 0.8),  # a model without Surprised still brightens
    "shy": (0.0, 0.0, 0.0, 0.5, 0.0),
}
_UNDER_VOWEL = 0.5
"""Share of an emotion that is left under a wide vowel: the clips of many models move the mouth as well."""

HEAD_SHARE = 0.6
"""Of a turn of the head; the rest is the neck's."""
EYE_DEG = 10.0
"""Farthest turn of an eye: what VRM's own look-at has by default."""
LEAN_DEG, STRETCH_DEG, BREATH_DEG = 2.0, 1.0, 0.6
"""How far sway leans and stretches the spine, and breath lifts the chest, each way."""
ARM_DEG = 70.0
"""From the T-pose to arms that hang."""

BONES: dict[Body, tuple[str, ...]] = {
    "face": (),
    "upper": ("Spine", "Chest", "Neck", "Head", "LeftEye", "RightEye"),
    "arms": ("Spine", "Chest", "Neck", "Head", "LeftEye", "RightEye", "LeftUpperArm", "RightUpperArm"),
}
REST: dict[str, Place] = {
    "Spine": (0.0, 0.06, 0.0),
    "Chest": (0.0, 0.12, 0.0),
    "Neck": (0.0, 0.24, -0.02),
    "Head": (0.0, 0.08, 0.01),
    "LeftEye": (-0.02, 0.06, 0.02),
    "RightEye": (0.02, 0.06, 0.02),
    "LeftUpperArm": (-0.09, 0.0, 0.0),
    "RightUpperArm": (0.09, 0.0, 0.0),
}
"""Metres from a bone to its parent in a person of 1.6 m: for receivers that take positions too. Zeros would pull the
head into the neck there; another model than the sender's is stretched a little."""
ROOT = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def shapes(frame: FaceFrame) -> list[float]:
    """Return the weights, 0..1, in the order of ``SHAPES``."""
    mouth = vowels(frame)
    viewers_left, viewers_right = (share(lid) for lid in frame.blink)
    both = min(viewers_left, viewers_right)
    kept = share(frame.weight) * (1.0 - (1.0 - _UNDER_VOWEL) * min(1.0, max(mouth) / 0.5))
    right, up = frame.gaze
    return [
        *mouth,
        *(both, viewers_right - both, viewers_left - both),
        *(0.0, *(part * kept for part in _EMOTIONS[frame.expression])),
        *(share(up), share(-up), share(right), share(-right)),
    ]


def vowels(frame: FaceFrame) -> list[float]:
    """Return A, I, U, E, O: the two strongest alone, together at most 1. More of them would always look like A."""
    weights = [share(weight) for weight in frame.mouth.vowels]
    strongest = sorted(range(5), key=weights.__getitem__)[-2:]
    scale = 1.0 / max(1.0, sum(weights[index] for index in strongest))
    return [weight * scale if index in strongest else 0.0 for index, weight in enumerate(weights)]


def bones(frame: FaceFrame, body: Body, rest: Mapping[str, Place] = REST) -> list[float]:
    """Return seven numbers a bone of ``BONES[body]``: place in its parent, and rotation x, y, z, w from the T-pose."""
    if body == "face":
        return []
    yaw, pitch, roll = frame.head
    yaw, pitch = -yaw, -pitch
    right, up = frame.gaze
    sway_x, sway_y = frame.sway
    eye = quaternion(-EYE_DEG * right, -EYE_DEG * up, 0.0)
    neck = 1.0 - HEAD_SHARE
    rotations = {
        "Spine": quaternion(0.0, -STRETCH_DEG * sway_y, LEAN_DEG * sway_x),
        "Chest": quaternion(0.0, BREATH_DEG * (1.0 - 2.0 * frame.breath), 0.0),
        "Neck": quaternion(neck * yaw, neck * pitch, neck * roll),
        "Head": quaternion(HEAD_SHARE * yaw, HEAD_SHARE * pitch, HEAD_SHARE * roll),
        "LeftEye": eye,
        "RightEye": eye,
    }
    if body == "arms":
        rotations |= {"LeftUpperArm": quaternion(0.0, 0.0, ARM_DEG), "RightUpperArm": quaternion(0.0, 0.0, -ARM_DEG)}
    return [number for name in BONES[body] for number in (*rest[name], *rotations[name])]


def quaternion(yaw: float, pitch: float, roll: float) -> tuple[float, float, float, float]:
    """Return x, y, z, w of a turn in degrees: roll first, then pitch, then yaw, as Unity does. Its length is 1."""
    half_y, half_p, half_r = (math.radians(angle) / 2 for angle in (yaw, pitch, roll))
    cy, cp, cr = math.cos(half_y), math.cos(half_p), math.cos(half_r)
    sy, sp, sr = math.sin(half_y), math.sin(half_p), math.sin(half_r)
    return (
        cy * sp * cr + sy * cp * sr,
        sy * cp * cr - cy * sp * sr,
        cy * cp * sr - sy * sp * cr,
        cy * cp * cr + sy * sp * sr,
    )


def share(value: float) -> float:
    """Return a value within 0..1; what is no number is 0."""
    return value if 0.0 <= value <= 1.0 else 1.0 if value > 1.0 else 0.0
