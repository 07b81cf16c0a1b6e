"""A plain client of the local Twitch, for tests of the local Twitch itself."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.local_twitch.server import LocalTwitch
from tests.virtual_time import play

CHAT = "channel.chat.message"
SCOPES = ("user:read:chat", "user:write:chat", "moderator:read:followers")


class Client:
    """A client of plain aiohttp, signed in as the bot."""

    def __init__(self, twitch: LocalTwitch, http: aiohttp.ClientSession) -> None:
        self.twitch, self.http = twitch, http
        self.bot = twitch.user("aneeka", "Aneeka")
        self.viewer = twitch.user("noor", "Noor")
        self.access, self.refresh = twitch.grant(self.bot, SCOPES)
        self.sockets: list[aiohttp.ClientWebSocketResponse] = []
        """Kept, because one that is forgotten is closed."""
        self.condition = {"broadcaster_user_id": twitch.channel.id, "user_id": self.bot.id}

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        access = options.pop("access", self.access)
        headers = {
            "Authorization": f"Bearer {access}",
            "Client-Id": self.twitch.client_id,
            **options.pop("headers", {}),
        }
        url = f"{self.twitch.api_url}/{path}"
        async with self.http.request(method, url, json=body, headers=headers, **options) as answer:
            return answer.status, await answer.json() if answer.content_length else None

    async def sign_in(self, path: str, **form: str) -> tuple[int, Any]:
        form = {"client_id": self.twitch.client_id, **form}
        async with self.http.post(f"{self.twitch.auth_url}/oauth2/{path}", data=form) as answer:
            return answer.status, await answer.json() if answer.content_length else None

    async def socket(self, url: str = "") -> tuple[aiohttp.ClientWebSocketResponse, str]:
        socket = await self.http.ws_connect(url or self.twitch.eventsub_url, max_msg_size=1 << 23)
        self.sockets.append(socket)
        welcome = await told(socket, "session_welcome")
        return socket, welcome["payload"]["session"]["id"]

    async def subscribe(self, session: str, type: str = CHAT, **changes: Any) -> tuple[int, str]:
        condition = changes.pop("condition", self.condition)
        access = changes.pop("access", self.access)
        body = {"type": type, "version": "1", "condition": condition, **changes}
        body.setdefault("transport", {"method": "websocket", "session_id": session})
        status, answer = await self.ask("POST", "eventsub/subscriptions", body, access=access)
        return status, answer.get("message", "")

    async def listening(self) -> tuple[aiohttp.ClientWebSocketResponse, str]:
        socket, session = await self.socket()
        assert await self.subscribe(session) == (202, "")
        return socket, session


async def told(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    while True:
        message = await socket.receive_json()
        if message["metadata"]["message_type"] == kind:
            return dict(message)
        assert message["metadata"]["message_type"] in ("session_keepalive", "session_welcome"), message


async def heard(socket: aiohttp.ClientWebSocketResponse) -> str:
    return str((await told(socket, "notification"))["payload"]["event"]["message"]["text"])


async def close_code(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    async for _ in socket:
        pass
    return socket.close_code


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[Client]:
    async with LocalTwitch(**options) as twitch, aiohttp.ClientSession() as http:
        client = Client(twitch, http)
        yield client
        for socket in client.sockets:
            await socket.close()


def scene(**options: Any) -> Callable[[Callable[[Client], Coroutine[Any, Any, None]]], Callable[[], None]]:
    """Play a test in virtual time, with a client of a new local Twitch."""

    def wrap(test: Callable[[Client], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        async def run() -> None:
            async with connected(**options) as client:
                await test(client)

        @functools.wraps(test)
        def played() -> None:
            play(run())

        del played.__wrapped__
        return played

    return wrap
