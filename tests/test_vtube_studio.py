"""Her body in VTube Studio, against a strict one: let in or not, never forgotten, back after faults."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from avatar.vts_faces import CUSTOM, parameters
from avatar.vts_login import IGNORED_S
from avatar.vtube_studio import VTubeStudio
from bot.vocabulary import Health
from tests.conftest import HANGS_S, REAL_TIME
from tests.virtual_time import play
from tests.vtube_studio_server import VTubeStudioServer
from tests.vtube_studio_stage import BACK_S, FACE, INPUTS, OPEN, Stage, in_virtual_time, mira, on_stage

pytestmark = REAL_TIME

# ---------------------------------------------------------------------- being let in


@in_virtual_time
async def test_the_popup_is_asked_for_once_in_a_life(tmp_path: Path) -> None:
    async with on_stage(tmp_path, allowed=False) as stage:
        await stage.until(lambda: stage.says("asked"), 1)
        assert not await stage.body.ready(30)
        stage.studio.allow()
        assert await stage.body.ready(1)
        assert stage.body.health.state == "ok"
        token = tmp_path / "vts" / "token"
        assert token.read_text() in stage.studio.tokens
        if sys.platform != "win32":
            assert token.stat().st_mode & 0o777 == 0o600
        stage.studio.drop()
        await stage.until(lambda: stage.studio.connections == 2 and stage.body.health.state == "ok", BACK_S)
        again = Stage(stage.studio, token)
        await again.body.start()
        assert await again.body.ready(1)
        await again.body.close()
        assert stage.studio.popups == 1
        assert not stage.studio.errors


@in_virtual_time
async def test_a_no_is_taken_for_a_no_until_the_user_wants_to_be_asked_again(tmp_path: Path) -> None:
    async with on_stage(tmp_path, allowed=False) as stage:
        await stage.until(lambda: stage.studio.popup, 1)
        stage.studio.deny()
        await stage.until(lambda: stage.says("denied"), 1)
        await asyncio.sleep(3600)
        assert stage.studio.popups == 1
        assert stage.body.health.state == "down"
        stage.body.ask_again()
        await stage.until(lambda: stage.studio.popup, BACK_S)
        stage.studio.allow()
        assert await stage.body.ready(BACK_S)


@in_virtual_time
async def test_an_ignored_popup_stays_one_popup_and_its_late_answer_counts(tmp_path: Path) -> None:
    async with on_stage(tmp_path, allowed=False) as stage:
        await asyncio.sleep(IGNORED_S + 1)
        assert stage.says("ignored")
        await asyncio.sleep(3600)
        assert (stage.studio.popups, stage.studio.connections) == (1, 1)
        stage.studio.allow()
        assert await stage.body.ready(1)


@in_virtual_time
async def test_an_answer_after_two_minutes_is_in_time(tmp_path: Path) -> None:
    async with on_stage(tmp_path, allowed=False) as stage:
        stage.perform()
        await asyncio.sleep(120)
        assert stage.says("asked")
        assert not stage.studio.frames
        stage.studio.allow()
        await stage.moves(1)
        assert (stage.studio.popups, stage.studio.connections) == (1, 1)


@in_virtual_time
async def test_she_waits_while_another_plugins_popup_is_open(tmp_path: Path) -> None:
    studio = VTubeStudioServer(asyncio.get_running_loop().time, mira())
    other = Stage(studio, tmp_path / "other")
    await other.body.start()
    await other.until(lambda: studio.popup, 1)
    stage = Stage(studio, tmp_path / "token")
    await stage.body.start()
    await stage.until(lambda: stage.says("other_popup"), 1)
    studio.allow()
    await stage.until(lambda: studio.popup and stage.says("asked"), 11)
    studio.allow()
    assert await stage.body.ready(1)
    await other.body.close()
    await stage.body.close()


@in_virtual_time
async def test_a_popup_that_goes_down_with_the_program_is_asked_again(tmp_path: Path) -> None:
    async with on_stage(tmp_path, allowed=False) as stage:
        await stage.until(lambda: stage.studio.popup, 1)
        stage.studio.switch_api(False)
        await stage.until(lambda: stage.says("not_running"), 1)
        stage.studio.switch_api(True)
        await stage.until(lambda: stage.studio.popup, BACK_S)
        stage.studio.allow()
        assert await stage.body.ready(1)


@in_virtual_time
async def test_a_permission_taken_back_in_mid_session_is_asked_for_once(tmp_path: Path) -> None:
    async with on_stage(tmp_path, custom=True) as stage:
        assert set(CUSTOM) <= stage.studio.driven()
        stage.studio.revoke()
        await stage.until(lambda: stage.says("revoked_asked"), BACK_S)
        assert not (tmp_path / "vts" / "token").exists()
        stage.studio.allow()
        await stage.moves(1)
        await asyncio.sleep(0.5)
        assert set(CUSTOM) <= stage.studio.driven()
        stage.studio.revoke()
        await stage.until(lambda: stage.studio.popup, BACK_S)
        stage.studio.deny()
        await stage.until(lambda: stage.says("revoked"), 1)
        await asyncio.sleep(600)
        assert stage.studio.popups == 3


@in_virtual_time
async def test_a_permission_taken_back_while_she_shows_nothing_is_noticed_too(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.body.switch(False)
        await asyncio.sleep(5)
        stage.studio.revoke()
        await stage.until(lambda: stage.says("revoked_asked"), BACK_S)
        assert stage.studio.popup


@in_virtual_time
async def test_a_token_revoked_while_she_was_away_is_replaced(tmp_path: Path) -> None:
    token = tmp_path / "vts" / "token"
    token.parent.mkdir()
    token.write_text("an-old-token")
    async with on_stage(tmp_path) as stage:
        assert token.read_text() in stage.studio.tokens
        assert not stage.studio.errors


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe\x00", b"x" * 4096])
def test_a_damaged_token_file_costs_one_popup(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "vts").mkdir()
    (tmp_path / "vts" / "token").write_bytes(damage)

    async def scene() -> None:
        async with on_stage(tmp_path) as stage:
            assert stage.studio.popups == 1

    play(scene())


# ---------------------------------------------------------------------- faults


@in_virtual_time
async def test_a_hundred_broken_connections_and_control_is_back_each_time(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        chance = random.Random(20261122)
        stage.stop_performing()
        stage.perform(rate_hz=20.0)
        waits = []
        for _ in range(100):
            await asyncio.sleep(chance.uniform(0.0, 2.0))
            stage.studio.drop()
            seen = len(stage.studio.frames)
            waits.append(await stage.moves())
            assert stage.studio.frames[seen][1]["FaceAngleX"][1] < 0.25, "control comes back by fading"
        assert max(waits) < 0.5
        await asyncio.sleep(1)
        assert stage.body.health.state == "ok"
        assert stage.studio.popups == 1
        assert len(stage.studio.sessions) == 1
        assert not stage.studio.lost
        assert not stage.studio.errors


@in_virtual_time
async def test_her_own_ended_session_does_not_lock_her_out_for_long(tmp_path: Path) -> None:
    async with on_stage(tmp_path, holds_by_session=True) as stage:
        for _ in range(5):
            stage.studio.drop()
            assert await stage.moves() < BACK_S
            await asyncio.sleep(12)
            assert stage.body.health.state == "ok"
            assert stage.studio.driven() == set(parameters(FACE, INPUTS))


@in_virtual_time
async def test_the_api_switched_off_and_on(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:

        async def broadcast() -> None:
            while True:
                stage.body.sightings.heard(stage.studio.broadcast(), "127.0.0.1")
                await asyncio.sleep(2)

        telling = asyncio.create_task(broadcast())
        for off_s in (0.3, 4, 600):
            stage.studio.switch_api(False)
            await stage.until(lambda: stage.says("lost") or stage.says("silent"), 0.5)
            if off_s > 2:
                await stage.until(lambda: stage.says("api_off"), 3)
            await asyncio.sleep(off_s)
            stage.studio.switch_api(True)
            await stage.moves()
            await stage.until(lambda: stage.body.health.state == "ok", 1)
            assert stage.body.health.state == "ok"
        stage.studio.switch_api(False)
        telling.cancel()
        await stage.until(lambda: stage.says("not_running"), 8)


@in_virtual_time
async def test_a_slow_program_gets_fewer_frames_and_the_newest(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.studio.latency_s = 0.9
        await stage.until(lambda: stage.says("slow"), 2)
        first, begin_s = len(stage.studio.frames), stage.now()
        await asyncio.sleep(20)
        gaps = [b - a for a, b in pairwise([begin_s, *(at_s for at_s, *_ in stage.studio.frames[first:])])]
        assert max(gaps) < 0.5
        assert len(gaps) < 20 * 30
        assert stage.body.dropped > 100
        assert not stage.studio.lost
        assert stage.says("slow")
        stage.studio.latency_s = 0.0
        await stage.until(lambda: stage.body.health.state == "ok", 3)
        assert stage.studio.connections == 1


@in_virtual_time
async def test_a_program_that_listens_to_nothing_is_left_and_found_again(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        for deaf_s in (0.5, 1.9, 2.2, 2.6, 4.1, 30.3):
            stage.studio.deaf = True
            await asyncio.sleep(deaf_s)
            stage.studio.deaf = False
            await stage.moves()
            await asyncio.sleep(5)
            assert stage.body.health.state == "ok"


@in_virtual_time
async def test_silence_is_noticed_while_she_shows_nothing(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.body.switch(False)
        await asyncio.sleep(60)
        assert stage.studio.connections == 1
        stage.studio.deaf = True
        await stage.until(lambda: stage.says("silent"), 4)
        assert not await stage.body.ready(0.01)


@in_virtual_time
async def test_what_another_plugin_holds_is_named_left_alone_and_taken_when_free(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:

        async def hold() -> None:
            while True:
                stage.studio.other_plugin_sets("MouthSmile", 0.9)
                await asyncio.sleep(0.1)

        holding = asyncio.create_task(hold())
        await stage.until(lambda: stage.says("held", names="MouthSmile"), 1)
        await asyncio.sleep(30)
        stage.studio.other_plugin_sets("Brows", 0.1)
        await stage.until(lambda: stage.says("held", names="Brows, MouthSmile"), 1)
        await stage.until(lambda: stage.says("held", names="MouthSmile"), 12)
        assert stage.studio.value("MouthSmile") == 0.9
        assert stage.studio.value("MouthOpen") == 0.6
        assert stage.studio.errors[454] < 30
        stage.studio.lost.clear()
        await asyncio.sleep(5)
        assert not stage.studio.lost
        holding.cancel()
        await stage.until(lambda: stage.body.health.state == "ok", 12)
        await asyncio.sleep(0.1)
        assert "MouthSmile" in stage.studio.driven()


@in_virtual_time
async def test_a_parameter_that_vanishes_costs_itself_alone(tmp_path: Path) -> None:
    async with on_stage(tmp_path, custom=True) as stage:
        del stage.studio.custom["AneekaShy"]
        stage.wears("happy")
        await asyncio.sleep(2)
        assert stage.studio.value("AneekaHappy") == 1.0
        assert stage.studio.value("MouthOpen") == 0.6
        assert stage.studio.errors[453] < 10
        assert stage.body.health.state == "ok"


@in_virtual_time
async def test_custom_parameters_are_offered_and_not_needed(tmp_path: Path) -> None:
    studio = VTubeStudioServer(asyncio.get_running_loop().time, mira())
    studio.custom["AneekaHappy"] = (0, 1, 0, ("Somebody", "else"))
    stage = Stage(studio, tmp_path / "token", custom=True)
    await stage.body.start()
    await stage.until(lambda: studio.popup, 1)
    studio.allow()
    assert await stage.body.ready(1)
    stage.perform()
    await stage.moves()
    assert studio.errors == {352: 1}
    assert set(CUSTOM) <= set(studio.custom)
    await stage.body.close()


@in_virtual_time
async def test_a_program_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    async with on_stage(tmp_path, allowed=False) as stage:
        stage.studio.switch_api(False)
        await stage.until(lambda: stage.says("not_running"), 2)
        await asyncio.sleep(3600)
        assert len(stage.lights) < 5
        stage.studio.switch_api(True)
        await stage.until(lambda: stage.studio.popup, BACK_S)


@in_virtual_time
async def test_a_fault_of_her_own_is_said_and_does_not_end_her(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        whole = stage.studio.do_input_parameter_list

        def broken(*asked: Any) -> dict[str, Any]:
            return whole(*asked) | {"defaultParameters": [{"name": "MouthOpen"}]}

        stage.studio.do_input_parameter_list = broken  # type: ignore[method-assign]
        stage.studio.drop()
        await stage.until(lambda: stage.says("failed", error="KeyError"), 2)
        stage.studio.do_input_parameter_list = whole  # type: ignore[method-assign]
        await stage.moves()
        assert stage.body.health.state == "ok"


@in_virtual_time
async def test_a_broadcast_tells_of_another_port(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.studio.switch_api(False)
        stage.studio.port = 8002
        stage.studio.switch_api(True)
        stage.body.sightings.heard(stage.studio.broadcast(), "127.0.0.1")
        await stage.moves()
        assert stage.body.health.state == "ok"


# ---------------------------------------------------------------------- over real sockets


async def test_over_a_real_socket_with_breaks_and_a_changed_port(tmp_path: Path) -> None:
    now = asyncio.get_running_loop().time
    studio = VTubeStudioServer(now, mira())
    async with asyncio.timeout(HANGS_S):
        async with studio.serving() as url:
            body = VTubeStudio(url, tmp_path / "token", lambda health: None, now, discovery_port=None)
            await body.start()
            while not studio.popup:
                await asyncio.sleep(0.01)
            studio.allow()
            assert await body.ready(HANGS_S)
            for step in range(4):
                if step:
                    studio.drop()
                seen = len(studio.frames)
                while len(studio.frames) < seen + 3:
                    body.show(replace(FACE, mouth=OPEN, expression="happy", weight=1.0))
                    await asyncio.sleep(1 / 60)
            assert studio.active == {"Feliz.exp3.json"}
            await body.close()
            assert not studio.active
            assert not studio.errors
            assert studio.connections == 4

        lights: list[Health] = []
        async with studio.serving() as moved:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            body = VTubeStudio(url, tmp_path / "token", lights.append, now, discovery_port=port)
            await body.start()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as shouting:
                while body.health.state != "ok":
                    shouting.sendto(studio.broadcast(), ("127.0.0.1", port))
                    await asyncio.sleep(0.05)
            assert url != moved
            assert lights[0].state == "down"
            await body.close()
    assert studio.popups == 1


async def test_a_server_that_is_no_vtube_studio_is_survived(tmp_path: Path) -> None:
    lights: list[Health] = []

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(os.urandom(200))
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    body = VTubeStudio(url, tmp_path / "token", lights.append, asyncio.get_running_loop().time, discovery_port=None)
    await body.start()
    async with asyncio.timeout(HANGS_S):
        while not lights:
            await asyncio.sleep(0.01)
    assert lights[0].state == "down"
    await body.close()
    server.close()
    await server.wait_closed()
