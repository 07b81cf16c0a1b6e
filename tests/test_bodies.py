"""Her bodies in other programs move with what she says in the living program."""

import asyncio

from bot.vocabulary import Health
from tests.conftest import House, until
from tests.osc_sink import OscSink
from tests.test_live import GoLive
from tests.vtube_studio_server import ModelFile, VTubeStudioServer

SAID = "Mamá, mañana vamos a la playa."


async def light(house: House, part: str, state: str) -> Health:
    async with asyncio.timeout(20):
        while (found := house.aneeka.board.parts.get(part)) is None or found.state != state:
            await asyncio.sleep(0.01)
    return found


async def test_mouths_open_while_she_speaks(go_live: GoLive) -> None:
    sink, studio = OscSink(), VTubeStudioServer(asyncio.get_running_loop().time, ModelFile("Mira", "0" * 32))
    async with studio.serving() as url:
        bodies = {"outputs": ("page", "vtube_studio", "vmc"), "vtube_studio": {"url": url}, "vmc": {"port": sink.port}}
        house = await go_live(avatar=bodies)
        live = await house.live()
        async with asyncio.timeout(20):
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
