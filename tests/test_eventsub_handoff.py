"""What stands between the sockets and her: bounds, order, and which message is stale."""

from __future__ import annotations

import asyncio
import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.chat.eventsub_handoff import CHAT, IDS_MAX, TWINS_MAX, WAITING_MAX, Handoff
from bot.chat.eventsub_socket import Message, parse
from bot.chat.twitch_words import Notification
from tests.virtual_time import play

DELETE = "channel.chat.message_delete"


def message(
    number: int, kind: str = CHAT, subscription: str = "s", event: int | None = None, at_s: float = 0.0
) -> Message:
    told = {"number": number if event is None else event}
    return Message(
        f"{subscription}{number}", "notification", kind, at_s, {"subscription": {"id": subscription}, "event": told}
    )


class Ear:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.heard: list[Notification] = []
        self.handoff = Handoff(self.heard.append, lambda: 100.0, self.counts)

    async def drain(self) -> list[int]:
        consumer = asyncio.create_task(self.handoff.run())
        await asyncio.sleep(1)
        consumer.cancel()
        return [int(one.event["number"]) for one in self.heard]


def test_a_flood_pushes_the_oldest_chat_out_and_nothing_of_the_moderators() -> None:
    async def scene() -> None:
        ear = Ear()
        for number in range(3 * WAITING_MAX):
            ear.handoff.put(message(number, DELETE if number % 3000 == 0 else CHAT), 0.0)
        heard = await ear.drain()
        assert ear.counts["overflow"] == 3 * WAITING_MAX - 2 - WAITING_MAX
        assert heard == sorted(heard), "out of order"
        assert heard[:2] == [0, 3000]
        assert heard[2:] == list(range(2 * WAITING_MAX, 3 * WAITING_MAX))
        assert ear.heard[0].at_s == 100.0

    play(scene())


def test_what_is_remembered_is_bounded_and_forgets_the_oldest() -> None:
    async def scene() -> None:
        ear = Ear()
        for number in range(IDS_MAX + 2000):
            ear.handoff.put(message(number), 0.0)
        assert len(ear.handoff._seen._ids) <= IDS_MAX + 1
        assert len(ear.handoff._seen._events) <= TWINS_MAX
        ear.handoff.put(message(IDS_MAX + 1999), 0.0)
        assert ear.counts["duplicate"] == 1
        ear.handoff.put(message(0), 0.0)
        assert ear.counts["duplicate"] == 1

    play(scene())


def test_one_event_of_two_subscriptions_is_one_and_two_events_of_one_are_two() -> None:
    async def scene() -> None:
        ear = Ear()
        for subscription, number, at_s in (
            ("old", 1, 0.0),
            ("new", 1, 0.0),
            ("old", 2, 1.0),
            ("new", 2, 1.0),
            ("new", 3, 60.0),
        ):
            ear.handoff.put(message(number, "channel.chat.clear", subscription, event=7, at_s=at_s), 0.0)
        assert await ear.drain() == [7, 7, 7]
        assert ear.counts["duplicate"] == 2

    play(scene())


def test_without_a_time_of_twitchs_nothing_is_stale() -> None:
    async def scene() -> None:
        ear = Ear()
        for number, age_s in enumerate((math.nan, 599.0, 601.0, -1e9)):
            ear.handoff.put(message(number, at_s=math.nan), age_s)
        assert await ear.drain() == [0, 1, 3]

    play(scene())


@settings(max_examples=50, deadline=None)
@given(st.text() | st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(str))
def test_nothing_but_a_message_is_read_as_one(frame: str | bytes) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, RecursionError)):
        parse(frame)
