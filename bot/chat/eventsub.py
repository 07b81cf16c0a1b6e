"""Twitch's events over our own EventSub client: every message once, and never deaf for long.

One connection a login. A new one is made before an old one that still works is closed, so that nothing is lost in a
hand-over; what is lost for good (while no connection worked) is told in seconds. Source of the protocol: Twitch's
"Handling WebSocket Events".
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from yarl import URL

from bot.chat.eventsub_connections import Connections
from bot.chat.eventsub_handoff import Handoff
from bot.chat.eventsub_ledger import Ledger
from bot.chat.eventsub_races import first_to_end, hedged
from bot.chat.eventsub_socket import Connect, Message, Socket, SocketClosed, connect
from bot.chat.eventsub_subscriber import Subscriber
from bot.chat.twitch_words import Helix, LoginLost, Notification, Wanted

log = logging.getLogger(__name__)

AGAIN_S = (0.5, 1.0, 2.0, 3.0)
"""Pauses between attempts to connect, less up to a quarter; the last repeats. A longer one alone would break "back
within 5 s"."""
JITTER = 0.75
OPEN_S = 10.0
"""To connect and be welcomed."""
HEDGE_S = 3.0
"""An attempt that hangs for so long gets a second one beside it."""
LIVED_S = 5.0
"""A connection that ends younger is no proof that Twitch is well: the next attempt waits a little."""
SENT_SOMETHING = 4001


@dataclass(frozen=True, slots=True)
class SocketState:
    """What the dashboard shows of one login's connection.

    ``degraded``: it works, without the subscriptions in ``missing`` (asked for again and again) and ``refused``.
    ``refused``: Twitch wants none of them; ``login_lost``: the user has to sign in again. Both end ``run``.
    """

    state: Literal["connecting", "live", "degraded", "refused", "login_lost", "stopped"]
    missing: tuple[str, ...] = ()
    """Types."""
    refused: tuple[tuple[str, str], ...] = ()
    """Types with Twitch's reasons: of a refusal, or of a revocation such as ``chat_user_banned``."""
    outage_s: float = 0.0
    """Told once, when it is over: for so long nothing could be heard, and what happened meanwhile is gone."""
    reason: str = ""
    """Why it is connecting: ``unreachable``, ``closed``, ``silent``, ``no_session`` (Twitch forgot it) or
    ``subscribing`` (no subscription can be made yet); of a lost login: its own."""
    code: int = 0
    """The close code, where there was one."""


class EventSub:
    """Keeps one login's subscriptions alive (``run``).

    ``deliver`` gets each notification once, in order, and must not block; ``on_state`` each change. ``now`` is the
    running loop's clock. ``keepalive_s``: how often Twitch must say something, 10 to 600; a dead connection is noticed
    that much later.
    """

    def __init__(
        self,
        url: str,
        wanted: Sequence[Wanted],
        helix: Helix,
        deliver: Callable[[Notification], None],
        on_state: Callable[[SocketState], None],
        now: Callable[[], float],
        *,
        keepalive_s: int = 10,
        connect: Connect = connect,
        dice: random.Random | None = None,
        counts: Counter[str] | None = None,
    ) -> None:
        """``counts``: what an earlier client of this login counted, to be counted on."""
        self.counts: Counter[str] = Counter() if counts is None else counts
        """``received``, ``duplicate``, ``stale``, ``overflow`` and ``failed`` notifications; ``odd`` frames;

        ``reconnect``: connections that took another's place; ``gap``, ``gap_ms``: times of hearing nothing.
        """
        self.whole_since_s: float | None = None
        """Since when nothing that happened was missed; ``None`` before anything could be heard."""
        self._url = str(URL(url).update_query(keepalive_timeout_seconds=keepalive_s))
        self._on_state = on_state
        self._now = now
        self._keepalive_s = keepalive_s
        self._connect = connect
        self._dice = dice or random.Random()
        self._ledger = Ledger(wanted)
        self._handoff = Handoff(deliver, now, self.counts)
        self._connections = Connections(self._open_socket, OPEN_S)
        self._subscriber = Subscriber(self._ledger, helix, self._connections, self._told, now, self._dice)
        self._complete = asyncio.Event()
        """Set while nothing is missing."""
        self._state: SocketState | None = None
        self._tries = 0
        """Attempts to connect since chat was heard."""
        self._current: Socket | None = None
        self._heard: Socket | None = None
        """The last one that chat was heard on."""
        self._outage_s = 0.0

    async def run(self) -> None:
        """Stay connected for ever. Returns only when the login is lost or Twitch refuses everything."""
        consumer = asyncio.create_task(self._handoff.run())
        self._tell(SocketState("connecting"))
        try:
            await self._stay()
            self._tell(SocketState("refused", refused=self._refused()))
        except LoginLost as error:
            self._tell(SocketState("login_lost", reason=error.reason))
        except asyncio.CancelledError:
            self._tell(SocketState("stopped"))
            raise
        finally:
            consumer.cancel()
            await self._connections.end()

    # ------------------------------------------------------------------ connections

    async def _stay(self) -> None:
        old: Socket | None = None
        while not self._ledger.is_hopeless:
            try:
                old = await self._session(await self._fresh(), old)
            except LoginLost:
                raise
            except Exception:
                log.exception("EventSub begins anew")
                self._connections.close_all()
                old = None
                await asyncio.sleep(AGAIN_S[-1])

    async def _session(self, socket: Socket, old: Socket | None) -> Socket:
        """One session from its welcome to its end, over all hand-overs; return its last connection."""
        self._complete.clear()
        self._subscriber.begin(socket.session)
        if old is not None:
            self._connections.retire(old, self._complete)
        heir: Socket | None = socket
        while heir is not None:
            self._current = socket = heir
            self._told()
            await first_to_end(socket.watch(), self._subscriber.serve())
            heir = await self._hand_over(socket)
        if not self._ledger.is_hopeless:
            self._lost(socket)
        return socket

    async def _fresh(self) -> Socket:
        """Connect until it works."""
        opening = self._connections
        while True:
            if self._tries:
                pause_s = AGAIN_S[min(self._tries, len(AGAIN_S)) - 1]
                await asyncio.sleep(pause_s * self._dice.uniform(JITTER, 1.0))
            self._tries += 1
            try:
                return await hedged(lambda: opening.open(self._url), HEDGE_S, OPEN_S, opening.close)
            except (SocketClosed, TimeoutError) as error:
                self._connecting("unreachable", getattr(error, "code", 0))

    async def _open_socket(self, url: str) -> Socket:
        transport = await self._connect(url)
        return Socket(transport, self._message, self._odd, self._now, self._keepalive_s)

    async def _hand_over(self, old: Socket) -> Socket | None:
        """Open the address where Twitch wants the session to go on, if it does, while the old one is still read.

        One attempt: the address is good once. ``None``: it did not work, or is of no use (a session without chat is not
        worth the wait).
        """
        unsafe = self._url.startswith("wss:") and not old.moved_to.startswith("wss:")
        if not old.moved_to or unsafe or not self._ledger.hears:
            return None
        try:
            heir = await first_to_end(self._connections.open(old.moved_to), _too_late(old))
        except (SocketClosed, TimeoutError):
            return None
        self._subscriber.carry(heir.session)
        self._connections.retire(old)
        return heir

    # ------------------------------------------------------------------ what Twitch says

    def _message(self, socket: Socket, message: Message) -> None:
        if message.kind == "notification":
            self._handoff.put(message, socket.age_s(message))
        elif message.kind == "revocation":
            revoked = self._ledger.revoke(message.payload["subscription"], socket.session)
            if revoked is not None:
                log.warning("Twitch revokes %s: %r", revoked.type, self._ledger.refused[revoked])
                self._told()
                self._subscriber.wake()

    def _odd(self) -> None:
        self.counts["odd"] += 1

    # ------------------------------------------------------------------ what the dashboard shows

    def _told(self) -> None:
        """Act on a change of the ledger."""
        if self._ledger.hears and self._current is not None:
            self._tries = 0
            if self._heard is not self._current:
                self._hears_on(self._heard)
                self._heard = self._current
        if self._ledger.is_settled and self._current is not None:
            if not self._ledger.missing:
                self._complete.set()
            self._tell(self._summary())

    def _hears_on(self, before: Socket | None) -> None:
        """Count that chat is heard on another connection than before, and what was missed meanwhile."""
        self.counts["reconnect"] += before is not None
        missed_s = self._now() - before.alive_until_s if before is not None and not before.is_alive else 0.0
        if missed_s:
            self.counts["gap"] += 1
            self.counts["gap_ms"] += round(1000 * missed_s)
            self._outage_s += missed_s
        if missed_s or self.whole_since_s is None:
            self.whole_since_s = self._now()

    def _lost(self, socket: Socket) -> None:
        self._current = None
        self._complete.clear()
        if self._now() - socket.opened_s >= LIVED_S:
            self._tries = 0
        else:
            self._tries = max(self._tries, 1)
        if socket.code == SENT_SOMETHING:
            log.error("Twitch says that we sent something on the EventSub socket")
        reason = "closed" if socket.ended_s is not None else "no_session" if socket.is_alive else "silent"
        self._connecting(reason, socket.code)

    def _connecting(self, reason: str, code: int) -> None:
        if self._heard is None or not self._heard.is_alive:
            self._tell(SocketState("connecting", reason=reason, code=code))

    def _summary(self) -> SocketState:
        missing, refused = tuple(one.type for one in self._ledger.missing), self._refused()
        if not self._ledger.enabled:
            return SocketState("connecting", missing, refused, reason="subscribing")
        outage_s, self._outage_s = self._outage_s, 0.0
        return SocketState("degraded" if missing or refused else "live", missing, refused, outage_s)

    def _refused(self) -> tuple[tuple[str, str], ...]:
        return tuple((one.type, reason) for one, reason in self._ledger.refused.items())

    def _tell(self, state: SocketState) -> None:
        if self._state is not None and replace(self._state, outage_s=0.0) == state:
            return
        self._state = state
        try:
            self._on_state(state)
        except Exception:
            log.exception("EventSub's state was not taken")


async def _too_late(socket: Socket) -> Socket:
    """End some time after this connection: then nobody hears, and waiting for its heir helps no more."""
    await socket.ended()
    await asyncio.sleep(HEDGE_S)
    raise TimeoutError
