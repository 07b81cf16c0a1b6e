"""Who exists at the local Twitch, and the tokens that they gave."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from bot.chat.twitch_words import TwitchUser
from tests.local_twitch.clock import Clock

REFRESH_LIFE_S = 30 * 86400.0
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def secret(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))


@dataclass
class Token:
    """An access token; ``user`` is none for an app token."""

    access: str
    client_id: str
    user: TwitchUser | None
    scopes: tuple[str, ...]
    ends_s: float
    refresh: str = ""


@dataclass
class Refresh:
    value: str
    client_id: str
    user: TwitchUser
    scopes: tuple[str, ...]
    ends_s: float
    good: bool = True


@dataclass
class Accounts:
    clock: Clock
    client_id: str
    token_life_s: float
    one_time: bool
    """A public client's refresh token is good once; a confidential client's stays."""
    by_id: dict[str, TwitchUser] = field(default_factory=dict)
    by_login: dict[str, TwitchUser] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    refreshes: dict[str, Refresh] = field(default_factory=dict)
    refreshed: int = 0
    spent_used: int = 0
    """How often a refresh token was used that had been used before."""
    _ids: count[int] = field(default_factory=lambda: count(6001))

    def user(self, login: str, name: str | None = None, id: str | None = None) -> TwitchUser:
        login = login.lower()
        if login not in self.by_login:
            made = TwitchUser(id or str(next(self._ids)), login, name or login)
            self.by_login[login] = self.by_id[made.id] = made
        return self.by_login[login]

    def grant(self, user: TwitchUser | None, scopes: Iterable[str], refresh: str = "") -> Token:
        token = Token(secret(30), self.client_id, user, tuple(scopes), self.clock.s() + self.token_life_s)
        if user is not None:
            if not refresh:
                refresh = secret(50)
                ends_s = self.clock.s() + REFRESH_LIFE_S
                self.refreshes[refresh] = Refresh(refresh, self.client_id, user, token.scopes, ends_s)
            token.refresh = refresh
        self.tokens[token.access] = token
        return token

    def valid(self, access: str) -> Token | None:
        token = self.tokens.get(access)
        return token if token is not None and self.clock.s() < token.ends_s else None

    def refresh(self, value: str) -> Token | None:
        """Spend a refresh token for a new pair; none when it is not good any more."""
        kept = self.refreshes.get(value)
        if kept is None:
            return None
        if not kept.good or self.clock.s() >= kept.ends_s:
            self.spent_used += 1
            return None
        self.refreshed += 1
        if self.one_time:
            kept.good = False
            return self.grant(kept.user, kept.scopes)
        kept.ends_s = self.clock.s() + REFRESH_LIFE_S
        return self.grant(kept.user, kept.scopes, kept.value)

    def expire(self, access: str) -> None:
        self.tokens[access].ends_s = self.clock.s()

    def disconnect(self, user: TwitchUser) -> None:
        """The user takes the permission back: every token and refresh token dies."""
        for token in self.tokens.values():
            if token.user == user:
                token.ends_s = min(token.ends_s, self.clock.s())
        for refresh in self.refreshes.values():
            if refresh.user == user:
                refresh.good = False

    def authorised(self, user_id: str) -> bool:
        """Whether this user has this app connected."""
        return any(kept.good and kept.user.id == user_id for kept in self.refreshes.values())
