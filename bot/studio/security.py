"""Who may ask the studio's server for what: Host, Origin, token, and the headers of every answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.studio.tokens import Tokens
from bot.texts import text

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TOKENS = web.AppKey("tokens", Tokens)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "media-src 'self' blob:; worker-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def refusal(status: int, error: str, hint: str) -> web.Response:
    """Return an error as every route gives it."""
    return web.json_response({"error": error, "hint": hint}, status=status, dumps=_dumps)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def cookie_name(request: web.Request) -> str:
    """Return the cookie's name: one a port, since cookies do not tell ports apart."""
    return f"aneeka_{urlsplit('//' + request.host).port or 80}"


def given_scope(request: web.Request) -> str | None:
    """Return what the request's token allows: ``full``, ``watch`` or nothing."""
    tokens = request.app[TOKENS]
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return tokens.scope(bearer.strip())
    if "token" in request.query:
        return tokens.scope(request.query["token"])
    return tokens.scope(request.cookies.get(cookie_name(request), ""))


def make_guard(port: Callable[[], int], public_hosts: frozenset[str], *, any_address: bool) -> Middleware:
    """Return the middleware that stands before every route.

    Host: only names that mean this machine (DNS rebinding keeps a foreign name). Origin: none, or our own (a page of
    another site cannot hide its own). ``any_address``: the studio listens on every address of this machine, so that
    any address in figures is its own too; DNS rebinding needs a name.
    """
    hosts = LOOPBACK | public_hosts

    def known(host: str) -> bool:
        return host in hosts or (any_address and _is_address(host))

    def ours(netloc: str) -> bool:
        try:
            parts = urlsplit("//" + netloc)
            host, its_port = parts.hostname, parts.port or 80
        except ValueError:
            return False
        return host is not None and known(host) and its_port == port() and parts.username is None

    def own_origin(origin: str) -> bool:
        scheme, _, netloc = origin.partition("://")
        return scheme == "http" and ours(netloc)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not ours(request.headers.get("Host", "")):
            return refusal(403, text("studio.bad_host"), text("studio.bad_host_hint", port=port()))
        origin = request.headers.get("Origin")
        if origin is not None and not own_origin(origin):
            return refusal(403, text("studio.bad_origin"), text("studio.bad_host_hint", port=port()))
        needs = needed_scope(request.path)
        if needs is not None:
            scope = given_scope(request)
            if scope is None or (needs == "full" and scope != "full"):
                return refusal(401, text("studio.no_token"), text("studio.no_token_hint"))
        return await handler(request)

    return guard


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def needed_scope(path: str) -> str | None:
    """Return the scope that a path needs (``None``: it is open, or asks by itself)."""
    if path in ("/health", "/", "/stage", "/captions") or path.startswith("/static/"):
        return None
    return "watch" if path == "/api/stage" else "full"


@web.middleware
async def plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every error as JSON with a hint, and none with its insides."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        hints = {404: "studio.not_found_hint", 405: "studio.bad_method_hint", 413: "studio.too_large_hint"}
        return refusal(error.status, error.reason, text(hints.get(error.status, "studio.bad_request_hint")))
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return refusal(500, text("studio.failed"), text("studio.failed_hint"))


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the protective headers on every answer."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
