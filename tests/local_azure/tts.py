"""Synthesis as Azure's websocket serves it: strict about what is asked, with sound that tells its own mouth shapes.

The voice is made of tones, one a viseme (``tone_hz``), so that a test hears which shape a stretch of sound belongs to.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from aiohttp import web

from tests.local_azure.usp import (
    BAD_REQUEST,
    INTERNAL,
    QUOTA,
    Connection,
    Frame,
    Refused,
    audio_frame,
    text_frame,
)

FORMATS = {"raw-24khz-16bit-mono-pcm": 24_000, "raw-16khz-16bit-mono-pcm": 16_000, "raw-48khz-16bit-mono-pcm": 48_000}
TICKS_HZ = 10_000_000
LARGEST_SSML = 64 * 1024
SPEAK = "{http://www.w3.org/2001/10/synthesis}"
MSTTS = ("{https://www.w3.org/2001/mstts}", "{http://www.w3.org/2001/mstts}")
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"

VOICES: dict[str, tuple[str, ...]] = {
    "es-MX-DaliaNeural": ("cheerful", "sad", "whispering"),
    "es-MX-JorgeNeural": ("chat", "cheerful", "excited", "sad", "whispering"),
    "es-ES-ElviraNeural": (),
    "en-US-JennyNeural": ("angry", "cheerful", "excited", "friendly", "hopeful", "sad", "shouting", "terrified"),
    "en-US-Ava:DragonHDLatestNeural": (),
}

Fault = Literal[
    "bad_request",
    "internal",
    "quota",
    "abort",
    "stall",
    "no_audio",
    "garbage",
    "abort_mid",
    "close_mid",
    "stall_mid",
    "no_end",
    "odd",
    "tiny",
    "late_metadata",
]
"""What a request meets. ``*_mid``: after half of the sound; ``odd`` and ``tiny``: chunks of odd sizes; ``garbage``:
noise between the good frames; ``no_end``: all the sound, and then silence."""

LEADING_S, TRAILING_S, SHAPE_S, CHUNK_S = 0.1, 0.5, 0.06, 0.1
_VISEMES = {
    letter: viseme
    for viseme, letters in {
        2: "aá", 4: "eé", 6: "iíy", 8: "oó", 7: "uúüw", 21: "bmpv", 18: "f", 15: "szcx", 14: "l", 13: "r",
        12: "hj", 20: "kgq", 19: "dtnñ",
    }.items()
    for letter in letters
}  # fmt: skip


def tone_hz(viseme: int) -> float:
    """Return the tone that sounds while a mouth shape lasts; none for silence."""
    return 0.0 if viseme == 0 else 200.0 + 100.0 * viseme


@dataclass(frozen=True, slots=True)
class Request:
    """One synthesis that was asked for."""

    text: str
    voice: str
    style: str
    rate: str
    pitch: str
    language: str
    ssml: str
    connection: str
    at_s: float


@dataclass(slots=True)
class Speech:
    """What the service makes of a text."""

    pcm: bytes
    metadata: list[dict[str, Any]]


def speech_of(text: str, rate_hz: int) -> Speech:
    """Return tones for every letter, and when each viseme, word and punctuation mark begins."""
    pieces: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    metadata: list[dict[str, Any]] = []
    made = 0

    def tone(viseme: int, seconds: float) -> None:
        nonlocal made
        metadata.append({"Type": "Viseme", "Data": {"Offset": made * TICKS_HZ // rate_hz, "VisemeId": viseme}})
        count = round(seconds * rate_hz)
        at = np.arange(count) / rate_hz
        pieces.append(np.sin(2 * math.pi * tone_hz(viseme) * at) * 0.2 * (viseme > 0))
        made += count

    def boundary(kind: str, piece: str, start: int) -> None:
        data = {
            "Offset": start * TICKS_HZ // rate_hz,
            "Duration": (made - start) * TICKS_HZ // rate_hz,
            "text": {"Text": piece, "Length": len(piece), "BoundaryType": kind},
        }
        metadata.append({"Type": "WordBoundary", "Data": data})

    tone(0, LEADING_S)
    for piece in re.findall(r"\w+(?:['’&]\w+)*|[^\w\s]", text):
        start = made
        if re.match(r"\w", piece):
            for letter in piece.lower():
                tone(_VISEMES.get(letter, 1), SHAPE_S)
            boundary("WordBoundary", piece, start)
        elif piece in ".,;:!?…":
            boundary("PunctuationBoundary", piece, start)
            tone(0, 0.1)
    tone(0, TRAILING_S)
    sound = np.concatenate(pieces) * 32767
    metadata.sort(key=lambda item: item["Data"]["Offset"])
    return Speech(sound.astype("<i2").tobytes(), metadata)


@dataclass
class Synthesis:
    """The service. ``first_s``: until the first sound; ``speed``: seconds of sound sent in a second, as they are made.

    ``at_request`` gives what each request meets, in turn. ``lead_s``: how far metadata leads the sound.
    """

    first_s: float = 0.0
    speed: float = 50.0
    lead_s: float = 0.2
    at_request: Iterator[Fault | None] = field(default_factory=lambda: iter(()))
    requests: list[Request] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Why turns were refused."""
    finished: int = 0
    """Turns that ran to their end."""
    abandoned: int = 0
    """Turns that the client left in the middle."""

    path = "/tts/cognitiveservices/websocket/v1"

    @property
    def pages(self) -> dict[str, Any]:
        return {"/tts/cognitiveservices/voices/list": self._list}

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response(
            [
                {
                    "Name": f"Microsoft Server Speech Text to Speech Voice ({name[:5]}, {name[6:]})",
                    "DisplayName": name[6:].removesuffix("Neural"),
                    "ShortName": name,
                    "Gender": "Female",
                    "Locale": name[:5],
                    "SampleRateHertz": "24000",
                    "VoiceType": "Neural",
                    "Status": "GA",
                    **({"StyleList": list(styles)} if styles else {}),
                }
                for name, styles in VOICES.items()
            ]
        )

    async def serve(self, connection: Connection) -> None:
        context: Frame | None = None
        turn: asyncio.Task[None] | None = None
        try:
            while (frame := await connection.receive()) is not None:
                if frame.path == "telemetry":
                    continue
                if turn and not turn.done():
                    raise Refused(BAD_REQUEST, "another turn is in progress")
                if frame.path == "synthesis.context":
                    context = frame
                elif frame.path == "ssml":
                    if context is None or context.request_id != frame.request_id:
                        raise Refused(BAD_REQUEST, "ssml without a synthesis.context of its own")
                    turn = asyncio.create_task(self._turn(connection, context, frame))
                    context = None
                else:
                    raise Refused(BAD_REQUEST, f"unknown path {frame.path}")
        finally:
            if turn and not turn.done():
                self.abandoned += 1
                turn.cancel()

    async def _turn(self, connection: Connection, context: Frame, frame: Frame) -> None:
        fault = next(self.at_request, None)
        try:
            rate_hz, wanted = _read_context(context.json())
            request = read_ssml(frame, connection.id)
            self.requests.append(request)
            codes = {"bad_request": BAD_REQUEST, "internal": INTERNAL, "quota": QUOTA}
            if fault in codes:
                raise Refused(codes[fault], f"{fault} was asked for")
            if fault == "abort":
                connection.abort()
                return
            await self._speak(connection, request, frame.request_id, rate_hz, wanted, fault)
        except Refused as refusal:
            self.refused.append(refusal.reason)
            await connection.refuse(refusal)
        except ConnectionError:
            pass  # the client left in the middle

    async def _speak(
        self, connection: Connection, request: Request, turn: str, rate_hz: int, wanted: set[str], fault: Fault | None
    ) -> None:
        stream = uuid.uuid4().hex
        tag = await connection.start_turn(turn)
        audio = {"type": "inline", "streamId": stream}
        await connection.send("response", turn, {"context": {"serviceTag": tag}, "audio": audio})
        if fault == "stall":
            return
        speech = speech_of(request.text, rate_hz)
        events = [] if ":DragonHD" in request.voice else [item for item in speech.metadata if _kind(item) in wanted]
        size = {"odd": 777, "tiny": 40}.get(fault or "", round(CHUNK_S * rate_hz) * 2)
        total = 0 if fault == "no_audio" else len(speech.pcm)
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.first_s)
        began = loop.time()
        for start in range(0, total, size):
            sent_s = start / 2 / rate_hz
            await asyncio.sleep(max(0.0, began + sent_s / self.speed - loop.time()))
            if fault and start >= total // 2:
                if fault == "abort_mid":
                    connection.abort()
                    return
                if fault == "close_mid":
                    raise Refused(INTERNAL, "close_mid was asked for")
                if fault == "stall_mid":
                    return
            until = sent_s + CHUNK_S + self.lead_s
            due = [item for item in events if item["Data"]["Offset"] < until * TICKS_HZ]
            events = events[len(due) :]
            if due and fault != "late_metadata":
                await connection.send("audio.metadata", turn, {"Metadata": due})
            if fault == "garbage":
                for noise in _garbage(turn):
                    await connection.send_raw(noise)
            await connection.send_audio(turn, stream, speech.pcm[start : start + size])
            if due and fault == "late_metadata":
                await connection.send("audio.metadata", turn, {"Metadata": due})
        await connection.send_audio(turn, stream, b"")
        if fault == "no_end":
            return
        await connection.end_turn(turn)
        self.finished += 1


def _kind(item: dict[str, Any]) -> str:
    return item["Data"]["text"]["BoundaryType"] if item["Type"] == "WordBoundary" else item["Type"]


def _garbage(turn: str) -> list[str | bytes]:
    other = uuid.uuid4().hex
    return [
        "no headers at all",
        b"\xff\xffPath:audio\r\n",
        text_frame("audio.metadata", turn, {}).replace("{}", '{"Metadata": [{"Type": "Vis'),
        audio_frame(other, "other", b"\x7f\x7f" * 100),
        text_frame("audio.metadata", other, {"Metadata": [{"Type": "Viseme", "Data": {"Offset": 0, "VisemeId": 9}}]}),
    ]


def _read_context(body: dict[str, Any]) -> tuple[int, set[str]]:
    """Return the sample rate and the kinds of metadata that were asked for. Raises ``Refused``."""
    audio = body.get("synthesis", {}).get("audio", {})
    options = audio.get("metadataOptions", {})
    if audio.get("outputFormat") not in FORMATS:
        raise Refused(BAD_REQUEST, f"unknown output format {audio.get('outputFormat')}")
    if not all(isinstance(value, bool) for value in options.values()):
        raise Refused(BAD_REQUEST, "metadataOptions must be true or false")
    kinds = {
        "visemeEnabled": "Viseme",
        "wordBoundaryEnabled": "WordBoundary",
        "punctuationBoundaryEnabled": "PunctuationBoundary",
    }
    return FORMATS[audio["outputFormat"]], {kind for option, kind in kinds.items() if options.get(option)}


def read_ssml(frame: Frame, connection: str) -> Request:
    """Return what is to be said, and how. Raises ``Refused`` for what the service does not take."""
    if not frame.headers.get("content-type", "").startswith("application/ssml+xml"):
        raise Refused(BAD_REQUEST, "the content type must be application/ssml+xml")
    ssml = frame.body if isinstance(frame.body, str) else frame.body.decode("utf-8", "replace")
    if len(ssml.encode("utf-8", "replace")) > LARGEST_SSML:
        raise Refused(BAD_REQUEST, "the SSML is longer than 64 KB")
    try:
        root = ET.fromstring(ssml)  # noqa: S314 - our own client wrote it
    except ET.ParseError as fault:
        raise Refused(BAD_REQUEST, f"Ssml is not well-formed: {fault}") from None
    if root.tag != SPEAK + "speak" or root.get("version") != "1.0":
        raise Refused(BAD_REQUEST, "the root must be speak, version 1.0")
    if not re.fullmatch(r"[a-z]{2,3}-[A-Z]{2}", root.get(LANGUAGE, "")):
        raise Refused(BAD_REQUEST, "speak wants xml:lang")
    if [child.tag for child in root] != [SPEAK + "voice"] or (root.text or "").strip() or (root[0].tail or "").strip():
        raise Refused(BAD_REQUEST, "speak holds exactly one voice and nothing beside it")
    voice = root[0].get("name", "")
    if voice not in VOICES:
        raise Refused(BAD_REQUEST, f"Unsupported voice {voice}.")
    found: dict[str, str] = {}
    for element in root[0].iter():
        _check_element(element, found)
    return Request(
        text="".join(root.itertext()),
        voice=voice,
        style=found.get("style", ""),
        rate=found.get("rate", ""),
        pitch=found.get("pitch", ""),
        language=root.get(LANGUAGE, ""),
        ssml=ssml,
        connection=connection,
        at_s=time.monotonic(),
    )


def _check_element(element: ET.Element, found: dict[str, str]) -> None:
    """Note what an element asks for. Raises ``Refused`` for an element or a value that does not exist."""
    allowed = {
        SPEAK + "voice": {"name": r".+"},
        SPEAK + "prosody": {
            "rate": r"[+-]?\d+(\.\d+)?%|\d+(\.\d+)?|x-slow|slow|medium|fast|x-fast",
            "pitch": r"[+-]\d+(\.\d+)?(st|Hz|%)|x-low|low|medium|high|x-high",
        },
        **{space + "express-as": {"style": r"[a-zA-Z-]+", "styledegree": r"[01](\.\d+)?|2"} for space in MSTTS},
    }
    values = allowed.get(element.tag)
    if values is None:
        raise Refused(BAD_REQUEST, f"unknown element {element.tag}")
    for name, value in element.attrib.items():
        if not re.fullmatch(values.get(name, "(?!)"), value):
            raise Refused(BAD_REQUEST, f"{element.tag}: {name} must not be {value!r}")
        found[name] = value
