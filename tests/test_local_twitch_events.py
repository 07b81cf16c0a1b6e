"""What happens at the local Twitch, seen by TwitchIO (its models index every key that Twitch sends) and over IRC."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest
import twitchio
import twitchio.eventsub.websockets
from twitchio import eventsub
from twitchio.http import Route
from twitchio.models.eventsub_ import create_event_instance

from tests.conftest import HANGS_S
from tests.local_twitch import LocalTwitch, emote
from tests.local_twitch.client import Client, close_code, scene, told
from tests.local_twitch.scopes import SCOPES
from tests.local_twitch.subscription_types import TYPES
from tests.virtual_time import play


async def everything(twitch: LocalTwitch) -> None:
    noor, tea = twitch.user("noor", "Noor"), twitch.user("tea_time", "Tea_Time")
    first = await twitch.chat(noor, "hola", badges=["subscriber/6"], first=True)
    await twitch.chat(tea, "jaja", reply=first)
    await twitch.chat(tea, fragments=[emote("LUL"), emote("HeyGuys", "30259")])
    await twitch.cheer(noor, 100, "toma")
    await twitch.delete(first, noor)
    await twitch.ban(tea, 600)
    await twitch.lift_ban(tea)
    await twitch.clear()
    await twitch.chat_settings(slow_mode=True, slow_mode_wait_time_seconds=30)
    for status in ("approved", "denied"):
        await twitch.automod_update(await twitch.automod_hold(twitch.channel, "caramba"), status)
    await twitch.announce(noor, "mañana; también")
    await twitch.watch_streak(noor, 5)
    await twitch.follow(noor)
    await twitch.sub(noor)
    await twitch.sub_end(noor)
    await twitch.resub(noor, 7, "siete")
    await twitch.gift(None, [noor, tea])
    await twitch.raid(tea, 100)
    await twitch.redeem(noor, twitch.reward("Drink water"))
    await twitch.auto_redeem(noor, text="mírame")
    await twitch.power_up(noor)
    await twitch.custom_power_up(noor, "Confetti", 50)
    for stage in ("begin", "progress", "end"):
        await twitch.hype_train(stage, by=[noor])
        await twitch.poll(stage, "té", {"sí": 2, "no": 1})
    for stage in ("begin", "progress", "lock", "end"):
        await twitch.prediction(stage, "gana", {"sí": 200, "no": 100})
    for stage in ("begin", "update", "end"):
        await twitch.shared_chat(stage, [tea])
    await twitch.go_offline()
    await twitch.go_live()
    await twitch.update_channel("Té y charla")
    await twitch.ad_break()
    await twitch.shoutout(tea)


@scene(keepalive_s=60)
async def test_every_event_is_whole_for_twitchio_and_reaches_who_subscribed(c: Client) -> None:
    access, _ = c.twitch.grant(c.twitch.channel, SCOPES)
    socket, session = await c.socket()
    for name, kind in TYPES.items():
        condition = dict.fromkeys(kind.required or kind.one_of[:1], c.twitch.channel.id)
        assert await c.subscribe(session, name, version=kind.version, condition=condition, access=access) == (202, "")
    await everything(c.twitch)
    seen = []
    for _ in c.twitch.delivered:
        notification = await told(socket, "notification")
        seen.append(notification["metadata"]["subscription_type"])
        create_event_instance(seen[-1], notification)
    assert set(seen) == TYPES.keys() - {"channel.moderate"}
    assert [seen.count(f"channel.{name}") for name in ("subscription.gift", "subscribe", "cheer")] == [1, 3, 1]


# ---------------------------------------------------------------------- IRC


async def joined(c: Client, *, tags: bool = True) -> aiohttp.ClientWebSocketResponse:
    reader = await c.http.ws_connect(c.twitch.irc_url)
    c.sockets.append(reader)
    if tags:
        await reader.send_str("CAP REQ :twitch.tv/tags twitch.tv/commands\r\n")
    await reader.send_str("PASS x\r\nNICK justinfan1234\r\nJOIN #mika_live\r\n")
    while " 366 " not in await reader.receive_str():
        pass
    if tags:
        assert " ROOMSTATE " in await reader.receive_str()
    return reader


@scene()
async def test_irc_tells_chat_moderation_and_notices(c: Client) -> None:
    reader = await joined(c)
    async with c.twitch.irc.one_frame():
        await everything(c.twitch)
    *lines, last = (await reader.receive_str()).split("\r\n")
    assert last == ""
    commands = [line.split(" ")[2] for line in lines]
    assert {name: commands.count(name) for name in set(commands)} == {
        "PRIVMSG": 6,
        "CLEARMSG": 1,
        "CLEARCHAT": 2,
        "USERNOTICE": 8,
    }
    tags = [dict(pair.split("=", 1) for pair in line[1:].split(" ")[0].split(";")) for line in lines]
    assert (tags[0]["first-msg"], tags[0]["badges"], tags[0]["badge-info"]) == ("1", "subscriber/6", "subscriber/6")
    assert (tags[1]["reply-parent-msg-id"], lines[1].rpartition(" :")[2]) == (tags[0]["id"], "@Noor jaja")
    assert (tags[2]["emotes"], tags[3]["bits"]) == ("425618:0-2/30259:3-9", "100")
    assert (tags[4]["target-msg-id"], tags[5]["ban-duration"]) == (tags[0]["id"], "600")
    assert [tag["msg-id"] for tag in tags if "msg-id" in tag] == [
        *("announcement", "viewermilestone", "sub", "resub", "submysterygift", "subgift", "subgift", "raid"),
    ]
    assert "system-msg=Noor\\swatched\\s5\\sstreams\\sin\\sa\\srow!" in next(
        line for line in lines if "milestone" in line
    )


@scene()
async def test_irc_without_capabilities_has_plain_chat_alone(c: Client) -> None:
    reader = await joined(c, tags=False)
    await c.twitch.clear()
    await c.twitch.chat(c.viewer, "hola")
    assert await reader.receive_str() == ":noor!noor@noor.tmi.twitch.tv PRIVMSG #mika_live :hola\r\n"


@scene()
async def test_irc_refuses_other_names_unended_lines_capitals_and_joins_in_bulk(c: Client) -> None:
    stranger = await c.http.ws_connect(c.twitch.irc_url)
    await stranger.send_str("NICK noor\r\n")
    assert "Login authentication failed" in await stranger.receive_str()
    assert await close_code(stranger) == 1000
    reader = await joined(c)
    rooms = ",".join(f"#room{number}" for number in range(30))
    await reader.send_str(f"JOIN #Mika_Live\r\nJOIN {rooms}\r\nJOIN #unended")
    for _ in range(19):
        assert " JOIN #room" in await reader.receive_str()
        assert " ROOMSTATE " in await reader.receive_str()
    with pytest.raises(TimeoutError):
        await reader.receive(timeout=HANGS_S)


@scene(irc_ping_s=300)
async def test_irc_pings_and_leaves_who_does_not_answer(c: Client) -> None:
    reader = await joined(c)
    assert await reader.receive_str() == "PING :tmi.twitch.tv\r\n"
    await reader.send_str("PONG :tmi.twitch.tv\r\n")
    await c.twitch.irc.reconnect()
    assert await reader.receive_str() == ":tmi.twitch.tv RECONNECT\r\n"
    assert await reader.receive_str() == "PING :tmi.twitch.tv\r\n"
    assert await close_code(reader) == 1000


# ---------------------------------------------------------------------- TwitchIO on the calm path


@pytest.fixture
def _own_addresses() -> Iterator[None]:
    kept = Route.BASE, Route.ID_BASE, twitchio.eventsub.websockets.WSS
    yield
    Route.BASE, Route.ID_BASE, twitchio.eventsub.websockets.WSS = kept


@pytest.mark.usefixtures("_own_addresses")
def test_twitchio_signs_in_reads_writes_and_refreshes() -> None:
    async def run() -> None:
        async with LocalTwitch() as twitch:
            Route.BASE, Route.ID_BASE = f"{twitch.api_url}/", f"{twitch.auth_url}/"
            twitchio.eventsub.websockets.WSS = twitch.eventsub_url
            bot, heard = twitch.user("aneeka", "Aneeka"), asyncio.Queue[twitchio.ChatMessage]()

            class Reader(twitchio.Client):
                async def event_message(self, payload: twitchio.ChatMessage) -> None:
                    heard.put_nowait(payload)

            scopes = twitchio.Scopes(["user:read:chat", "user:write:chat"])
            client = Reader(client_id=twitch.client_id, scopes=scopes)
            asked = await client.login_dcf(load_token=False, save_token=False)
            assert asked
            approving = asyncio.get_running_loop().call_later(12, twitch.approve, asked["user_code"], bot)
            code, interval = asked["device_code"], asked["interval"]
            await client.start_dcf(device_code=code, interval=interval, timeout=60, block=False)
            assert approving.when() < asyncio.get_running_loop().time()
            await client.subscribe_websocket(
                eventsub.ChatMessageSubscription(broadcaster_user_id=twitch.channel.id, user_id=bot.id), as_bot=True
            )
            await twitch.chat(twitch.user("noor", "Noor"), "hola")
            got = await heard.get()
            assert (got.text, got.chatter.name) == ("hola", "noor")
            twitch.expire(client.tokens[bot.id]["token"])
            channel = client.create_partialuser(twitch.channel.id)
            await channel.send_message("hola, Noor", sender=bot.id, token_for=bot.id)
            assert (await heard.get()).text == "hola, Noor"
            assert (twitch.refreshes, twitch.spent_refreshes) == (1, 0)
            await client.close(save_tokens=False)

    play(run())
