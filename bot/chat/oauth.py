"""Twitch's sign-in: device code, refresh, validation (Twitch docs, "Getting OAuth Access Tokens").

On aiohttp and not through TwitchIO 3.3.2, which puts tokens and codes into addresses and exception texts, indexes an
answer strictly after a one-time token was spent for it, asks for a device code without end, and uses a pair before it
can be kept. There is no sign-in by redirect, so that there is no ``state`` which a stranger could forge.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from bot.chat.token_store import Tokens
from bot.chat.twitch_http import ANSWER_S, ask
from bot.chat.twitch_words import TwitchBusy, TwitchRefused
from bot.texts import text

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
REFRESH_S = 60.0
"""How long a refresh may take: its answer must not be missed, for its token is spent."""


@dataclass(frozen=True, slots=True, repr=False)
class DeviceCode:
    """A sign-in that waits for its user: the link to open and the code to type there."""

    link: str
    code: str
    secret: str
    scopes: tuple[str, ...]
    interval_s: float
    lives_s: float


@dataclass(frozen=True, slots=True)
class Valid:
    """What Twitch says of a token. ``ends_s``: seconds until it ends; 0 = never."""

    client_id: str
    user_id: str
    login: str
    scopes: frozenset[str]
    ends_s: float


class OAuth:
    """The calls. All raise ``TwitchRefused`` or ``TwitchBusy``. ``auth_url``: without ``/oauth2``."""

    def __init__(self, auth_url: str, client_id: str, session: aiohttp.ClientSession) -> None:
        self.client_id = client_id
        self._base = f"{auth_url}/oauth2"
        self._session = session

    async def device_code(self, scopes: Iterable[str]) -> DeviceCode:
        """Begin a sign-in."""
        asked = tuple(scopes)
        said = await self._post("device", scopes=" ".join(asked))
        try:
            return DeviceCode(
                str(said["verification_uri"]),
                str(said["user_code"]),
                str(said["device_code"]),
                asked,
                float(said.get("interval", 5)),
                float(said["expires_in"]),
            )
        except (KeyError, TypeError, ValueError):
            raise TwitchBusy(text("twitch_login.not_twitch", status=200)) from None

    async def redeem(self, code: DeviceCode) -> Tokens | None:
        """Return the pair, or ``None`` while the user has not agreed yet."""
        scopes = " ".join(code.scopes)
        try:
            said = await self._post("token", device_code=code.secret, scopes=scopes, grant_type=DEVICE_GRANT)
        except TwitchRefused as refused:
            if refused.reason.lower() in ("authorization_pending", "slow_down"):
                return None
            raise
        return _pair(said, Tokens("", "", self.client_id))

    async def refresh(self, tokens: Tokens) -> Tokens:
        """Spend the refresh token for a new pair. It is good once: keep the new pair before it is used."""
        try:
            said = await self._post(
                "token", answer_s=REFRESH_S, grant_type="refresh_token", refresh_token=tokens.refresh
            )
        except TwitchRefused as refused:
            raise _final(refused, 400, 401) from None
        return _pair(said, tokens)

    async def validate(self, access: str) -> Valid:
        """Ask whose token this is and how long it lives. A dead one is a ``TwitchRefused`` 401."""
        headers = {"Authorization": f"OAuth {access}"}
        try:
            said = (await ask(self._session, "GET", f"{self._base}/validate", headers=headers)).body
        except TwitchRefused as refused:
            raise _final(refused, 401) from None
        scopes = said.get("scopes")
        try:
            return Valid(
                str(said["client_id"]),
                str(said.get("user_id", "")),
                str(said.get("login", "")),
                frozenset(map(str, scopes)) if isinstance(scopes, list) else frozenset(),
                float(said["expires_in"]),
            )
        except (KeyError, TypeError, ValueError):
            raise TwitchBusy(text("twitch_login.not_twitch", status=200)) from None

    async def _post(self, path: str, *, answer_s: float = ANSWER_S, **form: str) -> dict[str, Any]:
        form["client_id"] = self.client_id
        url = f"{self._base}/{path}"
        return (await ask(self._session, "POST", url, headers={}, form=form, answer_s=answer_s)).body


def _final(refused: TwitchRefused, *statuses: int) -> Exception:
    """Only these statuses say that a login is over; after another one it can be asked again."""
    if refused.status in statuses:
        return refused
    return TwitchBusy(text("twitch_login.out_of_order", status=refused.status), status=refused.status)


def _pair(said: dict[str, Any], before: Tokens) -> Tokens:
    """Read a pair; an answer without a new refresh token leaves the old one good."""
    access, refresh = said.get("access_token"), said.get("refresh_token", before.refresh)
    if not isinstance(access, str) or not access or not isinstance(refresh, str):
        raise TwitchBusy(text("twitch_login.not_twitch", status=200))
    return replace(before, access=access, refresh=refresh)
