"""The studio's server: pages, HTTP verbs and the two WebSockets, behind the guard of ``security``."""

from __future__ import annotations

import socket
from html import escape
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web

import avatar
from bot.studio.api import HOUSE, ROUTES, House
from bot.studio.live import Live
from bot.studio.pages import Pages
from bot.studio.security import TOKENS, add_headers, cookie_name, given_scope, make_guard, plain_errors
from bot.studio.tokens import Tokens
from bot.texts import chosen, text

STUDIO_FILES = Path(__file__).parent / "page"
AVATAR_FILES = Path(avatar.__file__).parent / "page"
BODY_LIMIT = 64 * 1024
COOKIE_S = 30 * 24 * 3600


class PortTaken(Exception):
    """The address cannot be used; the message says what to do."""


class Server:
    """Serves on one address until closed."""

    def __init__(self, house: House, live: Live, pages: Pages, tokens: Tokens, *, host: str, port: int) -> None:
        self._host = host = host.strip("[]").lower()
        self.port = port
        self._tokens = tokens
        self._live = live
        self._pages = pages
        everywhere = host in ("0.0.0.0", "::")  # noqa: S104
        machine = socket.gethostname().lower()
        named = frozenset({machine, f"{machine}.local"} if everywhere else {host})
        app = web.Application(
            middlewares=[plain_errors, make_guard(lambda: self.port, named, any_address=everywhere)],
            client_max_size=BODY_LIMIT,
        )
        app[HOUSE] = house
        app[TOKENS] = tokens
        app.on_response_prepare.append(add_headers)
        app.add_routes(ROUTES)
        app.add_routes(
            [
                web.get("/", self._studio),
                web.get("/stage", self._stage),
                web.get("/captions", self._captions),
                web.get("/api/live", live.serve),
                web.get("/api/stage", pages.serve),
                web.static("/static/studio", STUDIO_FILES),
                web.static("/static/page", AVATAR_FILES),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self) -> None:
        """Listen; with port 0, ``port`` becomes the one that was free. Raises ``PortTaken``."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise PortTaken(
                text("studio.port_taken", host=self._host, port=self.port, error=error.strerror or error)
            ) from error

        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening and let every page go."""
        await self._live.close()
        await self._pages.close()
        await self._runner.cleanup()

    def address(self, path: str = "/", *, watch: bool = False) -> str:
        """Return a page's address with its token."""
        host = "127.0.0.1" if self._host in ("0.0.0.0", "::", "localhost") else self._host  # noqa: S104
        shown = f"[{host}]" if ":" in host else host
        token = self._tokens.watch if watch else self._tokens.full
        return f"http://{shown}:{self.port}{path}?{urlencode({'token': token})}"

    async def _studio(self, request: web.Request) -> web.StreamResponse:
        if given_scope(request) != "full":
            return _closed_door()
        if "token" in request.query:
            inside = web.HTTPSeeOther("/")
            name, token = cookie_name(request), self._tokens.full
            inside.set_cookie(name, token, httponly=True, samesite="Strict", max_age=COOKIE_S)
            raise inside
        return web.FileResponse(STUDIO_FILES / "index.html")

    async def _stage(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(AVATAR_FILES / "stage.html") if given_scope(request) else _closed_door()

    async def _captions(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(AVATAR_FILES / "captions.html") if given_scope(request) else _closed_door()


def _closed_door() -> web.Response:
    """Return what a visitor without a token sees."""
    head = f"<!doctype html><html lang={chosen()}><meta charset=utf-8><title>Aneeka</title>"
    return web.Response(status=401, text=f"{head}<p>{escape(text('studio.closed'))}", content_type="text/html")
