"""What is refused before any route is asked: in the words of every refusal, and with nothing of it given back."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.conftest import House
from tests.test_web_attacks import door_of, send
from tests.web_attacks.wire import Door, status_of

GoLive = Callable[..., Awaitable[House]]
MINE = "echo-7f3a"
FORM = "Content-Type: multipart/form-data; boundary=x"


def squeezed(door: Door, line: str, *headers: str) -> bytes:
    """Return a request that says its body is gzip, which it is not."""
    return door.ask(line, "Content-Encoding: gzip", *headers, key=door.full, body=f'{{"text": "{MINE}"}}'.encode())


def expecting(door: Door, line: str) -> bytes:
    return door.ask(line, f"Expect: {MINE}", key=door.full, body=b'{"text": "hola"}')


REFUSED: list[tuple[int, Callable[[Door], bytes]]] = [
    (400, lambda door: f"{MINE}\r\n\r\n".encode()),
    (400, lambda door: f"GET /{MINE} HTTP/9\r\n\r\n".encode()),
    (400, lambda door: door.ask("GET /health", f"{MINE} : x")),
    (400, lambda door: door.ask("GET /health", f"X: {MINE * 1000}")),
    (400, lambda door: door.ask(f"GET /health?{MINE * 1000}")),
    (417, lambda door: expecting(door, "POST /api/say")),
    (417, lambda door: expecting(door, "GET /nowhere")),
    (400, lambda door: squeezed(door, "POST /api/say")),
    (400, lambda door: squeezed(door, "POST /api/microphone")),
    (400, lambda door: squeezed(door, "POST /api/held/x/approve")),
    (400, lambda door: squeezed(door, "POST /api/voice-chat", FORM)),
]


async def test_what_no_route_can_take_is_refused_as_every_route_does_it(
    go_live: GoLive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = await go_live(with_voice=False, audio={"input": "browser"})
    door = door_of(house, tmp_path / "data")
    for status, request in REFUSED:
        asked = request(door)
        answer = await asyncio.to_thread(send, door, asked)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert (status_of(answer), b"Content-Type: application/json" in head) == (status, True), (asked[:90], answer)
        assert b"X-Content-Type-Options: nosniff" in head, asked[:90]
        told = json.loads(body)
        assert (set(told), bool(told["error"]), bool(told["hint"])) == ({"error", "hint"}, True, True), asked[:90]
        assert MINE.encode() not in answer, asked[:90]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_client_that_waits_for_the_word_to_go_on_gets_it(go_live: GoLive) -> None:
    house = await go_live(with_voice=False)
    path, body = house.url + "/api/operator", {"text": "hola"}
    async with house.client.post(path, json=body, headers=house.headers, expect100=True) as answer:
        assert answer.status == 202
