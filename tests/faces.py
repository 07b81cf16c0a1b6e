"""Faces for tests of where she is sent, and the time of their scene."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from avatar.lipsync import MouthShape
from avatar.performer import FaceFrame
from avatar.vmc import NEUTRAL

FRAME_S = 1 / 60


def now() -> float:
    return asyncio.get_running_loop().time()


def speaking(a: float = 0.0, i: float = 0.0, u: float = 0.0, e: float = 0.0, o: float = 0.0) -> FaceFrame:
    return replace(NEUTRAL, mouth=MouthShape(max(a, i, u, e, o), 0.0, (a, i, u, e, o)))
