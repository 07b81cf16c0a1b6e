"""Who may ask the studio's server for what: Host, Origin, token, and the headers of every answer."""

from __future__ import annotations

import json
import logging
import math
import re
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.studio.tokens import Tokens
from bot.studio.tries import EVERY_S, TooManyTries, Tries
from bot.texts import text

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TOKENS = web.AppKey("tokens", Tokens)
STUDIO_PORT = web.AppKey("studio_port", int)
"""For a listener beside the studio: whose cookie it reads."""
GUARD_PORT: web.AppKey[Callable[[], int | None]] = web.AppKey("guard_port")
"""Where the guard listens, which the pages may speak to as well (``bot.guard``)."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PAGES = frozenset({"/", "/friend", "/stage", "/captions"})
SOCKETS = frozenset({"/api/live", "/api/stage", "/api/guard", "/api/microphone"})
AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
SINGLE = ("Host", "Origin", "Authorization", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest")
NO_SITE = frozenset({"null", "file://"})
"""The Origin of a stream deck's plug-in, and of any page that hides its own."""

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
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def refusal(status: int, error: str, hint: str) -> web.Response:
    """Return an error as every route gives it."""
    return web.json_response({"error": error, "hint": hint}, status=status, dumps=dumps)


def dumps(value: object) -> str:
    """Return JSON with letters as they are."""
    return json.dumps(value, ensure_ascii=False)


def cookie_name(request: web.Request) -> str:
    """Return the cookie's name: one a port, since cookies do not tell ports apart."""
    app = request.app
    port = app[STUDIO_PORT] if STUDIO_PORT in app else urlsplit("//" + request.host).port
    return f"aneeka_{port or 80}"


def given_scope(request: web.Request) -> str | None:
    """Return what the request's token allows: ``full``, ``watch``, ``deck`` or nothing."""
    tokens, given = request.app[TOKENS], _given(request)
    if given is None:
        return "full" if tokens.is_cookie(request.cookies.get(cookie_name(request), "")) else None
    scope = tokens.scope(given)
    return None if scope == "deck" and _bearer(request) is None else scope


async def _take_turns(request: web.Request, tries: Tries) -> None:
    """Let who tries a token wait, if it is one that can be guessed. Raises ``TooManyTries``.

    The operator's cookie and what was drawn at random never wait.
    """
    tokens, given = request.app[TOKENS], _given(request)
    scope = tokens.scope(given) if given and tokens.guessable else "nothing to guess"
    if scope in ("full", None):
        source = request.remote or ""
        await tries.turn(source)
        if scope == "full":
            tries.was_right(source)


def _given(request: web.Request) -> str | None:
    """Return the token that comes with the request; ``None``: none but a cookie may.

    In an address it counts only where nothing else can carry it: for pages and WebSockets.
    """
    bearer = _bearer(request)
    if bearer is None and request.method == "GET" and request.path in PAGES | SOCKETS:
        return request.query.get("token")
    return bearer


def _bearer(request: web.Request) -> str | None:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else None


def is_deck(request: web.Request) -> bool:
    """Return whether this is a stream deck with its key in the header, which no page of another site can send.

    A browser asks first whether a page may send that header, and is never answered yes.
    """
    bearer = _bearer(request)
    return bearer is not None and request.app[TOKENS].scope(bearer) == "deck"


def own_hosts(host: str) -> tuple[frozenset[str], bool]:
    """Return the names of this machine for a listener on ``host``, and whether it listens on all of its addresses."""
    everywhere = host in ("0.0.0.0", "::")  # noqa: S104
    machine = socket.gethostname().lower()
    return frozenset({machine, f"{machine}.local"} if everywhere else {host}), everywhere


def make_guard(
    port: Callable[[], int],
    public_hosts: frozenset[str],
    *,
    any_address: bool,
    origin_port: Callable[[], int] | None = None,
) -> Middleware:
    """Return the middleware that stands before every route.

    Host: only names that mean this machine (DNS rebinding keeps a foreign name). Origin: none, or our own (a page of
    another site cannot hide its own); its port is ours unless ``origin_port`` says otherwise. Where a browser sends no
    Origin it says who asks (Fetch Metadata): other sites may only open a page as a whole. ``any_address``: the studio
    listens on every address of this machine, so that any address in figures is its own too; DNS rebinding needs a name.
    """
    hosts = LOOPBACK | public_hosts
    tries = Tries()

    def known(host: str) -> bool:
        return host in hosts or (any_address and _is_address(host))

    def ours(netloc: str, own_port: int) -> bool:
        parts = AUTHORITY.fullmatch(netloc)
        return parts is not None and known(parts[1].strip("[]").lower()) and int(parts[2] or 80) == own_port

    def own_origin(origin: str) -> bool:
        scheme, _, netloc = origin.partition("://")
        return scheme == "http" and ours(netloc, (origin_port or port)())

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if any(len(request.headers.getall(name, ())) > 1 for name in SINGLE):
            return refusal(400, text("studio.twice"), text("studio.bad_request_hint"))
        named = request.headers.get("Host", "")
        if named != request.host or not ours(named, port()):  # they differ where the request line names a host as well
            return refusal(403, text("studio.bad_host"), text("studio.bad_host_hint", port=port()))
        origin = request.headers.get("Origin")
        foreign = _is_fetched_by_others(request) if origin is None else not own_origin(origin)
        if foreign and not (origin in NO_SITE and is_deck(request)):
            return refusal(403, text("studio.bad_origin"), text("studio.bad_host_hint", port=port()))
        allowed = allowed_scopes(request.method, request.path)
        try:
            if allowed is not None or request.path in PAGES:
                await _take_turns(request, tries)
        except TooManyTries:
            busy = refusal(429, text("studio.too_many_tries"), text("studio.too_many_tries_hint"))
            busy.headers["Retry-After"] = f"{math.ceil(EVERY_S)}"
            return busy
        if allowed is not None and given_scope(request) not in allowed:
            return refusal(401, text("studio.no_token"), text("studio.no_token_hint"))
        return await handler(request)

    return guard


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_fetched_by_others(request: web.Request) -> bool:
    """Return whether another site's page asks for anything else than to open one of our pages as a whole.

    Source: W3C, Fetch Metadata Request Headers.
    """
    if request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
        return False
    opens = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.headers.get("Sec-Fetch-Dest") == "document"
    return not (opens and request.method == "GET" and request.path in PAGES)


def allowed_scopes(method: str, path: str) -> frozenset[str] | None:
    """Return the scopes that may ask for this (``None``: it is open, or asks by itself)."""
    if path == "/health" or path in PAGES or path.startswith("/static/"):
        return None
    if path in ("/api/stage", "/api/guard"):
        return frozenset({"full", "watch"})
    if method == "POST" and path.startswith("/api/control/"):
        return frozenset({"full", "deck"})
    return frozenset({"full"})


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
    except Exception as fault:
        if isinstance(fault, OSError | ValueError) and request.path.startswith("/static/"):  # no file can be called so
            return refusal(404, "Not Found", text("studio.not_found_hint"))
        log.exception("%s %s failed", request.method, request.path)
        return refusal(500, text("studio.failed"), text("studio.failed_hint"))


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the protective headers on every answer; the pages may speak to the guard's port as well."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    guard_port = request.app[GUARD_PORT]() if GUARD_PORT in request.app else None
    if guard_port is not None and response.headers["Content-Security-Policy"] == CSP:
        host = re.match(r"[A-Za-z0-9.-]+(?=:|$)", request.host)  # a policy cannot name an address such as [::1]
        guard = f"ws://{host[0] if host else '*'}:{guard_port}"
        response.headers["Content-Security-Policy"] = CSP.replace("connect-src 'self'", f"connect-src 'self' {guard}")
