"""Which subscriptions should exist and which do: none is forgotten because a request failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.chat.twitch_words import Subscription, Wanted

FIRST = (
    "channel.chat.message",
    "channel.chat.message_delete",
    "channel.chat.clear_user_messages",
    "channel.chat.clear",
)
"""Asked for first, in this order: chat, and the moderators' word on it. The rest follows as it was given."""


class Ledger:
    """One login's wanted subscriptions: each is missing, enabled, or refused for good.

    Enabled ones belong to ``session``. Only a no of Twitch's (at once, or later by revocation) takes one out.
    """

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        ranks = {kind: rank for rank, kind in enumerate(FIRST)}
        self._wanted = sorted(dict.fromkeys(wanted), key=lambda one: ranks.get(one.type, len(FIRST)))
        self._ids: dict[Wanted, str] = {}
        self._refused: dict[Wanted, str] = {}
        self.session = ""
        """The session that subscriptions are made for; empty while there is none."""
        self.former: deque[str] = deque(maxlen=20)
        """Sessions before this one, whose subscriptions may be left over."""
        self.is_settled = False
        """Whether every one was asked for once on this session."""

    @property
    def first(self) -> Wanted | None:
        """The most important one that Twitch does not refuse: without it she is deaf."""
        return next((one for one in self._wanted if one not in self._refused), None)

    @property
    def hears(self) -> bool:
        """Whether the first one is enabled."""
        return self.first in self._ids

    @property
    def is_hopeless(self) -> bool:
        """Whether all are refused."""
        return self.first is None

    @property
    def missing(self) -> list[Wanted]:
        """What is not enabled yet and may be asked for, the most important first."""
        return [one for one in self._wanted if one not in self._ids and one not in self._refused]

    @property
    def enabled(self) -> dict[Wanted, str]:
        """Subscription ids by what was wanted."""
        return dict(self._ids)

    @property
    def refused(self) -> dict[Wanted, str]:
        """Twitch's reasons by what was wanted."""
        return dict(self._refused)

    def begin(self, session: str) -> None:
        """Start on a fresh session, which has none."""
        self.former.append(self.session)
        self.session = session
        self.is_settled = False
        self._ids.clear()

    def carry(self, session: str) -> None:
        """Go on with a session that took all subscriptions over."""
        self.session = session

    def add(self, wanted: Wanted, subscription: str) -> None:
        """This one is enabled; a revocation that came before the answer stands."""
        if wanted not in self._refused:
            self._ids[wanted] = subscription

    def refuse(self, wanted: Wanted, reason: str) -> None:
        """This one will never be enabled."""
        self._ids.pop(wanted, None)
        self._refused[wanted] = reason

    def lose(self, wanted: Wanted) -> None:
        """This one is not enabled any more, and wanted still."""
        self._ids.pop(wanted, None)

    def revoke(self, subscription: Mapping[str, Any], session: str) -> Wanted | None:
        """Twitch has revoked a subscription of a session; return what was wanted, if it was.

        It is known by its id or, while the answer that tells the id is under way, by what it is for.
        """
        number, reason = subscription.get("id"), subscription.get("status")
        found = next((one for one, held in self._ids.items() if held == number), None)
        if found is None and session == self.session:
            found = next((one for one in self.missing if _is_for(one, subscription)), None)
        if found is not None:
            self.refuse(found, reason if isinstance(reason, str) and reason else "revoked")
        return found

    def matching(self, wanted: Wanted, listed: Iterable[Subscription]) -> list[Subscription]:
        """Return the enabled ones of a list that are for the same thing."""
        return [one for one in listed if one.status == "enabled" and _key(one.wanted) == _key(wanted)]


def _key(wanted: Wanted) -> tuple[str, str, dict[str, str]]:
    """Twitch may list a condition with keys that nobody gave, and empty values."""
    return wanted.type, wanted.version, {key: value for key, value in wanted.condition if value}


def _is_for(wanted: Wanted, subscription: Mapping[str, Any]) -> bool:
    condition = subscription.get("condition")
    given = {key: value for key, value in condition.items() if value} if isinstance(condition, Mapping) else {}
    return _key(wanted) == (subscription.get("type"), subscription.get("version"), given)
