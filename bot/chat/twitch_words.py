"""The words that the Twitch rooms share: accounts, subscriptions, notifications, and what Twitch can refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Who = Literal["bot", "channel"]
"""Whose login a call uses. Where the streamer lets her speak with the channel's own account, both are the same."""


@dataclass(frozen=True, slots=True)
class TwitchUser:
    """An account: ``id`` (digits), ``login`` (lower case), ``name`` as shown."""

    id: str
    login: str
    name: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """An EventSub subscription that should exist; ``condition``: pairs, sorted by key."""

    type: str
    version: str
    condition: tuple[tuple[str, str], ...]
    who: Who = "bot"


@dataclass(frozen=True, slots=True)
class Subscription:
    """One that Twitch lists; ``status`` is ``enabled`` or says why it is not."""

    id: str
    wanted: Wanted
    status: str
    session: str


@dataclass(frozen=True, slots=True)
class Notification:
    """Something that happened on the channel, delivered once.

    ``event`` is the payload as it came: anything in it may be missing or of another type.
    """

    message_id: str
    type: str
    at_s: float
    """Seconds of the clock that the receiver was given, when it came."""
    event: Mapping[str, Any]


class TwitchRefused(Exception):
    """Twitch says no, and asking again changes nothing. ``reason`` is fit to be shown: never a secret in it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class TwitchBusy(Exception):
    """Twitch cannot be reached, is overloaded or counts too many requests; later it may work."""

    def __init__(self, reason: str, retry_after_s: float = 0.0, status: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.status = status


class LoginLost(Exception):
    """The login is not valid any more and cannot be refreshed: the user has to sign in again."""

    def __init__(self, who: Who, reason: str) -> None:
        super().__init__(reason)
        self.who = who
        self.reason = reason


class Helix(Protocol):
    """Twitch's REST interface, with logins kept valid. Everything raises the three exceptions above."""

    @property
    def bot(self) -> TwitchUser:
        """The account that reads and writes."""
        ...

    @property
    def channel(self) -> TwitchUser:
        """The channel where she is live."""
        ...

    def may(self, who: Who, scope: str) -> bool:
        """Whether this login was given a scope, such as ``user:write:chat``."""
        ...

    async def subscribe(self, wanted: Wanted, session: str) -> str:
        """Create a subscription for a websocket session; return its id. 409 is a ``TwitchRefused``."""
        ...

    async def subscriptions(self, who: Who) -> list[Subscription]:
        """Return all that this login has, dead ones too."""
        ...

    async def unsubscribe(self, who: Who, subscription: str) -> None:
        """Delete one; one that is gone already is fine."""
        ...

    async def send(self, text: str, reply_to: str = "") -> str:
        """Write one chat message as the bot, at most 500 characters; return its id.

        Raises ``TwitchRefused`` when it is dropped.
        """
        ...

    async def delete(self, message: str) -> None:
        """Delete a chat message that the bot wrote; one that is gone already is fine."""
        ...

    async def rewards(self) -> list[Mapping[str, Any]]:
        """Return the channel-point rewards that this app made, as Twitch gives them."""
        ...

    async def make_reward(self, title: str, cost: int, prompt: str, *, wants_text: bool) -> Mapping[str, Any]:
        """Create a channel-point reward."""
        ...

    async def redemptions(self, reward: str) -> list[Mapping[str, Any]]:
        """Return what viewers redeemed of a reward and nobody has settled, oldest first, as Twitch gives it."""
        ...

    async def settle(self, reward: str, redemption: str, *, fulfilled: bool) -> None:
        """Fulfil a redemption, or give the points back."""
        ...

    async def is_live(self) -> bool:
        """Whether the channel is on air."""
        ...
