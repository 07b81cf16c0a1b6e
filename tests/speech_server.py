"""A server of OpenAI's "Create speech", strict about what its reference documents, that really speaks (espeak-ng)."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soxr
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.vocabulary import Pcm
from bot.voice.espeak_engine import EspeakEngine

KEY = "sk-a-key-of-the-test"
FIELDS = {"model", "input", "voice", "response_format", "speed", "instructions", "stream_format"}
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
MODEL, VOICES = "tts-1", ("alloy", "nova")
INPUT_MAX = 4096
PIECE = 4801
"""Bytes, an odd number: samples are torn."""
UNKNOWN_LENGTH = 0xFFFFFFFF


class Speaker:
    """Speaks at any rate; one for a whole module, since espeak-ng is one of a kind in a process."""

    def __init__(self) -> None:
        self._engine = EspeakEngine({"voice": "es", "language": "es", "speed": 1.0})

    def __call__(self, said: str, rate_hz: int) -> Pcm:
        items = list(self._engine.run({"text": said}, b""))
        sound = np.concatenate([np.frombuffer(pcm, "<i2") for _, pcm in items])
        return np.asarray(soxr.resample(sound, items[0][0]["rate_hz"], rate_hz)).astype(np.int16)


@dataclass
class Speech:
    """Its state: what it was asked, and how it misbehaves."""

    speaks: Any
    asked: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Any] = field(default_factory=list)
    """For the next requests: a status, ``hang``, ``stall`` (after two pieces), ``drop`` (the same), ``empty``,
    ``silence``, or a (content type, body)."""
    offers: tuple[str, ...] = ("wav", "pcm")
    rate_hz: int = 24_000
    lists: Any = None
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """A client has closed the connection in mid-answer."""
    pace_s: float = 0.0

    async def start(self) -> str:
        app = web.Application()
        app.add_routes([web.post("/v1/audio/speech", self._speak), web.get("/v1/audio/voices", self._voices)])
        self._server = TestServer(app)
        await self._server.start_server()
        return str(self._server.make_url("/v1"))

    async def close(self) -> None:
        await self._server.close()

    async def _voices(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return error(401, "Incorrect API key provided")
        return error(404, "Not Found") if self.lists is None else web.json_response(self.lists)

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return error(401, f"Incorrect API key provided: {request.headers.get('Authorization', '')}")
        if request.content_type != "application/json":
            return error(415, "application/json is wanted")
        body = await request.json()
        wrong = next((name for name in body if name not in FIELDS), None)
        if wrong:
            return error(400, f"unknown field {wrong}")
        self.asked.append(body)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "hang":
            await asyncio.Event().wait()
        if isinstance(fault, int):
            return error(fault, f"on purpose, {request.headers['Authorization']}")
        if isinstance(fault, tuple):
            return web.Response(body=fault[1], headers={"Content-Type": fault[0]})
        said, style, speed = body.get("input"), body.get("response_format", "mp3"), body.get("speed", 1.0)
        if not isinstance(said, str) or not 0 < len(said) <= INPUT_MAX:
            return error(400, "input must be a string of 1 to 4096 characters")
        if body.get("model") != MODEL:
            return error(404, f"The model {body.get('model')} does not exist")
        if body.get("voice") not in VOICES:
            return error(400, f"Input should be one of {VOICES}")
        if style not in FORMATS or not isinstance(speed, int | float) or not 0.25 <= speed <= 4.0:
            return error(400, "response_format or speed is out of range")
        if style not in self.offers:
            return error(400, f"response_format {style} is not supported")
        sound = np.zeros(0, np.int16) if fault == "empty" else await asyncio.to_thread(self.speaks, said, self.rate_hz)
        if fault == "silence":
            sound = np.zeros(len(sound), np.int16)
        return await self._stream(request, style, sound, fault)

    async def _stream(self, request: web.Request, style: str, sound: Pcm, fault: Any) -> web.StreamResponse:
        data = sound.astype("<i2").tobytes()
        if style == "wav" and data:
            data = wav_header(self.rate_hz) + data
        answer = web.StreamResponse(headers={"Content-Type": "audio/wav" if style == "wav" else "audio/pcm"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        try:
            for count, at in enumerate(range(0, len(data), PIECE)):
                if fault == "drop" and count == 2:
                    assert request.transport
                    request.transport.abort()
                if fault == "stall" and count == 2:
                    await asyncio.Event().wait()
                await answer.write(data[at : at + PIECE])
                await asyncio.sleep(self.pace_s)
            await answer.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise
        return answer


def wav_header(rate_hz: int, size: int = UNKNOWN_LENGTH, kind: int = 1, channels: int = 1, bits: int = 16) -> bytes:
    """Return what stands before the samples; a chunk that nobody knows stands before the format."""
    width = channels * bits // 8
    layout = struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * width, width, bits)
    other = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    chunks = other + b"fmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", UNKNOWN_LENGTH) + b"WAVE" + chunks


def error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=status)
