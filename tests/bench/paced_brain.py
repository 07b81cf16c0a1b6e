"""A brain as slow as a real one: an OpenAI-compatible server, first token after 150 ms, then 60 tokens a second."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from aiohttp import web

FIRST_TOKEN_S = 0.15
TOKENS_PER_S = 60
ANSWER = "[happy] Bien, seguimos en ello. Esto va mejorando poco a poco."


async def _chat(request: web.Request) -> web.StreamResponse:
    await request.read()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await asyncio.sleep(FIRST_TOKEN_S)
    with suppress(ConnectionResetError):  # she was interrupted
        for word in ANSWER.split(" "):
            await _send(response, {"content": word + " "}, None)
            await asyncio.sleep(1 / TOKENS_PER_S)
        await _send(response, {}, "stop")
        await response.write(b"data: [DONE]\n\n")
    return response


async def _send(response: web.StreamResponse, delta: dict[str, str], finish: str | None) -> None:
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")


async def _models(request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": "paced", "object": "model"}]})


async def _serve() -> None:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", _chat)
    app.router.add_get("/v1/models", _models)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def paced_brain() -> Iterator[dict[str, str]]:
    """Run it in a process of its own; give the environment with which she thinks with it."""
    server = subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        yield {
            "ANEEKA_LLM__ENGINE": "openai",
            "ANEEKA_LLM__BASE_URL": f"http://127.0.0.1:{port}/v1",
            "ANEEKA_LLM__MODEL": "paced",
        }
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    asyncio.run(_serve())
