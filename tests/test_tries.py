"""Guessing a token that somebody chose: slower and slower, and at nobody else's cost."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.studio.tokens import RANDOM_LETTERS, load_tokens
from bot.studio.tries import EVERY_S, FREE, WAITING, TooManyTries, Tries
from tests.conftest import HANGS_S, House
from tests.virtual_time import play

GoLive = Callable[..., Awaitable[House]]
CHOSEN = "gatito-feliz"
HERE, THERE = "127.0.0.1", "192.168.1.9"


def now() -> float:
    return asyncio.get_running_loop().time()


def slow(scene: Callable[[Tries], Awaitable[Any]]) -> Any:
    async def with_clock() -> Any:
        return await scene(Tries(now))

    return play(with_clock())


async def spend(tries: Tries, times: int, source: str = HERE) -> float:
    """Try so often with a wrong token, one after the other; return the seconds that it took."""
    began_s = now()
    for _ in range(times):
        await tries.turn(source)
    return now() - began_s


def test_some_wrong_tries_are_free_and_the_others_take_their_time() -> None:
    async def scene(tries: Tries) -> None:
        assert await spend(tries, FREE) == 0
        assert await spend(tries, 100) == pytest.approx(100 * EVERY_S)
        assert await spend(tries, 1, THERE) == 0, "another source does not pay for it"
        await asyncio.sleep(FREE * EVERY_S)
        assert await spend(tries, FREE - 1) == 0, "and time heals"

    slow(scene)


def test_at_once_does_not_help_and_the_crowd_is_refused_unread() -> None:
    async def scene(tries: Tries) -> None:
        began_s = now()
        ends = await asyncio.gather(*(tries.turn(HERE) for _ in range(1000)), return_exceptions=True)
        assert sum(isinstance(end, TooManyTries) for end in ends) == 1000 - FREE - WAITING
        assert now() - began_s == pytest.approx(WAITING * EVERY_S)

    slow(scene)


def test_right_ones_cost_nothing_however_many() -> None:
    async def scene(tries: Tries) -> None:
        for _ in range(10 * FREE):
            await tries.turn(HERE)
            tries.was_right(HERE)
        assert await spend(tries, FREE) == 0
        began_s = now()
        await tries.turn(HERE)
        tries.was_right(HERE)
        assert now() - began_s == pytest.approx(EVERY_S), "a right one waits as long as a wrong one"

    slow(scene)


def test_an_attacker_has_one_network_however_many_addresses() -> None:
    async def scene(tries: Tries) -> None:
        for number in range(FREE):
            await tries.turn(f"2001:db8:1:2::{number + 1:x}")
        assert await spend(tries, 1, "2001:db8:1:2:ffff::1") > 0
        assert await spend(tries, 1, "2001:db8:1:3::1") == 0
        assert await spend(tries, FREE, "::ffff:10.0.0.1") == 0
        assert await spend(tries, 1, "10.0.0.1") > 0

    slow(scene)


# ---------------------------------------------------------------------- in the studio


async def wrong_ones(house: House, times: int, path: str = "/api/state", port: int = 0) -> list[int]:
    """Send wrong tokens all at once; return the statuses of the answers."""
    url = f"http://127.0.0.1:{port}" if port else house.url

    async def one(number: int) -> int:
        method = "POST" if "control" in path else "GET"
        headers = {"Authorization": f"Bearer wrong-{number}"}
        async with house.client.request(method, url + path, headers=headers) as answer:
            assert set(await answer.json()) == {"error", "hint"}
            assert ("Retry-After" in answer.headers) is (answer.status == 429)
            return answer.status

    return await asyncio.gather(*(one(number) for number in range(times)))


async def test_while_a_chosen_token_is_guessed_the_operators_page_and_deck_go_on(
    go_live: GoLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed_s = 0.0
    monkeypatch.setattr("bot.studio.security.Tries", lambda: Tries(lambda: passed_s))
    monkeypatch.setattr("bot.studio.tries.EVERY_S", 0.125)
    house = await go_live(with_voice=False, stt={"engine": "off"}, studio={"port": 0, "token": CHOSEN})
    async with house.client.get(house.aneeka.server.address(), allow_redirects=False) as answer:
        cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    assert CHOSEN not in cookie["Cookie"], "what nobody can guess"
    _, given = await house.ask("GET", "/api/deck-key", headers=cookie)
    deck = {"Authorization": f"Bearer {given['key']}"}
    right = {"Authorization": f"Bearer {CHOSEN}"}
    assert (await house.ask("GET", "/api/state", headers=right))[0] == 200

    attack = asyncio.create_task(wrong_ones(house, FREE + WAITING + 20))
    statuses = [(await house.ask("GET", "/api/state", headers=cookie))[0] for _ in range(5)]
    statuses.append((await house.ask("POST", "/api/control/mute", headers=deck))[0])
    watched = await house.client.ws_connect(f"{house.url}/api/stage?token={house.watch_token}")
    answered = await attack
    assert statuses == [200] * 6
    assert not watched.closed
    assert (answered.count(401), answered.count(429)) == (FREE + WAITING, 20)
    assert (await house.ask("GET", "/api/state", headers=right))[0] == 429
    passed_s = 100.0
    assert (await house.ask("GET", "/api/state", headers=right))[0] == 200, "after its turn"
    for odd in ({"Cookie": f"aneeka_{house.aneeka.server.port}={CHOSEN}"}, {}):
        assert (await house.ask("GET", "/api/state", headers=odd))[0] == 401
    assert (await house.ask("GET", "/health", headers={}))[0] == 200


async def test_the_guard_is_no_way_round(go_live: GoLive) -> None:
    house = await go_live(with_voice=False, stt={"engine": "off"}, studio={"port": 0, "token": CHOSEN})
    async with asyncio.timeout(HANGS_S):
        while not await house.aneeka.guard.ready():
            continue
    answered: set[int] = set()
    while 429 not in answered:  # on a slow machine time heals as they come
        answered |= set(await wrong_ones(house, FREE + 2 * WAITING, "/api/control/panic", house.aneeka.guard.port or 0))
    assert answered == {401, 429}
    assert not house.aneeka.guard.silenced()


async def test_nobody_waits_for_a_token_that_was_drawn(go_live: GoLive) -> None:
    house = await go_live(with_voice=False, stt={"engine": "off"})
    assert set(await wrong_ones(house, FREE + WAITING + 20)) == {401}
    assert (await house.ask("GET", "/api/state"))[0] == 200


@pytest.mark.parametrize("chosen", ["", "x" * RANDOM_LETTERS])
def test_a_long_token_is_its_own_cookie(tmp_path: Path, chosen: str) -> None:
    tokens = load_tokens(tmp_path, chosen)
    assert not tokens.guessable
    assert tokens.cookie == tokens.full


def test_a_cookie_lasts_as_long_as_the_chosen_token_does(tmp_path: Path) -> None:
    first, other = load_tokens(tmp_path, CHOSEN), load_tokens(tmp_path, "perrito-feliz")
    assert load_tokens(tmp_path, CHOSEN).cookie == first.cookie
    assert other.cookie != first.cookie
    assert load_tokens(tmp_path / "elsewhere", CHOSEN).cookie != first.cookie
    assert not other.is_cookie(first.cookie)


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps a user's folder closed by itself")
def test_keys_that_others_could_read_are_closed_at_start(tmp_path: Path) -> None:
    file = tmp_path / "studio_tokens.json"
    file.write_text(json.dumps({name: name[0] * RANDOM_LETTERS for name in ("full", "watch", "deck")}))
    file.chmod(0o644)
    assert load_tokens(tmp_path, "").watch == "w" * RANDOM_LETTERS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
