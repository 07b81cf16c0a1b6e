"""Her bodies beside her own page: the programs that show her, as the settings ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from avatar.layers import BadLayers, Layer, read_layers
from avatar.performer import FaceFrame
from avatar.vmc import Vmc
from avatar.vmc_face import REST, Names, Place
from avatar.vrchat import VrChat
from avatar.vrm_model import NotVrm, read_model
from avatar.vtube_studio import VTubeStudio
from bot.config.settings import Settings
from bot.engines import Part
from bot.supervisor import Board
from bot.texts import text
from bot.vocabulary import Health

PERMIT_FILE = "vtube_studio.token"
LEAD_S = 0.009
"""How far ahead of the sound a mouth is sent: it is on its way and waits for the other program's next picture.

Mouths move some 14 ms ahead of their sounds by themselves; together that is the middle of what is not noticed."""
NOTHING = "-"
"""Stands for a mood that nothing of the model's own shall show."""


def _nothing(said: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Body:
    """One program: ``show`` takes a face and its time, and never waits. ``offset_s``: how much later the mouth is.

    ``says`` takes a phrase as it begins to sound (empty: take back what is shown), ``does`` what she does now.
    ``ask_again`` asks once more for a permission that was denied; ``False``: none was.
    """

    part: Part
    show: Callable[[FaceFrame, float], None]
    offset_s: float = 0.0
    says: Callable[[str], None] = _nothing
    does: Callable[[str], None] = _nothing
    ask_again: Callable[[], bool] = lambda: False


def build_bodies(settings: Settings, board: Board, data: Path, clock: Callable[[], float]) -> dict[str, Body]:
    """Return the bodies by name, not yet started. ``data``: the folder for VTube Studio's token."""
    bodies: dict[str, Body] = {}
    outputs, chosen = settings.avatar.outputs, settings.avatar
    if "vtube_studio" in outputs:
        wished = chosen.vtube_studio.moods.model_dump()
        studio = VTubeStudio(
            chosen.vtube_studio.url,
            data / PERMIT_FILE,
            board.report,
            clock,
            offset_ms=chosen.vtube_studio.offset_ms,
            moods={mood: target.removeprefix(NOTHING) for mood, target in wished.items() if target},
            custom=True,
        )
        bodies["vtube_studio"] = Body(
            studio, lambda face, at_s: studio.show(face), studio.offset_s - LEAD_S, ask_again=studio.ask_again
        )
    if "vmc" in outputs:
        names, rest, on_health = _vrm(settings, board.report)
        vmc = Vmc(chosen.vmc.host, chosen.vmc.port, names, on_health, clock, body=chosen.vmc.body, rest=rest)
        bodies["vmc"] = Body(vmc, vmc.send, -LEAD_S)
    if chosen.vrchat.parameters or chosen.vrchat.captions:
        wanted = chosen.vrchat
        vrchat = VrChat(
            wanted.host, wanted.port, board.report, clock, avatar=wanted.parameters, captions=wanted.captions
        )
        bodies["vrchat"] = Body(
            vrchat, vrchat.send, says=vrchat.caption, does=lambda doing: vrchat.thinking(doing == "thinking")
        )
    return bodies


def own_layers(settings: Settings, board: Board) -> dict[str, Layer]:
    """Return the operator's own drawing, if there is one that can be shown; its light says so."""
    folder = settings.avatar.page.folder
    if not folder:
        return {}
    try:
        layers = read_layers(Path(folder).expanduser())
    except BadLayers as error:
        told = text("layers.ill", folder=folder, problems=" ".join(error.problems))
        board.report(Health("layers", "degraded", told, text("layers.ill_repair")))
        return {}
    board.report(Health("layers", "ok", text("layers.drawn", count=len(layers), folder=folder)))
    return layers


def not_allowed_yet(settings: Settings, data: Path) -> Health | None:
    """Return why VTube Studio is not asked by a mere check: the first question is for the user to answer."""
    if "vtube_studio" not in settings.avatar.outputs or (data / PERMIT_FILE).exists():
        return None
    return Health("vtube_studio", "degraded", text("vtube_studio.never_asked"), text("vtube_studio.never_asked_repair"))


def _vrm(
    settings: Settings, report: Callable[[Health], None]
) -> tuple[Names, Mapping[str, Place], Callable[[Health], None]]:
    """Return the names and places of the user's model, and where lights go: a model that cannot be read dims them."""
    chosen = settings.avatar.vmc
    if not chosen.model:
        return chosen.names, REST, report
    try:
        model = read_model(Path(chosen.model).expanduser())
    except NotVrm as error:
        ill = {"state": "degraded", "reason": error.reason, "repair": error.repair}
        return chosen.names, REST, lambda health: report(replace(health, **ill) if health.state == "ok" else health)
    return model.names, model.rest, report
