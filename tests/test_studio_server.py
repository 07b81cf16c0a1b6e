"""The locked door, and what every verb says to bad input."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.config.settings import Settings
from bot.studio.server import PortTaken
from bot.studio.tokens import load_tokens
from tests.conftest import HANGS_S, House, until

GoLive = Callable[..., Awaitable[House]]
ROUTES = [
    ("GET", "/api/state"),
    ("POST", "/api/chat"),
    ("DELETE", "/api/chat/x"),
    ("DELETE", "/api/chat?user_id=x"),
    ("POST", "/api/chat/clear"),
    ("POST", "/api/chat/allow"),
    ("GET", "/api/held"),
    ("POST", "/api/held/x/approve"),
    ("POST", "/api/held/x/reject"),
    ("GET", "/api/viewers/blocked"),
    ("POST", "/api/viewers/block"),
    ("POST", "/api/viewers/unblock"),
    ("GET", "/api/decisions"),
    ("POST", "/api/present"),
    ("POST", "/api/vtube-studio/ask"),
    ("GET", "/api/models"),
    ("POST", "/api/models/x/pull"),
    ("POST", "/api/models/x/cancel"),
    ("POST", "/api/operator"),
    ("POST", "/api/say"),
    ("POST", "/api/control/mute"),
    ("GET", "/api/turns"),
    ("GET", "/metrics"),
    ("GET", "/api/microphone"),
    ("POST", "/api/microphone"),
    ("POST", "/api/control/talk"),
    ("POST", "/api/voice-chat"),
    ("GET", "/api/live"),
    ("GET", "/api/stage"),
]


async def test_every_route_wants_the_token_and_that_of_the_pages_only_watches(go_live: GoLive) -> None:
    house = await go_live(with_voice=False)
    for method, path in ROUTES:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"aneeka_{house.aneeka.server.port}=wrong"}):
            status, body = await house.ask(method, path, headers=headers)
            assert (status, set(body)) == (401, {"error", "hint"}), (method, path, headers)
    assert await house.ask("GET", "/health", headers={}) == (200, {"status": "ok"})
    for path in ("/", "/stage", "/captions"):
        assert (await house.ask("GET", path, headers={}))[0] == 401
    assert house.aneeka.director.muted is False
    for method, path in ROUTES[:-1]:
        headers = {"Authorization": f"Bearer {house.watch_token}"}
        assert (await house.ask(method, path, headers=headers))[0] == 401, path
    for path in ("/stage", "/captions"):
        assert (await house.ask("GET", f"{path}?token={house.watch_token}", headers={}))[0] == 200
    assert (await house.ask("GET", f"/?token={house.watch_token}", headers={}))[0] == 401
    assert (await until(await house.stage(), "hello"))["type"] == "hello"


FOREIGN = [
    ("Host", "evil.example"),
    ("Host", "evil.example:{port}"),
    ("Host", "127.0.0.1.evil.example:{port}"),
    ("Host", "127.0.0.1:1"),
    ("Host", "user@127.0.0.1:{port}"),
    ("Host", ""),
    ("Origin", "http://evil.example"),
    ("Origin", "https://127.0.0.1:{port}"),
    ("Origin", "http://127.0.0.1:1"),
    ("Origin", "null"),
]


async def test_foreign_hosts_and_origins_are_refused_with_the_token_too_and_own_ones_pass(go_live: GoLive) -> None:
    house = await go_live(with_voice=False)
    port = house.aneeka.server.port
    for name, value in FOREIGN:
        bad = {name: value.format(port=port)}
        for path in ("/api/state", "/health", "/"):
            status, body = await house.ask("GET", path, headers=house.headers | bad)
            assert (status, set(body)) == (403, {"error", "hint"}), bad
        for path in ("/api/live", "/api/stage"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await house.client.ws_connect(house.url + path, headers=house.headers | bad)
            assert refused.value.status == 403, bad
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", f"LOCALHOST:{port}"):
        headers = house.headers | {"Host": host, "Origin": f"http://{host}"}
        assert (await house.ask("GET", "/api/state", headers=headers))[0] == 200


async def test_the_link_becomes_a_cookie_and_leaves_the_address_bar(go_live: GoLive) -> None:
    house = await go_live(with_voice=False)
    async with house.client.get(house.aneeka.server.address(), allow_redirects=False) as answer:
        cookie = answer.headers["Set-Cookie"]
        assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    held = {"Cookie": cookie.partition(";")[0]}
    assert (await house.ask("GET", "/api/state", headers=held))[0] == 200
    async with house.client.get(house.url + "/", headers=held) as page:
        assert page.status == 200
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert house.token not in await page.text()


BAD_BODIES: list[tuple[str, str, Any]] = [
    ("POST", "/api/chat", {}),
    ("POST", "/api/chat", {"user": "ana"}),
    ("POST", "/api/chat", {"user": "ana", "text": "   "}),
    ("POST", "/api/chat", {"user": "", "text": "hola"}),
    ("POST", "/api/chat", {"user": "ana", "text": "x" * 501}),
    ("POST", "/api/chat", {"user": "ana", "text": 3}),
    ("POST", "/api/chat", {"user": "ana", "text": "hola", "roles": "moderator"}),
    ("POST", "/api/chat", {"user": "ana", "text": "hola", "roles": ["king"]}),
    ("POST", "/api/chat", {"user": "ana", "text": "hola", "user_id": 7}),
    ("POST", "/api/operator", {"text": None}),
    ("POST", "/api/operator", {"text": "x" * 2001}),
    ("POST", "/api/say", []),
    ("POST", "/api/say", "hola"),
    ("GET", "/api/turns?limit=-1", None),
    ("GET", "/api/turns?limit=diez", None),
    ("GET", "/api/turns?limit=٣", None),
]


async def test_bad_input_is_one_sentence_with_what_to_do_and_never_a_5xx(go_live: GoLive) -> None:
    house = await go_live(with_voice=False)
    for method, path, body in BAD_BODIES:
        status, answer = await house.ask(method, path, body)
        assert status == 400, (path, body)
        assert answer["error"]
        assert answer["hint"]
    assert house.aneeka.inbox.received == 0
    bodies = [b"", b"{", b"\xff\xfe", b"[" * 20_000, b'"\\ud800"', b'{"text": "\\ud800"}', b"null"]
    for body in bodies:
        for path in ("/api/chat", "/api/operator", "/api/say"):
            async with house.client.post(house.url + path, data=body, headers=house.headers) as answer:
                assert answer.status == 400, (path, body[:20])
                assert set(await answer.json()) == {"error", "hint"}
    async with house.client.post(house.url + "/api/say", data=b"x" * 100_000, headers=house.headers) as answer:
        assert answer.status == 413
    for method, path in (("GET", "/nowhere"), ("POST", "/api/control/dance"), ("GET", "/static/page/../../app.py")):
        status, body = await house.ask(method, path)
        assert (status, set(body)) == (404, {"error", "hint"})
    assert (await house.ask("PUT", "/api/say", {"text": "hola"}))[0] == 405


NULLS: list[tuple[int, str, dict[str, Any]]] = [
    (202, "/api/chat", {"user": "ana", "text": "hola", "user_id": None, "roles": None, "later": None}),
    (200, "/api/microphone", {"source": "browser", "device": None, "mode": None}),
    (400, "/api/chat", {"user": None, "text": "hola"}),
    (400, "/api/microphone", {"mode": None}),
]


async def test_null_is_as_good_as_nothing(go_live: GoLive) -> None:
    house = await go_live(with_voice=False, audio={"input": "browser"})
    live = await house.live()
    for status, path, body in NULLS:
        assert (await house.ask("POST", path, body))[0] == status, body
    heard = await until(live, "chat")
    assert (heard["user"], heard["user_id"], heard["roles"]) == ("ana", "studio:ana", [])
    schemas = (await house.ask("GET", "/api/openapi.json"))[1]["components"]["schemas"]
    for schema, name in (("ChatMessage", "user_id"), ("ChatMessage", "roles"), ("Microphone", "mode")):
        assert {"type": "null"} in schemas[schema]["properties"][name]["anyOf"]


async def test_bytes_that_are_no_text_are_refused_like_any_wrong_token(go_live: GoLive) -> None:
    house = await go_live(with_voice=False)
    port = house.aneeka.server.port
    for line in ("Authorization: Bearer \xff", f"Cookie: aneeka_{port}=\xff"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{line}\r\n\r\n".encode("latin-1"))
        assert b" 401 " in await reader.readline()
        writer.close()
    headers = house.headers | {"Content-Type": "application/json; charset=nonsense"}
    async with house.client.post(house.url + "/api/say", data=b'{"text": "..."}', headers=headers) as answer:
        assert answer.status == 202


async def test_a_public_studio_answers_to_its_addresses_and_not_to_names(go_live: GoLive) -> None:
    house = await go_live(
        with_voice=False, studio={"port": 0, "host": "0.0.0.0", "public": True, "token": "a-long-token-of-my-own"}
    )
    port = house.aneeka.server.port
    for host, status in (
        ("192.168.1.20", 200),
        ("127.0.0.1", 200),
        ("evil.example", 403),
        ("192.168.1.20.evil.example", 403),
    ):
        headers = house.headers | {"Host": f"{host}:{port}"}
        assert (await house.ask("GET", "/api/state", headers=headers))[0] == status, host


async def test_pages_that_talk_rubbish_are_ignored(go_live: GoLive) -> None:
    house = await go_live(with_voice=False, stage={"sound": "browser"})
    page = await house.stage()
    await until(page, "hello")
    for said in (
        "",
        "{",
        "[]",
        "7",
        '{"type": "played"}',
        '{"type": "ready"}',
        '{"type": "played", "serial": "x"}',
        "[" * 3000,
    ):
        await page.send_str(said)
    await page.send_json({"type": "ready", "kind": "captions", "can_sound": True})
    await page.send_json({"type": "ready", "kind": "stage", "can_sound": True})
    assert (await until(page, "sounding"))["value"] is True


async def test_one_page_sounds_and_the_next_takes_over(go_live: GoLive) -> None:
    house = await go_live(with_voice=False, stage={"sound": "auto"})
    studio, stage = await house.stage(), await house.stage()
    await studio.send_json({"type": "ready", "kind": "studio", "can_sound": True})
    assert (await until(studio, "sounding"))["value"] is True
    assert house.aneeka.board.parts["sound"].serving == "browser"
    await stage.send_json({"type": "ready", "kind": "stage", "can_sound": True})
    assert (await until(studio, "sounding"))["value"] is False
    assert (await until(stage, "sounding"))["value"] is True
    await studio.send_json({"type": "take_sound"})
    assert (await until(stage, "sounding"))["value"] is False
    assert (await until(studio, "sounding"))["value"] is True
    await studio.close()
    assert (await until(stage, "sounding"))["value"] is True


async def test_a_frozen_page_does_not_keep_her_from_closing(go_live: GoLive) -> None:
    house = await go_live(with_voice=False)
    frozen = [await house.stage(), await house.stage(), await house.live()]
    async with asyncio.timeout(HANGS_S):
        await house.aneeka.close()
    assert not any(socket.closed for socket in frozen), "none of them has read the goodbye"


async def test_metrics_speak_prometheus_of_this_run_alone(go_live: GoLive) -> None:
    earlier = await go_live()
    live = await earlier.live()
    await earlier.ask("POST", "/api/say", {"text": "Hola."})
    await until(live, "turn")
    assert "aneeka_first_audible_seconds_count 1" in (await earlier.ask("GET", "/metrics"))[1].splitlines()
    await earlier.aneeka.close()

    house = await go_live()
    while not house.aneeka.desk.turns(1):
        await asyncio.sleep(0.01)
    assert "aneeka_first_audible_seconds" not in (await house.ask("GET", "/metrics"))[1]
    await house.ask("POST", "/api/chat", {"user": "ana", "text": "!bot"})
    status, body = await house.ask("GET", "/metrics")
    assert status == 200
    assert 'aneeka_chat_dropped_total{reason="command"} 1' in body.splitlines()
    assert "aneeka_chat_received_total 1" in body.splitlines()
    assert 'aneeka_health{part="voice",state="ok"} 1' in body.splitlines()


async def test_a_taken_port_is_one_sentence(go_live: GoLive, tmp_path: Path) -> None:
    house = await go_live(with_voice=False)
    from bot.app import Aneeka

    other = Aneeka(Settings(studio={"port": house.aneeka.server.port}, stage={"sound": "none"}), tmp_path / "other")
    with pytest.raises(PortTaken, match=str(house.aneeka.server.port)):
        await other.start()


class TestTokens:
    def test_they_stay_so_that_obs_comes_back_after_a_restart(self, tmp_path: Path) -> None:
        first = load_tokens(tmp_path, "")
        assert load_tokens(tmp_path, "") == first
        assert first.full != first.watch
        assert load_tokens(tmp_path, "my-own-token-0123").full == "my-own-token-0123"
        assert (tmp_path / "studio_tokens.json").stat().st_mode & 0o077 == 0
        assert first.full not in repr(first)

    @pytest.mark.parametrize("broken", ["", "{}", "[]", '{"full": "x", "watch": "y"}', "\x00"])
    def test_a_broken_file_is_made_anew(self, tmp_path: Path, broken: str) -> None:
        (tmp_path / "studio_tokens.json").write_text(broken)
        tokens = load_tokens(tmp_path, "")
        assert len(tokens.full) >= 16
        assert json.loads((tmp_path / "studio_tokens.json").read_text())["full"] == tokens.full

    def test_scopes(self, tmp_path: Path) -> None:
        tokens = load_tokens(tmp_path, "")
        assert (tokens.scope(tokens.full), tokens.scope(tokens.watch)) == ("full", "watch")
        assert tokens.scope("") is tokens.scope("ñ") is None
