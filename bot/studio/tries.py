"""Slows down who guesses the studio's token: one that a person chose may be short enough to be found by trying.

Each source has some tries that cost nothing; beyond, they take turns. A right one costs nothing either, however many
there are, but waits its turn too: to pass sooner would tell that it is right.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from bot.likeness import remember

log = logging.getLogger(__name__)

FREE = 30
"""Wrong tries in a row that are answered at once: a script with an old token is no attacker."""
EVERY_S = 0.5
"""A source's further tries are answered one by one, so far apart."""
WAITING = 4
"""Tries of a source that may wait for their turn; beyond, they are refused unread."""
SOURCES = 1_000
TOLD_EVERY_S = 600.0
NETWORK_BYTES = 8
"""What all IPv6 addresses of one household begin with (RFC 6177: a site has at least 64 bits for itself)."""


class TooManyTries(Exception):
    """This source has tried too much; the token was not even looked at."""


class Tries:
    """How much each source has tried lately. ``clock`` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spent_until: OrderedDict[str, float] = OrderedDict()
        """When a source will have paid for all its tries."""
        self._told_s = -TOLD_EVERY_S

    async def turn(self, source: str) -> None:
        """Wait until this source may hear whether its token is right. Raises ``TooManyTries``."""
        source, now = _household(source), self._clock()
        spent_until = max(self._spent_until.get(source, now), now) + EVERY_S
        wait_s = spent_until - now - FREE * EVERY_S
        if wait_s > WAITING * EVERY_S:
            raise TooManyTries
        remember(self._spent_until, source, spent_until, SOURCES)
        if wait_s > 0:
            self._tell(now)
            await asyncio.sleep(wait_s)

    def was_right(self, source: str) -> None:
        """The token was right: that try costs nothing."""
        source = _household(source)
        if source in self._spent_until:
            self._spent_until[source] -= EVERY_S

    def _tell(self, now: float) -> None:
        if now - self._told_s >= TOLD_EVERY_S:
            self._told_s = now
            log.warning("somebody tries one wrong token after the other: their tries are slowed down")


def _household(source: str) -> str:
    """Return what a source cannot change at will: its IPv4 address, or the network of its IPv6 address."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else address
    return address.packed[:NETWORK_BYTES].hex() if mapped is None else str(mapped)
