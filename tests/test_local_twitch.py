"""The local Twitch refuses what Twitch would refuse: otherwise what is tested against it proves nothing."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import aiohttp
import pytest

from tests.conftest import HANGS_S
from tests.local_twitch import GARBAGE
from tests.local_twitch.client import CHAT, SCOPES, Client, close_code, heard, scene, told

FOLLOW = "channel.follow"


# ---------------------------------------------------------------------- subscriptions


@scene()
async def test_only_the_right_token_gets_in(c: Client) -> None:
    path = "users"
    assert (await c.ask("GET", path))[1]["data"][0]["login"] == "aneeka"
    assert (await c.ask("GET", path, access="wrong"))[0] == 401
    assert (await c.ask("GET", path, headers={"Client-Id": "another"}))[0] == 401
    c.twitch.expire(c.access)
    assert (await c.ask("GET", path))[0] == 401


@scene()
async def test_a_subscription_is_checked_in_every_part(c: Client) -> None:
    _, session = await c.socket()
    channel, bot = c.twitch.channel.id, c.bot.id
    other, _ = c.twitch.grant(c.viewer, SCOPES)
    poor, _ = c.twitch.grant(c.bot, ["user:write:chat"])
    follow = {"broadcaster_user_id": channel, "moderator_user_id": bot}
    refusals: list[tuple[int, dict[str, Any]]] = [
        (400, {"type": "channel.tea_break"}),
        (400, {"version": "2"}),
        (400, {"type": FOLLOW, "version": "3", "condition": follow}),
        (410, {"type": "channel.hype_train.begin", "condition": {"broadcaster_user_id": channel}}),
        (400, {"condition": {"broadcaster_user_id": channel}}),
        (400, {"condition": {**c.condition, "extra": "1"}}),
        (400, {"condition": {"broadcaster_user_id": int(channel), "user_id": bot}}),
        (400, {"condition": {"broadcaster_user_id": "99999", "user_id": bot}}),
        (400, {"type": "channel.raid", "condition": {}}),
        (400, {"transport": {"method": "websocket", "session_id": "unknown"}}),
        (400, {"transport": {"method": "webhook", "callback": "https://example.org"}}),
        (401, {"access": "wrong"}),
        (403, {"access": poor}),
        (403, {"access": other}),
        (403, {"type": FOLLOW, "version": "2", "condition": follow}),
        (403, {"type": "channel.subscribe", "condition": {"broadcaster_user_id": channel}}),
    ]
    for status, changes in refusals:
        answer = await c.subscribe(session, **changes)
        assert answer[0] == status, (changes, answer)
    assert await c.subscribe(session) == (202, "")
    assert (await c.subscribe(session))[0] == 409
    c.twitch.mod(c.bot)
    assert (await c.subscribe(session, FOLLOW, version="2", condition=follow))[0] == 202
    assert (await c.subscribe(session, access=other, condition={**c.condition, "user_id": c.viewer.id}))[0] == 400


@scene()
async def test_the_limits_of_sockets_cost_and_the_same_condition(c: Client) -> None:
    sessions = [(await c.listening())[1] for _ in range(3)]
    _, fourth = await c.socket()
    assert await c.subscribe(fourth) == (429, "maximum subscriptions with type and condition exceeded")
    for number in range(11):
        condition = {"broadcaster_user_id": c.twitch.user(f"stranger{number}").id}
        if number == 0:
            refused = await c.subscribe(fourth, "stream.online", condition=condition)
            assert refused == (429, "number of websocket transports limit exceeded")
        status, why = await c.subscribe(sessions[0], "stream.online", condition=condition)
        assert (status, why) == ((202, "") if number < 10 else (429, "exceeded max total cost"))


@scene()
async def test_dead_subscriptions_are_listed_and_can_be_deleted(c: Client) -> None:
    socket, _ = await c.listening()
    await c.twitch.drop()
    assert await close_code(socket) == 1006
    _, found = await c.ask("GET", "eventsub/subscriptions", params={"status": "websocket_disconnected"})
    assert [one["type"] for one in found["data"]] == [CHAT]
    delete = functools.partial(c.ask, "DELETE", "eventsub/subscriptions", params={"id": found["data"][0]["id"]})
    assert [(await delete())[0] for _ in range(2)] == [204, 404]
    assert (await c.ask("GET", "eventsub/subscriptions"))[1]["data"] == []


@scene()
async def test_orphans_hold_a_subscription_for_a_while(c: Client) -> None:
    c.twitch.orphans(20)
    await c.listening()
    await c.twitch.drop()
    _, session = await c.socket()
    assert (await c.subscribe(session))[0] == 409
    _, later = await c.socket()
    await asyncio.sleep(5)
    assert (await c.subscribe(later))[0] == 409
    await asyncio.sleep(16)
    assert (await c.subscribe((await c.socket())[1]))[0] == 202


# ---------------------------------------------------------------------- the socket


@scene()
async def test_keepalives_come_in_silence_alone_and_as_often_as_asked(c: Client) -> None:
    now = asyncio.get_running_loop().time
    socket, session = await c.socket(f"{c.twitch.eventsub_url}?keepalive_timeout_seconds=3")
    await c.subscribe(session)
    start_s = now()
    await told(socket, "session_keepalive")
    assert now() - start_s == pytest.approx(10, abs=0.1), "3 is below the least that Twitch grants"
    await asyncio.sleep(7)
    await c.twitch.chat(c.viewer, "hola")
    assert await heard(socket) == "hola"
    await told(socket, "session_keepalive")
    assert now() - start_s == pytest.approx(27, abs=0.1)


@scene()
async def test_a_client_must_subscribe_answer_pings_and_say_nothing(c: Client) -> None:
    idle, _ = await c.socket()
    assert await close_code(idle) == 4003
    talker, _ = await c.listening()
    await talker.send_str("{}")
    assert await close_code(talker) == 4001
    deaf = await c.http.ws_connect(c.twitch.eventsub_url, autoping=False)
    session = (await told(deaf, "session_welcome"))["payload"]["session"]["id"]
    assert (await c.subscribe(session))[0] == 202
    assert await close_code(deaf) == 4002
    assert (await c.subscribe(session))[0] == 400


@pytest.mark.parametrize("changes", [False, True])
def test_the_old_socket_has_the_traffic_until_the_new_one_is_welcomed(changes: bool) -> None:
    @scene()
    async def played(c: Client) -> None:
        old, session = await c.listening()
        await c.twitch.reconnect(session_id_changes=changes)
        address = (await told(old, "session_reconnect"))["payload"]["session"]["reconnect_url"]
        await c.twitch.chat(c.viewer, "one")
        new, new_session = await c.socket(address)
        await c.twitch.chat(c.viewer, "two")
        assert [await heard(old), await heard(new)] == ["one", "two"]
        assert (new_session != session) == changes
        assert (await c.subscribe(new_session))[0] == 409, "subscriptions were carried over"
        assert (await c.subscribe(session))[0] == (400 if changes else 409)
        again = await c.http.ws_connect(address)
        assert await close_code(again) == 4007
        third = asyncio.create_task(heard(new))
        assert await close_code(old) == 4004, "it was left open"
        await c.twitch.chat(c.viewer, "three")
        assert await third == "three"
        assert len(c.twitch.delivered) == 3

    played()


@scene()
async def test_a_reconnect_address_is_good_once_unchanged_and_while_the_old_socket_is_open(c: Client) -> None:
    old, _ = await c.listening()
    await c.twitch.reconnect()
    address = (await told(old, "session_reconnect"))["payload"]["session"]["reconnect_url"]
    assert await close_code(await c.http.ws_connect(f"{address}&keepalive_timeout_seconds=30")) == 4007
    await old.close()
    assert await close_code(await c.http.ws_connect(address)) == 4007
    late, _ = await c.listening()
    await c.twitch.reconnect()
    await told(late, "session_reconnect")
    await c.twitch.chat(c.viewer, "still here")
    assert await heard(late) == "still here"
    assert await close_code(late) == 4004
    assert await c.twitch.clear() == 0


@scene()
async def test_the_faults_of_the_socket(c: Client) -> None:
    c.twitch.refuse_handshakes(1)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await c.socket()
    c.twitch.no_welcome(1, cut=True)
    assert await close_code(await c.http.ws_connect(c.twitch.eventsub_url)) == 1006
    c.twitch.no_welcome(1)
    mute = await c.http.ws_connect(c.twitch.eventsub_url)
    with pytest.raises(TimeoutError):
        await mute.receive(timeout=HANGS_S)
    for code in range(4000, 4008):
        socket, _ = await c.listening()
        await c.twitch.close(code)
        assert await close_code(socket) == code
    for reset in (False, True):
        socket, _ = await c.listening()
        await asyncio.gather(*(c.twitch.chat(c.viewer, str(number)) for number in range(300)))
        if reset:
            assert [await heard(socket) for _ in range(300)] == [str(number) for number in range(300)]
        await c.twitch.drop(reset=reset)
        if not reset:
            assert [await heard(socket) for _ in range(300)] == [str(number) for number in range(300)]
        assert await close_code(socket) == 1006
    silent, _ = await c.listening()
    c.twitch.go_silent()
    assert await c.twitch.chat(c.viewer, "nobody hears") not in c.twitch.delivered_chat
    with pytest.raises(TimeoutError):
        await silent.receive(timeout=HANGS_S)
    assert len(c.twitch.delivered) == 600


@scene()
async def test_duplicates_and_garbage(c: Client) -> None:
    socket, _ = await c.listening()
    await c.twitch.chat(c.viewer, "once")
    await c.twitch.duplicate()
    twice = [await told(socket, "notification") for _ in range(2)]
    assert twice[0] == twice[1]
    assert c.twitch.delivered == [twice[0]["metadata"]["message_id"]]
    for kind, frame in GARBAGE.items():
        await c.twitch.garbage(kind)
        assert (await socket.receive()).data == frame
    assert len(c.twitch.delivered) == 1


@scene()
async def test_planned_answers_to_subscribing(c: Client) -> None:
    _, session = await c.socket()
    c.twitch.fail_subscribes([500, 429, 409, "cut", "lost"])
    assert [(await c.subscribe(session))[0] for _ in range(3)] == [500, 429, 409]
    for _ in range(2):
        with pytest.raises(aiohttp.ClientError):
            await c.subscribe(session)
    assert (await c.subscribe(session))[0] == 409, "the answer was lost, but the subscription was made"


@scene()
async def test_a_revoked_subscription_is_told_once_and_is_over(c: Client) -> None:
    socket, _ = await c.listening()
    assert await c.twitch.revoke_subscription(CHAT, "moderator_removed") == 1
    assert (await told(socket, "revocation"))["payload"]["subscription"]["status"] == "moderator_removed"
    assert await c.twitch.clear() == 0
    other, _ = await c.listening()
    c.twitch.revoke(c.access)
    assert (await told(other, "revocation"))["payload"]["subscription"]["status"] == "authorization_revoked"
    assert (await c.sign_in("token", grant_type="refresh_token", refresh_token=c.refresh))[0] == 400


@scene()
async def test_who_is_banned_or_no_moderator_any_more_loses_subscriptions(c: Client) -> None:
    socket, session = await c.listening()
    c.twitch.mod(c.bot)
    condition = {"broadcaster_user_id": c.twitch.channel.id, "moderator_user_id": c.bot.id}
    assert await c.subscribe(session, FOLLOW, version="2", condition=condition) == (202, "")
    await c.twitch.unmod(c.bot)
    assert (await told(socket, "revocation"))["payload"]["subscription"]["status"] == "moderator_removed"
    await c.twitch.ban(c.bot)
    assert (await told(socket, "revocation"))["payload"]["subscription"]["status"] == "chat_user_banned"
    assert (await c.subscribe(session))[0] == 403
    c.twitch.unban(c.bot)
    assert (await c.subscribe(session))[0] == 202
