"""A server of OpenAI's "Create transcription", strict about what its reference documents, with a real recogniser.

It understands the questions of a small grammar (CMU Sphinx, whose English model comes with the package).
"""

from __future__ import annotations

import asyncio
import io
import threading
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestServer

RATE_HZ = 16_000
KEY = "sk-a-key-of-the-test"
FIELDS = {"file", "model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]"}
FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
KINDS = (".flac", ".m4a", ".mp3", ".mp4", ".mpeg", ".mpga", ".oga", ".ogg", ".wav", ".webm")
QUESTIONS = (
    "what is the weather like",
    "one two three four five",
    "tell me a story please",
    "good morning everybody",
)


class Sphinx:
    """Hears one of ``QUESTIONS``."""

    def __init__(self) -> None:
        import pocketsphinx

        self._config = pocketsphinx.Config(samprate=RATE_HZ, loglevel="FATAL", lm=None)
        self._decoder = pocketsphinx.Decoder(self._config)
        grammar = f"#JSGF V1.0; grammar q; public <q> = {' | '.join(QUESTIONS)} ;"
        self._decoder.add_jsgf_string("q", grammar)
        self._decoder.activate_search("q")
        self._one_at_a_time = threading.Lock()

    def __call__(self, pcm: np.ndarray[Any, Any]) -> str:
        with self._one_at_a_time:
            self._decoder.start_utt()
            self._decoder.process_raw(pcm.astype("<i2").tobytes(), full_utt=True)
            self._decoder.end_utt()
            found = self._decoder.hyp()
        return found.hypstr if found else ""


@dataclass
class Transcriptions:
    """Its state: what ``hears`` makes of the sound, what it was asked, and how it misbehaves next."""

    hears: Callable[[np.ndarray[Any, Any]], str]
    asked: list[dict[str, str]] = field(default_factory=list)
    faults: list[Any] = field(default_factory=list)
    """For the next requests: a status, a body that is no JSON, or ``hang`` (never answers), ``drop`` (cuts)."""
    long_form: bool = True
    extra: dict[str, Any] = field(default_factory=dict)
    """Laid over the first segment of a long answer."""

    async def start(self) -> str:
        app = web.Application(client_max_size=25 * 2**20)
        app.add_routes([web.post("/v1/audio/transcriptions", self._transcribe)])
        self._server = TestServer(app)
        await self._server.start_server()
        return str(self._server.make_url("/v1"))

    async def close(self) -> None:
        await self._server.close()

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return error(401, f"Incorrect API key provided: {request.headers.get('Authorization', '')}")
        if request.content_type != "multipart/form-data":
            return error(415, "multipart/form-data is wanted")
        form = await request.post()
        wrong = next((name for name in form if name not in FIELDS), None)
        if wrong:
            return error(400, f"unknown field {wrong}")
        self.asked.append({name: str(value) for name, value in form.items() if name != "file"})
        if self.faults:
            fault = self.faults.pop(0)
            if fault == "hang":
                await asyncio.Event().wait()
            if fault == "drop":
                assert request.transport
                request.transport.abort()
            if isinstance(fault, int):
                return error(fault, f"on purpose, {request.headers['Authorization']}")
            return web.Response(text=fault)
        sound, style = form.get("file"), form.get("response_format", "json")
        if not isinstance(sound, web.FileField) or not sound.filename.endswith(KINDS):
            return error(400, "no file of a known kind")
        if form.get("model") != "whisper-1":
            return error(404, "no such model")
        if style not in FORMATS or (style == "verbose_json" and not self.long_form):
            return error(400, "response_format is not supported by this model")
        language = str(form.get("language", "en"))
        if not (len(language) == 2 and language.islower()):
            return error(400, "language must be a code of ISO 639-1")
        with wave.open(io.BytesIO(sound.file.read())) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ)
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        if len(pcm) < RATE_HZ // 10:
            return error(400, "Audio file is too short. Minimum audio length is 0.1 seconds.")
        said = await asyncio.to_thread(self.hears, pcm)
        if style == "json":
            return web.json_response({"text": said})
        segment = {"id": 0, "start": 0.0, "end": len(pcm) / RATE_HZ, "text": f" {said}", "tokens": [1], "seek": 0}
        numbers = {"avg_logprob": -0.2, "no_speech_prob": 0.01, "compression_ratio": 1.1, "temperature": 0.0}
        whole = {"task": "transcribe", "language": "english", "duration": len(pcm) / RATE_HZ, "text": said}
        return web.json_response({**whole, "segments": [{**segment, **numbers, **self.extra}]})


def error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=status)
