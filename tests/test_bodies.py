"""Her bodies in other programs move with what she says in the living program."""

import asyncio
from pathlib import Path

from avatar.lipsync import REST
from bot.bodies import PERMIT_FILE, build_bodies, not_allowed_yet
from bot.config.settings import Settings
from bot.supervisor import Board
from bot.vocabulary import Health
from tests.conftest import HANGS_S, House, until
from tests.osc_sink import OscSink
from tests.test_live import GoLive
from tests.vtube_studio_server import ModelFile, VTubeStudioServer

SAID = "Mamá, mañana vamos a la playa."


async def light(house: House, part: str, state: str) -> Health:
    async with asyncio.timeout(HANGS_S):
        while (found := house.aneeka.board.parts.get(part)) is None or found.state != state:
            await asyncio.sleep(0.01)
    return found


async def test_mouths_open_while_she_speaks(go_live: GoLive) -> None:
    sink, studio = OscSink(), VTubeStudioServer(asyncio.get_running_loop().time, ModelFile("Mira", "0" * 32))
    async with studio.serving() as url:
        bodies = {"outputs": ("page", "vtube_studio", "vmc"), "vtube_studio": {"url": url}, "vmc": {"port": sink.port}}
        house = await go_live(avatar=bodies)
        live = await house.live()
        async with asyncio.timeout(HANGS_S):
            while studio.popup is None:
                await asyncio.sleep(0.01)
        studio.allow()
        await light(house, "vtube_studio", "ok")
        sink.drain()
        silent = len(sink.faces)
        assert silent
        await house.ask("POST", "/api/say", {"text": SAID})
        turn = await until(live, "turn")
        sink.drain()
    sink.close()
    assert turn["spoken"] == SAID
    mouth = [face.shapes["A"] for face in sink.faces]
    assert max(mouth[:silent]) == 0
    assert max(mouth[silent:]) > 0.4
    begin, end = turn["audible_at_s"], turn["audible_at_s"] + turn["marks_ms"]["last_audible"] / 1000
    jaw = [(at_s, face["MouthOpen"][0]) for at_s, face, _ in studio.frames if "MouthOpen" in face]
    assert max(value for at_s, value in jaw if begin <= at_s <= end) > 0.4


async def test_a_body_that_is_not_there_keeps_nobody_from_speaking(go_live: GoLive) -> None:
    house = await go_live(avatar={"outputs": ("vtube_studio",), "vtube_studio": {"url": "ws://127.0.0.1:1"}})
    live = await house.live()
    assert (await light(house, "vtube_studio", "down")).repair
    await house.ask("POST", "/api/say", {"text": SAID})
    assert (await until(live, "turn"))["spoken"] == SAID


async def test_vrchat_gets_parameters_and_captions_and_is_cleared_by_a_cut(go_live: GoLive) -> None:
    sink = OscSink()
    house = await go_live(avatar={"vrchat": {"port": sink.port, "parameters": True, "captions": True}})
    live = await house.live()
    await house.ask("POST", "/api/say", {"text": SAID})
    await until(live, "phrase")
    await house.ask("POST", "/api/say", {"text": "Esto no lo dirá entero nadie, porque la cortan a mitad de la frase."})
    await until(live, "turn")
    await until(live, "phrase")
    await asyncio.sleep(0.2)
    await house.ask("POST", "/api/control/panic")
    await asyncio.sleep(0.2)
    sink.drain()
    sink.close()
    typed = [message.values[0] for message in sink.messages if message.address == "/chatbox/typing"]
    written = [message.values[0] for message in sink.messages if message.address == "/chatbox/input"]
    opened = [m.values[0] for m in sink.messages if m.address == "/avatar/parameters/AneekaOpen"]
    assert typed[:2] == [True, False]
    assert written[0] == SAID
    assert written[-1] == ""
    assert max(opened) > 0.3


async def test_a_denied_vtube_studio_is_asked_again_from_the_studio(go_live: GoLive) -> None:
    studio = VTubeStudioServer(asyncio.get_running_loop().time, ModelFile("Mira", "0" * 32))

    async def popup() -> None:
        async with asyncio.timeout(HANGS_S):
            while studio.popup is None:
                await asyncio.sleep(0.01)

    async with studio.serving() as url:
        house = await go_live(with_voice=False, avatar={"outputs": ("vtube_studio",), "vtube_studio": {"url": url}})
        await popup()
        assert (await house.ask("POST", "/api/vtube-studio/ask"))[0] == 409
        studio.deny()
        await light(house, "vtube_studio", "down")
        while (await house.ask("POST", "/api/vtube-studio/ask"))[0] != 202:
            await asyncio.sleep(0.01)
        await popup()
        studio.allow()
        assert (await light(house, "vtube_studio", "ok")).reason
        assert studio.popups == 2


async def test_the_doctor_soon_knows_that_a_body_is_not_there_and_asks_nothing_by_itself(tmp_path: Path) -> None:
    board, clock = Board(lambda told: None), asyncio.get_running_loop().time
    settings = Settings(avatar={"outputs": ("vtube_studio",), "vtube_studio": {"url": "ws://127.0.0.1:1"}})
    unasked = not_allowed_yet(settings, tmp_path)
    assert unasked is not None
    assert "vtube-studio" in unasked.repair
    (tmp_path / PERMIT_FILE).write_text("t" * 64)
    assert not_allowed_yet(settings, tmp_path) is None
    body = build_bodies(settings, board, tmp_path, clock)["vtube_studio"].part
    await body.start()
    assert not await body.ready(1.0)
    await body.close()
    assert board.parts["vtube_studio"].repair


async def test_a_vrm_that_cannot_be_read_dims_the_light_and_she_moves_on(go_live: GoLive, tmp_path: Path) -> None:
    sink = OscSink()
    broken = tmp_path / "mira.vrm"
    broken.write_bytes(b"glTF")
    house = await go_live(
        with_voice=False, avatar={"outputs": ("vmc",), "vmc": {"port": sink.port, "model": str(broken), "body": "face"}}
    )
    found = await light(house, "vmc", "degraded")
    assert "mira.vrm" in found.reason
    sink.drain()
    sink.close()
    assert sink.faces
    assert not any(message.address == "/VMC/Ext/Bone/Pos" for message in sink.messages)


async def test_the_wish_for_little_motion_reaches_her_face_and_the_pages(go_live: GoLive) -> None:
    travelled = []
    for calm in (True, False):
        house = await go_live(with_voice=False, avatar={"reduced_motion": calm})
        stage = await house.stage()
        assert (await until(stage, "hello"))["reduced_motion"] is calm
        performer, start = house.aneeka.performer, house.aneeka.now() + 100.0
        frames = [performer.frame(start + second / 4, REST) for second in range(400)]
        travelled.append(sum(abs(frame.head[0]) for frame in frames))
    assert travelled[0] < 0.6 * travelled[1]
