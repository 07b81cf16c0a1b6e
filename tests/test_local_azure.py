"""The local Azure refuses what Azure refuses, to any client: otherwise what is tested against it proves nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from bot.voice.ssml import ssml
from tests.local_azure.tts import Synthesis
from tests.local_azure.usp import KEY, LocalAzure, Refused, audio_frame, read_frame, text_frame

TURN = "ab" * 16
HANDSHAKE = {"Ocp-Apim-Subscription-Key": KEY, "X-ConnectionId": "cd" * 16, "User-Agent": "stranger"}
CONFIG = {
    "context": {
        "system": {"name": "stranger", "version": "1", "build": "x"},
        "os": {"platform": "a", "name": "b", "version": "c"},
    }
}
CONTEXT = {
    "synthesis": {
        "audio": {
            "outputFormat": "raw-24khz-16bit-mono-pcm",
            "metadataOptions": {"visemeEnabled": True, "wordBoundaryEnabled": True},
        }
    }
}
GOOD = ssml("Hola, mamá.", "es-MX-DaliaNeural")


@pytest.fixture
def azure() -> Iterator[LocalAzure]:
    with LocalAzure(Synthesis()) as server:
        yield server


def frame(path: str, body: str | dict, kind: str = "application/json", **changes: str | None) -> str:
    headers = {"Path": path, "X-RequestId": TURN, "X-Timestamp": "2026-11-22T10:00:00.000Z", "Content-Type": kind}
    if path == "speech.config":
        del headers["X-RequestId"]
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    head = "".join(f"{name}:{value}\r\n" for name, value in headers.items() if value is not None)
    return f"{head}\r\n{body if isinstance(body, str) else json.dumps(body)}"


def spoken(text: str, **changes: str | None) -> str:
    return frame("ssml", text, "application/ssml+xml", **changes)


@asynccontextmanager
async def connected(
    azure: LocalAzure, protocol: str = "USP", **headers: str
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    url = azure.endpoint + Synthesis.path
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(url, headers=HANDSHAKE | headers, protocols=[protocol]) as socket,
    ):
        yield socket


async def close_code(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    async for _ in socket:
        pass
    return socket.close_code


async def turn(socket: aiohttp.ClientWebSocketResponse) -> tuple[list[str], bytes, list[dict]]:
    """Read one turn: the paths in order, the sound, the metadata."""
    paths, sound, metadata = [], b"", []
    async for message in socket:
        head, _, body = message.data.partition("\r\n\r\n") if isinstance(message.data, str) else ("", "", "")
        if not head:
            length = 2 + int.from_bytes(message.data[:2], "big")
            head, body = message.data[2:length].decode(), message.data[length:]
            sound += body
        headers = dict(line.split(":", 1) for line in head.split("\r\n") if line)
        assert headers["X-RequestId"] == TURN
        paths.append(headers["Path"])
        if paths[-1] == "audio.metadata":
            metadata += json.loads(body)["Metadata"]
        if paths[-1] == "turn.end":
            break
    return paths, sound, metadata


async def test_a_stranger_hears_a_whole_turn_and_another(azure):
    async with connected(azure) as socket:
        await socket.send_str(frame("speech.config", CONFIG))
        for _ in range(2):
            await socket.send_str(frame("synthesis.context", CONTEXT))
            await socket.send_str(spoken(GOOD))
            paths, sound, metadata = await turn(socket)
            assert paths[:2] == ["turn.start", "response"]
            assert paths[-2:] == ["audio", "turn.end"]
            assert len(sound) / 48_000 > 1.0
            words = [item["Data"]["text"]["Text"] for item in metadata if item["Type"] == "WordBoundary"]
            assert words == ["Hola", "mamá"]
            assert [item["Data"]["VisemeId"] for item in metadata if item["Type"] == "Viseme"][:5] == [0, 12, 8, 14, 2]
            await socket.send_str(frame("telemetry", {}))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Ocp-Apim-Subscription-Key": "wrong"}, 401),
        ({"Ocp-Apim-Subscription-Key": ""}, 401),
        ({"X-ConnectionId": "cd-cd"}, 400),
    ],
)
async def test_a_handshake_without_what_it_must_have_is_refused(azure, changes, status):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with connected(azure, **changes):
            pass
    assert refusal.value.status == status


async def test_another_protocol_is_refused(azure):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with connected(azure, protocol="chat"):
            pass
    assert refusal.value.status == 400


async def test_the_list_of_voices_wants_the_key(azure):
    url = f"http://127.0.0.1:{azure.port}/tts/cognitiveservices/voices/list"
    async with aiohttp.ClientSession() as client:
        assert (await client.get(url)).status == 401
        answer = await client.get(url, headers=HANDSHAKE)
        assert {"ShortName", "Locale", "Gender"} <= set((await answer.json())[0])


@pytest.mark.parametrize(
    "messages",
    [
        ["no headers"],
        [frame("speech.config", "{")],
        [frame("speech.config", {"context": {}})],
        [frame("synthesis.context", CONTEXT)],
        [frame("speech.config", CONFIG), spoken(GOOD)],
        [frame("speech.config", CONFIG), frame("synthesis.context", CONTEXT), spoken(GOOD, X_RequestId="cd" * 16)],
        [frame("speech.config", CONFIG), frame("synthesis.context", CONTEXT, X_RequestId=None)],
        [frame("speech.config", CONFIG), frame("synthesis.context", CONTEXT, X_Timestamp="now")],
        [frame("speech.config", CONFIG), frame("tea.break", {})],
        [frame("speech.config", CONFIG), frame("synthesis.context", {}), spoken(GOOD)],
        [frame("speech.config", CONFIG), frame("synthesis.context", CONTEXT), frame("ssml", GOOD)],
    ],
)
async def test_what_breaks_the_protocol_closes_the_connection(azure, messages):
    async with connected(azure) as socket:
        for message in messages:
            await socket.send_str(message)
        assert await close_code(socket) == 1007


VOICE = '<voice name="es-MX-DaliaNeural">'
SPEAK = '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="es-MX">'


@pytest.mark.parametrize(
    "said",
    [
        "hola",
        "<speak>hola</speak>",
        f"{SPEAK}{VOICE}3 < 4</voice></speak>",
        f"{SPEAK}{VOICE}tú & yo</voice></speak>",
        f"{SPEAK}hola</speak>",
        f"{SPEAK}{VOICE}hola</voice>y más</speak>",
        f'{SPEAK}<voice name="es-XX-NobodyNeural">hola</voice></speak>',
        f'{SPEAK}{VOICE}<audio src="http://example.org"/></voice></speak>',
        f'{SPEAK}{VOICE}<prosody rate="quick">hola</prosody></voice></speak>',
        f'{SPEAK}{VOICE}<prosody pitch="2">hola</prosody></voice></speak>',
        SPEAK.replace("1.0", "2.0") + f"{VOICE}hola</voice></speak>",
        SPEAK.replace("es-MX", "spanish") + f"{VOICE}hola</voice></speak>",
        f"{SPEAK}{VOICE}{'hola ' * 14_000}</voice></speak>",
    ],
)
async def test_ssml_that_is_none_closes_the_connection(azure, said):
    async with connected(azure) as socket:
        await socket.send_str(frame("speech.config", CONFIG))
        await socket.send_str(frame("synthesis.context", CONTEXT))
        await socket.send_str(spoken(said))
        assert await close_code(socket) == 1007


async def test_a_second_turn_has_to_wait(azure):
    async with connected(azure) as socket:
        azure.services[0].speed = 1.0
        await socket.send_str(frame("speech.config", CONFIG))
        for _ in range(2):
            await socket.send_str(frame("synthesis.context", CONTEXT))
            await socket.send_str(spoken(GOOD))
        assert await close_code(socket) == 1007


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff\xffPath:audio\r\n", b"\x00\x04abcd", "Path:a\r\nPath:b\r\n\r\n"])
def test_a_frame_that_lies_about_itself_is_refused(data):
    with pytest.raises(Refused):
        read_frame(data)


def test_frames_are_read_as_they_are_written():
    stamp = "X-Timestamp:2026-11-22T10:00:00.0000000Z\r\n"
    assert read_frame(stamp + text_frame("turn.end", TURN, {"a": "ñ\r\n\r\n"})).json() == {"a": "ñ\r\n\r\n"}
    binary = audio_frame(TURN, "1", b"\r\n\r\n\x00")
    length = int.from_bytes(binary[:2], "big")
    stamped = (length + len(stamp)).to_bytes(2, "big") + stamp.encode() + binary[2:]
    assert read_frame(stamped).body == b"\r\n\r\n\x00"
