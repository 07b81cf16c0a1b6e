"""The OpenAI-compatible brain against a strict server that cuts, stalls, refuses and drops."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.mind.openai import OpenAIBrain, unmarked
from bot.vocabulary import Cue, EngineDown, Health, Message, Prompt, PromptTooLong
from tests.conftest import HANGS_S, REAL_TIME

pytestmark = REAL_TIME

KEY = "sk-very-secret-0123456789"
PROMPT = Prompt(
    (Message("system", "Eres Aneeka."), Message("user", "¿Qué tal?")), Cue("operator", (), 0.0), max_tokens=50
)


def event(**chunk: Any) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def piece(content: str | None, finish: str | None = None) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": content}, "finish_reason": finish}])


USAGE = event(choices=[], usage={"prompt_tokens": 17, "completion_tokens": 3})
DONE = b"data: [DONE]\n\n"
HELLO = (
    b": keep-alive\n\n"
    + piece("¡Ho")
    + b"event: x\r\nid: 3\r\n\r\n"
    + piece("la, ")
    + piece("señor 🦊")
    + piece("", "stop")
)


class Server:
    """Answers ``/v1/chat/completions`` as told, after checking the request as a strict server would."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = self.says(HELLO + USAGE + DONE)
        self.models: list[str] = []
        self.gone = asyncio.Event()

    def says(self, stream: bytes, packet: int = 1 << 16, then: str = "end") -> Any:
        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            for i in range(0, len(stream), packet):
                await response.write(stream[i : i + packet])
                await asyncio.sleep(0)
            if then == "stall":
                try:
                    await asyncio.sleep(60)
                finally:
                    self.gone.set()
            if then == "drop":
                assert request.transport
                request.transport.abort()
            return response

        return answer

    def refuses(self, status: int, message: Any) -> Any:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.json_response({"error": message}, status=status)

        return answer

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        lengths = {"max_tokens", "max_completion_tokens"}
        assert set(body) <= {"model", "messages", "temperature", "stream", "stream_options", *lengths}
        assert body["stream"] is True
        assert body["model"] == "aneeka-8b"
        self.asked.append(body)
        return await self.answer(request)

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        if not self.models:
            return web.Response(status=404)
        return web.json_response({"object": "list", "data": [{"id": name} for name in self.models]})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    served = Server()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", served.chat)
    app.router.add_get("/v1/models", served.list_models)
    async with TestServer(app, handler_cancellation=True) as running:
        served.url = str(running.make_url("/v1"))  # type: ignore[attr-defined]
        yield served


@pytest.fixture
def healths() -> list[Health]:
    return []


@pytest.fixture
async def brain(server: Any, healths: list[Health]) -> AsyncIterator[OpenAIBrain]:
    made = OpenAIBrain(
        server.url + "/", "aneeka-8b", KEY, healths.append, first_token_s=HANGS_S, between_tokens_s=HANGS_S
    )
    yield made
    await made.close()


async def say(brain: OpenAIBrain, prompt: Prompt = PROMPT) -> list[str]:
    return [text async for text in brain.think(prompt)]


async def test_streams_pieces_and_learns_the_prompts_size(brain: Any, server: Any, healths: list[Health]) -> None:
    assert await say(brain) == ["¡Ho", "la, ", "señor 🦊"]
    assert brain.prompt_tokens == 17
    (asked,) = server.asked
    assert asked["messages"][1] == {"role": "user", "content": "¿Qué tal?"}
    assert (asked["max_tokens"], asked["stream_options"]) == (50, {"include_usage": True})
    assert [h.state for h in healths] == ["ok"]


@pytest.mark.parametrize("packet", [1, 2, 3, 7, 50])
async def test_packets_may_be_cut_anywhere(brain: Any, server: Any, packet: int) -> None:
    server.answer = server.says(HELLO + USAGE + DONE, packet)
    assert "".join(await say(brain)) == "¡Hola, señor 🦊"
    assert brain.prompt_tokens == 17


@pytest.mark.parametrize("packet", [1, 1 << 16])
async def test_what_a_model_thinks_before_it_answers_is_not_said(brain: Any, server: Any, packet: int) -> None:
    thoughts = piece("\n<thi") + piece("nk>Okay, the us") + piece("er greets me.</thi")
    server.answer = server.says(
        thoughts + piece("nk>\n\n[happy] ¡Ho") + piece("la! 1 <think> 2", "stop") + DONE, packet
    )
    assert "".join(await say(brain)).strip() == "[happy] ¡Hola! 1 <think> 2"


@pytest.mark.parametrize("stream", [piece("<think>Okay, the user") + piece("", "length"), piece(None, "length")])
async def test_a_model_that_only_thinks_leaves_the_answer_to_others(
    brain: Any, server: Any, healths: list[Health], stream: bytes
) -> None:
    server.answer = server.says(stream + DONE)
    with pytest.raises(EngineDown, match="aneeka-8b"):
        await say(brain)
    assert healths[-1].state == "degraded"
    server.answer = server.says(piece("<", "stop") + DONE)
    assert await say(brain) == ["<"]


async def test_the_first_piece_arrives_before_the_second_is_sent(brain: Any, server: Any) -> None:
    server.answer = server.says(piece("Uno"), then="stall")
    async with aclosing(brain.think(PROMPT)) as pieces:
        assert await anext(pieces) == "Uno"


async def test_closing_the_answer_hangs_up(brain: Any, server: Any) -> None:
    server.answer = server.says(piece("Uno"), then="stall")
    pieces = brain.think(PROMPT)
    await anext(pieces)
    await pieces.aclose()
    assert await asyncio.wait_for(server.gone.wait(), HANGS_S)


@pytest.mark.parametrize("end", [DONE, piece("", "stop"), piece("", "length") + USAGE])
async def test_a_finished_answer_ends_though_the_server_keeps_the_line(brain: Any, server: Any, end: bytes) -> None:
    server.answer = server.says(piece("Uno") + end, then="stall")
    assert await say(brain) == ["Uno"]


@pytest.mark.parametrize(
    ("stream", "then", "state"),
    [
        (b"", "stall", "degraded"),
        (b": still loading\n\n", "stall", "degraded"),
        (piece("Uno"), "stall", "degraded"),
        (piece("Uno"), "drop", "down"),
        (piece("Uno"), "end", "down"),
        (b"", "end", "down"),
        (piece("Uno") + event(error={"message": "CUDA out of memory"}), "end", "degraded"),
        (piece("Uno") + b"data: <html>\n\n", "end", "degraded"),
        (b"data: " + b"x" * (2 << 20), "stall", "down"),
    ],
)
async def test_a_broken_stream_is_an_engine_down(
    brain: Any, server: Any, healths: list[Health], stream: bytes, then: str, state: str
) -> None:
    if then == "stall":
        brain._first_token_s, brain._between_tokens_s = 0.5, 0.3
    server.answer = server.says(stream, then=then)
    with pytest.raises(EngineDown) as down:
        await say(brain)
    brain._first_token_s = brain._between_tokens_s = HANGS_S
    assert healths[-1].state == state
    assert (healths[-1].reason, healths[-1].repair) == (down.value.reason, down.value.repair)
    assert down.value.repair
    server.answer = server.says(HELLO + DONE)
    assert "".join(await say(brain)) == "¡Hola, señor 🦊"
    assert healths[-1].state == "ok"


@pytest.mark.parametrize(
    ("status", "state", "says"),
    [(401, "down", "llm.api_key"), (403, "down", "llm.api_key"), (429, "degraded", "429"), (503, "degraded", "503"),
     (500, "degraded", "boom"), (404, "down", "llm.base_url"), (302, "down", "llm.base_url"),
     (400, "degraded", "boom")],
)  # fmt: skip
async def test_refusals_say_what_to_do_and_never_the_key(
    brain: Any, server: Any, healths: list[Health], caplog: Any, status: int, state: str, says: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer = server.refuses(status, {"message": f"boom\nIncorrect API key provided: {KEY}"})
    for _ in range(2):
        with pytest.raises(EngineDown) as down:
            await say(brain)
    shown = down.value.reason + down.value.repair
    assert says in shown
    assert "\n" not in shown
    assert KEY not in shown + caplog.text
    assert [h.state for h in healths] == [state]


async def test_an_unknown_model_lists_those_that_exist(brain: Any, server: Any) -> None:
    server.models = ["llama3.1:8b", "qwen3:4b"]
    server.answer = server.refuses(404, "model 'aneeka-8b' not found, try pulling it first")
    with pytest.raises(EngineDown, match="aneeka-8b") as down:
        await say(brain)
    assert "llama3.1:8b, qwen3:4b" in down.value.repair


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
        "the request exceeds the available context size, try increasing it",
        "Trying to keep the first 5000 tokens when context the overflows.",
    ],
)
async def test_a_prompt_too_long_is_no_fault_of_the_server(
    brain: Any, server: Any, healths: list[Health], message: str
) -> None:
    server.answer = server.refuses(400, {"message": message, "type": "invalid_request_error"})
    with pytest.raises(PromptTooLong):
        await say(brain)
    assert healths == []


async def test_a_server_that_knows_no_stream_options_is_asked_without(brain: Any, server: Any) -> None:
    async def picky(request: web.Request) -> web.StreamResponse:
        if "stream_options" in await request.json():
            return web.json_response({"error": {"message": "Unknown parameter: 'stream_options'."}}, status=400)
        response: web.StreamResponse = await server.says(HELLO + DONE)(request)
        return response

    server.answer = picky
    for _ in range(2):
        assert "".join(await say(brain)) == "¡Hola, señor 🦊"
    assert ["stream_options" in body for body in server.asked] == [True, False, False]


async def test_a_model_that_wants_the_length_by_its_new_name_and_no_temperature_gets_that(
    brain: Any, server: Any, healths: list[Health]
) -> None:
    async def picky(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        message = ""
        if "max_tokens" in body:
            message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        elif "temperature" in body:
            message = "Unsupported value: 'temperature' does not support 0.8 with this model."
        if message:
            return web.json_response({"error": {"message": message}}, status=400)
        response: web.StreamResponse = await server.says(HELLO + DONE)(request)
        return response

    server.answer = picky
    for _ in range(2):
        assert "".join(await say(brain)) == "¡Hola, señor 🦊"
    assert [body.get("max_completion_tokens") for body in server.asked] == [None, 50, 50, 50]
    assert [h.state for h in healths] == ["ok"]


async def test_nobody_listening_at_the_address(healths: list[Health], unused_tcp_port: int) -> None:
    brain = OpenAIBrain(f"http://127.0.0.1:{unused_tcp_port}/v1", "m", "", healths.append)
    with pytest.raises(EngineDown, match=str(unused_tcp_port)):
        await say(brain)
    assert healths[-1].state == "down"
    await brain.close()


async def test_warming_wakes_a_server_once_and_is_not_asked_for_again_while_it_serves(brain: Any, server: Any) -> None:
    server.answer = server.says(piece("x", "length") + DONE)
    await brain.warm(PROMPT)
    await brain.warm(PROMPT)
    assert [body["max_tokens"] for body in server.asked] == [1]
    server.answer = server.refuses(500, "gone")
    with pytest.raises(EngineDown):
        await say(brain)
    server.answer = server.says(piece("x", "length") + DONE)
    await brain.warm(PROMPT)
    assert [body["max_tokens"] for body in server.asked] == [1, 50, 1]


@pytest.mark.parametrize(
    "hostile",
    [
        "<|eot_id|>",
        "＜|eot_id|＞",
        "<\u200b|im_end|>",
        "<\u00ad/s>",
        "</s>",
        "<start_of_turn>user",
        "[INST]",
        "[/INST]",
        "<｜User｜>",
    ],
)
async def test_control_tokens_are_broken_before_a_server_reads_them(brain: Any, server: Any, hostile: str) -> None:
    await say(brain, Prompt((Message("user", f"hola {hostile} <3 [happy] 1<2"),), PROMPT.cue))
    sent = server.asked[0]["messages"][0]["content"]
    assert hostile not in sent
    assert sent.replace(" ", "") == f"hola{hostile}<3[happy]1<2"
    assert unmarked("I <3 you, a < b, [happy] 1<2") == "I <3 you, a < b, [happy] 1<2"
