"""Any server that speaks OpenAI's transcriptions: whisper.cpp's server, Speaches, LocalAI, vLLM, hosted ones.

Protocol ("Create transcription", OpenAI API reference): POST ``{base_url}/audio/transcriptions`` as a form with
``file``, ``model``, ``language``, ``prompt`` and ``response_format``; the answer is JSON with ``text``, and with
``verbose_json`` also ``language`` and ``segments`` with their probabilities. Not every server or model has the long
form, so that it is asked for once and no more after a refusal.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from bot.config.settings import Settings
from bot.hearing.hallucinations import Piece, is_invented, is_silent
from bot.openai_server import OpenAIServer, ServerDown, body_of
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Pcm, Transcript
from bot.wav import wav_of

RATE_HZ = 16_000
ANSWER_S = 8.0
"""On top of half the sound's own length: a server that needs longer is no help in a conversation."""
ANSWER_MAX = 2**20
NAMES = {"spanish": "es", "english": "en"}
"""The long form names the language in English."""


class OpenAIRecogniser:
    """Implements ``vocabulary.Recogniser``. ``api_key`` may be empty; it is never logged nor shown."""

    name = "openai"

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str,
        *,
        language: str = "auto",
        hint: str = "",
        on_health: Callable[[Health], None],
        answer_s: float = ANSWER_S,
    ) -> None:
        """``hint``: names that may be said."""
        self._server = OpenAIServer(
            "hearing",
            base_url,
            model,
            api_key,
            words=lambda name, **values: text(f"recognisers.{name}", **values),
            on_health=on_health,
        )
        self._language = "" if language == "auto" else language.split("-")[0]
        self._hint = hint
        self._answer_s = answer_s
        self._long_form = True

    @property
    def pid(self) -> None:
        """Nothing runs on this machine."""
        return

    @property
    def health(self) -> Health:
        """Whether the newest utterance was written down, and if not, why."""
        return self._server.health

    async def start(self) -> None:
        """Nothing to start: connections are opened when they are needed."""
        self._server.worked()

    async def ready(self, timeout_s: float) -> bool:
        """Have half a second of faint noise written down; ``False``: that failed (``health`` says why)."""
        noise = np.random.default_rng(0).normal(0, 200, RATE_HZ // 2).astype(np.int16)
        try:
            async with asyncio.timeout(timeout_s):
                await self.write_down(noise)
        except (EngineDown, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Close all connections."""
        await self._server.close()

    def begin(self, on_partial: Callable[[str], None]) -> OpenAIUtterance:
        """Begin an utterance; such servers tell nothing before its end."""
        return OpenAIUtterance(self)

    async def write_down(self, pcm: Pcm) -> Transcript:
        """Return what is said in this sound. Raises ``EngineDown``."""
        if is_silent(pcm):
            return Transcript("")
        seconds = len(pcm) / RATE_HZ
        limit_s = self._answer_s + seconds / 2
        try:
            answer = await self._ask(wav_of(pcm, RATE_HZ), limit_s)
        except ServerDown as down:
            self._server.failed(down)
            raise
        self._server.worked()
        return _transcript(answer, seconds)

    async def _ask(self, sound: bytes, limit_s: float) -> dict[str, Any]:
        """Return the answer's object. Raises ``ServerDown``."""
        server = self._server
        url = f"{server.url}/audio/transcriptions"
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    long_form = self._long_form
                    form = self._form(sound, long_form)
                    async with server.session.post(url, data=form, allow_redirects=False) as response:
                        said = await body_of(response, ANSWER_MAX)
                    if response.status == HTTPStatus.OK:
                        return self._object(said)
                    refused = response.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
                    if not (refused and long_form):
                        raise server.refusal(response.status, said)
                    self._long_form = False
        except aiohttp.ClientError:
            raise server.fault("unreachable") from None
        except TimeoutError:
            raise server.fault("slow", state="degraded", seconds=f"{limit_s:.0f}") from None

    def _form(self, sound: bytes, long_form: bool) -> aiohttp.FormData:
        form = aiohttp.FormData()
        form.add_field("file", sound, filename="speech.wav", content_type="audio/wav")
        form.add_field("model", self._server.model)
        form.add_field("response_format", "verbose_json" if long_form else "json")
        form.add_field("temperature", "0")
        if self._language:
            form.add_field("language", self._language)
        if self._hint:
            form.add_field("prompt", self._hint)
        return form

    def _object(self, said: str) -> dict[str, Any]:
        try:
            answer = json.loads(said)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
            raise self._server.fault("garbled", state="degraded")
        return answer


class OpenAIUtterance:
    """One stretch of speech, sent as a whole each time its text is asked for."""

    def __init__(self, recogniser: OpenAIRecogniser) -> None:
        self._recogniser = recogniser
        self._pieces: list[Pcm] = []
        self._samples = 0
        self._known: tuple[int, Transcript] = (0, Transcript(""))

    def feed(self, pcm: Pcm) -> None:
        """Append sound."""
        self._pieces.append(pcm)
        self._samples += len(pcm)

    async def text_so_far(self) -> Transcript:
        """Return what was said in all that has been fed; cancelling takes the request back."""
        samples = self._samples
        if samples > self._known[0]:
            self._known = (samples, await self._recogniser.write_down(np.concatenate(self._pieces)))
        return self._known[1]

    def close(self) -> None:
        """Drop it."""
        self._pieces = []


def build(settings: Settings, data: Path, on_health: Callable[[Health], None]) -> OpenAIRecogniser:
    """Return the recogniser that the settings ask for."""
    stt = settings.stt
    return OpenAIRecogniser(
        stt.openai.base_url,
        stt.openai.model,
        stt.openai.api_key.get_secret_value(),
        language=stt.language,
        hint=settings.persona.name,
        on_health=on_health,
    )


def _transcript(answer: dict[str, Any], seconds: float) -> Transcript:
    """Return what an answer says, without what nobody said."""
    language = str(answer.get("language") or "").lower()
    segments = answer.get("segments")
    segments = segments if isinstance(segments, list) else []
    pieces = [_piece(segment, seconds) for segment in segments if isinstance(segment, dict)]
    if not pieces:
        pieces = [Piece(answer["text"], seconds)]
    said = " ".join(piece.text.strip() for piece in pieces if not is_invented(piece))
    return Transcript(said, NAMES.get(language, language[:2]) if said else "")


def _piece(segment: dict[str, Any], seconds: float) -> Piece:
    def number(name: str, otherwise: float) -> float:
        value = segment.get(name)
        return float(value) if isinstance(value, int | float) else otherwise

    lasted = number("end", seconds) - number("start", 0.0)
    said = segment.get("text")
    return Piece(
        said if isinstance(said, str) else "", lasted, number("no_speech_prob", 0.0), number("avg_logprob", 0.0)
    )
