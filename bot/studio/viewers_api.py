"""Viewers' data over HTTP: whom she knows, what is kept of one of them, and its deletion."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web

from bot.safety.decisions import Who
from bot.studio.api import NAME_LIMIT, BadBody, bad
from bot.studio.hand_api import who_asks
from bot.studio.security import dumps, refusal
from bot.texts import text


class Viewers(Protocol):
    """What this may ask for (``bot.privacy.Privacy``)."""

    async def find(self, name: str) -> dict[str, Any]: ...  # noqa: D102
    async def kept(self, person_id: str) -> dict[str, Any] | None: ...  # noqa: D102
    async def forget(self, person_id: str, who: Who) -> None: ...  # noqa: D102


VIEWERS = web.AppKey("viewers", Viewers)


async def get_viewers(request: web.Request) -> web.Response:
    """``GET /api/viewers?name=…``: who has this in their name, or as their id; without a name the newest."""
    name = request.query.get("name", "").strip()
    if len(name) > NAME_LIMIT:
        error = BadBody(text("studio.too_long", name="name", limit=NAME_LIMIT, length=len(name)))
        return bad(error, "/api/viewers?name=ana")
    return web.json_response(await request.app[VIEWERS].find(name), dumps=dumps)


async def get_viewer(request: web.Request) -> web.Response:
    """``GET /api/viewers/{id}``: everything that is kept of a viewer."""
    kept = await request.app[VIEWERS].kept(request.match_info["id"])
    if kept is None:
        return refusal(404, text("privacy.nothing_kept"), text("privacy.nothing_kept_hint"))
    return web.json_response(kept, dumps=dumps)


async def delete_viewer(request: web.Request) -> web.Response:
    """``DELETE /api/viewers/{id}``: all of it goes, for ever."""
    person_id = request.match_info["id"]
    try:
        await request.app[VIEWERS].forget(person_id, who_asks(request))
    except OSError as error:
        return refusal(507, text("studio.not_kept", error=error.strerror or ""), text("studio.not_kept_hint"))
    return web.json_response({"user_id": person_id, "kept": await request.app[VIEWERS].kept(person_id)}, dumps=dumps)


VIEWER_ROUTES = (
    web.get("/api/viewers", get_viewers),
    web.get("/api/viewers/{id}", get_viewer),
    web.delete("/api/viewers/{id}", delete_viewer),
)
