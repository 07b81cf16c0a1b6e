"""The HTTP verbs: what the page, scripts and stream decks ask of her."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol, get_args

from aiohttp import web

from bot.models.catalogue import UnknownModel
from bot.studio.metrics import metrics_text
from bot.studio.security import dumps, refusal
from bot.texts import text
from bot.vocabulary import EngineDown, Role
from bot.withdrawal import SILENCED_S

CHAT_LIMIT = 500
OPERATOR_LIMIT = 2000
NAME_LIMIT = 100
VERBS = ("mute", "unmute", "skip", "pause", "resume", "panic")
TURNS_LIMIT = 50
SECONDS_DIGITS = 9
BODY_S = 10.0
"""How long a request's body may take to come."""


class House(Protocol):
    """What the server may ask for (``bot.app.Aneeka``)."""

    def hear_viewer(self, user: str, said: str, user_id: str, roles: frozenset[Role]) -> str:
        """A viewer's message; return its id."""
        ...

    def hear_operator(self, said: str) -> str:
        """The operator's words; return their id."""
        ...

    def say(self, said: str) -> str:
        """Say exactly this; return its id."""
        ...

    def withdraw(self, heard_id: str) -> str:
        """A moderator withdraws a message; return where it was: ``waiting``, ``speaking``, ``spoken``, ``unknown``."""
        ...

    def withdraw_person(self, person_id: str, for_s: float) -> str:
        """A moderator withdraws all that a person wrote, and wants them unheard for so long; return the same."""
        ...

    def withdraw_all(self) -> str:
        """A moderator clears the chat; return the same."""
        ...

    def allow_person(self, person_id: str) -> None:
        """Listen to a person again."""
        ...

    def control(self, verb: str) -> None:
        """Obey one of ``VERBS``; idempotent."""
        ...

    def ask_vtube_studio(self) -> bool:
        """Ask VTube Studio once more for a permission that was denied; ``False``: none was."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything about her as JSON."""
        ...

    def turns(self, limit: int) -> list[dict[str, Any]]:
        """The newest turn records, newest first."""
        ...

    async def models(self) -> dict[str, Any]:
        """The models that can be had, and what this machine can bear."""
        ...

    def pull_model(self, name: str) -> dict[str, Any]:
        """Begin to fetch and use one; return its state. Raises ``UnknownModel``, ``EngineDown``."""
        ...

    async def cancel_model(self, name: str) -> dict[str, Any]:
        """Stop fetching it; return its state. Raises ``UnknownModel``, ``EngineDown``."""
        ...


HOUSE = web.AppKey("house", House)


class BadBody(Exception):
    """What is asked cannot be read; the message says why."""


async def body_of(request: web.Request, limits: dict[str, int]) -> dict[str, Any]:
    """Read a JSON object whose named fields are texts of at most so many characters, not blank.

    A field that is null is left out, as if it had not been sent. Raises ``BadBody``.
    """
    try:
        async with asyncio.timeout(BODY_S):
            body = json.loads((await request.read()).decode("utf-8"))
    except (ValueError, RecursionError, TimeoutError, web.RequestPayloadError) as error:
        raise BadBody(text("studio.not_json")) from error
    if not isinstance(body, dict):
        raise BadBody(text("studio.not_json"))
    body = {name: value for name, value in body.items() if value is not None}
    for name, limit in limits.items():
        value = body.get(name)
        if not isinstance(value, str) or not value.strip():
            raise BadBody(text("studio.missing_text", name=name))
        if len(value) > limit:
            raise BadBody(text("studio.too_long", name=name, limit=limit, length=len(value)))
        if not is_text(value):
            raise BadBody(text("studio.missing_text", name=name))
    return body


def is_text(value: str) -> bool:
    """Return whether this can be written down: JSON may hold halves of letters."""
    return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)


def bad(error: BadBody, example: str) -> web.Response:
    """Return the refusal of such a request, with an example of a good one."""
    return refusal(400, str(error), text("studio.example", example=example))


def _accepted(heard_id: str) -> web.Response:
    return web.json_response({"id": heard_id}, status=202)


async def post_chat(request: web.Request) -> web.Response:
    """``POST /api/chat {user, text, user_id?, roles?}``."""
    try:
        body = await body_of(request, {"user": NAME_LIMIT, "text": CHAT_LIMIT})
        user_id, roles = body.get("user_id", ""), body.get("roles", [])
        if not isinstance(user_id, str) or len(user_id) > NAME_LIMIT or not is_text(user_id):
            raise BadBody(text("studio.missing_text", name="user_id"))
        if not isinstance(roles, list) or not all(isinstance(r, str) and r in get_args(Role) for r in roles):
            raise BadBody(text("studio.bad_roles", roles=", ".join(get_args(Role))))
    except BadBody as error:
        return bad(error, '{"user": "ana", "text": "hola"}')
    return _accepted(request.app[HOUSE].hear_viewer(body["user"], body["text"], user_id, frozenset(roles)))


async def delete_chat(request: web.Request) -> web.Response:
    """``DELETE /api/chat/{id}``."""
    heard_id = request.match_info["id"]
    return web.json_response({"id": heard_id, "was": request.app[HOUSE].withdraw(heard_id)})


async def delete_person(request: web.Request) -> web.Response:
    """``DELETE /api/chat?user_id=…&seconds=…``: a ban or a timeout; ``seconds=0`` only forgets."""
    user_id, seconds = request.query.get("user_id", ""), request.query.get("seconds", f"{SILENCED_S:.0f}")
    try:
        if not user_id or len(user_id) > NAME_LIMIT:
            raise BadBody(text("studio.missing_text", name="user_id"))
        if not seconds.isascii() or not seconds.isdigit() or len(seconds) > SECONDS_DIGITS:
            raise BadBody(text("studio.bad_seconds", given=seconds[:20]))
    except BadBody as error:
        return bad(error, "/api/chat?user_id=12345&seconds=600")
    was = request.app[HOUSE].withdraw_person(user_id, float(seconds))
    return web.json_response({"user_id": user_id, "was": was})


async def post_clear(request: web.Request) -> web.Response:
    """``POST /api/chat/clear``."""
    return web.json_response({"was": request.app[HOUSE].withdraw_all()})


async def post_allow(request: web.Request) -> web.Response:
    """``POST /api/chat/allow {user_id}``: an unban."""
    try:
        body = await body_of(request, {"user_id": NAME_LIMIT})
    except BadBody as error:
        return bad(error, '{"user_id": "12345"}')
    request.app[HOUSE].allow_person(body["user_id"])
    return web.json_response({"user_id": body["user_id"]})


async def post_operator(request: web.Request) -> web.Response:
    """``POST /api/operator {text}``."""
    try:
        body = await body_of(request, {"text": OPERATOR_LIMIT})
    except BadBody as error:
        return bad(error, '{"text": "¿Cómo estás?"}')
    return _accepted(request.app[HOUSE].hear_operator(body["text"]))


async def post_say(request: web.Request) -> web.Response:
    """``POST /api/say {text}``."""
    try:
        body = await body_of(request, {"text": OPERATOR_LIMIT})
    except BadBody as error:
        return bad(error, '{"text": "¡Buenas noches!"}')
    return _accepted(request.app[HOUSE].say(body["text"]))


async def post_control(request: web.Request) -> web.Response:
    """``POST /api/control/{verb}``."""
    verb = request.match_info["verb"]
    if verb not in VERBS:
        return refusal(404, text("studio.no_verb", verb=verb), text("studio.no_verb_hint", verbs=", ".join(VERBS)))
    house = request.app[HOUSE]
    house.control(verb)
    state = house.state()
    return web.json_response({"verb": verb, "muted": state["muted"], "paused": state["paused"]})


async def post_ask_vtube_studio(request: web.Request) -> web.Response:
    """``POST /api/vtube-studio/ask``: show VTube Studio's question again after it was denied."""
    if not request.app[HOUSE].ask_vtube_studio():
        return refusal(409, text("studio.not_denied"), text("studio.not_denied_hint"))
    return web.json_response({"asked": True}, status=202)


async def get_state(request: web.Request) -> web.Response:
    """``GET /api/state``."""
    return web.json_response(request.app[HOUSE].state(), dumps=dumps)


def limit_of(request: web.Request) -> int:
    """Return ``?limit=N``. Raises ``BadBody``."""
    given = request.query.get("limit", str(TURNS_LIMIT))
    if not given.isascii() or not given.isdigit() or len(given) > 6:
        raise BadBody(text("studio.bad_limit", given=given[:20]))
    return int(given)


async def get_turns(request: web.Request) -> web.Response:
    """``GET /api/turns?limit=N``: a list, newest first."""
    try:
        return web.json_response(request.app[HOUSE].turns(limit_of(request)), dumps=dumps)
    except BadBody as error:
        return bad(error, "/api/turns?limit=10")


async def get_models(request: web.Request) -> web.Response:
    """``GET /api/models``."""
    return web.json_response(await request.app[HOUSE].models(), dumps=dumps)


async def post_model(request: web.Request) -> web.Response:
    """``POST /api/models/{name}/pull`` and ``POST /api/models/{name}/cancel``: the model's state."""
    house, name = request.app[HOUSE], request.match_info["name"]
    try:
        if request.match_info["verb"] == "pull":
            return web.json_response(house.pull_model(name), status=202, dumps=dumps)
        return web.json_response(await house.cancel_model(name), dumps=dumps)
    except EngineDown as down:
        return refusal(404 if isinstance(down, UnknownModel) else 409, down.reason, down.repair)


async def get_metrics(request: web.Request) -> web.Response:
    """``GET /metrics``: Prometheus text format 0.0.4."""
    house = request.app[HOUSE]
    state = house.state()
    body = metrics_text(state, house.turns(100)[: state["counters"]["turns"]])
    return web.Response(body=body.encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def get_health(request: web.Request) -> web.Response:
    """``GET /health``."""
    return web.json_response({"status": "ok"})


ROUTES = (
    web.get("/health", get_health),
    web.get("/api/state", get_state),
    web.post("/api/chat", post_chat),
    web.delete("/api/chat", delete_person),
    web.delete("/api/chat/{id}", delete_chat),
    web.post("/api/chat/clear", post_clear),
    web.post("/api/chat/allow", post_allow),
    web.post("/api/operator", post_operator),
    web.post("/api/say", post_say),
    web.post("/api/control/{verb}", post_control),
    web.post("/api/vtube-studio/ask", post_ask_vtube_studio),
    web.get("/api/turns", get_turns),
    web.get("/api/models", get_models),
    web.post("/api/models/{name}/{verb:pull|cancel}", post_model),
    web.get("/metrics", get_metrics),
)
