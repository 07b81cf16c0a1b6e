"""The studio's server: pages, HTTP verbs and the two WebSockets, behind the guard of ``security``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web

import avatar
from avatar.layers import Layer
from bot.proactor import keep_accepting
from bot.studio.api import HOUSE, ROUTES, House
from bot.studio.doorman import Doorman
from bot.studio.hand_api import HAND, HAND_ROUTES, Hand, presence
from bot.studio.live import Live
from bot.studio.microphone_api import MICROPHONE_ROUTES, MICROPHONES, Microphones
from bot.studio.openapi import OPENAPI_ROUTES
from bot.studio.pages import Pages
from bot.studio.security import (
    GUARD_PORT,
    TOKENS,
    add_headers,
    cookie_name,
    given_scope,
    make_guard,
    own_hosts,
)
from bot.studio.tokens import Tokens
from bot.studio.viewers_api import VIEWER_ROUTES, VIEWERS, Viewers
from bot.studio.voice_chat import TALKER, VOICE_CHAT_ROUTES, Talker
from bot.studio.voices_api import VOICE_ROUTES, VOICES, Voices
from bot.studio.wire import Wire, refuse_plainly
from bot.texts import chosen, text

STUDIO_FILES = Path(__file__).parent / "page"
AVATAR_FILES = Path(avatar.__file__).parent / "page"
BODY_LIMIT = 64 * 1024
COOKIE_S = 30 * 24 * 3600
LAYER_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""For a layer that is opened by itself: a picture, and nothing that runs."""


class PortTaken(Exception):
    """The address cannot be used; the message says what to do."""


class Server:
    """Serves on one address until closed."""

    def __init__(
        self,
        house: House,
        hand: Hand,
        live: Live,
        pages: Pages,
        tokens: Tokens,
        *,
        host: str,
        port: int,
        guard_port: Callable[[], int | None],
        layers: Mapping[str, Layer],
    ) -> None:
        """``guard_port``: where the guard listens, if it does (``bot.guard``). ``layers``: the operator's drawing."""
        self._host = host = host.strip("[]").lower()
        self.port = port
        self._tokens = tokens
        self._live = live
        self._pages = pages
        self._guard_port = guard_port
        self._layers = layers
        named, everywhere = own_hosts(host)
        app = web.Application(
            middlewares=[make_guard(lambda: self.port, named, any_address=everywhere), presence],
            client_max_size=BODY_LIMIT,
        )
        app[HOUSE] = house
        app[HAND] = hand
        app[TOKENS] = tokens
        app[GUARD_PORT] = guard_port
        app.on_response_prepare.append(add_headers)
        app.add_routes(MICROPHONE_ROUTES)  # before the other control verbs
        app.add_routes(ROUTES)
        app.add_routes(HAND_ROUTES)
        app.add_routes(VIEWER_ROUTES)  # after the hand's, whose addresses begin alike
        app.add_routes(VOICE_CHAT_ROUTES)
        app.add_routes(VOICE_ROUTES)
        app.add_routes(OPENAPI_ROUTES)
        app.add_routes(
            [
                web.get("/", self._studio),
                web.get("/stage", self._stage),
                web.get("/captions", self._captions),
                web.get("/friend", self._friend),
                web.get("/api/deck-key", self._deck_key),
                web.get("/api/live", live.serve),
                web.get("/api/stage", pages.serve),
                web.static("/static/studio", STUDIO_FILES),
                web.static("/static/page", AVATAR_FILES),
                web.get("/static/layers", self._layer_names),
                web.get("/static/layers/{name}", self._layer),
            ]
        )
        self._app = app
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        self._listener: asyncio.Server | None = None
        self._inside: set[Doorman] = set()

    @property
    def router(self) -> web.UrlDispatcher:
        """Every route there is."""
        return self._app.router

    def offer(self, microphones: Microphones) -> None:
        """Let the page and stream decks choose and use these; before ``start``."""
        self._app[MICROPHONES] = microphones

    def offer_voices(self, voices: Voices) -> None:
        """Let the page and scripts choose among these; before ``start``."""
        self._app[VOICES] = voices

    def offer_viewers(self, viewers: Viewers) -> None:
        """Let the page see and delete what is kept of viewers; before ``start``."""
        self._app[VIEWERS] = viewers

    def talk(self, talker: Talker) -> None:
        """Let this one answer what is asked beside the show; before ``start``."""
        self._app[TALKER] = talker

    async def start(self) -> None:
        """Listen; with port 0, ``port`` becomes the one that was free. Raises ``PortTaken``."""
        await self._runner.setup()
        assert self._runner.server is not None
        refuse_plainly(self._runner.server)
        keep_accepting(asyncio.get_running_loop())
        try:
            self._listener = await asyncio.get_running_loop().create_server(self._admit, self._host, self.port)
        except OSError as error:
            await self._runner.cleanup()
            raise PortTaken(
                text("studio.port_taken", host=self._host, port=self.port, error=error.strerror or error)
            ) from error

        self.port = self._listener.sockets[0].getsockname()[1]

    def _admit(self) -> Doorman:
        assert self._runner.server is not None
        return Doorman(Wire(self._runner.server), self._inside)

    async def close(self) -> None:
        """Stop listening and let every page go."""
        if self._listener is not None:
            self._listener.close()
        await self._live.close()
        await self._pages.close()
        await self._runner.cleanup()

    def address(self, path: str = "/", *, watch: bool = False) -> str:
        """Return a page's address with its token."""
        token = self._tokens.watch if watch else self._tokens.full
        return f"http://{self._shown_host()}:{self.port}{path}?{urlencode({'token': token})}"

    def panic_address(self) -> str | None:
        """Return where ``POST`` is panic although the program may hang (``None``: the guard does not listen)."""
        port = self._guard_port()
        return None if port is None else f"http://{self._shown_host()}:{port}/api/control/panic"

    def _shown_host(self) -> str:
        host = "127.0.0.1" if self._host in ("0.0.0.0", "::", "localhost") else self._host  # noqa: S104
        return f"[{host}]" if ":" in host else host

    async def _studio(self, request: web.Request) -> web.StreamResponse:
        return self._room(request, "index.html")

    async def _friend(self, request: web.Request) -> web.StreamResponse:
        return self._room(request, "friend.html")

    def _room(self, request: web.Request, file: str) -> web.StreamResponse:
        """Return a page of the operator's; a token in its address becomes a cookie."""
        if given_scope(request) != "full":
            return _closed_door()
        if "token" in request.query:
            inside = web.HTTPSeeOther(request.path)
            inside.set_cookie(
                cookie_name(request), self._tokens.cookie, httponly=True, samesite="Strict", max_age=COOKIE_S
            )
            raise inside
        return web.FileResponse(STUDIO_FILES / file)

    async def _stage(self, request: web.Request) -> web.StreamResponse:
        return _watched(request, "stage.html")

    async def _deck_key(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"key": self._tokens.deck})

    async def _layer_names(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"layers": list(self._layers)})

    async def _layer(self, request: web.Request) -> web.StreamResponse:
        layer = self._layers.get(request.match_info["name"])
        if layer is None:
            raise web.HTTPNotFound
        headers = {"Content-Security-Policy": LAYER_CSP}
        return web.Response(body=layer.content, content_type=layer.type, headers=headers)

    async def _captions(self, request: web.Request) -> web.StreamResponse:
        return _watched(request, "captions.html")


def _watched(request: web.Request, file: str) -> web.StreamResponse:
    """Return a page for OBS."""
    return web.FileResponse(AVATAR_FILES / file) if given_scope(request) in ("full", "watch") else _closed_door()


def _closed_door() -> web.Response:
    """Return what a visitor without a token sees."""
    head = f"<!doctype html><html lang={chosen()}><meta charset=utf-8><title>Aneeka</title>"
    return web.Response(status=401, text=f"{head}<p>{escape(text('studio.closed'))}", content_type="text/html")
