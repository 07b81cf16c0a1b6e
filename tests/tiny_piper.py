"""A voice of Piper without weights from anywhere: its real files and names, and a sound whose plan is known.

The graph has Piper's inputs and outputs. How long each phoneme lasts comes out of one Ceil node, as in a real voice,
and the sound is a tone for exactly so long: loud for vowels, silent for p, b, m, punctuation and blanks.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

RATE_HZ, HOP = 22_050, 256
TONE_HZ = 220.0
SILENT = " _^$.,;:!?¡¿pbmβ"
FRAMES: dict[str, float] = {"_": 0.0, "^": 1.2, "$": 3.0, " ": 1.5, "ˈ": 0.6, "ː": 1.0, ",": 12.0, ".": 4.0}
"""How long a phoneme lasts in hops, before Ceil; every other 5.2."""


def write(folder: Path, name: str = "tiny", *, espeak: str = "es-419", speakers: tuple[str, ...] = ()) -> Path:
    """Write a voice as it is downloaded, a folder with its model and what stands beside it; return the folder."""
    (folder / name).mkdir(parents=True)
    onnx.save(_graph(speakers), str(folder / name / f"{name}.onnx"))
    config = {
        "audio": {"sample_rate": RATE_HZ, "quality": "low"},
        "espeak": {"voice": espeak},
        "language": {"code": "es_MX" if espeak.startswith("es") else "en_US"},
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
        "num_symbols": 256,
        "num_speakers": max(1, len(speakers)),
        "speaker_id_map": {speaker: number for number, speaker in enumerate(speakers)},
    }
    (folder / name / f"{name}.onnx.json").write_text(json.dumps(config), encoding="utf-8")
    return folder / name


def _graph(speakers: tuple[str, ...]) -> onnx.ModelProto:
    frames, loudness = np.full(256, 5.2, np.float32), np.full(256, 0.3, np.float32)
    for phoneme, ids in DEFAULT_PHONEME_ID_MAP.items():
        frames[ids[0]] = FRAMES.get(phoneme, 5.2)
        loudness[ids[0]] = 0.0 if phoneme in SILENT else 0.3
    constants = {
        "frames": frames,
        "loudness": loudness,
        "tone": np.float32(2 * np.pi * TONE_HZ / RATE_HZ),
        "hop": np.int64(HOP),
        "nothing": np.int64(0),
        "one": np.int64(1),
        "second": np.array([1], np.int64),
        "column": np.array([-1, 1], np.int64),
        "row": np.array([1, -1], np.int64),
        "flat": np.array([-1], np.int64),
        "shape": np.array([1, 1, 1, -1], np.int64),
        "a_hop": np.ones((1, HOP), np.float32),
    }
    nodes = [
        ("Gather", ["scales", "one"], "length_scale"),
        ("Reshape", ["input", "flat"], "ids"),
        ("Gather", ["frames", "ids"], "plain"),
        ("Mul", ["plain", "length_scale"], "long"),
        ("Ceil", ["long"], "w_ceil"),
        ("Cast", ["w_ceil"], "whole", {"to": TensorProto.INT64}),
        ("CumSum", ["whole", "nothing"], "ends"),
        ("ReduceSum", ["whole"], "sum", {"keepdims": 0}),
        ("Range", ["nothing", "sum", "one"], "hops"),
        ("Reshape", ["hops", "column"], "hops_down"),
        ("Reshape", ["ends", "row"], "ends_across"),
        ("GreaterOrEqual", ["hops_down", "ends_across"], "past"),
        ("Cast", ["past"], "past_count", {"to": TensorProto.INT64}),
        ("ReduceSum", ["past_count", "second"], "which", {"keepdims": 0}),
        ("Gather", ["ids", "which"], "sounding"),
        ("Gather", ["loudness", "sounding"], "loud"),
        ("Reshape", ["loud", "column"], "loud_down"),
        ("Mul", ["loud_down", "a_hop"], "loud_hops"),
        ("Reshape", ["loud_hops", "flat"], "level"),
        ("Mul", ["sum", "hop"], "samples"),
        ("Range", ["nothing", "samples", "one"], "at"),
        ("Cast", ["at"], "time", {"to": TensorProto.FLOAT}),
        ("Mul", ["time", "tone"], "phase"),
        ("Sin", ["phase"], "wave"),
        ("Mul", ["wave", "level"], "sound"),
        ("Reshape", ["sound", "shape"], "output"),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, None]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if speakers:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
    graph = helper.make_graph(
        [helper.make_node(kind, given, [made], **(how[0] if how else {})) for kind, given, made, *how in nodes],
        "tiny",
        inputs,
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, None])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
