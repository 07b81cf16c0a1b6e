"""What voice and hearing share at servers that speak OpenAI's protocols: connections, and what failures mean."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp

from bot.vocabulary import EngineDown, Health, State

CONNECT_S = 4.0
SHOWN = 200


class ServerDown(EngineDown):
    """A server cannot serve. ``state``: what its light shows from then on."""

    def __init__(self, state: State, reason: str, repair: str) -> None:
        super().__init__(reason, repair)
        self.state = state


class OpenAIServer:
    """One server, for the light of one ``part``. ``key`` may be empty; it is never logged nor shown.

    ``words`` returns the sentences of one room: each failure's, and by its name with ``_repair`` what to do.
    """

    def __init__(
        self,
        part: str,
        base_url: str,
        model: str,
        key: str,
        *,
        words: Callable[..., str],
        on_health: Callable[[Health], None],
    ) -> None:
        self.health = Health(part, "off")
        self.url = base_url.rstrip("/")
        self.host = urlsplit(self.url).hostname or ""
        self.model, self.key = model, key
        self._words = words
        self._on_health = on_health
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Its connections; they are opened when they are needed."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),
                headers={"Authorization": f"Bearer {self.key}"} if self.key else {},
            )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()

    def fault(self, name: str, *, state: State = "down", **values: object) -> ServerDown:
        """Return a failure in the room's words."""
        values = {"url": without_password(self.url), "model": self.model, **values}
        return ServerDown(state, self._words(name, **values), self._words(f"{name}_repair", **values))

    def refusal(self, status: int, said: str) -> ServerDown:
        """Return what an answer means that is not 200; ``said`` is its body."""
        match status:
            case 401 | 403:
                return self.fault("refused", status=status)
            case 404 | 405 | 301 | 302 | 307 | 308:
                return self.fault("no_route", status=status)
            case 429:
                return self.fault("busy", state="degraded", status=status)
            case _:
                return self.fault("failed", state="degraded", status=status, error=self.public(said))

    def public(self, said: str) -> str:
        """Return the server's words fit to be shown: short, on one line, without the key."""
        try:
            error = json.loads(said)
            error = error.get("error", error.get("detail", error))
            said = str(error["message"] if isinstance(error, dict) else error)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            pass
        if self.key:
            said = said.replace(self.key, "***")
        return " ".join(said.split())[:SHOWN]

    def failed(self, down: ServerDown) -> None:
        """Show a failure on the light."""
        self._say(Health(self.health.part, down.state, down.reason, down.repair))

    def worked(self) -> None:
        """Show on the light that all is well."""
        self._say(Health(self.health.part, "ok"))

    def _say(self, health: Health) -> None:
        if health != self.health:
            self.health = health
            self._on_health(health)


def without_password(url: str) -> str:
    """Return an address fit to be shown, without a name and a password that may stand in it."""
    return re.sub("//[^/]*@", "//", url)


async def body_of(answer: aiohttp.ClientResponse, most_bytes: int) -> str:
    """Return an answer's body as text, as far as it is not longer."""
    try:
        said = await answer.content.readexactly(most_bytes)
    except asyncio.IncompleteReadError as short:
        said = short.partial
    return said.decode("utf-8", "replace")
