"""Seeded schedules of faults for the EventSub client, in virtual time against the Twitch in memory, and their judge."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

from bot.chat.eventsub import EventSub, SocketState
from bot.chat.twitch_words import Notification
from tests.memory_twitch import CHAT, URL, Connection, MemoryTwitch, wanted
from tests.virtual_time import play

OTHERS = ("channel.chat.message_delete", "channel.chat.clear", "channel.follow", "channel.cheer", "channel.raid")
SETTLE_S = 120.0
GARBAGE = ("", "{}", "[]", "null", "7", "{oops", '{"metadata": {}, "payload": {}}', "[" * 50_000, b"\x00\xff")


@dataclass
class Verdict:
    seed: int
    sent: int
    faults: Counter[str]
    lost: list[str]
    handled_twice: list[str]
    never_sent: list[str]
    deaf_s: list[float]
    """From the end of a fault that left her deaf until an event would have reached her again."""
    incomplete_s: list[float]
    """The same until every subscription was back."""
    ended: str
    """The last state before it was stopped."""
    leftovers: int
    """Connections that were still open when it was over, beyond the one in use, and tasks after the end."""
    broken: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        clean = not (self.lost or self.handled_twice or self.never_sent or self.leftovers or self.broken)
        return clean and self.ended in ("live", "degraded") and all(map(math.isfinite, self.deaf_s))


class Faults:
    """What can go wrong; each method returns when it is over."""

    def __init__(self, twitch: MemoryTwitch, dice: random.Random) -> None:
        self.twitch = twitch
        self.dice = dice
        self.kinds: dict[str, Callable[[], Awaitable[float | None]]] = {
            "reconnect": self.reconnect,
            "reconnect_late_welcome": self.reconnect_late_welcome,
            "reconnect_twice": self.reconnect_twice,
            "reconnect_old_cut": self.reconnect_old_cut,
            "reconnect_address_bad": self.reconnect_address_bad,
            "drop": self.drop,
            "close_code": self.close_code,
            "handshakes_refused": self.handshakes_refused,
            "handshakes_hang": self.handshakes_hang,
            "no_welcome": self.no_welcome,
            "cut_before_welcome": self.cut_before_welcome,
            "slow_network": self.slow_network,
            "keepalives_missed": self.keepalives_missed,
            "stall": self.stall,
            "subscribing_fails": self.subscribing_fails,
            "subscribing_hangs": self.subscribing_hangs,
            "subscribing_lost": self.subscribing_lost,
            "orphans": self.orphans,
            "duplicates": self.duplicates,
            "garbage": self.garbage,
            "revocation": self.revocation,
        }

    def _newest(self) -> Connection | None:
        return self.twitch.open[-1] if self.twitch.open else None

    def _cut(self, code: int = 0) -> None:
        for one in list(self.twitch.open):
            self.twitch.end(one, code)

    async def _for(self, most_s: float) -> None:
        await asyncio.sleep(self.dice.uniform(0.1, most_s))

    async def reconnect(self) -> None:
        self.twitch.keeps_session = self.dice.random() < 0.5
        if one := self._newest():
            self.twitch.reconnect(one)
            await self._for(3)

    async def reconnect_late_welcome(self) -> None:
        self.twitch.welcome_s = self.dice.uniform(0.5, 8)
        await self.reconnect()
        await asyncio.sleep(8)
        self.twitch.welcome_s = 0

    async def reconnect_twice(self) -> None:
        await self.reconnect()
        await self.reconnect()

    async def reconnect_old_cut(self) -> None:
        one = self._newest()
        await self.reconnect()
        if one:
            self.twitch.end(one, 0)

    async def reconnect_address_bad(self) -> None:
        self.twitch.reconnect_handshake = self.dice.choice(["refuse", "hang", "no_welcome", "cut"])
        await self.reconnect()
        await self._for(30)
        self.twitch.reconnect_handshake = None

    async def drop(self) -> None:
        self._cut()

    async def close_code(self) -> None:
        self._cut(self.dice.choice([1000, *range(4000, 4008)]))

    async def _handshakes(self, how: str) -> None:
        self.twitch.handshake = how
        self._cut()
        await self._for(60)
        self.twitch.handshake = None

    async def handshakes_refused(self) -> None:
        await self._handshakes("refuse")

    async def handshakes_hang(self) -> None:
        await self._handshakes("hang")

    async def no_welcome(self) -> None:
        await self._handshakes("no_welcome")

    async def cut_before_welcome(self) -> None:
        await self._handshakes("cut")

    async def slow_network(self) -> None:
        self.twitch.handshake_s = self.dice.uniform(1, 5)
        self._cut()
        await self._for(30)
        self.twitch.handshake_s = 0

    async def keepalives_missed(self) -> None:
        """Over when Twitch's promise of a message within the keepalive time is broken: before, nobody can know."""
        if one := self._newest():
            self.twitch.blackhole(one)
            await asyncio.sleep(10)

    async def stall(self) -> None:
        if one := self._newest():
            self.twitch.stall(one)
            await self._for(25)
            self.twitch.flow_again(one)

    async def subscribing_fails(self) -> None:
        self.twitch.answer = self.dice.choice([500, 429, 409, 503])
        self._cut(self.dice.choice([0, 4000]))
        await self._for(60)
        self.twitch.answer = None

    async def subscribing_hangs(self) -> None:
        self.twitch.answer = "hang"
        self._cut()
        await self._for(40)
        self.twitch.answer = None

    async def subscribing_lost(self) -> None:
        self.twitch.answers = self.dice.choices(["lost", 500, "hang", 429], k=4)
        self._cut()
        await self._for(3)
        self.twitch.answers.clear()

    async def orphans(self) -> None:
        self.twitch.orphan_s = self.dice.uniform(1, 40)
        self._cut()
        await asyncio.sleep(0)
        self.twitch.orphan_s = 0

    async def duplicates(self) -> None:
        for one in self.twitch.open:
            for frame, event_id in self.dice.sample(one.recent, min(3, len(one.recent))):
                self.dice.choice(self.twitch.open).write(frame, event_id)

    async def garbage(self) -> None:
        odd = [self.twitch.message("notification", None), self.twitch.message("holiday", {}), *GARBAGE]
        for one in self.twitch.open:
            for frame in self.dice.sample(odd, 3):
                one.write(frame)

    async def revocation(self) -> None:
        held = [
            one for one in self.twitch.held.values() if one.status == "enabled" and one.wanted.type == "channel.raid"
        ]
        for one in held:
            self.twitch.revoke(one, self.dice.choice(["moderator_removed", "version_removed", "a_new_reason"]))
            self.twitch.refused[one.wanted.type] = 403


class Ear:
    """Notes when an event would reach her, and how long she was deaf after each fault."""

    def __init__(self, twitch: MemoryTwitch) -> None:
        self.twitch = twitch
        self.running = 0
        self.waits: dict[str, float] = {}
        self.deaf_s: list[float] = []
        self.incomplete_s: list[float] = []

    def fault(self) -> None:
        self.running += 1
        self.waits.clear()

    def over(self) -> None:
        self.running -= 1
        if not self.running:
            self.waits = dict.fromkeys(("deaf", "incomplete"), self.twitch.now())
            self.look(first=True)

    def look(self, *, first: bool = False) -> None:
        """Call it often. Who is not deaf when the fault ends has no figure."""
        hears = self.twitch.hears()
        everything = hears and all(self.twitch.hears(kind) or kind in self.twitch.refused for kind in OTHERS)
        for name, back, figures in (("deaf", hears, self.deaf_s), ("incomplete", everything, self.incomplete_s)):
            if back and name in self.waits:
                waited_s = self.twitch.now() - self.waits.pop(name)
                if not first:
                    figures.append(waited_s)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0.02 if self.waits else 0.5)
            self.look()


class Listener:
    """She: what was handled, in order, and what her dashboard was told."""

    def __init__(self, twitch: MemoryTwitch, *types: str, seed: int = 0, url: str = URL, **options: Any) -> None:
        self.handled: list[str] = []
        self.states: list[SocketState] = []
        self.client = EventSub(
            url,
            [*map(wanted, types), CHAT],
            twitch,
            self._deliver,
            self.states.append,
            twitch.now,
            **{"connect": twitch.connect, "dice": random.Random(seed), **options},
        )
        self.run = asyncio.create_task(self.client.run())

    def _deliver(self, notification: Notification) -> None:
        self.handled.append(str(notification.event["id"]))

    async def stop(self) -> set[asyncio.Task[Any]]:
        """End it; return the tasks that it left behind."""
        self.run.cancel()
        await asyncio.wait([self.run])
        await asyncio.sleep(1)
        return {task for task in asyncio.all_tasks() if Path(_code(task).co_filename).parent.name == "chat"}


def _code(task: asyncio.Task[Any]) -> CodeType:
    code: CodeType = task.get_coro().cr_code  # type: ignore[union-attr]
    return code


async def schedule(seed: int, faults: int, messages: int, kinds: Sequence[str]) -> Verdict:
    """One client through so many faults (of all kinds, or of some) with so many messages among them."""
    dice = random.Random(seed)
    twitch = MemoryTwitch(dice)
    twitch.twin_ids = dice.random() < 0.7
    she = Listener(twitch, *OTHERS, seed=seed + 1)
    ear, plan = Ear(twitch), Faults(twitch, dice)
    listening = asyncio.create_task(ear.run())
    counted: Counter[str] = Counter()
    await asyncio.sleep(5)

    async def one_fault(kind: str) -> None:
        ear.fault()
        await plan.kinds[kind]()
        ear.over()

    async def trouble() -> None:
        for _ in range(faults):
            kind = dice.choice(kinds or list(plan.kinds))
            counted[kind] += 1
            fault = asyncio.create_task(one_fault(kind))
            if dice.random() < 0.75:
                await fault
                await asyncio.sleep(dice.uniform(5, 12))
            else:
                await asyncio.sleep(dice.uniform(0, 3))

    troubles = asyncio.create_task(trouble())
    number = 0
    while number < messages or not troubles.done():
        burst = 1 if dice.random() < 0.97 else dice.randint(5, 60)
        for _ in range(burst):
            number += 1
            twitch.emit(f"e{number}", CHAT.type if dice.random() < 0.9 else dice.choice(OTHERS))
        await asyncio.sleep(dice.expovariate(messages / (18.0 * faults * burst)))
    await asyncio.sleep(SETTLE_S)
    for kind in (CHAT.type, *OTHERS):
        twitch.emit(f"last {kind}", kind)
    await asyncio.sleep(1)
    listening.cancel()
    surplus = len([one for one in twitch.connections if not one.client_closed]) - 1
    left = await she.stop()
    left_open = [one for one in twitch.connections if not one.client_closed]
    await twitch.stop()
    times = Counter(she.handled)
    return Verdict(
        seed,
        len(twitch.sent),
        counted,
        [event for event in twitch.sent if event not in times],
        [event for event, count in times.items() if count > 1],
        [event for event in times if event not in twitch.sent],
        ear.deaf_s + [math.inf] * ("deaf" in ear.waits),
        ear.incomplete_s + [math.inf] * ("incomplete" in ear.waits),
        she.states[-2].state,
        surplus + len(left_open) + len(left),
        twitch.broken,
    )


def judge(seed: int, faults: int, messages: int, *kinds: str) -> Verdict:
    verdict: Verdict = play(schedule(seed, faults, messages, kinds))
    return verdict
