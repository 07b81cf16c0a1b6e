"""The EventSub client through every fault on its list, in virtual time against the Twitch in memory."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Callable, Coroutine
from functools import wraps
from itertools import pairwise
from typing import Any

import pytest

from bot.chat.eventsub import SocketState
from bot.chat.eventsub_socket import SocketClosed
from bot.chat.twitch_words import LoginLost
from tests.conftest import HANGS_S
from tests.eventsub_campaign import OTHERS, Faults, Listener, judge
from tests.memory_twitch import CHAT, Connection, MemoryTwitch
from tests.virtual_time import play

KINDS = [name for name, fault in vars(Faults).items() if asyncio.iscoroutinefunction(fault) and name[0] != "_"]
FOLLOW = "channel.follow"
Scene = Callable[[MemoryTwitch], Coroutine[Any, Any, None]]


def scene(test: Scene) -> Callable[[], None]:
    async def run() -> None:
        twitch = MemoryTwitch(random.Random(1))
        await test(twitch)
        assert twitch.broken == []
        await twitch.stop()

    @wraps(test)
    def played() -> None:
        play(run())

    del played.__wrapped__  # pytest would look for fixtures in it
    return played


def told(she: Listener) -> list[str]:
    return [state.state for state in she.states]


async def chatting(twitch: MemoryTwitch, name: str, count: int, every_s: float = 0.1) -> None:
    for number in range(count):
        twitch.emit(f"{name}{number}")
        await asyncio.sleep(every_s)


def names(name: str, count: int) -> list[str]:
    return [f"{name}{number}" for number in range(count)]


# ---------------------------------------------------------------------- campaigns


@pytest.mark.parametrize("kind", KINDS)
def test_each_fault_costs_nothing_that_was_delivered_and_she_is_back_soon(kind: str) -> None:
    for seed in range(2):
        verdict = judge(seed, 6, 200, kind)
        assert verdict.is_good, verdict
        assert max(verdict.deaf_s, default=0.0) <= 5.0, verdict


def test_mixed_and_overlapping_faults_in_seeded_schedules() -> None:
    deaf_s = []
    for seed in range(4):
        verdict = judge(seed, 40, 800)
        assert verdict.is_good, verdict
        deaf_s += verdict.deaf_s
    assert len(deaf_s) > 30
    assert max(deaf_s) <= 5.0


# ---------------------------------------------------------------------- connecting


@scene
async def test_chat_is_asked_for_first_and_one_after_the_other(twitch: MemoryTwitch) -> None:
    she = Listener(twitch, *OTHERS)
    await asyncio.sleep(5)
    assert [wanted.type for _, wanted in twitch.posts][:3] == [CHAT.type, *OTHERS[:2]]
    assert len(twitch.posts) == 1 + len(OTHERS)
    times = [at_s for at_s, _ in twitch.posts]
    assert min(after - before for before, after in pairwise(times)) >= 0.04, "two at once"
    assert told(she) == ["connecting", "live"]
    await chatting(twitch, "a", 50, 0.0)
    await asyncio.sleep(1)
    assert she.handled == names("a", 50)
    assert await she.stop() == set()
    assert told(she)[-1] == "stopped"
    assert twitch.open == []


@scene
async def test_attempts_back_off_to_three_seconds_and_begin_anew_after_success(twitch: MemoryTwitch) -> None:
    twitch.handshake = "refuse"
    she = Listener(twitch)
    await asyncio.sleep(60)
    gaps = [after - before for before, after in pairwise(twitch.attempts_s)]
    lost_s = 3 * twitch.latency_s[1]
    for gap, (least, most) in zip(gaps, [(0.375, 0.5), (0.75, 1), (1.5, 2), (2.25, 3), (2.25, 3)], strict=False):
        assert least <= gap <= most + lost_s
    assert len({round(gap, 3) for gap in gaps[5:]}) > 5, "no jitter"
    assert she.states[-1] == SocketState("connecting", reason="unreachable")
    twitch.handshake = None
    await asyncio.sleep(10)
    assert told(she)[-1] == "live"
    before = len(twitch.attempts_s)
    dropped_s = twitch.now()
    twitch.end(twitch.open[0], 0)
    await asyncio.sleep(5)
    assert twitch.attempts_s[before] - dropped_s < 0.3, "the first attempt after a drop waits"
    assert told(she)[-1] == "live"
    await she.stop()


@scene
async def test_connections_that_die_at_once_are_not_made_in_a_hot_loop(twitch: MemoryTwitch) -> None:
    she = Listener(twitch, *OTHERS)

    async def cut_always() -> None:
        while True:
            await asyncio.sleep(0.05)
            for one in twitch.open:
                twitch.end(one, 4000)

    cutting = asyncio.create_task(cut_always())
    await asyncio.sleep(60)
    cutting.cancel()
    assert 15 <= len(twitch.attempts_s) <= 40
    await asyncio.sleep(8)
    assert told(she)[-1] == "live"
    await she.stop()


# ---------------------------------------------------------------------- hand-over


@pytest.mark.parametrize("keeps_session", [True, False])
def test_a_hand_over_loses_nothing_and_asks_for_nothing_again(keeps_session: bool) -> None:
    @scene
    async def hand_over(twitch: MemoryTwitch) -> None:
        twitch.keeps_session, twitch.welcome_s = keeps_session, 2.0
        she = Listener(twitch, *OTHERS)
        await asyncio.sleep(6)
        asked = len(twitch.posts)
        old = twitch.open[0]
        old.latency_s = 0.7  # what is on the way comes after the new welcome
        chat = asyncio.create_task(chatting(twitch, "a", 100))
        await asyncio.sleep(1)
        twitch.reconnect(old)
        await chat
        await asyncio.sleep(2)
        assert sorted(she.handled) == sorted(names("a", 100))
        assert len(twitch.posts) == asked
        assert [one.client_closed for one in twitch.connections] == [False], "the old one stays"
        assert told(she) == ["connecting", "live"], "nobody needs to know"
        await she.stop()

    hand_over()


@scene
async def test_when_a_hand_over_fails_the_old_connection_is_heard_until_a_fresh_one_works(twitch: MemoryTwitch) -> None:
    she = Listener(twitch, *OTHERS)
    await asyncio.sleep(5)
    twitch.reconnect_handshake, twitch.handshake = "refuse", "refuse"
    twitch.reconnect(twitch.open[0])
    chat = asyncio.create_task(chatting(twitch, "a", 250))
    await asyncio.sleep(20)
    twitch.handshake = None
    await chat
    await asyncio.sleep(1)
    assert she.handled == names("a", 250)
    assert she.client.counts["duplicate"] > 0, "both had the same subscriptions for a moment"
    assert told(she) == ["connecting", "live"]
    assert len(twitch.open) == 1
    await she.stop()


async def _told_to_move_in_vain(twitch: MemoryTwitch) -> Connection:
    """She keeps the old connection until a fresh one does its work."""
    old = twitch.open[0]
    twitch.reconnect_handshake = "refuse"
    twitch.reconnect(old)
    await asyncio.sleep(0.3)
    return old


@scene
async def test_what_a_stalled_connection_holds_back_is_waited_for_though_another_does_its_work(
    twitch: MemoryTwitch,
) -> None:
    she = Listener(twitch)
    await asyncio.sleep(6)
    old = await _told_to_move_in_vain(twitch)
    twitch.stall(old)
    await chatting(twitch, "a", 3, 0.01)
    await asyncio.sleep(10)
    assert told(she) == ["connecting", "live"], "a fresh connection works"
    assert she.handled == []
    twitch.flow_again(old)
    await asyncio.sleep(12)
    assert she.handled == names("a", 3)
    assert old.client_closed
    await she.stop()


@scene
async def test_an_old_connection_that_still_speaks_is_kept_when_its_heir_dies(twitch: MemoryTwitch) -> None:
    she = Listener(twitch)
    await asyncio.sleep(6)
    await _told_to_move_in_vain(twitch)
    while sum(one.status == "enabled" for one in twitch.held.values()) < 2:
        await asyncio.sleep(0.05)
    await chatting(twitch, "a", 10)
    twitch.end(twitch.open[-1], 0)
    await chatting(twitch, "b", 10)
    await asyncio.sleep(2)
    assert she.handled == [*names("a", 10), *names("b", 10)], "the old one heard all of it"
    await she.stop()


@scene
async def test_it_counts_what_it_missed_and_what_it_did_not(twitch: MemoryTwitch) -> None:
    she = Listener(twitch)
    await asyncio.sleep(5)
    began_s, counts = she.client.whole_since_s, she.client.counts
    assert began_s is not None
    twitch.reconnect(twitch.open[0])
    await asyncio.sleep(5)
    assert (counts["reconnect"], counts["gap"], she.client.whole_since_s) == (1, 0, began_s), "nothing was missed"
    twitch.handshake = "refuse"
    cut_s = twitch.now()
    for one in twitch.open:
        twitch.end(one, 0)
    await asyncio.sleep(7)
    twitch.handshake = None
    await asyncio.sleep(10)
    assert (counts["reconnect"], counts["gap"]) == (2, 1)
    assert she.client.whole_since_s == pytest.approx(cut_s + counts["gap_ms"] / 1000, abs=0.5)
    assert counts["gap_ms"] > 7000
    outage_s = next(state.outage_s for state in she.states if state.outage_s)
    assert outage_s == pytest.approx(counts["gap_ms"] / 1000, abs=0.001)
    await she.stop()


@scene
async def test_the_same_thing_twice_is_two_things(twitch: MemoryTwitch) -> None:
    she = Listener(twitch, "channel.cheer")
    await asyncio.sleep(5)
    for _ in range(2):
        twitch.emit("five bits of Noor", "channel.cheer")
    await asyncio.sleep(1)
    assert she.handled == ["five bits of Noor"] * 2
    await she.stop()


@scene
async def test_a_reconnect_address_without_tls_is_not_followed(twitch: MemoryTwitch) -> None:
    asked: list[str] = []

    async def connect(url: str) -> Any:
        asked.append(url)
        return await twitch.connect(url.replace("wss:", "ws:"))

    she = Listener(twitch, url="wss://memory.test/ws", connect=connect)
    await asyncio.sleep(5)
    twitch.reconnect(twitch.open[0])
    await asyncio.sleep(5)
    assert not any(url.startswith("ws:") for url in asked)
    assert told(she)[-1] == "live"
    await she.stop()


# ---------------------------------------------------------------------- deafness


@scene
async def test_a_silent_connection_is_noticed_and_a_stalled_one_loses_nothing(twitch: MemoryTwitch) -> None:
    she = Listener(twitch, *OTHERS)
    await asyncio.sleep(5)
    stalled, since_s = twitch.open[0], twitch.now()
    twitch.stall(stalled)
    chat = asyncio.create_task(chatting(twitch, "a", 250))
    await asyncio.sleep(25)
    assert twitch.attempts_s[1] - since_s < 10 + 3.5
    assert 10 < she.states[-1].outage_s < 15
    twitch.flow_again(stalled)
    await chat
    await asyncio.sleep(40)
    assert sorted(she.handled) == sorted(names("a", 250)), "what the stall held back was told late, and once"
    assert stalled.client_closed
    await she.stop()


@scene
async def test_a_dead_reader_is_noticed(twitch: MemoryTwitch) -> None:
    she = Listener(twitch)
    await asyncio.sleep(5)

    async def broken() -> str:
        raise RuntimeError("a fault of our own")

    twitch.open[0].receive = broken  # type: ignore[method-assign]
    twitch.emit("the last that it reads")
    await asyncio.sleep(3)
    await chatting(twitch, "a", 5)
    await asyncio.sleep(1)
    assert she.handled == ["the last that it reads", *names("a", 5)]
    await she.stop()


@scene
async def test_the_outage_is_told_once_when_it_is_over(twitch: MemoryTwitch) -> None:
    she = Listener(twitch, *OTHERS)
    await asyncio.sleep(5)
    twitch.handshake = "refuse"
    twitch.end(twitch.open[0], 4000)
    await asyncio.sleep(20)
    twitch.handshake = None
    await asyncio.sleep(100)
    connecting, unreachable, live = she.states[2:]
    assert connecting == SocketState("connecting", reason="closed", code=4000)
    assert unreachable.reason == "unreachable"
    assert live.state == "live"
    assert 20 < live.outage_s < 25
    twitch.reconnect(twitch.open[0])
    await asyncio.sleep(100)
    assert len(she.states) == 5
    await she.stop()


@scene
async def test_what_twitch_loses_without_a_word_is_made_again(twitch: MemoryTwitch) -> None:
    she = Listener(twitch, *OTHERS)
    await asyncio.sleep(5)
    for one in list(twitch.held.values())[:3]:
        del twitch.held[one.id]
    assert not twitch.hears()
    await asyncio.sleep(62)
    assert twitch.hears()
    await asyncio.sleep(3)
    assert len(twitch.held) == 1 + len(OTHERS)
    assert told(she)[-1] == "live"
    await she.stop()


# ---------------------------------------------------------------------- subscribing


@scene
async def test_what_fails_is_named_and_asked_for_until_it_works(twitch: MemoryTwitch) -> None:
    twitch.refused = {FOLLOW: 500, "channel.raid": 403}
    she = Listener(twitch, *OTHERS)
    await asyncio.sleep(20)
    state = she.states[-1]
    assert (state.state, state.missing, state.refused) == ("degraded", (FOLLOW,), (("channel.raid", "status 403"),))
    assert [wanted.type for _, wanted in twitch.posts].count("channel.raid") == 1
    twitch.refused = {}
    await asyncio.sleep(4)
    assert she.states[-1].missing == ()
    await asyncio.sleep(100)
    assert twitch.hears(FOLLOW)
    assert [wanted.type for _, wanted in twitch.posts].count("channel.raid") == 1, "a no is taken as one"
    await she.stop()


@scene
async def test_the_others_get_their_turn_while_chat_fails(twitch: MemoryTwitch) -> None:
    twitch.refused = {CHAT.type: 500, OTHERS[0]: 500}
    she = Listener(twitch, *OTHERS)
    await asyncio.sleep(30)
    assert [twitch.hears(kind) for kind in OTHERS] == [False] + [True] * (len(OTHERS) - 1)
    twitch.refused = {}
    await asyncio.sleep(4)
    assert twitch.hears()
    await she.stop()


@scene
async def test_nonsense_is_told_from_a_session_that_is_dead(twitch: MemoryTwitch) -> None:
    twitch.refused = {FOLLOW: 400}
    she = Listener(twitch, *OTHERS)
    await asyncio.sleep(10)
    assert she.states[-1].refused == ((FOLLOW, "status 400"),)
    assert len(twitch.attempts_s) == 1
    dead = twitch.open[0]
    twitch.blackhole(dead)
    twitch.end(dead, 4002)  # which never arrives
    she.client._ledger.lose(CHAT)
    she.client._subscriber.wake()
    await asyncio.sleep(3)
    assert twitch.hears()
    assert she.states[-1].refused == ((FOLLOW, "status 400"),)
    await she.stop()


@scene
async def test_when_everything_is_refused_she_says_so_and_ends(twitch: MemoryTwitch) -> None:
    twitch.refused = dict.fromkeys((CHAT.type, *OTHERS), 403)
    she = Listener(twitch, *OTHERS)
    await asyncio.wait_for(she.run, HANGS_S)
    assert told(she)[-1] == "refused"
    assert dict(she.states[-1].refused) == dict.fromkeys((CHAT.type, *OTHERS), "status 403")
    assert await she.stop() == set()
    assert twitch.open == []


@scene
async def test_a_lost_login_ends_it(twitch: MemoryTwitch) -> None:
    she = Listener(twitch)
    await asyncio.sleep(5)

    async def lost(*_: object) -> Any:
        raise LoginLost("bot", "the password was changed")

    twitch.subscribe = lost  # type: ignore[method-assign]
    twitch.end(twitch.open[0], 0)
    await asyncio.wait_for(she.run, HANGS_S)
    assert she.states[-1] == SocketState("login_lost", reason="the password was changed")
    assert await she.stop() == set()
    assert twitch.open == []


@scene
async def test_a_fault_of_helix_itself_is_no_end(twitch: MemoryTwitch) -> None:
    subscribe, faults = twitch.subscribe, [KeyError("data"), RecursionError(), SocketClosed(1)]

    async def faulty(*asked: Any) -> str:
        if faults:
            raise faults.pop()
        return await subscribe(*asked)

    twitch.subscribe = faulty  # type: ignore[method-assign]
    she = Listener(twitch, *OTHERS)
    await asyncio.sleep(10)
    assert told(she)[-1] == "live"
    await she.stop()


@scene
async def test_a_revoked_subscription_is_named_and_not_asked_for_again(twitch: MemoryTwitch) -> None:
    she = Listener(twitch, *OTHERS)
    await asyncio.sleep(5)
    for one in list(twitch.held.values()):
        if one.wanted.type in (FOLLOW, "channel.cheer"):
            twitch.revoke(one, "moderator_removed" if one.wanted.type == FOLLOW else "a_reason_of_tomorrow")
    await asyncio.sleep(100)
    assert told(she)[-1] == "degraded"
    assert dict(she.states[-1].refused) == {FOLLOW: "moderator_removed", "channel.cheer": "a_reason_of_tomorrow"}
    twitch.end(twitch.open[0], 0)
    await asyncio.sleep(10)
    assert twitch.hears()
    assert not twitch.hears(FOLLOW)
    for one in list(twitch.held.values()):
        twitch.revoke(one, "authorization_revoked")
    await asyncio.wait_for(she.run, HANGS_S)
    assert told(she)[-1] == "refused"
    await she.stop()


@scene
async def test_a_revocation_that_comes_before_the_answer_stands(twitch: MemoryTwitch) -> None:
    twitch.latency_s = (0.1, 0.1)
    she = Listener(twitch)
    while CHAT.type not in [one.wanted.type for one in twitch.held.values()]:
        await asyncio.sleep(0.01)
    twitch.open[0].latency_s = 0.01
    twitch.revoke(next(iter(twitch.held.values())), "chat_user_banned")
    await asyncio.wait_for(she.run, HANGS_S)
    assert she.states[-1].refused == ((CHAT.type, "chat_user_banned"),)
    await she.stop()


@scene
async def test_room_is_made_by_giving_up_what_dead_connections_hold(twitch: MemoryTwitch) -> None:
    twitch.pong_s = 1000.0
    she = Listener(twitch, *OTHERS)
    await asyncio.sleep(5)
    for _ in range(5):
        twitch.blackhole(next(one for one in twitch.open if not one.blackholed))
        await asyncio.sleep(18)
        assert twitch.hears(), "three dead connections fill what Twitch grants"
    assert told(she)[-1] == "live"
    await she.stop()


# ---------------------------------------------------------------------- what is handed on


@scene
async def test_each_message_is_handled_once_for_ten_minutes_and_stale_ones_are_not(twitch: MemoryTwitch) -> None:
    she = Listener(twitch)
    await asyncio.sleep(5)

    def note(event: str, number: str, ago_s: float = 0.0) -> None:
        payload = {"subscription": {"id": "s", "type": CHAT.type}, "event": {"id": event}}
        told = twitch.message("notification", payload, number, ago_s=ago_s, subscription_type=CHAT.type)
        twitch.open[0].write(told)

    note("first", "1")
    await asyncio.sleep(500)
    note("again", "1")
    note("old", "2", 610)
    note("late", "3", 590)
    await asyncio.sleep(1)
    assert she.handled == ["first", "late"]
    assert (she.client.counts["duplicate"], she.client.counts["stale"]) == (1, 1)
    await she.stop()


@scene
async def test_a_fault_in_what_handles_them_ends_nothing(twitch: MemoryTwitch) -> None:
    she = Listener(twitch)
    await asyncio.sleep(5)
    she.client._handoff._deliver = lambda notification: json.loads(f"{{{notification.event['id']}")
    twitch.emit("one")
    await asyncio.sleep(1)
    she.client._handoff._deliver = she._deliver
    twitch.emit("two")
    await asyncio.sleep(1)
    assert she.handled == ["two"]
    assert she.client.counts["failed"] == 1
    await she.stop()


def test_a_verdict_without_return_is_no_good_one() -> None:
    verdict = judge(1, 1, 10)
    verdict.deaf_s.append(math.inf)
    assert not verdict.is_good
