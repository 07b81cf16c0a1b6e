"""One account's login, kept valid: checked at start and every hour, renewed early, once at a time, and never in a loop.

The store is the only source of a pair: a new one is in there before it is used. A pair that the set-up writes while
she is live is taken over. A login that is lost raises ``LoginLost`` until then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from bot.chat.oauth import OAuth
from bot.chat.renewal import Renew
from bot.chat.token_store import StoreError, Tokens, TokenStore, fingerprint
from bot.chat.twitch_words import LoginLost, TwitchBusy, TwitchRefused, Who
from bot.texts import text
from bot.vocabulary import Health, State

log = logging.getLogger(__name__)

HOUR_S = 3600.0
"""Twitch wants every app that holds a login to validate it hourly (Twitch docs, "Validating Tokens")."""
LOOK_S = 5.0
"""How soon a pair that another process wrote is noticed."""
AGAIN_S = 60.0
"""How soon what Twitch could not do is tried again; a pair younger than this is never renewed."""
WAIT_S = 20.0
"""How long a caller waits for a renewal; the renewal goes on."""

BOT_SCOPES = ("user:read:chat", "user:write:chat")
"""What the account that reads and writes needs."""
DELETE_SCOPE = "moderator:manage:chat_messages"
"""What lets an account of her own, if it moderates the channel, delete what she wrote there."""
CHANNEL_SCOPES = (
    "moderator:read:followers",
    "channel:read:subscriptions",
    "bits:read",
    "channel:read:redemptions",
    "channel:manage:redemptions",
    "channel:read:hype_train",
    "channel:read:polls",
    "channel:read:predictions",
    "channel:read:ads",
    "moderator:read:shoutouts",
    "moderator:manage:automod",
)
"""What the channel's own account lets her see: its events, its rewards, and what AutoMod holds."""


def adopt(store: TokenStore, client_id: str, access: str, refresh: str) -> None:
    """Take the settings' pair for the bot, unless the stored one came after it. Raises ``StoreError``."""
    given = fingerprint(access, refresh)
    kept = store.read("bot")
    if (access or refresh) and (kept is None or kept.replaces != given):
        store.write("bot", Tokens(access, refresh, client_id, given))


class Login:
    """A login for ``who``. ``report`` gets its light, ``twitch_bot`` or ``twitch_channel``, at every change."""

    def __init__(
        self,
        who: Who,
        store: TokenStore,
        oauth: OAuth,
        renew: Renew,
        report: Callable[[Health], None],
        now: Callable[[], float],
    ) -> None:
        self.who = who
        self.scopes: frozenset[str] = frozenset()
        self.user_id = ""
        self.user_login = ""
        self._store = store
        self._oauth = oauth
        self._renew = renew
        self._report = report
        self._now = now
        self._tokens = Tokens("", "", "")
        self._lost = text(f"twitch_login.none_{who}")
        self._seen: tuple[int, int] | None = None
        self._spent = False
        self._ends_s = self._renew_s = self._validate_s = float("inf")
        self._renew_again_s = float("-inf")
        self._mending: asyncio.Task[None] | None = None
        self._health: Health | None = None

    async def start(self, user_id: str = "") -> None:
        """Read and validate the stored pair; renew it if it has ended. Another account than ``user_id`` is refused.

        Raises ``LoginLost`` or ``TwitchBusy``.
        """
        self.user_id = user_id or self.user_id
        tokens = await self._read()
        if tokens.client_id != self._oauth.client_id:
            raise self._lose(text("twitch_login.other_app"))
        self._tokens, self._lost, self._spent = tokens, "", False
        self._renew_s, self._validate_s = float("inf"), self._now() + AGAIN_S
        await self._mend(tokens.access)

    @property
    def is_worth_a_try(self) -> bool:
        """Whether there is a login, or another one was stored since it was lost."""
        return not self._lost or self._store.stamp(self.who) != self._seen

    def token(self) -> str:
        """Return the access token to use now. Raises ``LoginLost``."""
        if self._lost:
            raise LoginLost(self.who, self._lost)
        return self._tokens.access

    async def after_401(self, refused: str) -> str:
        """Return the token to try once more after ``refused`` was answered with 401.

        The same one again means that it is good, and the 401 is about something else.
        Raises ``LoginLost`` or ``TwitchBusy``.
        """
        if not self._lost and self._tokens.access == refused:
            await self._mend(refused)
        return self.token()

    async def run(self) -> None:
        """Keep the login valid until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look()
            except (LoginLost, TwitchBusy) as problem:
                log.debug("login of the %s: %s", self.who, problem.reason)

    async def close(self) -> None:
        """Wait for nothing more. A renewal in progress goes on in its own process."""
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.wait([self._mending])

    async def _look(self) -> None:
        now = self._now()
        if self._mending is not None and not self._mending.done():
            return
        if self._store.stamp(self.who) != self._seen:
            await self.start()
        elif not self._lost and now >= self._renew_s:
            self._renew_s = now + AGAIN_S
            await self._shared(self._renewed)
        elif not self._lost and now >= self._validate_s:
            self._validate_s = now + AGAIN_S
            await self._mend(self._tokens.access)

    async def _mend(self, access: str) -> None:
        """Validate this token, and renew it if it is dead."""

        async def mend() -> None:
            try:
                await self._validated()
            except TwitchRefused:
                self._ends_s = self._now()
                await self._renewed()

        if self._tokens.access == access:
            await self._shared(mend)

    async def _shared(self, work: Callable[[], Awaitable[None]]) -> None:
        """Join the work in progress, or begin it; it goes on without those who do not wait."""
        if self._mending is None or self._mending.done():
            self._mending = asyncio.ensure_future(work())
            self._mending.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            await asyncio.wait_for(asyncio.shield(self._mending), WAIT_S)
        except TimeoutError:
            raise TwitchBusy(text("twitch_login.not_renewed")) from None

    async def _validated(self) -> None:
        if not self._tokens.access:
            raise TwitchRefused(401, text(f"twitch_login.none_{self.who}"))
        valid = await self._oauth.validate(self._tokens.access)
        if valid.client_id != self._oauth.client_id:
            raise self._lose(text("twitch_login.other_app"))
        if not valid.user_id:
            raise self._lose(text("twitch_login.no_user"))
        if self.user_id not in ("", valid.user_id):
            raise self._lose(text("twitch_login.other_account", login=valid.login))
        now = self._now()
        self.user_id, self.user_login, self.scopes = valid.user_id, valid.login, valid.scopes
        if valid.ends_s:
            self._ends_s = now + valid.ends_s
            if not self._spent:
                # Half of its life is left to sign in again, should the new pair get lost on its way.
                self._renew_s = min(self._renew_s, now + valid.ends_s / 2)
        self._validate_s = min(now + HOUR_S, self._ends_s)
        self._tell()

    async def _renewed(self) -> None:
        now, old = self._now(), self._tokens
        if now < self._renew_again_s and not self._spent:
            raise TwitchBusy(text("twitch_login.not_renewed"), self._renew_again_s - now)
        self._renew_again_s = now + LOOK_S
        try:
            if self._spent:
                raise TwitchRefused(400, text("twitch_login.no_refresh"))
            await self._renew(self.who, fingerprint(old.access))
        except TwitchRefused as refused:
            self._spent, self._renew_s = True, float("inf")
            if self._now() >= self._ends_s:
                raise self._lose(refused.reason) from None
            self._tell()
            return
        finally:
            self._seen = self._store.stamp(self.who)
        self._renew_again_s = now + AGAIN_S
        self._tokens, self._renew_s = await self._read(), float("inf")
        try:
            await self._validated()
        except TwitchRefused:
            raise TwitchBusy(text("twitch_login.not_renewed"), AGAIN_S) from None

    async def _read(self) -> Tokens:
        self._seen = self._store.stamp(self.who)
        try:
            if self._store.in_keyring(self.who):
                tokens = await asyncio.to_thread(self._store.read, self.who)
            else:
                tokens = self._store.read(self.who)
        except StoreError as error:
            raise self._lose(str(error)) from None
        if tokens is None:
            raise self._lose(text(f"twitch_login.none_{self.who}"))
        return tokens

    def _lose(self, reason: str) -> LoginLost:
        self._lost, self.scopes = reason, frozenset()
        self._tell()
        return LoginLost(self.who, reason)

    def _tell(self) -> None:
        part, login = f"twitch_{self.who}", self.user_login
        repair = text("twitch_login.repair")
        if self._lost:
            state: State = "off" if self._lost == text("twitch_login.none_channel") else "down"
            health = Health(part, state, self._lost, repair)
        elif self._spent:
            ends = time.strftime("%H:%M", time.localtime(time.time() + self._ends_s - self._now()))
            health = Health(part, "degraded", text("twitch_login.ends", at=ends), repair, login)
        else:
            health = Health(part, "ok", serving=login)
        if health != self._health:
            self._health = health
            self._report(health)
