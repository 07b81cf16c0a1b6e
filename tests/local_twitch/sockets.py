"""The EventSub endpoint: who is connected, hand-over from one socket to the next, and who is told what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

from aiohttp import web

from tests.local_twitch.accounts import secret
from tests.local_twitch.clock import Clock
from tests.local_twitch.session import CLOSING_S, Session, Times
from tests.local_twitch.subscriptions import Sessions, Subscription, Subscriptions

ENDS = {
    4000: "websocket_internal_error",
    4001: "websocket_received_inbound_traffic",
    4002: "websocket_failed_ping_pong",
    4003: "websocket_connection_unused",
    4005: "websocket_network_timeout",
    4006: "websocket_network_error",
}
"""What a close code makes of the session's subscriptions; any other end: ``websocket_disconnected``."""


class Sockets(Sessions):
    def __init__(self, address: Callable[[], str], clock: Clock, times: Times) -> None:
        self.address = address
        self.clock = clock
        self.times = times
        self.subscriptions: Subscriptions
        self.all: list[Session] = []
        """Every connection that is up, welcomed or not."""
        self.handshakes: list[float] = []
        """The loop time of every handshake that was asked for, refused ones too."""
        self.codes: list[int] = []
        """The close code of every connection that is over; 1006: without one, or closed by the client."""
        self.delivered: dict[str, None] = {}
        self.refuse = 0
        self.no_welcome = 0
        self.cut_before_welcome = 0
        self.changes_id = False
        self._welcomed: dict[str, Session] = {}
        self._moves: dict[str, Session] = {}
        """Reconnect addresses (their query) that were not used yet."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = count(1)

    # ------------------------------------------------------------------ connections

    def connected_at(self, session: str) -> str | None:
        kept = self._welcomed.get(session)
        return kept.connected_at if kept and kept.open else None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.handshakes.append(self.clock.s())
        if self.refuse:
            self.refuse -= 1
            return web.Response(status=503)
        wire = web.WebSocketResponse(autoping=False, compress=False, timeout=CLOSING_S)
        await wire.prepare(request)
        keepalive_s = self.times.keepalive(request.query.get("keepalive_timeout_seconds", ""))
        number = f"AgoQ{next(self._numbers):05d}{secret(24)}"
        session = Session(number, wire, request, self.clock, self.times, keepalive_s)
        session.ended = self._ended
        self.all.append(session)
        try:
            await self._serve(session, request)
        finally:
            await session.gone()
        return wire

    async def _serve(self, session: Session, request: web.Request) -> None:
        old = self._moves.pop(request.query_string, None)
        if "challenge" in request.query and (old is None or not old.open):
            session.close(4007)
        elif self.cut_before_welcome:
            self.cut_before_welcome -= 1
            session.cut()
        elif self.no_welcome:
            self.no_welcome -= 1
        else:
            await self._welcome(session, old)
        await session.listen()

    async def _welcome(self, session: Session, old: Session | None) -> None:
        if old is None:
            self._welcomed[session.id] = session
            await session.welcome()
            session.later(self._unused(session))
            return
        session.keepalive_s = old.keepalive_s
        if not self.changes_id:
            session.id = old.id
        await session.welcome()
        if not session.open:
            return
        self._welcomed.pop(old.id, None)
        self._welcomed[session.id] = session
        self.subscriptions.move(old.id, session.id, session.connected_at)
        if not self.subscriptions.of(session.id):
            session.later(self._unused(session))

    async def _unused(self, session: Session) -> None:
        await asyncio.sleep(self.times.first_subscription_s)
        if not self.subscriptions.ever(session.id):
            session.close(4003)

    def _ended(self, session: Session) -> None:
        self.all.remove(session)
        self.codes.append(session.code)
        if self._welcomed.get(session.id) is not session:
            return
        del self._welcomed[session.id]
        held = self.subscriptions.of(session.id)
        status = ENDS.get(session.code, "websocket_disconnected")
        if self.subscriptions.orphans_s:
            self._later(self._orphaned(held, status))
        else:
            self._end(held, status)

    async def _orphaned(self, held: list[Subscription], status: str) -> None:
        await asyncio.sleep(self.subscriptions.orphans_s)
        self._end(held, status)

    def _end(self, held: list[Subscription], status: str) -> None:
        for kept in held:
            self.subscriptions.end(kept, status)

    # ------------------------------------------------------------------ telling

    async def notify(self, type: str, event: dict[str, Any], message_id: str) -> int:
        """Send a notification to every socket with a matching subscription; return how many got it."""
        written = 0
        told = json.dumps(event)
        metadata = {"message_id": message_id, "message_type": "notification", "message_timestamp": self.clock.stamp()}
        metadata["subscription_type"] = type
        for kept in self.subscriptions.wanting(type, event):
            session = self._welcomed.get(kept.session)
            if session is None or session.silent or not session.open:
                continue
            head = json.dumps({**metadata, "subscription_version": kept.version})
            frame = f'{{"metadata": {head}, "payload": {{"subscription": {kept.text}, "event": {told}}}}}'
            before = message_id in self.delivered
            self.delivered[message_id] = None
            session.recent.append(frame)
            if await session.write(frame):
                written += 1
            elif not before:
                self.delivered.pop(message_id, None)
        return written

    async def revoke(self, kept: Subscription, status: str) -> None:
        self.subscriptions.end(kept, status)
        session = self._welcomed.get(kept.session)
        if session:
            version = {"subscription_type": kept.type, "subscription_version": kept.version}
            await session.tell("revocation", {"subscription": kept.shown()}, **version)

    async def shut_out(self, user_id: str, key: str, status: str) -> None:
        """A user may not have any more what they have by this key of the condition."""
        for kept in self.subscriptions.enabled(owner=user_id):
            if kept.condition.get(key) == user_id:
                await self.revoke(kept, status)

    def disconnect(self, user_id: str) -> None:
        """A user took the permission back: what was made with their token is revoked."""
        for kept in self.subscriptions.enabled(owner=user_id):
            self._later(self.revoke(kept, "authorization_revoked"))

    # ------------------------------------------------------------------ faults

    def speaking(self) -> list[Session]:
        """The sockets that were welcomed, were not handed over and are sent something."""
        return [session for session in self._welcomed.values() if session.open and not session.silent]

    async def reconnect(self, *, changes_id: bool) -> None:
        self.changes_id = changes_id
        for session in self.speaking():
            if not session.moving:
                query = f"challenge={secret(24)}&id={session.id}"
                self._moves[query] = session
                await session.move_to(f"{self.address()}?{query}")

    def drop(self, *, reset: bool) -> None:
        for session in list(self.all):
            session.cut(reset=reset)

    def close(self, code: int) -> None:
        for session in list(self.all):
            session.close(code)

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.drop(reset=False)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
