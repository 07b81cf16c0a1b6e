"""From the demo brain to a real one while she lives: nobody goes without an answer, no reply changes its brain."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from bot import engines
from bot.mind.demo import brain as demo_brain
from bot.models.catalogue import find
from bot.models.fetch import SILENT_S
from tests import tiny_gguf
from tests.conftest import HANGS_S, House, until
from tests.model_hub import Hub

pytest.importorskip("llama_cpp")

GoLive = Callable[..., Awaitable[House]]
Live = aiohttp.ClientWebSocketResponse
MODEL = find("llama-3.2-1b")
SAYS, DEMO_SAYS = "Mundo feliz.", "Soy."
LLAMA: dict[str, Any] = {"engine": "llama", "threads": 1, "gpu_layers": 0}
PULL, CANCEL = f"/api/models/{MODEL.name}/pull", f"/api/models/{MODEL.name}/cancel"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    hub.offer(MODEL, tiny_gguf.write(tmp_path / "real.gguf", says=SAYS).read_bytes())
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.close()


@pytest.fixture(autouse=True)
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tiny_gguf.write(tmp_path / "demo.gguf", says=DEMO_SAYS)
    monkeypatch.setattr(engines, "DEMO_MODEL", path)
    return path


async def thinks(house: House) -> int:
    """Wait until the brain in charge is ready; return its child."""
    part = house.aneeka.engines.parts["brain"]
    assert await part.ready(HANGS_S)
    assert part.pid is not None
    return part.pid


async def asked(house: House, live: Live, words: str) -> dict[str, Any]:
    await house.ask("POST", "/api/operator", {"text": words})
    return await until(live, "turn", mode="operator")


async def row(house: House) -> dict[str, Any]:
    _, shelf = await house.ask("GET", "/api/models")
    return next(model for model in shelf["models"] if model["name"] == MODEL.name)


async def test_a_real_brain_takes_over_between_two_replies_and_is_remembered(go_live: GoLive, hub: Hub) -> None:
    hub.hold_after = 100_000
    house = await go_live(llm=LLAMA)
    demo_pid = await thinks(house)
    live = await house.live()
    before = await row(house)
    assert (before["state"], before["fit"] in ("card", "memory", "too_big")) == ("absent", True)
    assert (await house.ask("GET", "/api/state"))[1]["brain"] == "demo"
    status, state = await house.ask("POST", PULL)
    assert (status, state["state"]) == (202, "downloading")
    told = await until(live, "model", state="downloading", total_bytes=len(hub.files[MODEL.repo, MODEL.file]))
    assert told["name"] == MODEL.name
    turn = await asked(house, live, "¿qué tal mientras tanto?")
    assert (turn["engines"]["llm"], turn["generated"]) == ("demo", DEMO_SAYS)
    hub.go.set()
    await until(live, "model", state="starting")
    assert (await until(live, "health", part="brain", state="ok"))["serving"] == "llama"
    await until(live, "model", state="in_use")
    turn = await asked(house, live, "¿y ahora?")
    assert (turn["engines"]["llm"], turn["generated"]) == ("llama", SAYS)
    assert not psutil.pid_exists(demo_pid)
    assert (await house.ask("POST", PULL))[1]["state"] == "in_use"
    await house.aneeka.close()
    again = await go_live(llm=LLAMA)
    await thinks(again)
    live = await again.live()
    assert (await asked(again, live, "¿sigues siendo tú?"))["generated"] == SAYS
    await again.aneeka.close()
    demo_by_config = await go_live(llm={**LLAMA, "model": "demo"})
    await thinks(demo_by_config)
    live = await demo_by_config.live()
    assert (await asked(demo_by_config, live, "¿y tú?"))["engines"]["llm"] == "demo"


async def test_no_reply_changes_its_brain_and_all_chat_is_answered(
    go_live: GoLive, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "DEMO_MODEL", tiny_gguf.write(tmp_path / "endless.gguf"))
    monkeypatch.setattr(demo_brain, "LONGEST", 400)
    monkeypatch.setattr(demo_brain, "MOST_DOUBT", math.inf)
    house = await go_live(llm={**LLAMA, "max_tokens": 400}, chat={"idle_after_s": 0.0, "viewer_cooldown_s": 0.0})
    await thinks(house)
    live = await house.live()
    await house.ask("POST", "/api/chat", {"user": "Ana", "text": "cuéntame algo largo, Aneeka"})
    await until(live, "word")
    old = house.aneeka.engines.parts["brain"]
    await house.ask("POST", PULL)
    await until(live, "model", state="starting")
    for user in ("Leo", "Eva", "Iris"):
        await house.ask("POST", "/api/chat", {"user": user, "text": f"Aneeka, soy {user}, ¿qué tal?"})
    assert house.aneeka.reply is not None
    while not house.aneeka._afterwards:
        await until(live, "word")
    assert house.aneeka.engines.parts["brain"] is old, "ready, and waiting for the reply to end"
    await house.ask("POST", "/api/control/skip")
    heard: set[str] = set()
    brains = []
    while heard != {"Ana", "Leo", "Eva", "Iris"}:
        turn = await until(live, "turn")
        heard |= {one["user"] for one in turn["heard"]}
        brains.append(turn["engines"]["llm"])
    assert (brains[0], set(brains[1:])) == ("demo", {"llama"})


async def test_cancel_stops_at_once_and_what_is_here_stays(go_live: GoLive, hub: Hub, tmp_path: Path) -> None:
    hub.hold_after = 100_000
    house = await go_live(llm=LLAMA, with_voice=False)
    live = await house.live()
    await house.ask("POST", PULL)
    await until(live, "model", state="downloading", done_bytes=0)
    assert (await house.ask("POST", "/api/models/qwen3-4b/pull"))[0] == 409
    children = psutil.Process().children(recursive=True)
    pulling = [child for child in children if "bot.models.fetch:Fetcher" in child.cmdline()]
    assert pulling
    async with asyncio.timeout(HANGS_S):
        while not any(part.stat().st_size == 100_000 for part in (tmp_path / "data" / "models").glob("*.part")):
            await asyncio.sleep(0.01)
    async with asyncio.timeout(SILENT_S / 2):  # the hub sends nothing now
        status, state = await house.ask("POST", CANCEL)
    assert (status, state["state"], state["error"]) == (200, "partial", "")
    assert not any(child.is_running() for child in pulling)
    assert (await house.ask("POST", CANCEL))[0] == 409
    hub.go.set()
    await house.ask("POST", PULL)
    await until(live, "model", state="in_use")
    assert hub.answers[-1].start == state["done_bytes"] == 100_000


async def test_a_model_that_is_not_here_leaves_the_demo_brain_and_says_how_to_get_it(go_live: GoLive) -> None:
    house = await go_live(llm={**LLAMA, "model": MODEL.name})
    await thinks(house)
    light = house.aneeka.board.parts["brain"]
    assert (light.state, light.serving) == ("down", "demo")
    assert f"aneeka models pull {MODEL.name}" in light.repair
    live = await house.live()
    assert (await asked(house, live, "hola"))["engines"]["llm"] == "demo"
    assert house.aneeka.board.parts["brain"] == light


async def test_a_model_of_no_catalogue_is_told_with_the_nearest_name_and_strangers_are_refused(go_live: GoLive) -> None:
    house = await go_live(llm={**LLAMA, "model": "llama-3.2-1"}, with_voice=False)
    light = house.aneeka.board.parts["brain"]
    assert (light.state, MODEL.name in light.repair) == ("down", True)
    for verb in ("pull", "cancel"):
        status, body = await house.ask("POST", f"/api/models/llama-3.2-1/{verb}")
        assert (status, MODEL.name in body["hint"]) == (404, True)
    for method, path in (("GET", "/api/models"), ("POST", PULL), ("POST", CANCEL)):
        for headers in ({}, {"Authorization": f"Bearer {house.watch_token}"}):
            assert (await house.ask(method, path, headers=headers))[0] == 401


async def test_a_model_that_does_not_load_leaves_the_demo_brain(go_live: GoLive, tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF and then nothing")
    house = await go_live(llm={**LLAMA, "model": str(tmp_path / "broken.gguf")})
    live = await house.live()
    while (light := house.aneeka.board.parts["brain"]).state != "down" or light.serving != "demo":
        await until(live, "health", part="brain")
    assert ("broken.gguf" in light.reason, bool(light.repair)) == (True, True)
    assert (await asked(house, live, "hola"))["generated"] == DEMO_SAYS


async def test_a_download_that_cannot_start_leaves_the_old_brain_and_the_light_says_why(
    go_live: GoLive, hub: Hub
) -> None:
    hub.offer(MODEL, b"GGUF" + bytes(50_000))
    house = await go_live(llm=LLAMA)
    demo_pid = await thinks(house)
    live = await house.live()
    await house.ask("POST", PULL)
    failed = await until(live, "model", state="ready")
    assert MODEL.title in failed["error"]
    light = house.aneeka.board.parts["brain"]
    assert (light.state, light.serving, MODEL.title in light.reason) == ("degraded", "demo", True)
    assert (await asked(house, live, "¿sigues?"))["engines"]["llm"] == "demo"
    assert house.aneeka.engines.parts["brain"].pid == demo_pid


async def test_a_dead_real_brain_is_stood_in_for_by_the_demo_brain_until_it_is_back(
    go_live: GoLive, tmp_path: Path
) -> None:
    model = tiny_gguf.write(tmp_path / "mine.gguf", says=SAYS)
    house = await go_live(llm={**LLAMA, "model": str(model)})
    pid = await thinks(house)
    stand_in = house.aneeka.engines.parts["stand_in"]
    async with asyncio.timeout(HANGS_S):
        while stand_in.pid is not None:
            await asyncio.sleep(0.01)
    live = await house.live()
    model.rename(tmp_path / "away.gguf")
    psutil.Process(pid).kill()
    await until(live, "health", part="brain", serving="demo")
    assert (await asked(house, live, "¿quién eres?"))["engines"]["llm"] == "demo"
