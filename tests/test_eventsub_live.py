"""The EventSub client with real sockets and her real Helix, against the strict local Twitch."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.chat.eventsub import EventSub, SocketState
from bot.chat.eventsub_socket import SocketClosed, connect
from bot.chat.twitch_words import Notification, Wanted
from tests.local_twitch import GARBAGE, LocalTwitch
from tests.twitch_stay import Stay, stay
from tests.virtual_time import play

TYPES = ("channel.chat.message", "channel.chat.message_delete", "channel.chat.clear", "channel.chat.notification")
Trouble = Callable[[LocalTwitch], Awaitable[object] | None]


class Live:
    """She is listening, and people chat."""

    def __init__(self, there: Stay) -> None:
        self.twitch = there.twitch
        self.viewer = there.twitch.user("noor", "Noor")
        self.notifications: list[Notification] = []
        self.states: list[SocketState] = []
        condition = (("broadcaster_user_id", there.twitch.channel.id), ("user_id", there.aneeka.id))
        self.client = EventSub(
            there.twitch.eventsub_url,
            [Wanted(kind, "1", condition) for kind in TYPES],
            there.helix,
            self.notifications.append,
            self.states.append,
            there.now,
        )

    @property
    def handled(self) -> list[str]:
        return [one.event["message_id"] for one in self.notifications if "message_id" in one.event]

    async def chat(self, seconds: float) -> None:
        for number in range(int(seconds * 10)):
            await self.twitch.chat(self.viewer, f"mensaje {number}")
            await asyncio.sleep(0.1)


@asynccontextmanager
async def listening(folder: Path, **options: Any) -> AsyncIterator[Live]:
    async with stay(folder, **options) as there:
        there.sign_in("bot", there.aneeka, ("user:read:chat", "user:write:chat"))
        await there.live()
        live = Live(there)
        run = asyncio.create_task(live.client.run())
        await asyncio.sleep(3)
        assert [state.state for state in live.states] == ["connecting", "live"]
        yield live
        run.cancel()
        await asyncio.wait([run])
        await asyncio.sleep(1)
        assert live.states[-1].state == "stopped"
        assert live.twitch.sockets.all == []


async def handshakes_refused(twitch: LocalTwitch) -> None:
    twitch.refuse_handshakes(4)
    await twitch.drop()


async def no_welcome(twitch: LocalTwitch) -> None:
    twitch.no_welcome(2)
    await twitch.drop(reset=True)


async def cut_before_welcome(twitch: LocalTwitch) -> None:
    twitch.no_welcome(2, cut=True)
    await twitch.drop()


async def reconnect_refused(twitch: LocalTwitch) -> None:
    twitch.refuse_handshakes(1)
    await twitch.reconnect()


async def reconnect_without_welcome(twitch: LocalTwitch) -> None:
    twitch.no_welcome(1)
    await twitch.reconnect()


async def reconnect_after_reconnect(twitch: LocalTwitch) -> None:
    await twitch.reconnect(session_id_changes=True)
    await asyncio.sleep(0.3)
    await twitch.reconnect()


async def drop_in_a_hand_over(twitch: LocalTwitch) -> None:
    await twitch.reconnect()
    await twitch.drop()


async def orphans(twitch: LocalTwitch) -> None:
    twitch.orphans(30)
    await twitch.drop()


def subscribing(*faults: Any) -> Trouble:
    async def trouble(twitch: LocalTwitch) -> None:
        twitch.fail_subscribes(list(faults))
        await twitch.drop()

    return trouble


async def revocation(twitch: LocalTwitch) -> None:
    assert await twitch.revoke_subscription("channel.chat.notification", "moderator_removed") == 1


async def garbage(twitch: LocalTwitch) -> None:
    for kind in GARBAGE:
        await twitch.garbage(kind)


TROUBLES: dict[str, Trouble] = {
    "drop": LocalTwitch.drop,
    "reset": lambda twitch: twitch.drop(reset=True),
    "silence": lambda twitch: twitch.go_silent(),
    "handshakes refused": handshakes_refused,
    "no welcome": no_welcome,
    "cut before the welcome": cut_before_welcome,
    "reconnect": LocalTwitch.reconnect,
    "reconnect to another session": lambda twitch: twitch.reconnect(session_id_changes=True),
    "reconnect refused": reconnect_refused,
    "reconnect without welcome": reconnect_without_welcome,
    "reconnect after reconnect": reconnect_after_reconnect,
    "drop in a hand-over": drop_in_a_hand_over,
    "orphans": orphans,
    "subscribing: 500": subscribing(500, 503, 500, 500),
    "subscribing: 429": subscribing(429),
    "subscribing: 409": subscribing(409, 409, 409),
    "subscribing: 401": subscribing(401, 401, 401, 401),
    "subscribing: cut and lost": subscribing("cut", "lost", None, "lost"),
    "duplicates": lambda twitch: twitch.duplicate(20),
    "garbage": garbage,
    "revocation": revocation,
    **{f"close {code}": lambda twitch, code=code: twitch.close(code) for code in (1000, *range(4000, 4008))},
}


@pytest.mark.parametrize("name", TROUBLES)
def test_every_delivered_message_is_handled_once(name: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path) as live:
            chat = asyncio.create_task(live.chat(25))
            await asyncio.sleep(2)
            done = TROUBLES[name](live.twitch)
            if done is not None:
                await done
            await chat
            await asyncio.sleep(40)  # a silent connection is read for a while, in case it comes to life
            delivered = live.twitch.delivered_chat
            assert len(delivered) > 80
            times = Counter(live.handled)
            assert [message for message in delivered if times[message] != 1] == []
            assert live.states[-1].state == ("degraded" if name == "revocation" else "live")
            assert sum(session.open for session in live.twitch.sockets.all) == 1
            last_id = await live.twitch.chat(live.viewer, "¿sigues ahí?")
            await asyncio.sleep(0.5)
            assert live.handled[-1] == last_id
            assert live.twitch.sockets.codes.count(4001) == (name == "close 4001"), "something was sent"

    play(scene())


def test_chat_comes_in_order_whatever_it_is(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path) as live:
            texts = [f"{number} {'ñ' * (number % 400)}" for number in range(500)]
            for one in texts:
                await live.twitch.chat(live.viewer, one)
            await asyncio.sleep(1)
            assert [one.event["message"]["text"] for one in live.notifications] == texts

    play(scene())


def test_an_hour_of_quiet_is_no_reason_to_reconnect(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path) as live:
            await asyncio.sleep(3600)
            assert len(live.twitch.sockets.handshakes) == 1
            assert live.states[-1].state == "live"

    play(scene())


def test_a_reconnect_address_is_used_as_it_is_written() -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        asked.append(request.raw_path)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("a" * 3_000_000)
        await socket.send_bytes(b"\x00")
        await socket.close(code=4004)
        return socket

    async def scene() -> None:
        app = web.Application()
        app.router.add_get("/ws", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host = f"127.0.0.1:{runner.addresses[0][1]}"
        transport = await connect(f"ws://{host}/ws?challenge=a%2Fb%3D%20c+d&id=~%7E")
        assert asked == ["/ws?challenge=a%2Fb%3D%20c+d&id=~%7E"]
        assert len(await transport.receive()) == 3_000_000
        assert await transport.receive() == b"\x00"
        with pytest.raises(SocketClosed) as closed:
            await transport.receive()
        assert closed.value.code == 4004
        await transport.close()
        await transport.close()
        await runner.cleanup()
        for nowhere in (f"ws://{host}/ws", "ws://256.0.0.1:x", "never heard of"):
            with pytest.raises(SocketClosed):
                await connect(nowhere)

    asyncio.run(scene())
