"""A Twitch in memory for the EventSub client, as strict as Twitch's documents, fit for virtual time.

It writes down what it sent on subscribed sockets (``sent``). Frames travel with a latency and are lost only by a fault
of the wire: what is on the way or held back when the client closes its end counts as sent. Two exceptions: an event
that Twitch also sent into a dead wire, of which she cannot know yet, and what a stalled wire holds back once Twitch has
told her that she has too many connections.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections import Counter, deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal

from bot.chat.eventsub_socket import SocketClosed
from bot.chat.twitch_words import Subscription, TwitchBusy, TwitchRefused, Wanted

URL = "ws://memory.test/ws"
START_S = 1_795_000_000.0
FIRST_S, GRACE_S, SOCKETS, SAME = 10.0, 30.0, 3, 3

Answer = Literal["hang", "lost"] | int
"""To a creation of a subscription: a status, no answer, or an error after it was done (``lost``)."""
Handshake = Literal["refuse", "hang", "no_welcome", "cut"]


def wanted(type: str, version: str = "1") -> Wanted:
    keys = {"broadcaster_user_id": "5001", "user_id": "5002"}
    if not type.startswith("channel.chat"):
        del keys["user_id"]
    return Wanted(type, version, tuple(sorted(keys.items())))


CHAT = wanted("channel.chat.message")


@dataclass(eq=False)
class Held:
    """A subscription at Twitch."""

    id: str
    wanted: Wanted
    session: str
    status: str = "enabled"


@dataclass(eq=False)
class Connection:
    """Both ends of one WebSocket; the client's end is its ``Transport``."""

    twitch: MemoryTwitch
    latency_s: float
    session: str = ""
    is_open: bool = True
    """At Twitch's end."""
    client_closed: bool = False
    blackholed: bool = False
    held_back: list[tuple[str | bytes, str]] | None = None
    """Frames that wait while the wire stalls."""
    stalled_s: float = math.inf
    moved: bool = False
    last_sent_s: float = 0.0
    arrives_s: float = 0.0
    recent: list[tuple[str, str]] = field(default_factory=list)
    on_the_way: deque[tuple[float, str]] = field(default_factory=deque)
    frames: asyncio.Queue[str | bytes | SocketClosed] = field(default_factory=asyncio.Queue)

    async def receive(self) -> str | bytes:
        frame = await self.frames.get()
        if isinstance(frame, SocketClosed):
            self.frames.put_nowait(frame)
            raise frame
        return frame

    async def close(self) -> None:
        if not self.client_closed:
            self.client_closed = True
            unread = [event for at_s, event in self.on_the_way if at_s > self.twitch.now()]
            unread += [event for _, event in self.held_back or ()]
            has_to = self.stalled_s < self.twitch.too_many_s
            self.twitch.sent -= Counter(event for event in unread if has_to or event in self.twitch.swallowed)
            self.frames.put_nowait(SocketClosed(1000))
            if not self.blackholed:
                self.twitch.later(self.latency_s, lambda: self.twitch.end(self, 0))

    def write(self, frame: str | bytes, event_id: str = "") -> None:
        if self.is_open:
            self.last_sent_s = self.twitch.now()
            if self.blackholed:
                self.twitch.swallowed.add(event_id)
            elif not self.client_closed:
                if event_id:
                    self.twitch.sent[event_id] += 1
                if self.held_back is not None:
                    self.held_back.append((frame, event_id))
                else:
                    self.arrive(frame, event_id)

    def arrive(self, frame: str | bytes | SocketClosed, event_id: str = "") -> None:
        """Bring it to the client's end, in order."""
        self.arrives_s = max(self.twitch.now() + self.latency_s, self.arrives_s + 1e-9)
        if event_id:
            self.on_the_way.append((self.arrives_s, event_id))
            if len(self.on_the_way) > 1000:
                self.on_the_way.popleft()
        self.twitch.loop.call_at(self.arrives_s, self.frames.put_nowait, frame)


class MemoryTwitch:
    """``connect`` and the three calls of ``Helix`` are what the client gets; the rest is for the hand that tests."""

    def __init__(self, dice: random.Random, *, latency_s: tuple[float, float] = (0.02, 0.25)) -> None:
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self.later = self.loop.call_later
        self.dice = dice
        self.latency_s = latency_s
        self.connections: list[Connection] = []
        self.attempts_s: list[float] = []
        self.posts: list[tuple[float, Wanted]] = []
        self.held: dict[str, Held] = {}
        self.swallowed: set[str] = set()
        """Ids of events that were sent into a dead wire, whatever became of them elsewhere."""
        self.too_many_s = -math.inf
        """When 429 was last answered."""
        self.sent: Counter[str] = Counter()
        """Ids of events (not of messages) that were sent on a subscribed socket and not lost on the wire."""
        self.refused: dict[str, int] = {}
        """Types that Twitch answers with this status, for good."""
        self.handshake: Handshake | None = None
        self.handshake_s = 0.0
        self.welcome_s = 0.0
        self.answers: list[Answer] = []
        self.answer: Answer | None = None
        self.orphan_s = 0.0
        self.pong_s = 15.0
        """After which Twitch notices that nobody answers."""
        self.keeps_session = True
        self.twin_ids = True
        """Whether two subscriptions for one event get messages with ids of their own."""
        self.reconnect_handshake: Handshake | None = None
        self.broken: list[str] = []
        """What the client did against the rules."""
        self._addresses: dict[str, Connection] = {}
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------ what the client gets

    async def connect(self, url: str) -> Connection:
        self.attempts_s.append(self.now())
        latency_s = self.dice.uniform(*self.latency_s)
        address, _, query = url.partition("?")
        old = self._addresses.pop(url, None)
        if old is None and (address != URL or query != "keepalive_timeout_seconds=10"):
            self.broken.append("a reconnect address was changed or used twice")
        how = self.handshake if old is None else self.reconnect_handshake
        await asyncio.sleep(3 * latency_s + self.handshake_s)
        if how == "refuse":
            raise SocketClosed
        if how == "hang":
            await asyncio.sleep(3600)
        made = Connection(self, latency_s)
        self.connections.append(made)
        if how == "cut":
            self.end(made, 0)
        elif how is None:
            self._spawn(self._serve(made, old))
        return made

    async def subscribe(self, wanted: Wanted, session: str) -> str:
        self.posts.append((self.now(), wanted))
        await asyncio.sleep(self.dice.uniform(*self.latency_s))
        answer = self.answers.pop(0) if self.answers else self.answer
        if answer == "hang":
            await asyncio.sleep(3600)
        if isinstance(answer, int):
            self._answer(answer)
        made = self._made(wanted, session)
        await asyncio.sleep(self.dice.uniform(*self.latency_s))
        if answer == "lost":
            raise TwitchBusy("cut")
        return made.id

    async def subscriptions(self, who: str) -> list[Subscription]:
        await asyncio.sleep(self.dice.uniform(*self.latency_s))
        return [Subscription(one.id, one.wanted, one.status, one.session) for one in self.held.values()]

    async def unsubscribe(self, who: str, subscription: str) -> None:
        await asyncio.sleep(self.dice.uniform(*self.latency_s))
        one = self.held.pop(subscription, None)
        holder = self._at(one.session) if one else None
        if holder and not (holder.client_closed or holder.blackholed or holder.held_back is not None):
            self.broken.append("a subscription of an open session was deleted")

    # ------------------------------------------------------------------ what happens on the channel

    def emit(self, event_id: str, type: str = "channel.chat.message", **event: Any) -> int:
        """Something happens; return on how many connections it was told."""
        number, told = f"n-{next(self._numbers)}", 0
        for one in tuple(self.held.values()):
            if one.status == "enabled" and one.wanted.type == type and (connection := self._at(one.session)):
                if self.twin_ids and told:
                    number = f"n-{next(self._numbers)}"
                payload = {"subscription": self._shown(one), "event": {"id": event_id, **event}}
                frame = self.message("notification", payload, number, subscription_type=type)
                connection.recent = [*connection.recent[-9:], (frame, event_id)]
                connection.write(frame, event_id)
                told += 1

    def message(self, kind: str, payload: Any, number: str = "", *, ago_s: float = 0.0, **more: str) -> str:
        stamp = datetime.fromtimestamp(START_S + self.now() - ago_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f123Z")
        metadata = {"message_id": number or f"m-{next(self._numbers)}", "message_type": kind}
        return json.dumps({"metadata": {**metadata, "message_timestamp": stamp, **more}, "payload": payload})

    # ------------------------------------------------------------------ faults

    @property
    def open(self) -> list[Connection]:
        return [one for one in self.connections if one.is_open and one.session]

    def hears(self, type: str = "channel.chat.message") -> bool:
        """Whether an event would reach the client now."""
        held = [one for one in self.held.values() if one.status == "enabled" and one.wanted.type == type]
        ways = [self._at(one.session) for one in held]
        return any(c and not (c.client_closed or c.blackholed or c.held_back is not None) for c in ways)

    def end(self, connection: Connection, code: int) -> None:
        """Close with a code, or cut (0); what is on the way still arrives."""
        if not connection.is_open:
            return
        connection.is_open = False
        self._flush(connection)
        if not connection.blackholed:
            connection.arrive(SocketClosed(code))
        self.connections.remove(connection)
        if self._at(connection.session) is None:
            self._spawn(self._disconnected(connection.session))

    def reconnect(self, connection: Connection) -> None:
        """Tell a connection to move."""
        if connection.moved:
            return
        connection.moved = True
        address = f"{URL}?challenge=a%2Fb%3D{next(self._numbers)}&id=~%7E"
        self._addresses[address] = connection
        session = {"id": connection.session, "status": "reconnecting", "keepalive_timeout_seconds": None}
        told = {"session": {**session, "reconnect_url": address, "recovery_url": None}}
        connection.write(self.message("session_reconnect", told))
        self.later(GRACE_S, lambda: self.end(connection, 4004))

    def revoke(self, one: Held, status: str) -> None:
        one.status = status
        if connection := self._at(one.session):
            kind = {"subscription_type": one.wanted.type, "subscription_version": one.wanted.version}
            connection.write(self.message("revocation", {"subscription": self._shown(one)}, **kind))

    def blackhole(self, connection: Connection) -> None:
        """From now on nothing arrives, at either end, and neither is told."""
        connection.blackholed = True
        held_back = [event for _, event in connection.held_back or ()]
        self.sent -= Counter(held_back)
        self.swallowed.update(held_back)
        self.later(self.pong_s, lambda: self.end(connection, 4002))

    def stall(self, connection: Connection) -> None:
        if connection.held_back is None:
            connection.held_back, connection.stalled_s = [], self.now()

    def flow_again(self, connection: Connection) -> None:
        self._flush(connection)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------------ inside

    def _flush(self, connection: Connection) -> None:
        waiting, connection.held_back = connection.held_back or [], None
        for frame, event_id in () if connection.client_closed or connection.blackholed else waiting:
            connection.arrive(frame, event_id)

    async def _serve(self, connection: Connection, old: Connection | None) -> None:
        await asyncio.sleep(self.welcome_s)
        if not connection.is_open:
            return
        if old is not None and not old.is_open:
            self.end(connection, 4007)
            return
        connection.session = f"session-{next(self._numbers)}"
        if old is not None:
            self._take_over(connection, old)
        session = {"id": connection.session, "status": "connected", "keepalive_timeout_seconds": 10}
        connection.write(self.message("session_welcome", {"session": {**session, "reconnect_url": None}}))
        if old is None:
            self.later(FIRST_S, self._unused, connection)
        await self._keep_alive(connection)

    def _take_over(self, connection: Connection, old: Connection) -> None:
        if self.keeps_session:
            connection.session, old.session = old.session, f"{old.session}-old"
        for one in self.held.values():
            if one.session == old.session and one.status == "enabled":
                one.session = connection.session

    async def _keep_alive(self, connection: Connection) -> None:
        while connection.is_open:
            quiet_s = self.now() - connection.last_sent_s
            if quiet_s >= 10.0 - 1e-6:
                connection.write(self.message("session_keepalive", {}))
            await asyncio.sleep(max(0.0, 10.0 - (self.now() - connection.last_sent_s)))

    def _unused(self, connection: Connection) -> None:
        if connection.is_open and not self._enabled(connection.session):
            self.end(connection, 4003)

    async def _disconnected(self, session: str) -> None:
        await asyncio.sleep(self.orphan_s)
        for one in self._enabled(session):
            one.status = "websocket_disconnected"
            self.later(60.0, self.held.pop, one.id, None)

    def _made(self, wanted: Wanted, session: str) -> Held:
        if wanted.type in self.refused:
            self._answer(self.refused[wanted.type])
        if self._at(session) is None:
            self._answer(400)
        same = [one for one in self.held.values() if one.wanted == wanted and one.status == "enabled"]
        if any(one.session == session or self._at(one.session) is None for one in same):
            self._answer(409)
        sessions = {one.session for one in self.held.values() if one.status == "enabled"} | {session}
        if len(same) >= SAME or len(sessions) > SOCKETS:
            self._answer(429)
        made = Held(f"sub-{next(self._numbers)}", wanted, session)
        self.held[made.id] = made
        return made

    def _answer(self, status: int) -> None:
        if status == 429:
            self.too_many_s = self.now()
        if status in (429, 500, 503):
            raise TwitchBusy(f"status {status}", status=status)
        raise TwitchRefused(status, f"status {status}")

    def _at(self, session: str) -> Connection | None:
        return next((one for one in self.connections if one.session == session and one.is_open), None)

    def _enabled(self, session: str) -> list[Held]:
        return [one for one in self.held.values() if one.session == session and one.status == "enabled"]

    def _shown(self, one: Held) -> dict[str, Any]:
        shown = {"id": one.id, "type": one.wanted.type, "version": one.wanted.version, "status": one.status}
        transport = {"method": "websocket", "session_id": one.session}
        return {**shown, "cost": 0, "condition": dict(one.wanted.condition), "transport": transport}

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
