"""The choice of a voice over HTTP: what there is, a preview that never goes on air, and who speaks from now on."""

from __future__ import annotations

from typing import Any, Protocol, cast, get_args

from aiohttp import web

from bot.config.speech import VoiceEngine
from bot.studio.api import BadBody, bad, body_of
from bot.studio.security import dumps, refusal
from bot.texts import text
from bot.vocabulary import EngineDown
from bot.voice.choice import NAME_LIMIT, VoiceChoice, fits

TEXT_LIMIT = 300
ENGINES = ", ".join(get_args(VoiceEngine))
SHOWN = 40


class Voices(Protocol):
    """What this may ask for (``bot.voice.picker.VoicePicker``)."""

    def state(self) -> dict[str, Any]: ...  # noqa: D102
    async def voices(self, engine: VoiceEngine | None) -> dict[str, Any]: ...  # noqa: D102
    async def preview(self, choice: VoiceChoice, said: str) -> bytes: ...  # noqa: D102
    def use(self, choice: VoiceChoice) -> dict[str, Any]: ...  # noqa: D102


VOICES = web.AppKey("voices", Voices)


def _offered(request: web.Request) -> Voices:
    """Return what this may ask for. Raises 404 where voices cannot be chosen."""
    voices = request.app.get(VOICES)
    if voices is None:
        raise web.HTTPNotFound
    return voices


def _wanted(body: dict[str, Any], otherwise: str | None = None) -> VoiceChoice:
    """Return the voice that a request names. Raises ``BadBody``."""
    engine, voice = body.get("engine", otherwise), body.get("voice")
    if engine not in get_args(VoiceEngine):
        raise BadBody(text("listing.bad_engine", given=str(engine)[:SHOWN], wanted=ENGINES))
    if not fits(engine, voice):
        raise BadBody(text("listing.bad_voice", limit=NAME_LIMIT))
    return VoiceChoice(cast(VoiceEngine, engine), cast(str, voice))


async def get_voices(request: web.Request) -> web.Response:
    """``GET /api/voices?engine=…``: who is in charge, and the voices of an engine (of the one in charge).

    Where voices cannot be chosen there are no ``engines``.
    """
    if VOICES not in request.app:
        return web.json_response({"engines": []})
    voices, engine = _offered(request), request.query.get("engine")
    if engine is not None and engine not in get_args(VoiceEngine):
        error = BadBody(text("listing.bad_engine", given=engine[:SHOWN], wanted=ENGINES))
        return bad(error, "/api/voices?engine=piper")
    return web.json_response(await voices.voices(cast(VoiceEngine | None, engine)), dumps=dumps)


async def post_preview(request: web.Request) -> web.Response:
    """``POST /api/voices/preview {engine, voice, text?}``: a WAV; an empty ``voice`` is the engine's default."""
    voices = _offered(request)
    try:
        body = await body_of(request, {})
        choice = _wanted(body)
        said = (await body_of(request, {"text": TEXT_LIMIT}))["text"] if "text" in body else ""
    except BadBody as error:
        return bad(error, '{"engine": "espeak", "voice": "es-419+f3"}')
    try:
        wav = await voices.preview(choice, said)
    except EngineDown as down:
        return refusal(409, down.reason, down.repair)
    return web.Response(body=wav, content_type="audio/wav", headers={"Cache-Control": "no-store"})


async def post_use(request: web.Request) -> web.Response:
    """``POST /api/voices/use {engine?, voice}``: she speaks with it once it is ready, from a new reply on."""
    voices = _offered(request)
    try:
        choice = _wanted(await body_of(request, {}), voices.state()["engine"])
    except BadBody as error:
        return bad(error, '{"engine": "espeak", "voice": "es-419+f3"}')
    try:
        return web.json_response(voices.use(choice), status=202, dumps=dumps)
    except EngineDown as down:
        return refusal(409, down.reason, down.repair)


VOICE_ROUTES = (
    web.get("/api/voices", get_voices),
    web.post("/api/voices/preview", post_preview),
    web.post("/api/voices/use", post_use),
)
