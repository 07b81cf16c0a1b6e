"""Anonymous chat: IRC over a websocket, as Twitch serves it to a reader without a login."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from bot.chat.twitch_words import TwitchUser
from tests.local_twitch import irc_tags
from tests.local_twitch.clock import Clock

CAPABILITIES = ("twitch.tv/tags", "twitch.tv/commands", "twitch.tv/membership")
JOINS, JOINS_S = 20, 10.0
HOST = "tmi.twitch.tv"


@dataclass(eq=False)
class Reader:
    wire: web.WebSocketResponse
    nick: str = ""
    capabilities: set[str] = field(default_factory=set)
    rooms: set[str] = field(default_factory=set)
    joined_s: list[float] = field(default_factory=list)
    ponged: bool = True
    silent: bool = False


class Irc:
    def __init__(self, clock: Clock, ping_s: float) -> None:
        self.clock = clock
        self.ping_s = ping_s
        self.readers: set[Reader] = set()
        self.connections = 0
        self.refuse = 0
        self._held: list[tuple[str, str, str]] | None = None
        """Room, tags, line: what waits for the one frame that it is sent in."""

    # ------------------------------------------------------------------ connections

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.connections += 1
        if self.refuse:
            self.refuse -= 1
            return web.Response(status=503)
        wire = web.WebSocketResponse()
        await wire.prepare(request)
        reader = Reader(wire)
        pinging = asyncio.create_task(self._pinging(reader))
        unread = ""
        try:
            async for frame in wire:
                if frame.type is not WSMsgType.TEXT:
                    break
                *lines, unread = (unread + frame.data).split("\r\n")
                for line in lines:
                    await self._obey(reader, line)
        finally:
            pinging.cancel()
            self.readers.discard(reader)
        return wire

    async def _pinging(self, reader: Reader) -> None:
        while True:
            await asyncio.sleep(self.ping_s)
            if not reader.ponged:
                await reader.wire.close()
            reader.ponged = False
            await self._write(reader, f"PING :{HOST}")

    async def _obey(self, reader: Reader, line: str) -> None:
        command, _, rest = line.partition(" ")
        match command.upper():
            case "CAP" if rest.startswith("REQ :"):
                asked = rest[5:].split()
                known = all(name in CAPABILITIES for name in asked)
                reader.capabilities |= set(asked) if known else set()
                await self._write(reader, f":{HOST} CAP * {'ACK' if known else 'NAK'} :{' '.join(asked)}")
            case "NICK":
                await self._nick(reader, rest)
            case "PING":
                await self._write(reader, f":{HOST} PONG {HOST} {rest}")
            case "PONG":
                reader.ponged = True
            case "JOIN" if reader.nick:
                for room in rest.split(","):
                    await self._join(reader, room)
            case "PART":
                reader.rooms.discard(rest)
            case "PASS" | "PRIVMSG" | "CAP" | "JOIN" | "":
                pass
            case _:
                await self._write(reader, f":{HOST} 421 {reader.nick or '*'} {command} :Unknown command")

    async def _nick(self, reader: Reader, nick: str) -> None:
        if not re.fullmatch(r"justinfan\d+", nick):
            await self._write(reader, f":{HOST} NOTICE * :Login authentication failed")
            await reader.wire.close()
            return
        reader.nick = nick
        told = (
            ("001", "Welcome, GLHF!"),
            ("002", f"Your host is {HOST}"),
            ("003", "This server is rather new"),
            ("004", "-"),
        )
        more = ("375", "-"), ("372", "You are in a maze of twisty passages, all alike."), ("376", ">")
        await self._write(reader, *(f":{HOST} {number} {nick} :{text}" for number, text in (*told, *more)))

    async def _join(self, reader: Reader, room: str) -> None:
        now_s = self.clock.s()
        reader.joined_s = [at_s for at_s in reader.joined_s if now_s - at_s < JOINS_S]
        if not re.fullmatch(r"#[a-z0-9_]+", room) or len(reader.joined_s) >= JOINS:
            return
        reader.joined_s.append(now_s)
        reader.rooms.add(room)
        self.readers.add(reader)
        nick = reader.nick
        await self._write(
            reader,
            f":{nick}!{nick}@{nick}.{HOST} JOIN {room}",
            f":{nick}.{HOST} 353 {nick} = {room} :{nick}",
            f":{nick}.{HOST} 366 {nick} {room} :End of /NAMES list",
        )
        if "twitch.tv/commands" in reader.capabilities:
            state = "@emote-only=0;followers-only=-1;r9k=0;room-id=5001;slow=0;subs-only=0 "
            tags = state if "twitch.tv/tags" in reader.capabilities else ""
            await self._write(reader, f"{tags}:{HOST} ROOMSTATE {room}")

    async def _write(self, reader: Reader, *lines: str) -> None:
        if not reader.silent and not reader.wire.closed:
            try:
                await reader.wire.send_str("".join(f"{line}\r\n" for line in lines))
            except ConnectionError:
                self.readers.discard(reader)

    # ------------------------------------------------------------------ what happens in the room

    @asynccontextmanager
    async def one_frame(self) -> AsyncIterator[None]:
        """Everything that happens inside is sent as one frame of several lines."""
        self._held = []
        yield
        held, self._held = self._held, None
        await self._deliver(held)

    async def _tell(self, channel: TwitchUser, tags: Mapping[str, str], line: str) -> None:
        told = (f"#{channel.login}", irc_tags.written(tags), line.replace("\r", " ").replace("\n", " "))
        if self._held is not None:
            self._held.append(told)
        else:
            await self._deliver([told])

    async def _deliver(self, told: list[tuple[str, str, str]]) -> None:
        for reader in list(self.readers):
            with_tags = "twitch.tv/tags" in reader.capabilities
            plain = "twitch.tv/commands" not in reader.capabilities
            lines = [
                (tags if with_tags else "") + line
                for room, tags, line in told
                if room in reader.rooms and not (plain and " PRIVMSG " not in line)
            ]
            if lines:
                await self._write(reader, *lines)

    async def message(self, channel: TwitchUser, user: TwitchUser, event: dict[str, Any], *, first: bool) -> None:
        text = event["message"]["text"]
        tags = irc_tags.of_message(channel, user, event, self._ms(), first=first)
        await self._tell(
            channel, tags, f":{user.login}!{user.login}@{user.login}.{HOST} PRIVMSG #{channel.login} :{text}"
        )

    async def deleted(self, channel: TwitchUser, user: TwitchUser, message_id: str, text: str) -> None:
        tags = {"login": user.login, "room-id": "", "target-msg-id": message_id, "tmi-sent-ts": str(self._ms())}
        await self._tell(channel, tags, f":{HOST} CLEARMSG #{channel.login} :{text}")

    async def cleared(self, channel: TwitchUser, user: TwitchUser | None = None, seconds: int | None = None) -> None:
        """The whole chat, or all of one user: banned, or timed out for ``seconds``."""
        tags = {"ban-duration": str(seconds)} if seconds is not None else {}
        tags |= {"room-id": channel.id, **({"target-user-id": user.id} if user else {}), "tmi-sent-ts": str(self._ms())}
        await self._tell(channel, tags, f":{HOST} CLEARCHAT #{channel.login}{f' :{user.login}' if user else ''}")

    async def notice(self, channel: TwitchUser, user: TwitchUser, event: dict[str, Any]) -> None:
        text = event["message"]["text"]
        tags = irc_tags.of_notice(channel, user, event, self._ms())
        await self._tell(channel, tags, f":{HOST} USERNOTICE #{channel.login}{f' :{text}' if text else ''}")

    def _ms(self) -> int:
        return int(self.clock.unix_s() * 1000)

    # ------------------------------------------------------------------ faults

    async def reconnect(self) -> None:
        """Ask every reader to connect again."""
        for reader in list(self.readers):
            await self._write(reader, f":{HOST} RECONNECT")

    def go_silent(self) -> None:
        for reader in self.readers:
            reader.silent = True

    async def drop(self) -> None:
        for reader in list(self.readers):
            await reader.wire.close()

    async def stop(self) -> None:
        await self.drop()
