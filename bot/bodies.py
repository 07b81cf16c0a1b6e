"""Her bodies beside her own page: the programs that show her, as the settings ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from avatar.performer import FaceFrame
from avatar.vmc import Vmc
from avatar.vtube_studio import VTubeStudio
from bot.config.settings import Settings
from bot.engines import Part
from bot.supervisor import Board


@dataclass(frozen=True, slots=True)
class Body:
    """One program: ``show`` takes a face and its time, and never waits. ``offset_s``: how much later the mouth is."""

    part: Part
    show: Callable[[FaceFrame, float], None]
    offset_s: float = 0.0


def build_bodies(settings: Settings, board: Board, data: Path, clock: Callable[[], float]) -> dict[str, Body]:
    """Return the bodies by name, not yet started. ``data``: the folder for VTube Studio's token."""
    bodies: dict[str, Body] = {}
    outputs, chosen = settings.avatar.outputs, settings.avatar
    if "vtube_studio" in outputs:
        studio = VTubeStudio(
            chosen.vtube_studio.url,
            data / "vtube_studio.token",
            board.report,
            clock,
            offset_ms=chosen.vtube_studio.offset_ms,
        )
        bodies["vtube_studio"] = Body(studio, lambda face, at_s: studio.show(face), studio.offset_s)
    if "vmc" in outputs:
        vmc = Vmc(chosen.vmc.host, chosen.vmc.port, chosen.vmc.names, board.report, clock)
        bodies["vmc"] = Body(vmc, vmc.send)
    return bodies
