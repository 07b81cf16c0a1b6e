"""The API describes itself wholly, and bears rubbish; ``python -m tests.bench.fuzz`` does the same for longer."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from bot.studio.openapi import description
from tests.bench.fuzz import over_http, over_sockets
from tests.conftest import House
from tests.test_web_attacks import door_of
from tests.web_attacks.wire import Wire, status_of

GoLive = Callable[..., Awaitable[House]]
SPEAKS = ("/api/voices/preview",)
"""Each takes as long as a sentence: left to the long run."""


async def test_every_route_is_described_and_every_description_has_a_route(go_live: GoLive) -> None:
    house = await go_live(with_voice=False, stt={"engine": "off"})
    status, told = await house.ask("GET", "/api/openapi.json")
    assert (status, told) == (200, description(house.url))
    router = house.aneeka.server.router
    reached = set()
    for path, operations in told["paths"].items():
        for method in operations:
            verbs = ("panic", "talk") if path == "/api/control/{verb}" else ("x",)
            for verb in verbs:
                concrete = re.sub(r"\{\w+\}", verb, path)
                found = await router.resolve(make_mocked_request(method.upper(), concrete))
                assert found.http_exception is None, (method, path)
                reached.add(found.route)
    missed = [route for route in router.routes() if route not in reached and route.method != "HEAD"]
    assert missed == []
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            concrete = re.sub(r"\{\w+\}", "panic", path)
            answered, _ = await house.ask(method.upper(), concrete, headers={}, allow_redirects=False)
            assert (answered == 401) == ("security" in operation or path in ("/", "/friend", "/stage", "/captions")), (
                path
            )


async def test_rubbish_is_refused_and_she_lives(
    go_live: GoLive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = await go_live(with_voice=False, audio={"input": "browser"}, stage={"sound": "auto"})
    door = door_of(house, tmp_path / "data")

    def alive() -> None:
        with Wire(door.port) as wire:
            wire.send(door.ask("GET /health"))
            assert status_of(wire.head()) == 200

    answers = await asyncio.to_thread(over_http, door, 1, SPEAKS)
    frames = await asyncio.to_thread(over_sockets, door, 4, alive)
    assert answers["5xx"] == 0
    assert min(answers["2xx"], answers["4xx"], answers["without a key"]) > 30
    assert len(frames) == 3
    assert (await house.ask("GET", "/api/state"))[0] == 200
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
