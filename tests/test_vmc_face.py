"""Her face in the words of VRM: the right names, her own left and right, and rotations as Unity has them."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatar.performer import FaceFrame
from avatar.vmc import NEUTRAL
from avatar.vmc_face import BONES, SHAPES, Body, Names, bones, quaternion, shapes
from avatar.vrm_model import NotVrm, read_model
from bot.vocabulary import EXPRESSIONS
from tests.faces import speaking
from tests.osc_sink import BONES as BONE_NAMES


def named(frame: FaceFrame, names: Names = "vrm0") -> dict[str, float]:
    return dict(zip(SHAPES[names], shapes(frame), strict=True))


def posed(frame: FaceFrame, body: Body = "upper") -> dict[str, list[float]]:
    numbers = bones(frame, body)
    return {name: numbers[7 * at : 7 * at + 7] for at, name in enumerate(BONES[body])}


def turned(rotation: list[float], vector: tuple[float, float, float]) -> np.ndarray[Any, Any]:
    """Where a rotation x, y, z, w takes a vector."""
    axis, w = np.array(rotation[:3]), rotation[3]
    place = np.array(vector)
    return place + 2 * np.cross(axis, np.cross(axis, place) + w * place)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("neutral", {}),
        ("happy", {"Joy": 1.0}),
        ("excited", {"Joy": 0.7, "Fun": 0.3}),
        ("sad", {"Sorrow": 1.0}),
        ("angry", {"Angry": 1.0}),
        ("surprised", {"Surprised": 0.8, "Fun": 0.2}),
        ("shy", {"Fun": 0.5}),
    ],
)
def test_expressions_show_by_their_weight_and_give_way_to_wide_vowels(
    expression: str, wanted: dict[str, float]
) -> None:
    for weight, vowel, kept in [(1.0, 0.0, 1.0), (0.25, 0.0, 0.25), (1.0, 0.8, 0.5), (0.0, 0.0, 0.0)]:
        frame = replace(speaking(a=vowel), expression=expression, weight=weight)
        shown = {name: value for name, value in named(frame).items() if value and name not in "AIUEO"}
        assert shown == pytest.approx({name: value * kept for name, value in wanted.items() if kept})


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_can_be_shown(expression: str) -> None:
    frame = replace(NEUTRAL, expression=expression, weight=1.0)
    assert any(shapes(frame)) == (expression != "neutral")


def test_two_vowels_at_most_and_together_no_more_than_one() -> None:
    assert shapes(speaking(0.9, 0.1, 0.0, 0.3, 0.6))[:5] == pytest.approx([0.6, 0, 0, 0, 0.4])
    assert shapes(speaking(0.5, 0.2))[:5] == [0.5, 0.2, 0, 0, 0]
    assert shapes(speaking(math.nan, 7.0, -1.0))[:5] == [0, 1, 0, 0, 0]


def test_a_rotation_is_the_one_of_unity() -> None:
    assert quaternion(20, -10, 5) == pytest.approx((-0.0782, 0.1766, 0.0579, 0.9795), abs=1e-4)
    assert quaternion(0, 0, 0) == (0, 0, 0, 1)


def test_she_turns_where_the_viewer_sees_her_turn() -> None:
    # Her own right is +x; the viewer's right is -x. She faces +z.
    forward, upward = (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)
    yaw = posed(replace(NEUTRAL, head=(20.0, 0.0, 0.0)))
    assert turned(yaw["Head"][3:], forward)[0] == pytest.approx(-math.sin(math.radians(12)))
    assert turned(yaw["Neck"][3:], forward)[0] == pytest.approx(-math.sin(math.radians(8)))
    pitch = posed(replace(NEUTRAL, head=(0.0, 20.0, 0.0)))
    assert turned(pitch["Head"][3:], forward)[1] > 0.2
    roll = posed(replace(NEUTRAL, head=(0.0, 0.0, 20.0)))
    assert turned(roll["Head"][3:], upward)[0] < -0.2
    eyes = posed(replace(NEUTRAL, gaze=(1.0, 1.0)))
    for eye in ("LeftEye", "RightEye"):
        x, y, _ = turned(eyes[eye][3:], forward)
        assert x == pytest.approx(-0.171, abs=0.003)
        assert y == pytest.approx(0.174, abs=0.003)
    lean = posed(replace(NEUTRAL, sway=(1.0, 1.0)))
    assert turned(lean["Spine"][3:], upward)[0] < 0.0
    assert turned(posed(replace(NEUTRAL, breath=1.0))["Chest"][3:], forward)[1] > 0.0


def test_gaze_and_lids_are_told_by_her_own_sides() -> None:
    shown = named(replace(NEUTRAL, gaze=(0.5, -0.25), blink=(0.2, 0.9)))
    assert (shown["LookLeft"], shown["LookRight"]) == (0.5, 0.0)
    assert (shown["LookUp"], shown["LookDown"]) == (0.0, 0.25)
    assert (shown["Blink"], shown["Blink_L"], shown["Blink_R"]) == pytest.approx((0.2, 0.7, 0.0))


def test_bones_rest_where_a_person_has_them() -> None:
    poses = posed(NEUTRAL, "arms")
    assert all(poses[name][1] > 0.05 for name in ("Spine", "Chest", "Neck", "Head"))
    assert poses["LeftEye"][0] < 0.0 < poses["RightEye"][0]
    assert turned(poses["LeftUpperArm"][3:], (-1.0, 0.0, 0.0))[1] < -0.9
    assert turned(poses["RightUpperArm"][3:], (1.0, 0.0, 0.0))[1] < -0.9


def glb(described: Any) -> bytes:
    text = json.dumps(described).encode()
    text += b" " * (-len(text) % 4)
    return b"glTF" + struct.pack("<IIII", 2, 20 + len(text), len(text), 0x4E4F534A) + text


NODES = [{"translation": [0.1, 1.0, 0.2]}, {"matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0.5, 0.6, 0.7, 1]}, {}]


def test_rest_positions_and_names_come_from_the_model(tmp_path: Path) -> None:
    older, newer = tmp_path / "older.vrm", tmp_path / "newer.vrm"
    listed = [{"bone": "head", "node": 0}, {"bone": "leftEye", "node": 1}, {"bone": "upperChest", "node": 2}]
    older.write_bytes(glb({"nodes": NODES, "extensions": {"VRM": {"humanoid": {"humanBones": listed}}}}))
    by_name = {bone["bone"]: {"node": bone["node"]} for bone in listed}
    newer.write_bytes(glb({"nodes": NODES, "extensions": {"VRMC_vrm": {"humanoid": {"humanBones": by_name}}}}))
    assert read_model(older).names == "vrm0"
    assert read_model(older).rest == {"Head": (0.1, 1, -0.2), "LeftEye": (0.5, 0.6, -0.7), "UpperChest": (0, 0, 0)}
    assert read_model(newer).names == "vrm1"
    assert read_model(newer).rest == {"Head": (-0.1, 1, 0.2), "LeftEye": (-0.5, 0.6, 0.7), "UpperChest": (0, 0, 0)}
    assert set(read_model(newer).rest) <= BONE_NAMES


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"glTF",
        b"PK\x03\x04" + bytes(40),
        glb({}),
        glb([]),
        glb({"extensions": {"VRM": {"humanoid": {"humanBones": [{"bone": "head", "node": 3}]}}}, "nodes": NODES}),
        glb({"extensions": {"VRMC_vrm": {"humanoid": {"humanBones": []}}}, "nodes": NODES}),
        glb(
            {
                "extensions": {"VRM": {"humanoid": {"humanBones": [{"bone": "head", "node": 0}]}}},
                "nodes": [{"translation": [1]}],
            }
        ),
        glb({})[:-2],
    ],
)
def test_what_is_no_model_is_told(tmp_path: Path, data: bytes | None) -> None:
    file = tmp_path / "her.vrm"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(NotVrm) as told:
        read_model(file)
    assert "her.vrm" in told.value.reason
    assert told.value.repair
