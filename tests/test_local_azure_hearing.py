"""The local Azure that hears refuses what Azure refuses, to a client that writes its frames by hand."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import aiohttp
import numpy as np
import pytest

from tests.conftest import HANGS_S
from tests.local_azure.stt import RATE_HZ, TICKS, Recognition, say
from tests.local_azure.usp import BAD_REQUEST, QUOTA, LocalAzure
from tests.test_local_azure import CONFIG, HANDSHAKE, TURN, close_code, frame

OTHER = "ef" * 16
CONTEXT: dict[str, Any] = {
    "phraseDetection": {
        "mode": "CONVERSATION",
        "language": "es-MX",
        "CONVERSATION": {"segmentation": {"segmentationSilenceTimeoutMs": 300, "mode": "Custom"}},
    },
    "dgi": {"Groups": [{"Type": "Generic", "Items": [{"Text": "Aneeka"}]}], "bias": 1.5},
    "audio": {"streams": {"1": None}},
}
STAMP = "2026-11-22T10:00:00.000Z"
QUIET = bytes(2 * RATE_HZ)


@pytest.fixture
def azure() -> Iterator[LocalAzure]:
    with LocalAzure(Recognition()) as server:
        yield server


@asynccontextmanager
async def connected(azure: LocalAzure, **headers: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    url = azure.endpoint + Recognition.path
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(url, headers=HANDSHAKE | headers, protocols=["USP"]) as socket,
    ):
        yield socket


def context(turn: str = TURN, **changes: Any) -> str:
    """Return a speech.context; ``a__b=c`` changes what stands at ``a`` and there at ``b``."""
    body = deepcopy(CONTEXT)
    for path, value in changes.items():
        *way, last = path.split("__")
        at = body
        for name in way:
            at = at.setdefault(name, {})
        at[last] = value
    return frame("speech.context", body, X_RequestId=turn)


def audio(sound: bytes, turn: str = TURN, stream: str | None = "1", stamp: str = STAMP) -> bytes:
    lines = {"Path": "audio", "X-RequestId": turn, "X-StreamId": stream, "X-Timestamp": stamp}
    head = "".join(f"{name}:{value}\r\n" for name, value in lines.items() if value is not None).encode()
    return len(head).to_bytes(2, "big") + head + sound


def riff(rate_hz: int = RATE_HZ, channels: int = 1, bits: int = 16, kind: int = 1) -> bytes:
    wide = channels * bits // 8
    shape = struct.pack("<IHHIIHH", 16, kind, channels, rate_hz, rate_hz * wide, wide, bits)
    return b"RIFF\0\0\0\0WAVEfmt " + shape + b"data\0\0\0\0"


def told(message: aiohttp.WSMessage) -> tuple[str, Any]:
    head, _, _ = message.data.partition("\r\n\r\n")
    headers = dict(line.split(":", 1) for line in head.split("\r\n"))
    return headers["Path"], {"headers": headers, **json.loads(message.data[len(head) :])}


async def send(socket: aiohttp.ClientWebSocketResponse, *frames: str | bytes) -> None:
    for one in frames:
        await (socket.send_str(one) if isinstance(one, str) else socket.send_bytes(one))


async def until(socket: aiohttp.ClientWebSocketResponse, path: str) -> list[tuple[str, Any]]:
    """Read messages up to the first of this path."""
    read: list[tuple[str, Any]] = []
    while not read or read[-1][0] != path:
        read.append(told(await socket.receive(timeout=HANGS_S)))
    return read


async def test_a_stranger_is_understood_turn_after_turn(azure: LocalAzure) -> None:
    said = say("hola aneeka qué tal").tobytes()
    async with connected(azure) as socket:
        await send(socket, frame("speech.config", CONFIG))
        for turn in (TURN, OTHER):
            await send(socket, context(turn), audio(riff(), turn), audio(QUIET + said + QUIET, turn), audio(b"", turn))
            read = await until(socket, "turn.end")
            assert {message["headers"]["X-RequestId"] for _, message in read} == {turn}
            paths = [path for path, _ in read]
            assert paths[:2] == ["turn.start", "speech.startDetected"]
            assert paths[-4:] == ["speech.phrase", "speech.phrase", "speech.endDetected", "turn.end"]
            guesses = [message["Text"] for path, message in read if path == "speech.hypothesis"]
            assert guesses
            assert all("hola aneeka qué tal".startswith(guess) for guess in guesses)
            phrase, end = (message for path, message in read if path == "speech.phrase")
            assert (phrase["RecognitionStatus"], phrase["DisplayText"]) == ("Success", "Hola aneeka qué tal.")
            assert "NBest" not in phrase
            assert phrase["Offset"] == pytest.approx(RATE_HZ * TICKS, abs=0.03 * RATE_HZ * TICKS)
            assert (end["RecognitionStatus"], end["DisplayText"]) == ("EndOfDictation", "")


async def test_details_and_the_language_are_told_to_who_asks(azure: LocalAzure) -> None:
    detect = {"languages": ["en-US", "es-MX"], "mode": "DetectContinuous"}
    wishes = context(phraseOutput={"format": "Detailed"}, languageId=detect)
    sound = say("hola").tobytes() + QUIET
    async with connected(azure) as socket:
        await send(socket, frame("speech.config", CONFIG), wishes, audio(riff()), audio(sound))
        phrase = (await until(socket, "speech.phrase"))[-1][1]
        assert phrase["NBest"][0]["Lexical"] == "hola"
        assert phrase["PrimaryLanguage"]["Language"] == "es-MX"


async def test_a_turn_goes_on_after_a_lost_connection_only_with_the_tag_it_had(azure: LocalAzure) -> None:
    async with connected(azure) as socket:
        await send(socket, frame("speech.config", CONFIG), context(), audio(riff()))
        tag = (await until(socket, "turn.start"))[-1][1]["context"]["serviceTag"]
    before: dict[str, Any] = {"previousServiceTag": tag}
    half = before | {"audio": {"streams": {"1": {"offset": "20000000"}}}}
    for turn, good in ((OTHER, before), ("bb" * 16, half)):
        async with connected(azure) as socket:
            await send(socket, frame("speech.config", CONFIG), context(turn, continuation=good), audio(riff(), turn))
            await until(socket, "turn.start")
    for wrong in (before | {"previousServiceTag": OTHER}, before | {"audio": {"streams": {"1": {"offset": 2}}}}, []):
        async with connected(azure) as socket:
            await send(socket, frame("speech.config", CONFIG), context("aa" * 16, continuation=wrong))
            assert await close_code(socket) == BAD_REQUEST
            azure.services[0].ids.clear()


@pytest.mark.parametrize(
    ("changes", "status"), [({"Ocp-Apim-Subscription-Key": "wrong"}, 401), ({"X-ConnectionId": "1"}, 400)]
)
async def test_a_handshake_without_what_it_must_have_is_refused(
    azure: LocalAzure, changes: dict[str, str], status: int
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with connected(azure, **changes):
            pass
    assert refusal.value.status == status


SEGMENT = "phraseDetection__CONVERSATION__segmentation__segmentationSilenceTimeoutMs"
LANGUAGE = "phraseDetection__language"
FIVE = ["es-MX", "en-US", "fr-FR", "de-DE", "it-IT"]


@pytest.mark.parametrize(
    "changes",
    [
        {"phraseDetection": {}},
        {"phraseDetection": []},
        {"phraseDetection__mode": "SHOUTING"},
        {SEGMENT: 99},
        {SEGMENT: 5001},
        {SEGMENT: "300"},
        {SEGMENT: True},
        {"phraseDetection__initialSilenceTimeout": "soon"},
        {LANGUAGE: None},
        {LANGUAGE: "spanish"},
        {LANGUAGE: ["es-MX"]},
        {"languageId": {"languages": ["es-MX", "es-ES"], "mode": "DetectContinuous"}},
        {"languageId": {"languages": FIVE, "mode": "DetectAtAudioStart"}},
        {"languageId": {"languages": FIVE, "mode": "Whenever"}},
        {"languageId": {"languages": "es-MX", "mode": "DetectContinuous"}},
        {"languageId": {"languages": [], "mode": "DetectContinuous"}},
        {"dgi__Groups": [{"Items": [{"Text": str(number)} for number in range(501)]}]},
        {"dgi__Groups": [{"Items": [{"Text": ""}]}]},
        {"dgi__Groups": [{"Items": [{"Name": "Aneeka"}]}]},
        {"dgi__Groups": "Aneeka"},
        {"dgi__bias": 2.5},
        {"audio__streams": {"2": None}},
    ],
    ids=str,
)
async def test_a_wish_that_the_service_does_not_know_closes_the_connection(
    azure: LocalAzure, changes: dict[str, Any]
) -> None:
    async with connected(azure) as socket:
        await send(socket, frame("speech.config", CONFIG), context(**changes))
        assert await close_code(socket) == BAD_REQUEST


@pytest.mark.parametrize(
    "frames",
    [
        [context()],
        [frame("speech.config", CONFIG), frame("speech.config", CONFIG)],
        [frame("speech.config", CONFIG), audio(riff())],
        [frame("speech.config", CONFIG), frame("speech.context", "{")],
        [frame("speech.config", CONFIG), frame("speech.context", "[]")],
        [frame("speech.config", CONFIG), frame("tea.break", {})],
        [frame("speech.config", CONFIG), context(), context(OTHER)],
        [frame("speech.config", CONFIG), context(), audio(riff(), OTHER)],
        [frame("speech.config", CONFIG), context(), audio(riff(), stream="2")],
        [frame("speech.config", CONFIG), context(), audio(riff(), stream=None)],
        [frame("speech.config", CONFIG), context(), audio(riff(), stamp="now")],
        [frame("speech.config", CONFIG), context(), frame("audio", "hola", X_StreamId="1")],
        [frame("speech.config", CONFIG), context(), audio(QUIET[:3200])],
        [frame("speech.config", CONFIG), context(), audio(b"")],
        [frame("speech.config", CONFIG), context(), audio(riff(rate_hz=8000))],
        [frame("speech.config", CONFIG), context(), audio(riff(channels=2))],
        [frame("speech.config", CONFIG), context(), audio(riff(bits=8))],
        [frame("speech.config", CONFIG), context(), audio(riff(kind=3))],
        [frame("speech.config", CONFIG), context(), audio(riff()), audio(QUIET[:3])],
        [frame("speech.config", CONFIG), context(), audio(riff()), audio(b""), audio(QUIET[:3200])],
        [frame("speech.config", CONFIG), context(), audio(riff()), audio(b""), context()],
        [frame("speech.config", CONFIG), context(), b"\xff\xffPath:audio\r\n"],
    ],
)
async def test_frames_out_of_order_or_out_of_shape_close_the_connection(
    azure: LocalAzure, frames: list[str | bytes]
) -> None:
    async with connected(azure) as socket:
        await send(socket, *frames)
        assert await close_code(socket) == BAD_REQUEST
    assert azure.services[0].phrases == []


async def test_a_context_is_text_and_no_binary_frame(azure: LocalAzure) -> None:
    head, _, body = context().partition("\r\n\r\n")
    lines = f"{head}\r\n".encode()
    async with connected(azure) as socket:
        await send(socket, frame("speech.config", CONFIG), len(lines).to_bytes(2, "big") + lines + body.encode())
        assert await close_code(socket) == BAD_REQUEST


async def test_who_has_used_up_the_quota_is_told_by_the_close_code(azure: LocalAzure) -> None:
    azure.services[0].at_turn = iter(["quota"])
    async with connected(azure) as socket:
        await send(socket, frame("speech.config", CONFIG), context(), audio(riff()))
        assert await close_code(socket) == QUOTA


async def test_silence_is_no_speech_and_noise_no_words(azure: LocalAzure) -> None:
    noise = np.random.default_rng(2).normal(0, 3000, RATE_HZ // 2).astype("<i2").tobytes()
    async with connected(azure) as socket:
        await send(socket, frame("speech.config", CONFIG), context(phraseDetection__initialSilenceTimeout=500))
        await send(socket, audio(riff()), audio(QUIET), audio(noise + QUIET))
        read = await until(socket, "speech.startDetected")
        assert [m["RecognitionStatus"] for path, m in read if path == "speech.phrase"][:1] == ["InitialSilenceTimeout"]
        read = await until(socket, "speech.phrase")
        assert (read[-1][1]["RecognitionStatus"], "DisplayText" in read[-1][1]) == ("NoMatch", False)
