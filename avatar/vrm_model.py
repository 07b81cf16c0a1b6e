"""Reads from a .vrm file what VMC receivers want to know of it: the version of its names, and where its bones rest."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatar.vmc_face import Names, Place
from bot.texts import text

_HEADER = struct.Struct("<4sII")
_CHUNK = struct.Struct("<II")
_JSON = 0x4E4F534A
_JSON_MOST = 64 * 2**20
"""Bytes; a model's description has a few hundred kilobytes."""


class NotVrm(Exception):
    """The file is no VRM model, or cannot be read. ``reason`` is a sentence for people, ``repair`` what to do."""

    def __init__(self, file: Path, cause: str) -> None:
        self.reason = text("vmc.not_vrm", file=file, error=cause)
        self.repair = text("vmc.not_vrm_repair")
        super().__init__(self.reason)


@dataclass(frozen=True, slots=True)
class VrmModel:
    """``names``: version of the shapes' names. ``rest``: metres from each bone to its parent, in Unity's axes."""

    names: Names
    rest: dict[str, Place]


def read_model(file: Path) -> VrmModel:
    """Read a VRM 0.x or 1.0 model (binary glTF 2). Raises ``NotVrm``."""
    try:
        described = _description(file)
        names, nodes = _bones(described)
        rest = {bone: _place(described["nodes"][node], names) for bone, node in nodes}
    except OSError as error:
        raise NotVrm(file, error.strerror or str(error)) from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise NotVrm(file, str(error)) from error
    return VrmModel(names, rest)


def _description(file: Path) -> Any:
    with file.open("rb") as source:
        magic, version, _ = _HEADER.unpack(source.read(_HEADER.size))
        length, kind = _CHUNK.unpack(source.read(_CHUNK.size))
        if (magic, version, kind) != (b"glTF", 2, _JSON) or length > _JSON_MOST:
            raise ValueError("no glTF 2")
        return json.loads(source.read(length))


def _bones(described: Any) -> tuple[Names, Iterator[tuple[str, int]]]:
    """Return the version and each human bone's name, as Unity writes it, with its node."""
    extensions = described["extensions"]
    if "VRMC_vrm" in extensions:
        listed = extensions["VRMC_vrm"]["humanoid"]["humanBones"]
        return "vrm1", ((_unity(bone), int(found["node"])) for bone, found in listed.items())
    listed = extensions["VRM"]["humanoid"]["humanBones"]
    return "vrm0", ((_unity(found["bone"]), int(found["node"])) for found in listed)


def _unity(bone: str) -> str:
    return bone[:1].upper() + bone[1:]


def _place(node: Any, names: Names) -> Place:
    """Return where a node is in its parent. glTF is right-handed; a VRM 0 model faces -z there, a VRM 1 model +z."""
    x, y, z = (
        float(axis) for axis in (node["matrix"][12:15] if "matrix" in node else node.get("translation", (0, 0, 0)))
    )
    return (x, y, -z) if names == "vrm0" else (-x, y, z)
