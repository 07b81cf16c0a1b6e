"""Twitch's REST interface for two logins, the bot's and the channel's, which may be one account."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from twitchio.http import HTTPClient, Route

from bot.chat.login import LOOK_S, Login, adopt
from bot.chat.oauth import OAuth
from bot.chat.renewal import Renew, in_own_process
from bot.chat.token_store import StoreError, TokenStore
from bot.chat.twitch_http import Answer, ask
from bot.chat.twitch_words import (
    LoginLost,
    Subscription,
    TwitchBusy,
    TwitchRefused,
    TwitchUser,
    Wanted,
    Who,
)
from bot.config.channel import Twitch
from bot.texts import text
from bot.vocabulary import Health

BOT: Who = "bot"
CHANNEL: Who = "channel"
MAX_PAGES = 50
_SUBSCRIPTIONS = "eventsub/subscriptions"
_REWARDS = "channel_points/custom_rewards"


class _Wire(HTTPClient):
    """TwitchIO's interface to Helix, each request sent by us: TwitchIO 3.3.2 renews without end after 401s, has one
    address for the whole process, no time limit, and does not tell how long to wait after a 429.
    """

    def __init__(
        self, api_url: str, client_id: str, session: aiohttp.ClientSession, logins: Mapping[str, Login]
    ) -> None:
        super().__init__(session, client_id=client_id)
        self._api_url = api_url
        self._http = session
        self._logins = logins

    async def request(self, route: Route) -> Any:
        """Send it with the token of the login that ``route.token_for`` names; renew a dead one once."""
        login = self._logins[route.token_for]
        token = login.token()
        try:
            return await self._once(route, token)
        except TwitchRefused as refused:
            if refused.status != 401:
                raise
            fresh = await login.after_401(token)
            if fresh == token:
                raise
        return await self._once(route, fresh)

    async def _once(self, route: Route, token: str) -> dict[str, Any]:
        pairs = [
            (name, str(value))
            for name, values in route.params.items()
            for value in (values if isinstance(values, list) else [values])
            if value is not None
        ]
        answer: Answer = await ask(
            self._http,
            route.method,
            f"{self._api_url}/{route.path}",
            headers=self.headers | {"Authorization": f"Bearer {token}"},
            params=pairs,
            body=route.json or None,
        )
        return answer.body


class TwitchHelix:
    """Implements ``twitch_words.Helix``. ``report`` gets the lights ``twitch_bot`` and ``twitch_channel``.

    ``start`` it, keep ``run`` running, ``close`` it. Without a login of the channel's own account, what needs one
    raises ``LoginLost``.
    """

    def __init__(
        self,
        settings: Twitch,
        store: TokenStore,
        report: Callable[[Health], None],
        now: Callable[[], float],
        renew: Renew | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._session = aiohttp.ClientSession()
        oauth = OAuth(settings.auth_url, settings.client_id, self._session)
        renew = renew or in_own_process(store.folder, settings.auth_url, settings.client_id)
        self._logins: dict[str, Login] = {who: Login(who, store, oauth, renew, report, now) for who in (BOT, CHANNEL)}
        self._wire = _Wire(settings.api_url, settings.client_id, self._session, self._logins)
        self._bot = self._channel = TwitchUser("", "", "")

    async def start(self) -> None:
        """Validate the logins and look both accounts up. Raises ``LoginLost``, ``TwitchBusy`` or ``TwitchRefused``."""
        chosen, bot = self._settings, self._logins[BOT]
        pair = chosen.access_token.get_secret_value(), chosen.refresh_token.get_secret_value()
        try:
            self._store.open()
            adopt(self._store, chosen.client_id, *pair)
        except StoreError as error:
            raise LoginLost("bot", str(error)) from None
        await bot.start()
        names = [chosen.channel or bot.user_login, bot.user_login]
        said = await self._wire.get_users(logins=sorted(set(names)), token_for=BOT)
        users = {user.login: user for user in map(_user, _data(said))}
        if names[0] not in users or names[1] not in users:
            raise TwitchRefused(404, text("twitch_login.no_channel", channel=names[0]))
        self._channel, self._bot = users[names[0]], users[names[1]]
        if self._bot == self._channel:
            self._logins[CHANNEL] = bot
            return
        with contextlib.suppress(LoginLost, TwitchBusy):  # its light says so, and chat works without it
            await self._logins[CHANNEL].start(self._channel.id)

    async def run(self) -> None:
        """Keep the logins valid until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for login in set(self._logins.values()):
                tasks.create_task(login.run())

    async def login_again(self) -> None:
        """Wait until the bot's login can be used, or has been stored anew; nothing is asked of Twitch meanwhile."""
        while not self._logins[BOT].is_worth_a_try:  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(LOOK_S)

    async def close(self) -> None:
        """End all connections."""
        await asyncio.gather(*(login.close() for login in set(self._logins.values())))
        await self._session.close()

    @property
    def bot(self) -> TwitchUser:
        """The account that reads and writes; nobody before the first ``start``."""
        return self._bot

    @property
    def channel(self) -> TwitchUser:
        """The channel where she is live; nobody before the first ``start``."""
        return self._channel

    def may(self, who: Who, scope: str) -> bool:
        """Whether this login was given a scope, such as ``user:write:chat``."""
        return scope in self._logins[who].scopes

    # ------------------------------------------------------------------ EventSub

    async def subscribe(self, wanted: Wanted, session: str) -> str:
        """Create a subscription for a websocket session; return its id. 409 is a ``TwitchRefused``.

        Our own request: TwitchIO's call takes no type but those of its list.
        """
        transport = {"method": "websocket", "session_id": session}
        asked = {"type": wanted.type, "version": wanted.version, "condition": dict(wanted.condition)}
        route = Route("POST", _SUBSCRIPTIONS, json=asked | {"transport": transport}, token_for=wanted.who)
        for made in _data(await self._wire.request_json(route)):
            return str(made.get("id", ""))
        raise TwitchBusy(text("twitch_login.not_twitch", status=202))

    async def subscriptions(self, who: Who) -> list[Subscription]:
        """Return all that this login has, dead ones too.

        Our own request: TwitchIO's call asks for the first page twice, and fails at a status that is not in its list.
        """
        return [_subscription(one, who) for one in await self._pages(_SUBSCRIPTIONS, {}, who)]

    async def unsubscribe(self, who: Who, subscription: str) -> None:
        """Delete one; one that is gone already is fine."""
        try:
            await self._wire.delete_eventsub_subscription(subscription, token_for=who)
        except TwitchRefused as refused:
            if refused.status != 404:
                raise

    # ------------------------------------------------------------------ chat, rewards, stream

    async def send(self, text: str, reply_to: str = "") -> str:
        """Write one chat message as the bot, at most 500 characters; return its id, as far as Twitch tells it.

        Raises ``TwitchRefused`` when it is dropped, with status 200 and Twitch's code and words.
        """
        said = await self._wire.post_chat_message(
            self._channel.id, self._bot.id, text, token_for=BOT, reply_to_message_id=reply_to or None
        )
        sent = next(iter(_data(said)), {})
        if sent.get("is_sent") is False:
            why = sent.get("drop_reason")
            told = [str(why[key]) for key in ("code", "message") if key in why] if isinstance(why, Mapping) else []
            raise TwitchRefused(200, ": ".join(told) or "-")
        return str(sent.get("message_id") or "")

    async def delete(self, message: str) -> None:
        """Delete a chat message that the bot wrote; one that is gone already is fine.

        The bot has to be a moderator, and not the channel itself (Twitch API reference, "Delete Chat Messages").
        """
        try:
            await self._wire.delete_chat_message(self._channel.id, self._bot.id, BOT, message)
        except TwitchRefused as refused:
            if refused.status != 404:
                raise

    async def rewards(self) -> list[Mapping[str, Any]]:
        """Return the channel-point rewards that this app made, as Twitch gives them.

        Our own request: TwitchIO's call writes ``True`` where Twitch wants ``true``.
        """
        params = {"broadcaster_id": self._channel.id, "only_manageable_rewards": "true"}
        return [*_data(await self._wire.request_json(Route("GET", _REWARDS, params=params, token_for=CHANNEL)))]

    async def make_reward(self, title: str, cost: int, prompt: str, *, wants_text: bool) -> Mapping[str, Any]:
        """Create a channel-point reward.

        Our own request: TwitchIO's call asks viewers for a text whenever there is a prompt.
        """
        reward = {"title": title, "cost": cost, "prompt": prompt, "is_user_input_required": wants_text}
        params = {"broadcaster_id": self._channel.id}
        route = Route("POST", _REWARDS, params=params, json=reward, token_for=CHANNEL)
        for made in _data(await self._wire.request_json(route)):
            return made
        raise TwitchBusy(text("twitch_login.not_twitch", status=200))

    async def redemptions(self, reward: str) -> list[Mapping[str, Any]]:
        """Return what viewers redeemed of a reward and nobody has settled, oldest first, as Twitch gives it.

        Our own request: TwitchIO's call wants a model of the reward, and writes ``First`` where Twitch wants ``first``.
        """
        asked = {"broadcaster_id": self._channel.id, "reward_id": reward, "status": "UNFULFILLED", "first": 50}
        return [*await self._pages(f"{_REWARDS}/redemptions", asked, CHANNEL)]

    async def settle(self, reward: str, redemption: str, *, fulfilled: bool) -> None:
        """Fulfil a redemption, or give the points back."""
        await self._wire.patch_custom_reward_redemption(
            broadcaster_id=self._channel.id,
            token_for=CHANNEL,
            reward_id=reward,
            id=redemption,
            status="FULFILLED" if fulfilled else "CANCELED",
        )

    async def is_live(self) -> bool:
        """Whether the channel is on air.

        Our own request: TwitchIO's call makes a model of the stream, which fails when Twitch leaves something out.
        """
        route = Route("GET", "streams", params={"user_id": self._channel.id}, token_for=BOT)
        return bool(_data(await self._wire.request_json(route)))

    async def _pages(self, path: str, params: Mapping[str, Any], who: Who) -> list[dict[str, Any]]:
        """Return all that Twitch lists."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            said = await self._wire.request_json(Route("GET", path, params={**params, **after}, token_for=who))
            found += _data(said)
            page = said.get("pagination")
            cursor = page.get("cursor") if isinstance(page, Mapping) else None
            if not cursor:
                break
            after = {"after": str(cursor)}
        return found


def _data(said: Any) -> list[dict[str, Any]]:
    rows = said.get("data") if isinstance(said, Mapping) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _user(row: Mapping[str, Any]) -> TwitchUser:
    login = str(row.get("login", ""))
    return TwitchUser(str(row.get("id", "")), login, str(row.get("display_name") or login))


def _subscription(row: Mapping[str, Any], who: Who) -> Subscription:
    condition = {str(key): str(value) for key, value in (row.get("condition") or {}).items() if value}
    wanted = Wanted(str(row.get("type", "")), str(row.get("version", "")), tuple(sorted(condition.items())), who)
    session = str((row.get("transport") or {}).get("session_id", ""))
    return Subscription(str(row.get("id", "")), wanted, str(row.get("status", "")), session)
