"""``GET /api/openapi.json``: the server's own description, for scripts, client generators and fuzzers (OpenAPI 3.1).

One line a route; what bodies look like is told once, in ``SCHEMAS``.
"""

from __future__ import annotations

from typing import Any, get_args

from aiohttp import web

from bot import __version__
from bot.config.speech import VoiceEngine
from bot.hearing.microphone_choice import NAME_LIMIT as DEVICE_LIMIT
from bot.hearing.microphone_choice import Mode, Source
from bot.studio.api import CHAT_LIMIT, NAME_LIMIT, OPERATOR_LIMIT, SECONDS_DIGITS, VERBS
from bot.studio.hand_api import ID_LIMIT
from bot.studio.security import allowed_scopes, dumps
from bot.studio.voices_api import TEXT_LIMIT
from bot.vocabulary import Role
from bot.voice.choice import NAME_LIMIT as VOICE_LIMIT

Json = dict[str, Any]
OBJECT: Json = {"type": "object"}
OBJECTS: Json = {"type": "array", "items": OBJECT}
JSON = "application/json"


def words(limit: int) -> Json:
    """Return the schema of a text that is not blank."""
    return {"type": "string", "minLength": 1, "maxLength": limit, "pattern": r"\S"}


def fields(required: str = "", **properties: Json) -> Json:
    """Return the schema of an object; ``required``: names with blanks between."""
    return {"type": "object", "properties": properties, "required": required.split()}


def or_null(schema: Json) -> Json:
    """Return the schema of a field that may be null, which is as if it were not there."""
    return {"anyOf": [schema, {"type": "null"}]}


TEXT: Json = {"type": "string"}
FLAG: Json = {"type": "boolean"}
ENGINE: Json = {"type": "string", "enum": list(get_args(VoiceEngine))}
VOICE: Json = {"type": "string", "maxLength": VOICE_LIMIT}
USER: Json = {"type": "string", "minLength": 1, "maxLength": NAME_LIMIT}
SCHEMAS: dict[str, Json] = {
    "Error": fields("error hint", error=TEXT, hint=TEXT),
    "Accepted": fields("id", id=TEXT),
    "Said": fields("text", text=words(OPERATOR_LIMIT)),
    "ChatMessage": fields(
        "user text",
        user=words(NAME_LIMIT),
        text=words(CHAT_LIMIT),
        user_id=or_null({"type": "string", "maxLength": NAME_LIMIT}),
        roles=or_null({"type": "array", "items": {"type": "string", "enum": list(get_args(Role))}}),
    ),
    "Viewer": fields("user_id", user_id=words(ID_LIMIT)),
    "NamedViewer": fields("user_id name", user_id=words(ID_LIMIT), name=words(NAME_LIMIT)),
    "Obeyed": fields("verb", verb=TEXT, muted=FLAG, paused=FLAG, talking=FLAG),
    "State": fields(
        "name language version doing muted paused config health counters",
        name=TEXT,
        config=OBJECT,
        health=OBJECT,
        counters=OBJECT,
    ),
    "Turn": fields(
        "id mode heard spoken cut marks_ms",
        id=TEXT,
        mode={"type": "string", "enum": ["operator", "chat_one", "chat_many", "event", "idle", "say"]},
        heard=OBJECTS,
        generated=TEXT,
        spoken=TEXT,
        cut={"type": ["string", "null"]},
        marks_ms=OBJECT,
    ),
    "Microphone": fields(
        source=or_null({"type": "string", "enum": list(get_args(Source))}),
        device=or_null({"type": "string", "maxLength": DEVICE_LIMIT}),
        mode=or_null({"type": "string", "enum": list(get_args(Mode))}),
    ),
    "Voice": fields("engine voice", engine=ENGINE, voice=VOICE, text=or_null(words(TEXT_LIMIT))),
    "VoiceInCharge": fields("voice", engine=or_null(ENGINE), voice=VOICE),
    "Question": fields(
        "audio", audio={"type": "string", "format": "binary"}, messages={"type": "string", "description": "JSON list"}
    ),
}


def ref(name: str) -> Json:
    """Return a reference to one of ``SCHEMAS``."""
    return {"$ref": f"#/components/schemas/{name}"}


def path(name: str, schema: Json | None = None) -> Json:
    """Return a parameter in the path."""
    return {"name": name, "in": "path", "required": True, "schema": schema or {"type": "string", "minLength": 1}}


def query(name: str, schema: Json, *, required: bool = False) -> Json:
    """Return a parameter behind the question mark."""
    return {"name": name, "in": "query", "required": required, "schema": schema}


def operation(
    about: str,
    *parameters: Json,
    body: str = "",
    answer: Json = OBJECT,
    status: int = 200,
    kind: str = JSON,
    optional: bool = False,
    sends: str = JSON,
) -> Json:
    """Return the description of a method of a route: what it takes, and what it answers when all is well."""
    described: Json = {
        "summary": about,
        "parameters": list(parameters),
        "responses": {
            str(status): {"description": "done", "content": {kind: {"schema": answer}}},
            "default": {"description": "what is wrong and what to do", "content": {JSON: {"schema": ref("Error")}}},
        },
    }
    if body:
        described["requestBody"] = {"required": not optional, "content": {sends: {"schema": ref(body)}}}
    return described


def socket(about: str) -> Json:
    """Return the description of a WebSocket."""
    refused = {"description": "refused", "content": {JSON: {"schema": ref("Error")}}}
    return {"summary": f"WebSocket: {about}", "responses": {"101": {"description": "WebSocket"}, "default": refused}}


def page(about: str, *parameters: Json) -> Json:
    """Return the description of a page, or of a file of one."""
    return {
        "summary": about,
        "parameters": list(parameters),
        "responses": {
            "200": {"description": "the page or file", "content": {"*/*": {}}},
            "303": {"description": "the token of the address has become a cookie"},
            "default": {"description": "no token, or no such file", "content": {"*/*": {}}},
        },
    }


LIMIT = query("limit", {"type": "integer", "minimum": 0, "maximum": 999_999})
SECONDS = query("seconds", {"type": "integer", "minimum": 0, "maximum": 10**SECONDS_DIGITS - 1})
VERB = path("verb", {"type": "string", "enum": [*VERBS, "talk", "release"]})
MODEL, DRAFT, FILE = path("name"), path("id"), path("file")
PATHS: dict[str, dict[str, Json]] = {
    "/health": {"get": operation("whether the program lives", answer=fields("status", status={"const": "ok"}))},
    "/api/openapi.json": {"get": operation("this description")},
    "/api/state": {"get": operation("everything about her", answer=ref("State"))},
    "/api/chat": {
        "post": operation("a viewer's message", body="ChatMessage", answer=ref("Accepted"), status=202),
        "delete": operation("a ban or a timeout: unsays a viewer", query("user_id", USER, required=True), SECONDS),
    },
    "/api/chat/{id}": {"delete": operation("a moderator withdraws a message", path("id"))},
    "/api/chat/clear": {"post": operation("a moderator clears the chat")},
    "/api/chat/allow": {"post": operation("an unban", body="Viewer")},
    "/api/operator": {"post": operation("the operator's words", body="Said", answer=ref("Accepted"), status=202)},
    "/api/say": {"post": operation("she says exactly this", body="Said", answer=ref("Accepted"), status=202)},
    "/api/control/{verb}": {
        "post": operation("silence her, let her go on, or the key to talk", VERB, answer=ref("Obeyed"))
    },
    "/api/vtube-studio/ask": {"post": operation("ask VTube Studio again after a no", status=202)},
    "/api/turns": {
        "get": operation("the newest turn records", LIMIT, answer={"type": "array", "items": ref("Turn")}),
    },
    "/api/models": {"get": operation("the models that can be had")},
    "/api/models/{name}/pull": {"post": operation("fetch a model and think with it", MODEL, status=202)},
    "/api/models/{name}/cancel": {"post": operation("stop fetching a model", MODEL)},
    "/metrics": {"get": operation("figures for Prometheus", kind="text/plain", answer=TEXT)},
    "/api/held": {"get": operation("answers that wait for approval", answer=OBJECTS)},
    "/api/held/{id}/approve": {"post": operation("say it, as it is or edited", DRAFT, body="Said", optional=True)},
    "/api/held/{id}/reject": {"post": operation("do not say it", DRAFT)},
    "/api/viewers": {
        "get": operation(
            "viewers by part of their name, or by id", query("name", {"type": "string", "maxLength": NAME_LIMIT})
        )
    },
    "/api/viewers/{id}": {
        "get": operation("all that is kept of a viewer", path("id")),
        "delete": operation("delete all of it", path("id")),
    },
    "/api/viewers/blocked": {"get": operation("blocked viewers", answer=OBJECTS)},
    "/api/viewers/block": {"post": operation("never hear a viewer again", body="NamedViewer")},
    "/api/viewers/unblock": {"post": operation("hear a viewer again", body="Viewer")},
    "/api/decisions": {"get": operation("who decided what", LIMIT, answer=OBJECTS)},
    "/api/present": {"post": operation("the operator is there")},
    "/api/deck-key": {"get": operation("the key that works the controls alone", answer=fields("key", key=TEXT))},
    "/api/microphone": {
        "get": operation("the microphone; as a WebSocket it takes a browser's sound"),
        "post": operation("choose a microphone and when it listens", body="Microphone"),
    },
    "/api/voices": {"get": operation("who speaks, and an engine's voices", query("engine", ENGINE))},
    "/api/voices/preview": {
        "post": operation("hear a voice", body="Voice", kind="audio/wav", answer={"type": "string", "format": "binary"})
    },
    "/api/voices/use": {"post": operation("speak with a voice from now on", body="VoiceInCharge", status=202)},
    "/api/voice-chat": {
        "post": operation("one spoken turn beside the show", body="Question", sends="multipart/form-data")
    },
    "/api/live": {"get": socket("everything that happens, as JSON messages with a type")},
    "/api/stage": {"get": socket("sound, mouth, captions and body, for the pages that show her")},
    "/": {"get": page("the studio")},
    "/friend": {"get": page("a conversation beside the show")},
    "/stage": {"get": page("the OBS page: avatar, sound, captions")},
    "/captions": {"get": page("the OBS page: captions alone")},
    "/static/studio/{file}": {"get": page("files of the studio", FILE)},
    "/static/page/{file}": {"get": page("files of the OBS pages", FILE)},
    "/static/layers": {"get": operation("the operator's own drawing: names of its layers")},
    "/static/layers/{file}": {"get": page("one layer of it", FILE)},
}


def description(address: str) -> Json:
    """Return the description of a server at ``address``."""
    described = {
        route: {how: _guarded(how, route, told) for how, told in ways.items()} for route, ways in PATHS.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Aneeka", "version": __version__},
        "servers": [{"url": address}],
        "paths": described,
        "components": {"schemas": SCHEMAS, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _guarded(method: str, route: str, told: Json) -> Json:
    is_open = allowed_scopes(method.upper(), route) is None
    return told if is_open else {**told, "security": [{"token": []}]}


async def get_openapi(request: web.Request) -> web.Response:
    """``GET /api/openapi.json``."""
    return web.json_response(description(f"http://{request.host}"), dumps=dumps)


OPENAPI_ROUTES = (web.get("/api/openapi.json", get_openapi),)
