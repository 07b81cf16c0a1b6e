"""One connection's HTTP: what is refused before any route is asked is refused as every route does it."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from bot.studio.security import HEADERS, Handler, plain_errors, refusal
from bot.texts import text

log = logging.getLogger(__name__)
log.setLevel(logging.CRITICAL)  # what is no HTTP must not fill the log; faults are logged by ``plain_errors``


class Wire(web.RequestHandler):
    """Reads requests from one connection."""

    __slots__ = ()

    def __init__(self, server: web.Server) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), access_log=log, logger=log)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Refuse what is no HTTP, with nothing of it in the answer. Raises ``ConnectionError`` amid an answer."""
        super().handle_error(request, status, exc, message)
        refused = refusal(status, text("studio.not_http"), text("studio.bad_request_hint"))
        refused.headers.update(HEADERS)
        refused.force_close()
        return refused


def refuse_plainly(server: web.Server) -> None:
    """Let ``plain_errors`` stand before routing too: an unknown ``Expect`` is refused before the middlewares."""
    route: Handler = server.request_handler

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request)
        return await plain_errors(request, route)

    server.request_handler = handle
