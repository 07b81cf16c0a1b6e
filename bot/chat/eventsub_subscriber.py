"""Makes the ledger true: asks for what is missing, one after the other, and checks that what was made still exists."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from bot.chat.eventsub_connections import Connections
from bot.chat.eventsub_ledger import Ledger
from bot.chat.eventsub_races import hedged
from bot.chat.twitch_words import Helix, LoginLost, Subscription, TwitchBusy, TwitchRefused, Wanted

log = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_S = (0.5, 1.0, 2.0, 3.0)
"""Pauses before what failed is asked for again; the last repeats. A longer one alone would break "back within 5 s"."""
JITTER = 0.75
HEDGE_S = 3.0
"""A request that hangs for so long gets a second one beside it."""
CALL_S = 10.0
CHECK_S = 60.0
BUSY_MAX_S = 5.0
"""Twitch says when all points are back; they come back evenly, and one is enough."""
FAILURES_A_ROUND = 2
"""Two failures are no matter of one subscription: the most important one is tried again before the others."""
DOUBTS = 2
"""Twitch answers 400 to nonsense, and for a session that it has lost. Once more than this on one session where others
are enabled, and it is nonsense; where none is, the session is to blame."""

BAD_REQUEST, CONFLICT, TOO_MANY = 400, 409, 429
FOR_GOOD = (403, 410)
"""Not permitted, or removed by Twitch. Any other no may be another one's fault, and is asked again."""


class Subscriber:
    """Works on the ledger's session until another one begins (``serve``).

    ``told()`` is called after every change of the ledger.
    """

    def __init__(
        self,
        ledger: Ledger,
        helix: Helix,
        connections: Connections,
        told: Callable[[], None],
        now: Callable[[], float],
        dice: random.Random,
    ) -> None:
        self._ledger = ledger
        self._helix = helix
        self._connections = connections
        self._told = told
        self._now = now
        self._dice = dice
        self._who = ledger.first.who if ledger.first else "bot"
        self._failures: Counter[Wanted] = Counter()
        self._doubts: Counter[Wanted] = Counter()
        self._not_before_s = 0.0
        self._check_s = 0.0
        self._wake = asyncio.Event()

    def begin(self, session: str) -> None:
        """A fresh session: every subscription has to be made."""
        self._ledger.begin(session)
        self._check_s = self._now() + CHECK_S

    def carry(self, session: str) -> None:
        """A session that took all subscriptions over: if it is another one, check that before long."""
        if session != self._ledger.session:
            self._check_s = self._now() + AGAIN_S[1]
        self._ledger.carry(session)

    def wake(self) -> None:
        """The ledger has changed."""
        self._wake.set()

    async def serve(self) -> None:
        """Keep the subscriptions of this session for ever; return when all are refused or the session is no good.

        Raises ``LoginLost``.
        """
        session, failed = self._ledger.session, 0
        self._doubts.clear()
        while True:
            self._wake.clear()
            await asyncio.sleep(max(0.0, self._not_before_s - self._now()))
            if self._check_s <= self._now():
                await self._check()
            before = len(self._ledger.missing)
            if not await self._round(session) or self._ledger.is_hopeless:
                return
            after = len(self._ledger.missing)
            failed = failed + 1 if after == before else 0
            pause_s = self._check_s - self._now()
            if after:
                pause_s = AGAIN_S[min(failed, len(AGAIN_S)) - 1] * self._dice.uniform(JITTER, 1.0) if failed else 0.0
            with suppress(TimeoutError):
                async with asyncio.timeout(max(pause_s, 0.0)):
                    await self._wake.wait()

    async def _round(self, session: str) -> bool:
        """Ask for what is missing; return whether the session is good for anything.

        As long as the most important one fails, each other is asked for after a new attempt at that one.
        """
        first, failures, doubts = self._ledger.first, 0, 0
        for wanted in sorted(self._ledger.missing, key=lambda one: (one != first, self._failures[one])):
            try:
                await self._ask(wanted, session)
            except TwitchRefused as error:
                if error.status in FOR_GOOD or self._doubts[wanted] >= DOUBTS:
                    log.warning("Twitch refuses %s (%d)", wanted.type, error.status)
                    self._ledger.refuse(wanted, error.reason)
                elif self._ledger.enabled and not await self._session_lives():
                    return False
                else:
                    doubts += 1
                    self._failures[wanted] += 1
                    self._doubts[wanted] += bool(self._ledger.enabled)
            except TwitchBusy as error:
                log.debug("%s: %s", wanted.type, error.reason)
                failures += 1
                self._failures[wanted] += 1
                self._not_before_s = self._now() + min(error.retry_after_s, BUSY_MAX_S)
                if error.retry_after_s:
                    break
            else:
                del self._failures[wanted]
            self._told()
            if failures + doubts >= FAILURES_A_ROUND or (wanted != first and not self._ledger.hears):
                break
        self._ledger.is_settled = True
        self._told()
        return failures > 0 or not doubts or bool(self._ledger.enabled)

    async def _ask(self, wanted: Wanted, session: str) -> None:
        try:
            subscription = await self._call(lambda: self._helix.subscribe(wanted, session))
        except TwitchRefused as error:
            if error.status in (BAD_REQUEST, *FOR_GOOD):
                raise
            if error.status != CONFLICT:
                raise TwitchBusy(error.reason, status=error.status) from None
            subscription = await self._held(wanted)
        except TwitchBusy as error:
            if error.status == TOO_MANY:
                self._connections.close_silent()
                await self._free(await self._list())
            raise
        self._ledger.add(wanted, subscription)

    async def _held(self, wanted: Wanted) -> str:
        """After a 409: return the id on this session, or free what a dead one holds. Raises ``TwitchBusy``."""
        listed = await self._list()
        if wanted in self._ledger.enabled:
            return self._ledger.enabled[wanted]
        await self._free(self._ledger.matching(wanted, listed))
        raise TwitchBusy("held by another session")

    async def _free(self, listed: Iterable[Subscription]) -> None:
        """Delete what sessions of this program hold that are dead to us, and perhaps not yet to Twitch."""
        for one in listed:
            left_over = one.session in self._ledger.former and not self._connections.is_alive(one.session)
            if left_over and one.status == "enabled":
                with _only_busy():
                    await self._call(partial(self._helix.unsubscribe, self._who, one.id))

    async def _session_lives(self) -> bool:
        """After a 400: whether Twitch still lists what was made on this session."""
        made = set(self._ledger.enabled.values())
        try:
            return any(one.id in made and one.status == "enabled" for one in await self._list())
        except TwitchBusy:
            return True

    async def _check(self) -> None:
        """Compare the ledger with what Twitch lists."""
        before = self._ledger.enabled
        self._check_s = self._now() + AGAIN_S[-1]
        with suppress(TwitchBusy):
            alive = {one.id for one in await self._list() if one.status == "enabled"}
            self._check_s = self._now() + CHECK_S
            for wanted, subscription in before.items():
                if subscription not in alive:
                    log.warning("Twitch has lost %s", wanted.type)
                    self._ledger.lose(wanted)

    async def _list(self) -> list[Subscription]:
        """Return what Twitch lists, and believe it where an answer to us was lost."""
        with _only_busy():
            listed = await self._call(lambda: self._helix.subscriptions(self._who))
        for wanted in self._ledger.missing:
            for one in self._ledger.matching(wanted, listed):
                if one.session == self._ledger.session:
                    self._ledger.add(wanted, one.id)
        return listed

    async def _call(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Call Twitch; what hangs or fails in an unknown way is ``TwitchBusy``."""
        try:
            return await hedged(start, HEDGE_S, CALL_S, lambda result: None)
        except (TwitchRefused, TwitchBusy, LoginLost):
            raise
        except TimeoutError:
            raise TwitchBusy("no answer", AGAIN_S[0]) from None
        except Exception as error:
            raise TwitchBusy(type(error).__name__) from None


@contextmanager
def _only_busy() -> Iterator[None]:
    """A no to what is asked on the side says nothing about the subscription itself."""
    try:
        yield
    except TwitchRefused as error:
        raise TwitchBusy(error.reason, status=error.status) from None
