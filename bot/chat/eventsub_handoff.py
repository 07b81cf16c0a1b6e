"""From the sockets to her: each notification once, in order, and none that is stale."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable

from bot.chat.eventsub_socket import Message
from bot.chat.twitch_words import Notification

log = logging.getLogger(__name__)

STALE_S = 600.0
"""Older notifications are dropped, and for so long ids are remembered; Twitch asks for both (10 minutes)."""
IDS_MAX = 20_000
"""Ids remembered at most: ten minutes of the busiest recorded chat (1,332 messages in a minute) need 13,320."""
TWIN_S = 2.0
TWINS_MAX = 2_000
WAITING_MAX = 2_000
BATCH = 64
"""More than a turn of two readers, so that what waits shrinks as long as the consumer runs at all."""

CHAT = "channel.chat.message"


class Seen:
    """What was handed on, shared by all sockets."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._ids: OrderedDict[str, float] = OrderedDict()
        self._events: OrderedDict[int, tuple[str, float]] = OrderedDict()

    def again(self, message_id: str) -> bool:
        """Note a message's id; whether it came before."""
        now = self._now()
        while self._ids and (len(self._ids) > IDS_MAX or now - next(iter(self._ids.values())) > STALE_S):
            self._ids.popitem(last=False)
        if message_id in self._ids:
            return True
        self._ids[message_id] = now
        return False

    def twin(self, message: Message) -> bool:
        """Note what happened; whether another subscription told the same thing, with a message id of its own.

        While a new session replaces one that is still read, both have the same subscriptions. The same event, made
        within ``TWIN_S`` by Twitch's clock, is one event then. From one subscription, the same thing twice is two.
        """
        told_by = message.payload.get("subscription")
        subscription = str(told_by.get("id")) if isinstance(told_by, dict) else ""
        event = hash(json.dumps([message.type, message.payload.get("event")], sort_keys=True))
        teller, sent_s = self._events.get(event, (subscription, math.nan))
        if teller != subscription and abs(message.sent_s - sent_s) <= TWIN_S:
            return True
        self._events[event] = (subscription, message.sent_s)
        self._events.move_to_end(event)
        if len(self._events) > TWINS_MAX:
            self._events.popitem(last=False)
        return False


class Handoff:
    """A bounded queue with a single consumer (``run``).

    When it is full, the oldest chat message leaves for a newer one; all else has as much room of its own, so that no
    flood of chat pushes out what moderators do. ``counts`` tells ``received``, ``duplicate``, ``stale``, ``overflow``
    and ``failed``.
    """

    def __init__(self, deliver: Callable[[Notification], None], now: Callable[[], float], counts: Counter[str]) -> None:
        self._deliver = deliver
        self._now = now
        self._counts = counts
        self._seen = Seen(now)
        self._chat: deque[tuple[int, Notification]] = deque()
        self._rest: deque[tuple[int, Notification]] = deque()
        self._some = asyncio.Event()
        self._number = 0

    def put(self, message: Message, age_s: float) -> None:
        """Take a notification from a socket. Raises ``TypeError`` or ``KeyError`` when it is none."""
        event = message.payload["event"]
        if not isinstance(event, dict) or not message.type:
            raise TypeError("event")
        if self._seen.again(message.id) or self._seen.twin(message):
            self._counts["duplicate"] += 1
        elif age_s > STALE_S:
            self._counts["stale"] += 1
        else:
            self._counts["received"] += 1
            waiting = self._chat if message.type == CHAT else self._rest
            if len(waiting) >= WAITING_MAX:
                waiting.popleft()
                self._counts["overflow"] += 1
            self._number += 1
            waiting.append((self._number, Notification(message.id, message.type, self._now(), event)))
            self._some.set()

    async def run(self) -> None:
        """Deliver for ever, in the order of arrival."""
        while True:
            await self._some.wait()
            for _ in range(min(BATCH, len(self._chat) + len(self._rest))):
                self._hand_on(self._next())
            if not self._chat and not self._rest:
                self._some.clear()
            await asyncio.sleep(0)

    def _next(self) -> Notification:
        both = self._chat and self._rest
        chat_first = self._chat[0][0] < self._rest[0][0] if both else bool(self._chat)
        return (self._chat if chat_first else self._rest).popleft()[1]

    def _hand_on(self, notification: Notification) -> None:
        try:
            self._deliver(notification)
        except Exception:
            self._counts["failed"] += 1
            log.exception("a %s was not handled", notification.type)
