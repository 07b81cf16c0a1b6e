"""Reads any channel's chat without an account: Twitch's IRC over a websocket, with a guest's name.

The guest names ``justinfan<digits>`` are widely used but not in Twitch's documents: tolerated, not promised. It gives
chat, deletions, subscriptions, gifts, raids and announcements; no follows, hype trains or silent rewards; and it cannot
write.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Literal

import aiohttp

from bot.chat.channel import Channel
from bot.chat.irc_lines import ChannelLines, IrcLine, parse
from bot.texts import text
from bot.vocabulary import Health

log = logging.getLogger(__name__)

CONNECT_S = 10.0
JOIN_S = 10.0
SILENT_S = 330.0
"""Twitch pings about every five minutes; after so long without a line the connection is dead."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
LINES_AT_ONCE = 50
"""After so many lines of one frame the event loop's other work gets its turn."""
LONGEST_LINE = 65_536

_End = Literal["lost", "moved", "unreachable", "no_channel"]


class AnonymousReader:
    """Stays connected to one channel's chat, for ever."""

    def __init__(
        self,
        url: str,
        login: str,
        channel: Channel,
        *,
        name: str,
        on_health: Callable[[Health], None],
        now: Callable[[], float],
        seed: int | None = None,
    ) -> None:
        """``login``: the channel's name in lower case; ``name``: what she is called."""
        self._url = url
        self._login = login
        self._lines = ChannelLines(channel, (name,))
        self._on_health = on_health
        self._now = now
        self._random = random.Random(seed)
        self._unread = ""
        self._has_joined = False

    async def run(self) -> None:
        """Read for ever; ends only by being cancelled."""
        wait_s = 0.0
        async with aiohttp.ClientSession() as session:
            while True:
                await asyncio.sleep(wait_s * self._random.uniform(0.5, 1.0))
                end = await self._visit(session)
                if self._has_joined:
                    wait_s = 0.0 if end == "moved" else FIRST_WAIT_S
                else:
                    wait_s = min(max(2 * wait_s, FIRST_WAIT_S), LONGEST_WAIT_S)
                self._report(end)

    async def _visit(self, session: aiohttp.ClientSession) -> _End:
        """Connect, join and read; return how it ended."""
        self._unread, self._has_joined = "", False
        try:
            async with asyncio.timeout(CONNECT_S):
                wire = await session.ws_connect(self._url)
            async with wire:
                return await self._read(wire)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # OSError: TimeoutError, too
            log.info("twitch chat: %s", type(error).__name__)
            return "lost" if self._has_joined else "unreachable"

    async def _read(self, wire: aiohttp.ClientWebSocketResponse) -> _End:
        guest = f"justinfan{self._random.randint(10_000, 99_999)}"
        for line in (
            "CAP REQ :twitch.tv/tags twitch.tv/commands",
            "PASS guest",
            f"NICK {guest}",
            f"JOIN #{self._login}",
        ):
            await wire.send_str(f"{line}\r\n")
        join_by = self._now() + JOIN_S
        while True:
            try:
                async with asyncio.timeout(SILENT_S if self._has_joined else join_by - self._now()):
                    frame = await wire.receive()
            except TimeoutError:
                return "lost" if self._has_joined else "no_channel"
            if frame.type is aiohttp.WSMsgType.TEXT:
                if await self._take(frame.data, wire):
                    return "moved"
            elif frame.type is not aiohttp.WSMsgType.BINARY:
                return "lost" if self._has_joined else "unreachable"

    async def _take(self, data: str, wire: aiohttp.ClientWebSocketResponse) -> bool:
        """Obey the lines of one frame; ``True``: Twitch asks to connect again. A line may be split between frames."""
        *lines, unread = (self._unread + data).split("\n")
        self._unread = unread if len(unread) <= LONGEST_LINE else ""
        for number, written in enumerate(lines, 1):
            line = parse(written.removesuffix("\r"))
            if line.command == "PING":
                await wire.send_str(f"PONG :{line.text}\r\n")
            elif line.command == "RECONNECT":
                return True
            elif line.command == "366":
                self._has_joined = True
                self._on_health(Health("twitch", "ok", serving=text("events.irc_joined", channel=self._login)))
            else:
                self._deliver(line)
            if number % LINES_AT_ONCE == 0:
                await asyncio.sleep(0)
        return False

    def _deliver(self, line: IrcLine) -> None:
        try:
            self._lines.deliver(line, self._now())
        except Exception:
            log.exception("twitch chat: a %s could not be taken in", line.command)

    def _report(self, end: _End) -> None:
        match end:
            case "lost":
                self._on_health(Health("twitch", "degraded", text("events.irc_lost"), text("events.irc_repair")))
            case "unreachable":
                self._on_health(Health("twitch", "down", text("events.irc_unreachable"), text("events.irc_repair")))
            case "no_channel":
                reason = text("events.irc_no_channel", channel=self._login)
                self._on_health(Health("twitch", "down", reason, text("events.irc_repair_channel")))
