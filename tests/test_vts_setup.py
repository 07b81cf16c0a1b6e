"""The way into VTube Studio: the set-up, its broadcasts, its texts, and how strict the local one is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from avatar.vts_discovery import Sightings
from avatar.vts_setup import Found, setup
from bot.texts import table, text
from tests.virtual_time import play
from tests.vtube_studio_server import Refusal, VTubeStudioServer
from tests.vtube_studio_stage import URL, in_virtual_time, mira

# ---------------------------------------------------------------------- the set-up


def in_setup(studio: VTubeStudioServer, tmp_path: Path, said: list[str], **options: Any) -> asyncio.Task[Found | None]:
    options = {"connect": studio.connect, "discovery_port": 0, **options}
    return asyncio.ensure_future(setup(URL, tmp_path / "token", said.append, **options))


@in_virtual_time
async def test_the_setup_explains_the_popup_and_shows_the_table(tmp_path: Path) -> None:
    model = mira()
    model.expressions["Feliz.exp3.json"] = ["ParamMouthForm"]
    studio, said = VTubeStudioServer(asyncio.get_running_loop().time, model), []
    setting_up = in_setup(studio, tmp_path, said)
    while not studio.popup:
        await asyncio.sleep(0.1)
    assert said[-1] == text("vtube_studio.asked_repair")
    await asyncio.sleep(100)
    studio.allow()
    found = await setting_up
    assert found
    assert (found.url, found.model) == (URL, "Mira")
    assert found.moods == {"happy": "Feliz.exp3.json", "sad": "Triste.exp3.json", "angry": "Enojada"}
    shown = "\n".join(said)
    assert "happy: Feliz.exp3.json" in shown
    assert said[-1] == text("vtube_studio.setup_mouth", file="Feliz.exp3.json")
    assert not studio.sessions
    assert await in_setup(studio, tmp_path, said) == found
    assert studio.popups == 1


@in_virtual_time
async def test_the_setup_ends_with_a_no_or_with_nobody_there(tmp_path: Path) -> None:
    studio, said = VTubeStudioServer(asyncio.get_running_loop().time, mira()), []
    setting_up = in_setup(studio, tmp_path, said)
    while not studio.popup:
        await asyncio.sleep(0.1)
    studio.deny()
    assert await setting_up is None
    assert said[-1] == text("vtube_studio.setup_denied")
    studio.switch_api(False)
    said.clear()
    assert await in_setup(studio, tmp_path, said, find_s=60) is None
    assert said[0] == text("vtube_studio.not_running")
    assert said[-1] == text("vtube_studio.setup_gave_up")
    assert len(said) == 3


@in_virtual_time
async def test_the_setup_waits_for_a_program_that_is_started_late_with_no_model(tmp_path: Path) -> None:
    studio, said = VTubeStudioServer(asyncio.get_running_loop().time), []
    studio.switch_api(False)
    setting_up = in_setup(studio, tmp_path, said)
    await asyncio.sleep(60)
    studio.switch_api(True)
    while not studio.popup:
        await asyncio.sleep(0.1)
    studio.allow()
    found = await setting_up
    assert found
    assert (found.model, found.moods) == ("", {})
    assert text("vtube_studio.no_model") in said


# ---------------------------------------------------------------------- broadcasts and texts


def test_broadcasts_of_others_and_nonsense_are_ignored() -> None:
    sightings = Sightings(URL, lambda: 0.0)
    packet = VTubeStudioServer(lambda: 0.0).broadcast()
    for nonsense in (b"", b"\xff", b"[]", b"{}", packet.replace(b"8001", b'"x"'), packet.replace(b"8001", b"70000")):
        sightings.heard(nonsense, "127.0.0.1")
    sightings.heard(packet.replace(b"8001", b"9999"), "203.0.113.9")
    assert sightings.state() == "gone"
    assert sightings.elsewhere() is None
    sightings.heard(packet.replace(b"8001", b"9999"), "127.0.0.1")
    assert sightings.elsewhere() == "ws://127.0.0.1:9999"


def test_every_reason_has_a_repair_line_in_both_languages() -> None:
    reasons = {key for key in table("es") if key.startswith("vtube_studio.") and ".setup_" not in key}
    plain = {key for key in reasons if not key.endswith("_repair")}
    assert {f"{key}_repair" for key in plain - {"vtube_studio.moves"}} == reasons - plain
    assert reasons <= set(table("en"))


# ---------------------------------------------------------------------- the strict server itself


REFUSED = [
    ({"apiName": "Other"}, 3),
    ({"apiVersion": "2.0"}, 4),
    ({"requestID": "x" * 65}, 5),
    ({"requestID": "ñ"}, 5),
    ({"messageType": ""}, 6),
    ({"messageType": "NoSuchRequest"}, 7),
    ({"messageType": "AuthenticationTokenRequest", "data": {"pluginName": "x"}}, 52),
    ({"messageType": "AuthenticationRequest", "data": {}}, 100),
    ({"data": {"parameterValues": []}}, 450),
    ({"data": {"parameterValues": [{"id": "MouthOpen", "value": 2e6}]}}, 451),
    ({"data": {"parameterValues": [{"id": "MouthOpen", "value": "0.5"}]}}, 451),
    ({"data": {"parameterValues": [{"id": "MouthOpen", "value": 1, "weight": 1.1}]}}, 452),
    ({"data": {"parameterValues": [{"id": "ParamMouthOpenY", "value": 1}]}}, 453),
    ({"data": {"parameterValues": [{"id": "MouthOpen", "value": 1}], "mode": "multiply"}}, 455),
    ({"data": {"parameterValues": [{"id": "MouthOpen", "value": 1, "gewicht": 1}]}}, 2),
]


@pytest.mark.parametrize(("change", "error_id"), REFUSED)
def test_the_strict_server_refuses(change: dict[str, Any], error_id: int) -> None:
    async def scene() -> None:
        studio = VTubeStudioServer(asyncio.get_running_loop().time, mira())
        wire = await studio.connect(URL)
        wire.session.plugin = ("Aneeka", "Aneeka project")
        good = {"apiName": "VTubeStudioPublicAPI", "apiVersion": "1.0", "requestID": "a-1"}
        wire.session.receive(json.dumps(good | {"messageType": "InjectParameterDataRequest"} | change))
        assert studio.errors == {error_id: 1}
        wire.session.plugin = None
        wire.session.receive(json.dumps(good | {"messageType": "InputParameterListRequest"}))
        assert studio.errors[8] == 1

    play(scene())


def test_the_strict_server_forgets_after_a_second() -> None:
    clock = [0.0]
    studio = VTubeStudioServer(lambda: clock[0], mira())
    session = type("Plugin", (), {"plugin": ("Aneeka", "x")})()
    data = {"parameterValues": [{"id": "MouthOpen", "value": 1.0, "weight": 0.5}]}
    studio.do_inject_parameter_data(session, data, "")
    assert studio.value("MouthOpen") == 0.5
    studio.other_plugin_sets("MouthSmile", 1.0)
    with pytest.raises(Refusal):
        studio.do_inject_parameter_data(session, {"parameterValues": [{"id": "MouthSmile", "value": 0}]}, "")
    clock[0] = 1.01
    assert studio.value("MouthOpen") == 0.0
    assert studio.lost == [(1.0, "MouthOpen"), (1.0, "MouthSmile")]
