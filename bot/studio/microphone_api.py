"""The microphone over HTTP: which one, when it listens, the key to talk, and the browser's own sound."""

from __future__ import annotations

from typing import Any, Protocol, get_args

from aiohttp import web

from bot.hearing.microphone_choice import FITS, NAME_LIMIT, Mode, Source
from bot.studio.api import BadBody, bad, body_of
from bot.studio.security import dumps, refusal
from bot.texts import text

CHOICES = {"source": get_args(Source), "mode": get_args(Mode)}
SHOWN = 40


class Microphones(Protocol):
    """What this may ask for (``bot.hearing.microphones.Microphones``)."""

    async def choose(self, **changed: Any) -> None: ...  # noqa: D102
    def press(self) -> bool: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102
    def state(self) -> dict[str, Any]: ...  # noqa: D102
    async def devices(self) -> list[str]: ...  # noqa: D102
    async def serve(self, request: web.Request) -> web.WebSocketResponse: ...  # noqa: D102


MICROPHONES = web.AppKey("microphones", Microphones)


def _offered(request: web.Request) -> Microphones | None:
    return request.app.get(MICROPHONES)


def _not_offered() -> web.Response:
    return refusal(409, text("microphone.not_offered"), text("microphone.not_offered_hint"))


def _wanted(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a request changes. Raises ``BadBody``."""
    changed = {name: body[name] for name in FITS if name in body}
    if not changed:
        raise BadBody(text("microphone.nothing"))
    for name, value in changed.items():
        if FITS[name](value):
            continue
        if name == "device":
            raise BadBody(text("microphone.bad_device", limit=NAME_LIMIT))
        wanted = ", ".join(CHOICES[name])
        raise BadBody(text("microphone.bad_field", name=name, given=str(value)[:SHOWN], wanted=wanted))
    return changed


async def get_microphone(request: web.Request) -> web.StreamResponse:
    """``GET /api/microphone``: the choice, and the sound card's microphones; as a WebSocket, the browser's sound.

    ``{"offered": false}`` while she listens to none.
    """
    microphones = _offered(request)
    if microphones is None:
        return web.json_response({"offered": False})
    if web.WebSocketResponse().can_prepare(request):
        return await microphones.serve(request)
    return web.json_response(
        {"offered": True, **microphones.state(), "devices": await microphones.devices()}, dumps=dumps
    )


async def post_microphone(request: web.Request) -> web.Response:
    """``POST /api/microphone {source?, device?, mode?}``; an empty ``device`` is the system's choice."""
    microphones = _offered(request)
    if microphones is None:
        return _not_offered()
    try:
        changed = _wanted(await body_of(request, {}))
    except BadBody as error:
        return bad(error, '{"mode": "push_to_talk"}')
    try:
        await microphones.choose(**changed)
    except OSError as error:
        return refusal(507, text("microphone.not_kept", error=error.strerror or ""), text("microphone.not_kept_hint"))
    return web.json_response(microphones.state(), dumps=dumps)


async def post_talk(request: web.Request) -> web.Response:
    """``POST /api/control/talk`` and ``POST /api/control/release``: the key to talk, for a page or a stream deck."""
    microphones, verb = _offered(request), request.match_info["verb"]
    if microphones is None:
        return _not_offered()
    if verb == "release":
        microphones.release()
    elif not microphones.press():
        return refusal(409, text("microphone.off"), text("microphone.off_hint"))
    return web.json_response({"verb": verb, "talking": microphones.state()["talking"]})


MICROPHONE_ROUTES = (
    web.get("/api/microphone", get_microphone),
    web.post("/api/microphone", post_microphone),
    web.post("/api/control/{verb:talk|release}", post_talk),
)
