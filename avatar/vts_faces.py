"""What VTube Studio's tracking parameters must be so that the model shows a face frame. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from avatar.expressions import LOOKS
from avatar.performer import FaceFrame

MouthMode = Literal["open_form", "vowels", "both"]

EYE_OPEN = 0.73
"""``EyeOpenLeft`` of an eye at rest: the automatic set-up maps 0.2..1 to a Live2D eye of 0..1.5, where 1 is at rest."""
EYE_WIDE = 0.2
"""What fully raised brows add to it."""
EYE_X_SIGN = -1.0
"""The automatic set-up turns the eyes' X around; without this the eyes look away from where the head turns."""
SWAY_X, SWAY_Y = 4.0, 1.5
"""Of ``FacePositionX`` (range 15 to each side) and ``FacePositionY`` at full sway: a shift of weight, not a step."""
SHAPED = 0.15
"""From this opening on a vowel is shown in full, and ``VoiceSilence`` is 0."""

VOWELS = ("VoiceA", "VoiceI", "VoiceU", "VoiceE", "VoiceO")
SILENCE = "VoiceSilence"
"""Models with advanced lip sync show vowels only where this is 0, and the plain mouth only where it is 1."""
BREATH = "AneekaBreath"
CUSTOM = {BREATH: "breath, 0 out, 1 in"} | {
    f"Aneeka{name.capitalize()}": f"how {name} she looks" for name in LOOKS if name != "neutral"
}
"""Parameters of our own, 0..1, that the user may map to anything. Nothing depends on them."""

Inputs = Mapping[str, tuple[float, float]]
"""Parameters that VTube Studio offers, with the ends of their range."""


def parameters(face: FaceFrame, inputs: Inputs, mouth: MouthMode = "both", opening: float = 1.0) -> dict[str, float]:
    """Return the value of every parameter that is offered, within its range.

    ``opening`` 0..1 scales the mouth: 0 is shut.
    """
    shape = face.mouth
    opened = shape.open * opening
    smile = 0.5 + 0.5 * (shape.form * opening + face.smile)
    left, right = face.blink
    eye = EYE_OPEN + EYE_WIDE * max(0.0, face.brow)
    gaze_x, gaze_y = EYE_X_SIGN * face.gaze[0], face.gaze[1]
    brow = 0.5 + 0.5 * face.brow
    values = {
        "FaceAngleX": face.head[0],
        "FaceAngleY": face.head[1],
        "FaceAngleZ": face.head[2],
        "FacePositionX": SWAY_X * face.sway[0],
        "FacePositionY": SWAY_Y * face.sway[1],
        # "Left" is the model's own; the frame's left is the viewer's.
        "EyeOpenLeft": eye * (1.0 - right),
        "EyeOpenRight": eye * (1.0 - left),
        "EyeLeftX": gaze_x,
        "EyeRightX": gaze_x,
        "EyeLeftY": gaze_y,
        "EyeRightY": gaze_y,
        "Brows": brow,
        "BrowLeftY": brow,
        "BrowRightY": brow,
        BREATH: face.breath,
    }
    values |= {name: 0.0 for name in CUSTOM if name != BREATH}
    if face.expression != "neutral":
        values[f"Aneeka{face.expression.capitalize()}"] = face.weight
    with_vowels = mouth != "open_form" and SILENCE in inputs
    if mouth != "vowels" or not with_vowels:
        values |= dict.fromkeys(("MouthOpen", "VoiceVolumePlusMouthOpen"), opened)
    values |= dict.fromkeys(("MouthSmile", "VoiceFrequencyPlusMouthSmile"), smile)
    if with_vowels:
        values |= dict(zip(VOWELS, _vowels(shape.vowels, opening), strict=True))
        values[SILENCE] = 1.0 - min(1.0, max(opened, sum(shape.vowels) * opening) / SHAPED)
    return {name: _within(value, *inputs[name]) for name, value in values.items() if name in inputs}


def _vowels(weights: tuple[float, ...], opening: float) -> list[float]:
    """Keep the two strongest, with a sum of 1 at most: VTube Studio itself mixes no more."""
    least = sorted(weights)[-2]
    kept: list[float] = []
    for weight in weights:
        kept.append(weight if weight >= least and sum(w > 0 for w in kept) < 2 else 0.0)
    return [weight * opening / max(1.0, sum(kept)) for weight in kept]


def _within(value: float, low: float, high: float) -> float:
    return round(max(low, min(high, value)), 4) if low < high else round(value, 4)
