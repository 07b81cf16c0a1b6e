"""Sign-in: device code, refresh, authorization code, app token, validate, revoke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from bot.chat.twitch_words import TwitchUser
from tests.local_twitch.accounts import Accounts, Token, secret
from tests.local_twitch.http import Refused
from tests.local_twitch.scopes import SCOPES

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class Asked:
    """A sign-in that a person has not answered, or has: ``user``."""

    scopes: tuple[str, ...]
    ends_s: float
    user_code: str = ""
    redirect_uri: str = ""
    user: TwitchUser | None = None


class OAuth:
    def __init__(self, accounts: Accounts, client_secret: str, code_life_s: float, disconnected: Callable[[str], None]):
        self.accounts = accounts
        self.clock = accounts.clock
        self.client_secret = client_secret
        self.code_life_s = code_life_s
        self.disconnected = disconnected
        self.redirect_uris: set[str] = set()
        self.signed_in: TwitchUser | None = None
        """Who sits at the browser that opens ``/oauth2/authorize``; none: nobody agrees."""
        self._devices: dict[str, Asked] = {}
        self._codes: dict[str, Asked] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/oauth2/device", self.device),
            web.post("/oauth2/token", self.token),
            web.get("/oauth2/validate", self.validate),
            web.post("/oauth2/revoke", self.revoke),
            web.get("/oauth2/authorize", self.authorize),
        ]

    def approve(self, user_code: str, user: TwitchUser) -> None:
        """A person types the code at Twitch and agrees."""
        waiting = [a for a in self._devices.values() if a.user_code == user_code and self.clock.s() < a.ends_s]
        assert waiting, "no such code, or it is too old"
        waiting[0].user = user

    async def device(self, request: web.Request) -> web.Response:
        fields = await self._fields(request)
        self._client(fields)
        asked = Asked(_scopes(fields.get("scopes", "")), self.clock.s() + self.code_life_s, secret(8).upper())
        device_code = secret(40)
        self._devices[device_code] = asked
        return web.json_response(
            {
                "device_code": device_code,
                "expires_in": int(self.code_life_s),
                "interval": 5,
                "user_code": asked.user_code,
                "verification_uri": f"https://www.twitch.tv/activate?public=true&device-code={asked.user_code}",
            }
        )

    async def token(self, request: web.Request) -> web.Response:
        fields = await self._fields(request)
        self._client(fields)
        match fields.get("grant_type"):
            case "refresh_token":
                token = self._refresh(fields)
            case "authorization_code":
                token = self._code(fields)
            case "client_credentials":
                if not self.client_secret:
                    raise Refused(400, "missing client secret")
                token = self.accounts.grant(None, ())
            case kind if kind == DEVICE_GRANT:
                token = self._device(fields)
            case _:
                raise Refused(400, "invalid grant type")
        answer: dict[str, Any] = {
            "access_token": token.access,
            "expires_in": int(token.ends_s - self.clock.s()),
            "token_type": "bearer",
        }
        if token.user:
            answer |= {"refresh_token": token.refresh, "scope": list(token.scopes)}
        return web.json_response(answer)

    async def validate(self, request: web.Request) -> web.Response:
        scheme, _, access = request.headers.get("Authorization", "").partition(" ")
        if scheme not in ("OAuth", "Bearer") or not access:
            raise Refused(401, "missing authorization token")
        token = self.accounts.valid(access)
        if token is None:
            raise Refused(401, "invalid access token")
        answer: dict[str, Any] = {
            "client_id": token.client_id,
            "scopes": list(token.scopes),
            "expires_in": int(token.ends_s - self.clock.s()),
        }
        if token.user:
            answer |= {"login": token.user.login, "user_id": token.user.id}
        return web.json_response(answer)

    async def revoke(self, request: web.Request) -> web.Response:
        fields = await self._fields(request)
        if fields.get("client_id") != self.accounts.client_id:
            raise Refused(404, "client does not exist")
        if self.accounts.valid(fields.get("token", "")) is None:
            raise Refused(400, "Invalid token")
        self.disconnected(fields["token"])
        return web.Response()

    async def authorize(self, request: web.Request) -> web.Response:
        fields = dict(request.query)
        if fields.get("client_id") != self.accounts.client_id:
            raise Refused(400, "invalid client")
        if fields.get("response_type") != "code":
            raise Refused(400, "response_type is not supported")
        back = fields.get("redirect_uri", "")
        if back not in self.redirect_uris:
            raise Refused(400, "redirect_mismatch")
        scopes = _scopes(fields.get("scope", ""))
        answer = {"state": fields["state"]} if "state" in fields else {}
        if self.signed_in is None:
            answer |= {"error": "access_denied", "error_description": "The user denied you access"}
        else:
            code = secret(30)
            self._codes[code] = Asked(scopes, self.clock.s() + 600, redirect_uri=back, user=self.signed_in)
            answer |= {"code": code, "scope": " ".join(scopes)}
        return web.Response(status=302, headers={"Location": f"{back}?{urlencode(answer)}"})

    async def _fields(self, request: web.Request) -> dict[str, str]:
        form = await request.post()
        return {**request.query, **{key: str(value) for key, value in form.items()}}

    def _client(self, fields: dict[str, str]) -> None:
        if not fields.get("client_id"):
            raise Refused(400, "missing client id")
        if fields["client_id"] != self.accounts.client_id:
            raise Refused(400, "invalid client")
        if self.client_secret and fields.get("grant_type") not in (None, DEVICE_GRANT):
            if fields.get("client_secret") != self.client_secret:
                raise Refused(403, "invalid client secret")
        elif "client_secret" in fields and fields["client_secret"] != self.client_secret:
            raise Refused(403, "invalid client secret")

    def _device(self, fields: dict[str, str]) -> Token:
        asked = self._devices.get(fields.get("device_code", ""))
        if asked is None or self.clock.s() >= asked.ends_s:
            raise Refused(400, "invalid device code")
        if asked.user is None:
            raise Refused(400, "authorization_pending")
        if set(_scopes(fields.get("scopes", ""))) != set(asked.scopes):
            raise Refused(400, "invalid scope requested")
        del self._devices[fields["device_code"]]
        return self.accounts.grant(asked.user, asked.scopes)

    def _refresh(self, fields: dict[str, str]) -> Token:
        token = self.accounts.refresh(fields.get("refresh_token", ""))
        if token is None:
            raise Refused(400, "Invalid refresh token")
        return token

    def _code(self, fields: dict[str, str]) -> Token:
        if not self.client_secret:
            raise Refused(400, "missing client secret")
        asked = self._codes.pop(fields.get("code", ""), None)
        if asked is None or self.clock.s() >= asked.ends_s:
            raise Refused(400, "Invalid authorization code")
        if fields.get("redirect_uri") != asked.redirect_uri:
            raise Refused(400, "Parameter redirect_uri does not match registered URI")
        return self.accounts.grant(asked.user, asked.scopes)


def _scopes(asked: str) -> tuple[str, ...]:
    scopes = tuple(dict.fromkeys(asked.split()))
    for scope in scopes:
        if scope not in SCOPES:
            raise Refused(400, f"invalid scope requested: '{scope}'")
    return scopes
