"""A local Twitch and her at it with logins of her own: what scenes of signing in and staying signed in share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.chat.helix import TwitchHelix
from bot.chat.oauth import OAuth
from bot.chat.renewal import renew
from bot.chat.token_store import Tokens, TokenStore
from bot.chat.twitch_words import TwitchUser, Who
from bot.config.channel import Twitch
from bot.vocabulary import Health
from tests.local_twitch import LocalTwitch
from tests.virtual_time import play

HOUR_S = 3600.0

os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"  # never the developer's own, children included


class Stay:
    def __init__(self, twitch: LocalTwitch, folder: Path) -> None:
        self.twitch = twitch
        self.now = asyncio.get_running_loop().time
        self.aneeka = twitch.user("aneeka", "Aneeka")
        self.store = TokenStore(folder / "secrets")
        self.store.open()
        self.lights: dict[str, Health] = {}
        self.told: list[Health] = []
        self.renewals = 0
        self.helix: TwitchHelix = None  # type: ignore[assignment]
        self._running: asyncio.Task[None] | None = None

    def sign_in(self, who: Who, user: TwitchUser, scopes: tuple[str, ...]) -> None:
        """As the set-up does."""
        self.store.write(who, Tokens(*self.twitch.grant(user, scopes), self.twitch.client_id))

    def begin(self, **settings: Any) -> TwitchHelix:
        """Make her side of it anew, as after a restart. Renewals are done in this process."""
        twitch = self.twitch
        chosen = {"channel": "mika_live", "client_id": twitch.client_id, **settings}
        addresses = Twitch(api_url=twitch.api_url, auth_url=twitch.auth_url, **chosen)

        async def renew_here(who: Who, dead: str) -> None:
            self.renewals += 1
            oauth = OAuth(twitch.auth_url, addresses.client_id, self.helix._session)
            await renew(self.store, oauth, who, dead)

        self.helix = TwitchHelix(addresses, self.store, self._light, self.now, renew_here)
        return self.helix

    async def live(self, **settings: Any) -> TwitchHelix:
        """Begin, and keep the logins valid from now on."""
        helix = self.begin(**settings)
        await helix.start()
        self._running = asyncio.create_task(helix.run())
        return helix

    async def end(self) -> None:
        if self._running:
            self._running.cancel()
        if self.helix:
            await self.helix.close()

    def _light(self, health: Health) -> None:
        self.lights[health.part] = health
        self.told.append(health)

    def kept(self, who: Who = "bot") -> Tokens:
        tokens = self.store.read(who)
        assert tokens
        return tokens

    def used(self) -> list[str]:
        """The access tokens that Helix was asked with."""
        return [request.authorization[7:] for request in self.twitch.requests if request.path.startswith("/helix")]

    def asked(self, path: str) -> list[float]:
        """When requests to a path came."""
        return [request.at_s for request in self.twitch.requests if request.path == path]


@asynccontextmanager
async def stay(folder: Path, **options: Any) -> AsyncIterator[Stay]:
    async with LocalTwitch(**options) as twitch:
        there = Stay(twitch, folder)
        try:
            yield there
        finally:
            await there.end()


def in_virtual_time(scene: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Make a test of a scene that takes a folder."""

    def test(tmp_path: Path) -> None:
        play(scene(tmp_path))

    test.__name__, test.__doc__ = scene.__name__, scene.__doc__
    return test
