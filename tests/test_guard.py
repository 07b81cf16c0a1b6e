"""Panic that needs nothing of the program: a process of its own silences her, and the program catches up."""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import psutil
import pytest

from bot.guard_flag import Flag
from tests.conftest import HANGS_S, REAL_TIME, House, until

pytestmark = REAL_TIME

GoLive = Callable[..., Awaitable[House]]
LONG = "Esta es una frase larga para poder cortarla. Y aquí viene otra más, con muchas palabras, que no debe oírse."


def post_panic(house: House) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{house.aneeka.guard.port}/api/control/panic", method="POST", headers=house.headers
    )
    urllib.request.urlopen(request, timeout=HANGS_S).close()


async def guarded(house: House) -> str:
    assert await house.aneeka.guard.ready()
    return f"http://127.0.0.1:{house.aneeka.guard.port}"


async def listen(house: House, token: str) -> aiohttp.ClientWebSocketResponse:
    return await house.client.ws_connect(f"{await guarded(house)}/api/guard?token={token}")


class TestFlag:
    @pytest.fixture
    def flag(self, tmp_path: Path) -> Flag:
        Flag.make(tmp_path / "flag")
        return Flag(tmp_path / "flag")

    def test_it_is_seen_at_once_by_whoever_maps_the_file(self, flag: Flag, tmp_path: Path) -> None:
        other = Flag(tmp_path / "flag")
        flag.panic(12.5)
        assert (other.silent(), other.since_s) == (True, 12.5)
        other.resume(1)
        assert flag.silent() is False

    def test_the_time_is_that_of_the_first_press(self, flag: Flag) -> None:
        flag.panic(1.0)
        flag.panic(2.0)
        assert flag.since_s == 1.0

    def test_a_press_that_the_program_does_not_know_of_yet_is_not_lifted(self, flag: Flag) -> None:
        flag.panic(1.0)
        flag.panic(2.0)
        flag.resume(1)
        assert flag.silent()
        flag.resume(2)
        assert not flag.silent()


async def test_while_the_loop_is_blocked_she_falls_silent_and_the_record_says_where(go_live: GoLive) -> None:
    house = await go_live()
    await guarded(house)
    live = await house.live()
    await house.ask("POST", "/api/say", {"text": LONG})
    for _ in range(3):
        await until(live, "word")
    pressed: list[float] = []

    def press() -> None:
        time.sleep(0.3)
        post_panic(house)
        pressed.append(time.monotonic())

    thread = threading.Thread(target=press)
    thread.start()
    thread.join()  # the loop hangs here, and goes on hanging after the panic
    time.sleep(0.4)  # noqa: ASYNC251
    assert house.aneeka.guard.silenced(), "before the program knows of it"
    turn = await until(live, "turn")
    silent_at = turn["audible_at_s"] + (turn["marks_ms"]["last_audible"] - turn["marks_ms"]["first_audible"]) / 1000
    assert turn["cut"] == "panic"
    assert silent_at <= pressed[0]
    assert LONG.startswith(turn["spoken"])
    assert 3 <= len(turn["spoken"].split()) < len(LONG.split())
    await house.ask("POST", "/api/say", {"text": "¿Me oye alguien?"})
    assert (await house.ask("GET", "/api/state"))[1]["doing"] == "paused"
    assert house.aneeka.reply is None
    await house.ask("POST", "/api/control/resume")
    assert (await until(live, "turn"))["spoken"] == "¿Me oye alguien?"


async def test_pages_hear_it_on_their_own_line_and_stay_silent_until_resume(go_live: GoLive) -> None:
    house = await go_live(with_voice=False)
    obs, studio = await listen(house, house.watch_token), await listen(house, house.token)
    first = await until(obs, "guard")
    assert (first["panics"], first["resumed"]) == (0, 0)
    assert (await until(await house.stage(), "hello"))["guard"] == {**first, "port": house.aneeka.guard.port}
    async with house.client.get(house.aneeka.server.address("/stage", watch=True)) as page:
        policy = page.headers["Content-Security-Policy"]
    assert f"connect-src 'self' ws://127.0.0.1:{house.aneeka.guard.port};" in policy, "they speak to the guard alone"
    await obs.send_json({"type": "panic"})
    await obs.send_str("[")
    await studio.send_json({"type": "panic"})
    assert (await until(obs, "guard", panics=1))["resumed"] == 0
    late = await listen(house, house.watch_token)
    assert await until(late, "guard") == {**first, "panics": 1}, "a page that comes later is silent too"
    async with asyncio.timeout(HANGS_S):
        while not house.aneeka.director.paused:
            await asyncio.sleep(0)
    await house.ask("POST", "/api/control/resume")
    for page in (obs, studio, late):
        assert (await until(page, "guard", resumed=1))["panics"] == 1
    assert house.aneeka.guard.silenced() is False


async def test_only_who_may_panics(go_live: GoLive) -> None:
    house = await go_live(with_voice=False)
    url, port = await guarded(house), house.aneeka.server.port
    path = f"{url}/api/control/panic"
    cookie = {"Cookie": f"aneeka_{port}={house.token}"}
    refused = [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {house.watch_token}"}, 401),
        (house.headers | {"Host": f"evil.example:{house.aneeka.guard.port}"}, 403),
        (house.headers | {"Host": f"127.0.0.1:{port}"}, 403),
        (cookie | {"Origin": "http://evil.example"}, 403),
        (cookie | {"Origin": f"http://127.0.0.1:{house.aneeka.guard.port}"}, 403),
    ]
    for headers, status in refused:
        async with house.client.post(path, headers=headers) as answer:
            assert (answer.status, set(await answer.json())) == (status, {"error", "hint"}), headers
    for bad in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await house.client.ws_connect(f"{url}/api/guard", headers=house.headers | bad)
    async with house.client.get(path, headers=house.headers) as answer:
        assert answer.status == 405
    assert house.aneeka.guard.silenced() is False
    async with house.client.post(path, headers=cookie | {"Origin": f"http://127.0.0.1:{port}"}) as answer:
        assert (answer.status, await answer.json()) == (200, {"verb": "panic", "paused": True})
    assert house.aneeka.guard.silenced()
    assert (await house.ask("GET", "/api/state"))[1]["panic"] == path


async def test_a_panic_that_the_guard_could_not_tell_of_any_more_can_be_lifted(
    go_live: GoLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.guard.BACK_S", 0.1)
    house = await go_live(with_voice=False)
    await guarded(house)
    live = await house.live()
    house.aneeka.guard._flag.panic(house.aneeka.now())
    next(p for p in psutil.Process().children() if "bot.guard_child" in p.cmdline()).kill()
    await until(live, "panic")
    assert house.aneeka.director.paused
    await house.ask("POST", "/api/control/resume")
    assert not house.aneeka.guard.silenced()


async def test_a_guard_that_dies_comes_back_and_she_stays_silent(
    go_live: GoLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.guard.BACK_S", 0.1)
    house = await go_live(with_voice=False)
    await guarded(house)
    post_panic(house)
    guard = [p for p in psutil.Process().children() if "bot.guard_child" in p.cmdline()]
    assert house.token not in " ".join(guard[0].cmdline() + list(guard[0].environ().values()))
    live = await house.live()
    guard[0].kill()
    assert (await until(live, "health", part="guard"))["state"] == "degraded"
    assert house.aneeka.guard.silenced()
    assert (await until(live, "health", part="guard"))["state"] == "ok"
    page = await listen(house, house.watch_token)
    assert (await until(page, "guard"))["panics"] == 1
    await house.ask("POST", "/api/control/resume")
    assert (await until(page, "guard", resumed=1))["panics"] == 1
