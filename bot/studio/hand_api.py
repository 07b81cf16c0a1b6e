"""The operator's hand over HTTP: approve and reject answers, block viewers, see who decided what."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web

from bot.safety.decisions import Who
from bot.studio.api import NAME_LIMIT, OPERATOR_LIMIT, BadBody, bad, body_of, limit_of
from bot.studio.security import Handler, cookie_name, dumps, refusal
from bot.texts import text

ID_LIMIT = 100


class Hand(Protocol):
    """What this may ask for (``bot.hand.Hand``)."""

    def held(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def approve(self, draft_id: str, edited: str | None, who: Who) -> bool: ...  # noqa: D102
    def reject(self, draft_id: str, who: Who) -> bool: ...  # noqa: D102
    def blocked(self) -> list[dict[str, str]]: ...  # noqa: D102
    async def block(self, person_id: str, name: str, who: Who) -> None: ...  # noqa: D102
    async def unblock(self, person_id: str, who: Who) -> None: ...  # noqa: D102
    def decisions(self, limit: int) -> list[dict[str, Any]]: ...  # noqa: D102
    def note(self, verb: str, who: Who) -> None: ...  # noqa: D102
    def seen(self) -> None: ...  # noqa: D102


HAND = web.AppKey("hand", Hand)


def who_asks(request: web.Request) -> Who:
    """Return ``page`` for a browser with the studio's cookie, ``script`` for who brings the key."""
    by_key = "Authorization" in request.headers or "token" in request.query
    return "page" if cookie_name(request) in request.cookies and not by_key else "script"


@web.middleware
async def presence(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whoever asks for a change is the operator, who is therefore there; viewers' messages are not theirs.

    Desk verbs go into the log of decisions.
    """
    answer = await handler(request)
    if request.method in ("POST", "DELETE") and request.path != "/api/chat" and answer.status < 400:
        hand = request.app[HAND]
        if request.path.startswith("/api/control/") and request.match_info["verb"] not in ("talk", "release"):
            hand.note(request.match_info["verb"], who_asks(request))
        hand.seen()
    return answer


async def get_held(request: web.Request) -> web.Response:
    """``GET /api/held``: the answers that wait for approval, oldest first."""
    return web.json_response(request.app[HAND].held(), dumps=dumps)


async def post_held(request: web.Request) -> web.Response:
    """``POST /api/held/{id}/approve {text?}`` and ``POST /api/held/{id}/reject``."""
    hand, draft_id, verb = request.app[HAND], request.match_info["id"], request.match_info["verb"]
    if verb == "reject":
        known = hand.reject(draft_id, who_asks(request))
    else:
        try:
            edited = (await body_of(request, {"text": OPERATOR_LIMIT}))["text"] if request.can_read_body else None
        except BadBody as error:
            return bad(error, '{"text": "¡Hola, Marta!"}')
        known = hand.approve(draft_id, edited, who_asks(request))
    if not known:
        return refusal(404, text("studio.not_held"), text("studio.not_held_hint"))
    return web.json_response({"id": draft_id, "verb": verb})


async def get_blocked(request: web.Request) -> web.Response:
    """``GET /api/viewers/blocked``: newest first."""
    return web.json_response(request.app[HAND].blocked(), dumps=dumps)


async def post_viewer(request: web.Request) -> web.Response:
    """``POST /api/viewers/block {user_id, name}`` and ``POST /api/viewers/unblock {user_id}``."""
    hand, blocks = request.app[HAND], request.match_info["verb"] == "block"
    try:
        limits = {"user_id": ID_LIMIT, "name": NAME_LIMIT} if blocks else {"user_id": ID_LIMIT}
        body = await body_of(request, limits)
    except BadBody as error:
        return bad(error, '{"user_id": "12345", "name": "ana"}')
    try:
        if blocks:
            await hand.block(body["user_id"], body["name"], who_asks(request))
        else:
            await hand.unblock(body["user_id"], who_asks(request))
    except OSError as error:
        return refusal(507, text("studio.not_kept", error=error.strerror or ""), text("studio.not_kept_hint"))
    return web.json_response({"blocked": hand.blocked()}, dumps=dumps)


async def get_decisions(request: web.Request) -> web.Response:
    """``GET /api/decisions?limit=N``: who decided what in this session, newest first."""
    try:
        return web.json_response(request.app[HAND].decisions(limit_of(request)), dumps=dumps)
    except BadBody as error:
        return bad(error, "/api/decisions?limit=10")


async def post_present(request: web.Request) -> web.Response:
    """``POST /api/present``: the operator is there (``presence`` does the rest)."""
    return web.json_response({})


HAND_ROUTES = (
    web.get("/api/held", get_held),
    web.post("/api/held/{id}/{verb:approve|reject}", post_held),
    web.get("/api/viewers/blocked", get_blocked),
    web.post("/api/viewers/{verb:block|unblock}", post_viewer),
    web.get("/api/decisions", get_decisions),
    web.post("/api/present", post_present),
)
