"""The local Twitch: one port, every part of it, and the hand that makes it fail."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import count
from typing import Any, Self

from aiohttp import web

from bot.chat.twitch_words import TwitchUser
from tests.local_twitch.accounts import Accounts
from tests.local_twitch.clock import Clock
from tests.local_twitch.garbage import GARBAGE
from tests.local_twitch.happenings import Happenings
from tests.local_twitch.helix import Helix
from tests.local_twitch.http import Fault, Http, Request
from tests.local_twitch.irc import Irc
from tests.local_twitch.oauth import OAuth
from tests.local_twitch.rewards import Rewards
from tests.local_twitch.session import Times
from tests.local_twitch.sockets import Sockets
from tests.local_twitch.subscriptions import Subscriptions


class LocalTwitch(Happenings):
    """Twitch on a free port of this machine, on the running loop's clock (real or virtual).

    It knows one channel (``channel``) and one app (``client_id``; with ``client_secret`` it is a confidential one).
    It refuses what Twitch would refuse. Acting and socket faults are coroutines; planning of faults is plain calls.
    Times are in seconds and Twitch's own by default; ``keepalive_s`` none = what the client asked for.

    Further to be seen: ``sockets.handshakes``, ``sockets.codes``, ``helix.sent``, ``rewards.redemptions``; to be set:
    ``is_live``, ``http.latency_s``, ``helix.drop_next``, ``helix.channel_emotes``, ``rewards.allowed``,
    ``oauth.redirect_uris`` and ``oauth.signed_in``; ``irc`` has its own ``reconnect()``, ``drop()``, ``go_silent()``,
    ``refuse`` and ``one_frame()``.
    """

    def __init__(
        self,
        *,
        client_secret: str = "",
        channel: str = "Mika_Live",
        first_subscription_s: float = 10.0,
        keepalive_s: float | None = None,
        grace_s: float = 30.0,
        ping_s: float = 15.0,
        code_life_s: float = 1800.0,
        token_life_s: float = 14400.0,
        points_per_minute: int = 800,
        irc_ping_s: float = 300.0,
    ) -> None:
        self.client_id = "aneekatestclient0123456789abcd"
        self.client_secret = client_secret
        self._channel_name = channel
        self._times = Times(first_subscription_s, keepalive_s, grace_s, ping_s)
        self._lives = code_life_s, token_life_s
        self._points_per_minute = points_per_minute
        self._irc_ping_s = irc_ping_s
        self._numbers = count(1)
        self._said = OrderedDict()
        self._held = {}
        self._gone = set()
        self.delivered_chat: list[str] = []
        """The ids of chat messages that were delivered, in order: ``event.message_id``, not the notification's."""
        self.is_live = True
        self.title = "Aneeka!"
        self.category = "Just Chatting"
        self.port = 0

    @classmethod
    async def start(cls, **options: Any) -> Self:
        return await cls(**options).__aenter__()

    async def __aenter__(self) -> Self:
        self.clock = Clock()
        code_life_s, token_life_s = self._lives
        self.accounts = Accounts(self.clock, self.client_id, token_life_s, one_time=not self.client_secret)
        self.channel = self.accounts.user(self._channel_name, self._channel_name, "5001")
        self.http = Http(self.clock, self.accounts, self._points_per_minute)
        self.oauth = OAuth(self.accounts, self.client_secret, code_life_s, self.revoke)
        self.sockets = Sockets(lambda: self.eventsub_url, self.clock, self._times)
        self.subscriptions = self.sockets.subscriptions = Subscriptions(self.http, self.accounts, self.sockets)
        self.irc = Irc(self.clock, self._irc_ping_s)
        self.helix = Helix(self)
        self.rewards = Rewards(self.http, self.channel)
        app = web.Application(middlewares=[self.http.middleware])
        for part in (self.oauth, self.subscriptions, self.helix, self.rewards):
            app.add_routes(part.routes())
        app.router.add_get("/ws", self.sockets.handle)
        app.router.add_get("/irc", self.irc.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, code: int | None = None) -> None:
        """Close every EventSub socket with this code; without a code, stop the whole local Twitch."""
        if code is not None:
            self.sockets.close(code)
            return
        self.sockets.stop()
        await self.irc.stop()
        await self._runner.cleanup()

    # ------------------------------------------------------------------ addresses

    @property
    def auth_url(self) -> str:
        """Without ``/oauth2``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """The base of Helix, without the last slash."""
        return f"{self.auth_url}/helix"

    @property
    def eventsub_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def irc_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/irc"

    # ------------------------------------------------------------------ people and tokens

    def user(self, login: str, name: str | None = None, id: str | None = None) -> TwitchUser:
        """Return an account, made when there is none of this login."""
        return self.accounts.user(login, name or login, id)

    def grant(self, user: TwitchUser, scopes: Iterable[str]) -> tuple[str, str]:
        """Return a ready pair of access and refresh token, as if this user had signed in."""
        token = self.accounts.grant(user, scopes)
        return token.access, token.refresh

    def expire(self, access: str) -> None:
        """This access token is over; its refresh token still works."""
        self.accounts.expire(access)

    def revoke(self, access: str) -> None:
        """The token's user disconnects the app: all tokens die, subscriptions are revoked."""
        user = self.accounts.tokens[access].user
        if user is not None:
            self.accounts.disconnect(user)
            self.sockets.disconnect(user.id)

    def approve(self, user_code: str, user: TwitchUser) -> None:
        """The user types the device code's user code at Twitch and agrees."""
        self.oauth.approve(user_code, user)

    def mod(self, user: TwitchUser) -> None:
        """This user becomes a moderator of the channel."""
        self.subscriptions.moderators.add((self.channel.id, user.id))

    async def unmod(self, user: TwitchUser) -> None:
        """This user is no moderator any more; subscriptions that needed it are revoked."""
        self.subscriptions.moderators.discard((self.channel.id, user.id))
        await self.sockets.shut_out(user.id, "moderator_user_id", "moderator_removed")

    def unban(self, user: TwitchUser) -> None:
        """This user may read and write again."""
        self.subscriptions.banned.discard((self.channel.id, user.id))

    # ------------------------------------------------------------------ what was seen

    @property
    def requests(self) -> list[Request]:
        """Every HTTP request, oldest first (clear it as you like)."""
        return self.http.requests

    @property
    def delivered(self) -> list[str]:
        """The message ids that were written to a socket with an enabled subscription, in order, each once."""
        return list(self.sockets.delivered)

    def forget(self) -> None:
        """Empty ``requests``, ``delivered`` and ``delivered_chat``, so that memory stays flat in a long run."""
        self.http.requests.clear()
        self.sockets.delivered.clear()
        self.delivered_chat.clear()

    @property
    def refreshes(self) -> int:
        """How many refreshes were granted."""
        return self.accounts.refreshed

    @property
    def spent_refreshes(self) -> int:
        """How often a dead refresh token was used: a second use of a one-time token, mostly."""
        return self.accounts.spent_used

    async def emit(self, type: str, event: dict[str, Any], *, message_id: str | None = None) -> int:
        """Send a notification to every socket with an enabled matching subscription; return how many got it.

        0: nobody subscribed, and the message is lost, as at Twitch.
        """
        return await self.sockets.notify(type, event, message_id or self._id("n"))

    # ------------------------------------------------------------------ faults

    async def reconnect(self, session_id_changes: bool = False) -> None:
        """Send session_reconnect on every socket. The old one gets the traffic until the new one is welcomed."""
        await self.sockets.reconnect(changes_id=session_id_changes)

    async def drop(self, *, reset: bool = False) -> None:
        """End every EventSub connection without a close frame; what was written before still arrives.

        With ``reset`` (RST instead of FIN) only what the client has read already is sure to have arrived.
        """
        self.sockets.drop(reset=reset)

    def refuse_handshakes(self, n: int) -> None:
        """Answer the next n websocket handshakes with 503."""
        self.sockets.refuse = n

    def no_welcome(self, n: int, *, cut: bool = False) -> None:
        """Accept the next n sockets without a welcome, and stay silent or (``cut``) end the connection."""
        if cut:
            self.sockets.cut_before_welcome = n
        else:
            self.sockets.no_welcome = n

    def go_silent(self) -> None:
        """From now on nothing is sent on the sockets that are open now, and TCP stays up."""
        for session in self.sockets.speaking():
            session.silent = True

    def fail_subscribes(self, faults: list[Fault]) -> None:
        """Plan the answers of the next creations of subscriptions: see ``Fault``."""
        self.fail("POST", "/helix/eventsub/subscriptions", faults)

    def fail(self, method: str, path: str, faults: list[Fault]) -> None:
        """Plan the answers of the next requests to one route, such as ``POST /oauth2/token``: see ``Fault``."""
        self.http.fail(method, path, faults)

    def orphans(self, seconds: float) -> None:
        """From now on subscriptions of a dead session stay enabled so long, and answer 409 to the next session."""
        self.subscriptions.orphans_s = seconds

    async def duplicate(self, n: int = 1) -> None:
        """Send the last n notifications of every socket again, with the same message ids."""
        for session in self.sockets.speaking():
            for frame in list(session.recent)[-n:]:
                await session.write(frame)

    async def garbage(self, kind: str) -> None:
        """Send a frame of ``GARBAGE`` on every socket."""
        for session in self.sockets.speaking():
            await session.write(GARBAGE[kind])

    async def revoke_subscription(self, type: str, status: str = "authorization_revoked") -> int:
        """Revoke every enabled subscription of a type; return how many."""
        kept = self.subscriptions.enabled(type=type)
        for one in kept:
            await self.sockets.revoke(one, status)
        return len(kept)
