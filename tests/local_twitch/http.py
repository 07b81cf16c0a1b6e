"""What every HTTP route of the local Twitch shares: the log, planned faults, tokens and rate limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web

from tests.local_twitch.accounts import Accounts, Token
from tests.local_twitch.clock import Clock

Fault = int | Literal["cut", "lost"] | None
"""A status to answer with; ``cut``: the connection ends before anything was done; ``lost``: after it was done;
none: this request is spared."""

LIMITS = web.RequestKey("limits", dict[str, str])

REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    410: "Gone",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Request:
    """One request as it came. ``body``: the form or the JSON, ``authorization``: the header, ``at_s``: loop time."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    authorization: str
    at_s: float
    status: int = 0
    """What was answered; 0: nothing, the connection was cut."""


class Bucket:
    """Points for requests, refilled evenly over a minute."""

    def __init__(self, clock: Clock, points: int) -> None:
        self.clock, self.points = clock, points
        self.left, self._at_s = float(points), clock.s()

    def take(self) -> bool:
        now_s = self.clock.s()
        self.left = min(self.points, self.left + (now_s - self._at_s) * self.points / 60)
        self._at_s = now_s
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def headers(self) -> dict[str, str]:
        full_s = self.clock.unix_s() + (self.points - self.left) * 60 / self.points
        return {
            "Ratelimit-Limit": str(self.points),
            "Ratelimit-Remaining": str(int(self.left)),
            "Ratelimit-Reset": str(int(full_s) + 1),
        }


class Http:
    def __init__(self, clock: Clock, accounts: Accounts, points_per_minute: int) -> None:
        self.clock = clock
        self.accounts = accounts
        self.points_per_minute = points_per_minute
        self.requests: list[Request] = []
        self.latency_s = 0.0
        self._faults: dict[tuple[str, str], list[Fault]] = {}
        self._buckets: dict[str, Bucket] = {}

    def fail(self, method: str, path: str, faults: list[Fault]) -> None:
        self._faults.setdefault((method, path), []).extend(faults)

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await handler(request)
        logged = Request(
            request.method,
            request.path,
            dict(request.query),
            await _body(request),
            request.headers.get("Authorization", ""),
            self.clock.s(),
        )
        self.requests.append(logged)
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        planned = self._faults.get((request.method, request.path))
        fault = planned.pop(0) if planned else None
        answer = await self._answer(request, handler, fault)
        if fault in ("cut", "lost"):
            assert request.transport
            request.transport.abort()
        else:
            logged.status = answer.status
        return answer

    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], fault: Fault
    ) -> web.StreamResponse:
        if fault == "cut":
            return web.Response()
        try:
            if isinstance(fault, int):
                raise Refused(fault, "planned by the test")
            answer = await handler(request)
        except Refused as refused:
            answer = error(refused.status, refused.message)
        except web.HTTPException as raised:
            answer = error(raised.status, "")
        answer.headers.update(request.get(LIMITS, {}))
        return answer

    def token(self, request: web.Request) -> Token:
        """Return the token of a Helix request, with one point taken. Raises ``Refused`` 401 or 429."""
        client_id = request.headers.get("Client-Id")
        scheme, _, access = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not access:
            raise Refused(401, "OAuth token is missing")
        token = self.accounts.valid(access)
        if token is None:
            raise Refused(401, "Invalid OAuth token")
        if client_id is None:
            raise Refused(401, "Client-ID header required")
        if client_id != token.client_id:
            raise Refused(401, "Client ID and OAuth token do not match")
        owner = token.user.id if token.user else ""
        bucket = self._buckets.setdefault(owner, Bucket(self.clock, self.points_per_minute))
        taken = bucket.take()
        request[LIMITS] = bucket.headers()
        if not taken:
            raise Refused(429, "")
        return token


def error(status: int, message: str) -> web.Response:
    return web.json_response({"error": REASONS.get(status, ""), "status": status, "message": message}, status=status)


async def json_body(request: web.Request) -> dict[str, Any]:
    try:
        asked = await request.json()
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise Refused(400, "the body must be a JSON object")
    return asked


async def _body(request: web.Request) -> Any:
    if request.content_type == "application/json":
        try:
            return json.loads(await request.text())
        except ValueError:
            return None
    return dict(await request.post())
