"""The locked studio, attacked: by raw sockets and from hostile pages in a real browser. Nothing may come of it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page

from bot.studio import security, server
from bot.studio.doorman import HEAD_S, MOST, Doorman
from bot.studio.tokens import load_tokens
from tests.browser import RESTORED, GoLive, becomes, go_live, pages, without_picture
from tests.conftest import House
from tests.virtual_time import play
from tests.web_attacks import raw
from tests.web_attacks.hostile import ATTACKS, MARKUP, REBOUND, SANDBOXED, WITHIN, script
from tests.web_attacks.wire import Door, Wire, status_of

__all__ = ["go_live"]


NOTHING = "nothing"


def door_of(house: House, data: Path) -> Door:
    keys = json.loads((data / "studio_tokens.json").read_text("utf-8"))
    return Door(house.aneeka.server.port, **keys)


def portrait(house: House, data: Path) -> dict[str, Any]:
    """Return all that an attack could have changed."""
    a = house.aneeka
    state = {name: value for name, value in a.desk.state().items() if name not in ("health", "doing")}
    files = {file.name: file.read_bytes() for file in data.iterdir() if file.is_file()}
    decided = (a.hand.decisions(100), a.hand.held(), a.hand.blocked())
    heard = (a.desk.turns(100), a.memory.messages(), a.director.held, a.guard.silenced())
    return {"state": state, "files": files, "decided": decided, "heard": heard, "voice": a.voices.state()}


def changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return which parts differ, and how; empty where none does."""
    flat_before, flat_now = flat(before), flat(now)
    pairs = {key: (flat_before.get(key, NOTHING), flat_now.get(key, NOTHING)) for key in flat_before | flat_now}
    return ", ".join(f"{key}: {old!r} -> {new!r}" for key, (old, new) in pairs.items() if old != new)


def flat(portrait: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a portrait, each part of the state as one of its own."""
    state = {f"state.{name}": value for name, value in portrait["state"].items()}
    return {**state, **{name: value for name, value in portrait.items() if name != "state"}}


def send(door: Door, data: bytes) -> bytes:
    """Return the answer; behind a WebSocket's handshake, all until she hangs up."""
    with Wire(door.port) as wire:
        wire.send(data)
        head = wire.head()
        return head + (wire.rest() if status_of(head) == 101 else wire.body(head))


@pages
async def test_a_portrait_shows_what_was_changed_what_came_and_what_went(go_live: GoLive, tmp_path: Path) -> None:
    house = await go_live(stt={"engine": "off"})
    before = portrait(house, tmp_path / "data")
    assert changes(before, portrait(house, tmp_path / "data")) == ""
    assert (await house.ask("POST", "/api/voices/use", {"voice": "es-419+m3"}))[0] == 202
    now = portrait(house, tmp_path / "data")
    assert changes(before, now).startswith("voice: ")
    assert changes({**before, "state": {"muted": True}}, {**before, "state": {"paused": True}}) == (
        "state.muted: True -> 'nothing', state.paused: 'nothing' -> True"
    )


@pages
async def test_by_raw_sockets(go_live: GoLive, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    house = await go_live(stt={"engine": "off"})
    assert await house.aneeka.guard.ready(), "its address is part of the state"
    data = tmp_path / "data"
    door = door_of(house, data)
    before = portrait(house, data)
    wrong: list[str] = []
    for attack in raw.ATTACKS:
        sent = attack.send(door)
        try:
            answer = await asyncio.to_thread(send, door, sent)
        except TimeoutError:
            wrong.append(f"{attack.name}: neither answered nor hung up on")
            continue
        if (status := status_of(answer)) not in attack.refused_by:
            wrong.append(f"{attack.name}: answered {status}")
        keys = (key.encode() for key in (door.full, door.watch, door.deck))
        if status != 101 and any(key in answer and key not in sent for key in keys):
            wrong.append(f"{attack.name}: gave a key away")
        if changed := changes(before, now := portrait(house, data)):
            wrong.append(f"{attack.name}: changed {changed}")
            before = now
        if status_of(await asyncio.to_thread(send, door, door.ask("GET /health"))) != 200:
            wrong.append(f"{attack.name}: the door does not answer any more")
    assert not wrong, "\n".join(wrong)
    assert len({attack.name for attack in raw.ATTACKS}) == len(raw.ATTACKS) >= 100
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


class Watch:
    """Every request that reaches the studio's door, and how it was answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answered: list[tuple[str, str, int]] = []

        def watched(*args: Any, **options: Any) -> Any:
            guard = security.make_guard(*args, **options)

            @web.middleware
            async def watch(request: web.Request, handler: Any) -> web.StreamResponse:
                answer = await guard(request, handler)
                own = request.headers.get("Origin", "").endswith(str(request.url.port))
                site = request.headers.get("Sec-Fetch-Site", "none")
                if not own and site in ("cross-site", "same-site"):
                    self.answered.append((request.method, request.path, answer.status))
                return answer

            return watch

        monkeypatch.setattr(server, "make_guard", watched)


@asynccontextmanager
async def evil_site() -> AsyncIterator[tuple[int, list[tuple[str, str | None]]]]:
    """Serve an empty page, redirects, and remember what was told: path and Referer."""
    told: list[tuple[str, str | None]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/bounce":
            raise web.HTTPTemporaryRedirect(request.query["to"])
        told.append((request.path, request.headers.get("Referer")))
        return web.Response(text="<!doctype html><title>evil</title><body>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1], told
    finally:
        await runner.cleanup()


def speak_markup(house: House) -> None:
    """Let everything that comes from outside be markup, in every message that pages get."""
    tell, show = house.aneeka.live.tell, house.aneeka.pages.show
    person = {"user": MARKUP, "user_id": MARKUP, "roles": [MARKUP]}
    tell({"type": "chat", "id": "m1", "kind": "chat", "text": MARKUP, **person})
    tell({"type": "cue", "reply": "r1", "mode": "chat_one", "heard": ["m1"], "why": MARKUP})
    tell({"type": "phrase", "reply": "r1", "index": 0, "text": MARKUP, "expression": MARKUP})
    tell({"type": "blocked", "reply": "r1", "reason": MARKUP})
    tell({"type": "health", "part": MARKUP, "state": "down", "reason": MARKUP, "repair": MARKUP, "serving": MARKUP})
    tell({"type": "health", "part": "brain", "state": "ok", "reason": MARKUP, "repair": MARKUP, "serving": MARKUP})
    tell({"type": "hearing", "text": MARKUP, "level_db": -20, "speech": True})
    turn = {"id": MARKUP, "mode": "chat_one", "heard": [{"id": "m1", "kind": "chat", "user": MARKUP, "text": MARKUP}]}
    tell(
        {
            "type": "turn",
            **turn,
            "generated": MARKUP,
            "spoken": MARKUP,
            "cut": MARKUP,
            "expression": MARKUP,
            "marks_ms": {},
            "engines": {},
        }
    )
    show({"type": "card", "user": MARKUP, "text": MARKUP})
    show({"type": "begin", "serial": 7, "reply": "r1"})
    show(
        {"type": "phrase", "serial": 7, "index": 0, "text": MARKUP, "expression": MARKUP, "start": 0, "samples": 48_000}
    )


SLIPPED = "window.pwned || document.querySelector('#slipped, [onerror], [onload]') !== null"


@pages
async def test_by_hostile_pages(
    go_live: GoLive,
    browser: Browser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = Watch(monkeypatch)
    house = await go_live(stt={"engine": "off"})
    assert await house.aneeka.guard.ready()
    data = tmp_path / "data"
    door = door_of(house, data)
    wrong: list[str] = []
    async with evil_site() as (evil_port, told):
        context = await browser.new_context()
        studio = await context.new_page()
        await without_picture(studio)
        await studio.goto(house.aneeka.server.address())
        await becomes(studio, RESTORED)
        before = portrait(house, data)

        def target(host: str) -> dict[str, Any]:
            at, guard = f"//127.0.0.1:{door.port}", f"ws://127.0.0.1:{house.aneeka.guard.port}"
            keys = {"cookie": f"aneeka_{door.port}", "key": door.full}
            return {
                "studio": "http:" + at,
                "ws": "ws:" + at,
                "evil": f"http://{host}:{evil_port}",
                "guard": guard,
                **keys,
            }

        async def from_page(name: str, page: Page, attacks: dict[str, str], host: str = "evil.test") -> None:
            try:
                got: dict[str, str] = await page.evaluate(script(attacks), target(host))
            except Exception as fault:
                got = {"all": f"failed: {fault}"}
            wrong.extend(f"{name}: {attack}: {loot[:200]}" for attack, loot in got.items())
            if changed := changes(before, portrait(house, data)):
                wrong.append(f"{name}: changed {changed}")

        async def from_elsewhere(name: str, host: str) -> None:
            page = await context.new_page()
            await page.goto(f"http://{host}:{evil_port}/")
            await from_page(name, page, {**ATTACKS, "a page without an origin": SANDBOXED}, host)
            await page.close()

        elsewhere = {"another site": "evil.test", "another port": "127.0.0.1", "another name": "localhost"}
        await asyncio.gather(*(from_elsewhere(*place) for place in elsewhere.items()))
        reached = {path for _, path, _ in watch.answered}
        wrong += [
            f"{path} was never reached"
            for path in ("/api/state", "/api/say", "/api/live", "/api/control/mute")
            if path not in reached
        ]
        wrong += [f"{seen} was let in" for seen in watch.answered if seen[2] < 400 and seen[1] != "/"]

        rebound = await context.new_page()
        await rebound.goto(f"http://rebind.test:{door.port}/")
        await from_page("DNS rebinding", rebound, REBOUND)

        told.clear()
        await from_page("the studio's own page", studio, WITHIN)
        wrong += [f"the studio's own page: {path} was told" for path, _ in told]
        alive = "fetch('/api/state').then((answer) => answer.status)"
        if await studio.evaluate(alive) != 200:
            wrong.append("tossed cookies: the operator is locked out")

        await rebound.close()
        await studio.unroute_all()
        await studio.reload()
        await becomes(studio, "window.aneeka && window.aneeka.connected")
        shown = {"studio": studio}
        for path in ("/stage", "/captions", "/friend"):
            page = await context.new_page()
            page.on("dialog", lambda dialog: dialog.dismiss())
            await page.goto(house.aneeka.server.address(path, watch=path != "/friend"))
            shown[path] = page
        for path in ("/stage", "/captions"):
            await becomes(shown[path], "window.aneeka && window.aneeka.connected")
        speak_markup(house)
        await becomes(studio, "document.body.textContent.includes('<b id=slipped>')")
        await becomes(shown["/stage"], "document.body.textContent.includes('<b id=slipped>')")
        for name, page in shown.items():
            if await page.evaluate(SLIPPED):
                wrong.append(f"markup: slipped into {name}")
        told.clear()
        for path in ("/stage", "/friend"):
            await shown[path].evaluate(f"location.href = 'http://evil.test:{evil_port}/landed'")
            await shown[path].wait_for_url("**/landed")
        wrong += [f"Referer: {sent} was told" for path, sent in told if path == "/landed" and sent]
    assert not wrong, "\n".join(wrong)
    assert (await house.ask("GET", "/health"))[0] == 200
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


@pages
async def test_a_stream_deck_works_the_controls_and_the_guard(go_live: GoLive, tmp_path: Path) -> None:
    house = await go_live(stt={"engine": "off"})
    assert await house.aneeka.guard.ready()
    door = door_of(house, tmp_path / "data")
    key = {"Authorization": f"Bearer {door.deck}"}
    for origin in ({}, {"Origin": "null"}, {"Origin": "file://"}):
        for verb, muted in (("mute", True), ("unmute", False)):
            status, answer = await house.ask("POST", f"/api/control/{verb}", headers=key | origin)
            assert (status, answer["muted"]) == (200, muted)
    for scope in (door.full, door.watch):
        headers = {"Authorization": f"Bearer {scope}", "Origin": "file://"}
        assert (await house.ask("POST", "/api/control/mute", headers=headers))[0] == 403
    async with house.client.post(house.aneeka.server.panic_address() or "", headers=key) as answer:
        assert answer.status == 200
    assert house.aneeka.guard.silenced()
    assert house.aneeka.director.muted is False


def test_tokens_from_before_stream_decks_had_one_stay(tmp_path: Path) -> None:
    file = tmp_path / "studio_tokens.json"
    file.write_text(json.dumps({"full": "f" * 32, "watch": "w" * 32}))
    tokens = load_tokens(tmp_path, "")
    assert (tokens.full, tokens.watch) == ("f" * 32, "w" * 32)
    assert load_tokens(tmp_path, "") == tokens
    assert tokens.scope(tokens.deck) == "deck"


def connect(door: Door, times: int) -> list[Wire]:
    return [Wire(door.port) for _ in range(times)]


@pages
async def test_slow_and_many_connections_leave_room_for_the_operator(go_live: GoLive, tmp_path: Path) -> None:
    house = await go_live(stt={"engine": "off"})
    door = door_of(house, tmp_path / "data")
    slow = await asyncio.to_thread(connect, door, 100)
    for wire in slow:
        wire.send(b"POST /api/say HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    assert (await house.ask("GET", "/health"))[0] == 200
    many = await asyncio.to_thread(connect, door, MOST)
    assert await asyncio.to_thread(many[-1].rest) == b"", "beyond so many she hangs up at once"
    for wire in [*slow, *many]:
        wire.socket.close()
    assert (await house.ask("GET", "/health"))[0] == 200


class Line(asyncio.Transport):
    """A connection that remembers when it was hung up."""

    def __init__(self) -> None:
        super().__init__()
        self.ended_s: float | None = None

    def abort(self) -> None:
        self.ended_s = asyncio.get_running_loop().time()


def test_who_trickles_is_hung_up_on() -> None:
    async def scene() -> tuple[float | None, float | None]:
        lines = (Line(), Line())
        trickles, asks = (Doorman(asyncio.Protocol(), set()) for _ in lines)
        trickles.connection_made(lines[0])
        asks.connection_made(lines[1])
        began = asyncio.get_running_loop().time()
        for letter in b"GET / HTTP/1.1\r\n\r\n":
            asks.data_received(bytes([letter]))
        for letter in b"GET / HTTP/1.1\r\n" * 10:
            trickles.data_received(bytes([letter]))
            await asyncio.sleep(0.2)
        await asyncio.sleep(2 * HEAD_S)
        assert lines[0].ended_s is not None
        return lines[0].ended_s - began, lines[1].ended_s

    assert play(scene()) == (pytest.approx(HEAD_S), None)
