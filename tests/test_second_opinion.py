"""A second look at her words: what it objects to is not heard, and what it costs at most."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from healths import Healths

from bot.reply import Performance
from bot.safety.second_opinion import BUDGET_S, REASON, REST_AFTER, REST_S, SecondOpinion
from bot.texts import text
from bot.vocabulary import Message, Prompt
from bot.voice.phrases import PhraseCutter
from tests.conftest import HANGS_S, House, until
from tests.test_reply import LONG, Scene
from tests.virtual_time import play

KEY = "canary-second-opinion-0123456789"


class Server:
    """Judges as told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.answer: Any = {"results": [{"flagged": False}]}
        self.status = 200
        self.hangs = False
        self.flags = ""
        """Words that it objects to, whatever it is told to answer."""
        self.raw = b""

    async def serve(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, await request.json(), request.headers.get("Authorization", "")))
        if self.hangs:
            await asyncio.Event().wait()
        if self.raw:
            return web.Response(body=self.raw, content_type="application/json")
        if self.flags:
            return web.json_response({"results": [{"flagged": self.flags in self.asked[-1][1]["input"]}]})
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
def healths() -> Healths:
    return Healths()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_post("/v1/{route:.*}", server.serve)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"  # type: ignore[attr-defined]
    yield server
    await runner.cleanup()


@pytest.fixture
async def ask(server: Any, healths: Healths) -> AsyncIterator[Callable[..., SecondOpinion]]:
    made: list[SecondOpinion] = []

    def make(kind: Any = "openai", model: str = "", **more: Any) -> SecondOpinion:
        made.append(SecondOpinion(kind, server.url, model, KEY, healths.report, **{"budget_s": 5.0, **more}))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_a_moderation_route_decides(server: Any, ask: Any) -> None:
    opinion = ask(model="omni")
    assert await opinion.on("hola") is None
    server.answer = {"results": [{"flagged": False}, {"flagged": True}]}
    assert await opinion.on("algo feo") == REASON
    assert server.asked[-1] == ("/v1/moderations", {"input": "algo feo", "model": "omni"}, f"Bearer {KEY}")


@pytest.mark.parametrize(
    ("says", "reason"),
    [("safe", None), ("\n\nunsafe\nS10", REASON), ("UNSAFE", REASON), ("Safe.", None), ("**unsafe**: S1", REASON)],
)
async def test_a_guard_model_judges_her_turn_of_the_talk(server: Any, ask: Any, says: str, reason: str | None) -> None:
    server.answer = {"choices": [{"message": {"content": says}}]}
    assert await ask("guard", "llama-guard3:1b").on("mis palabras") == reason
    path, body, _ = server.asked[-1]
    assert path == "/v1/chat/completions"
    assert [each["role"] for each in body["messages"]] == ["user", "assistant"]
    assert body["messages"][-1]["content"] == "mis palabras"


@pytest.mark.parametrize(
    ("kind", "answer", "status"),
    [
        ("openai", {"results": []}, 200),
        ("openai", {"results": [{"flagged": "no"}]}, 200),
        ("openai", ["?"], 200),
        ("openai", {"error": KEY}, 401),
        ("guard", {"choices": [{"message": {"content": "I am happy to help"}}]}, 200),
        ("guard", {"choices": [{"message": {"content": ""}}]}, 200),
        ("guard", {"choices": [{"message": {"content": None}}]}, 200),
        ("guard", {}, 302),
    ],
)
async def test_no_understandable_answer_lets_it_pass_and_shows_on_a_light(
    server: Any, ask: Any, healths: Healths, kind: str, answer: Any, status: int
) -> None:
    server.answer, server.status = answer, status
    opinion = ask(kind)
    assert await opinion.on("hola") is None
    assert (opinion.health.state, bool(opinion.health.reason), bool(opinion.health.repair)) == ("degraded", True, True)
    assert KEY not in str(opinion.health)


@pytest.mark.parametrize("raw", [b"[" * 100_000, b"{", b'"' + b"x" * 2**20 + b'"', b"\xff\xfe"])
async def test_a_mad_server_costs_no_reply(server: Any, ask: Any, raw: bytes) -> None:
    server.raw = raw
    opinion = ask()
    assert await opinion.on("hola") is None
    assert opinion.health.reason == text("second_opinion.unreadable", host="127.0.0.1")


async def test_its_address_is_told_without_what_may_be_a_secret_in_it(healths: Healths) -> None:
    address = f"http://user:{KEY}@127.0.0.1:9/v1?key={KEY}"
    opinion = SecondOpinion("openai", address, "", "", healths.report)
    assert await opinion.on("hola") is None
    await opinion.close()
    assert opinion.health.state == "degraded"
    assert "127.0.0.1" in opinion.health.reason
    assert KEY not in str(opinion.health)


async def test_a_dead_server_is_left_alone_for_a_while(server: Any, ask: Any) -> None:
    now = [100.0]
    server.status = 500
    opinion = ask(clock=lambda: now[0])
    for _ in range(REST_AFTER + 3):
        assert await opinion.on("hola") is None
    assert len(server.asked) == REST_AFTER
    now[0] += REST_S
    server.status = 200
    assert await opinion.on("hola") is None
    assert opinion.health.state == "ok"


async def test_a_slow_server_costs_its_budget_and_no_more(server: Any, ask: Any) -> None:
    server.hangs = True
    opinion = ask(budget_s=0.05)
    assert await asyncio.wait_for(opinion.on("hola"), HANGS_S) is None
    assert opinion.health.state == "degraded"


# ---------------------------------------------------------------------- in a reply, on a virtual clock


async def perform(one: Scene, after_s: float, bad: str = "nothing") -> Any:
    async def opinion(said: str) -> str | None:
        await asyncio.sleep(after_s)
        return REASON if bad in said else None

    performance = Performance(
        one.reply,
        brain=one.brain,
        cutter=PhraseCutter("es"),
        gate=one.gate,
        voice=one.voice,
        stage=one.stage,
        tell=one._tell,
        instead=lambda: "Mejor no.",
        second_opinion=opinion,
    )
    return await performance.run(Prompt((Message("user", "hola"),), one.cue))


FLOOR_MS = 150 + 2 * 1000 / 60 + 120
QUICK = "¡Wow! No me esperaba una pregunta así, pero me encanta."


@pytest.mark.parametrize(("after_s", "late_ms"), [(0.0, 0.0), (0.12, 0.0), (BUDGET_S, 1000 * BUDGET_S - 120)])
def test_it_works_beside_the_voice_and_delays_the_first_sound_by_the_rest_alone(after_s: float, late_ms: float) -> None:
    async def scene() -> None:
        one = Scene(QUICK)
        outcome = await perform(one, after_s)
        assert outcome.spoken.text == QUICK
        assert one.ms("first_audible") == pytest.approx(FLOOR_MS + late_ms, abs=0.2)

    play(scene())


@pytest.mark.parametrize("after_s", [0.0, 0.3])
def test_nothing_of_what_it_objects_to_is_heard_nor_what_would_follow(after_s: float) -> None:
    async def scene() -> None:
        one = Scene(LONG)
        outcome = await perform(one, after_s, bad="Ayer")
        assert outcome.spoken.text.startswith("Hola, Marta, qué alegría verte otra vez.")
        assert outcome.spoken.text.endswith("Mejor no.")
        assert "Ayer" not in outcome.spoken.text
        assert "tarde" not in outcome.spoken.text
        assert outcome.blocked == [REASON]
        assert [told["reason"] for _, told in one.told if told["type"] == "blocked"] == [REASON]

    play(scene())


async def test_the_config_asks_for_it(go_live: Callable[..., Awaitable[House]], server: Any) -> None:
    server.answer = {"results": [{"flagged": True}]}
    asked = {"second_opinion": "openai", "second_opinion_url": server.url, "second_opinion_key": KEY}
    house = await go_live(safety=asked)
    live = await house.live()
    await house.ask("POST", "/api/say", {"text": "Hola a todo el mundo."})
    assert (await until(live, "blocked"))["reason"] == REASON
    assert "Hola a todo" not in (await until(live, "turn"))["spoken"]
    assert server.asked[0][1] == {"input": "Hola a todo el mundo."}
    assert (await house.ask("GET", "/api/state"))[1]["health"]["second_opinion"]["state"] == "ok"
