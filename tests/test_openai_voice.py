"""A voice at an OpenAI-compatible server: one that is strict and really speaks, and one that misbehaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.config.settings import Settings
from bot.supervisor import Board
from bot.texts import text, use
from bot.vocabulary import EngineDown, Health, Phrase, Shape, Sound, Word
from bot.voice import rung
from bot.voice.captions_only import CaptionsOnly
from bot.voice.ladder import VoiceLadder
from bot.voice.openai import OpenAIVoice, build
from bot.voice.speller import Speller
from bot.voice.wav_stream import BadSound, Wav
from tests.conftest import HANGS_S, REAL_TIME
from tests.speech_server import KEY, Speaker, Speech, wav_header

pytestmark = REAL_TIME

Connect = Callable[..., Awaitable[OpenAIVoice]]
SAID = "Mi mamá y mi papá quieren mucho al bebé, y hoy vamos a cantar."


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    return Speaker()


@pytest.fixture
async def server(speaker: Speaker) -> AsyncIterator[tuple[Speech, str]]:
    speech = Speech(speaker)
    yield speech, await speech.start()
    await speech.close()


@pytest.fixture
async def connect(
    server: tuple[Speech, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connect]:
    """Connect voices without the reader for the mouth, a process that takes a second to start."""
    made: list[OpenAIVoice] = []

    async def unread(speller: Speller) -> None:
        pass

    monkeypatch.setattr(Speller, "start", unread)

    async def connected(url: str = "", key: str = KEY, voice: str = "nova", **options: Any) -> OpenAIVoice:
        options = {
            "language": "es",
            "levels": tmp_path / "levels.json",
            "on_health": lambda health: None,
            "first_s": 30.0,
            "next_s": 30.0,
            **options,
        }
        made.append(OpenAIVoice(url or server[1] + "/", "tts-1", key, voice, **options))
        await made[-1].start()
        return made[-1]

    yield connected
    for voice in made:
        await voice.close()


class Heard:
    """One phrase, whole."""

    def __init__(self, sounds: list[Sound]) -> None:
        self.sounds = sounds
        self.pcm = np.concatenate([sound.pcm for sound in sounds])
        self.rate_hz = sounds[0].rate_hz
        self.shapes: list[Shape] = [shape for sound in sounds for shape in sound.shapes]
        self.words: list[Word] = [word for sound in sounds for word in sound.words]


async def spoken(voice: OpenAIVoice, said: str = SAID) -> Heard:
    return Heard([sound async for sound in voice.speak(Phrase("r", 0, said))])


async def test_speech_is_streamed_with_mouth_shapes_and_words_found_in_it(
    server: tuple[Speech, str], tmp_path: Path
) -> None:
    openai = {"base_url": server[1], "api_key": KEY}
    settings = Settings(tts={"engine": "openai", "voice": "nova", "speed": 1.25, "openai": openai})
    voice = build(settings, tmp_path, lambda health: None)
    await voice.start()
    try:
        assert await voice._speller.ready(HANGS_S)
        heard = await spoken(voice)
    finally:
        await voice.close()
    asked = {"model": "tts-1", "input": SAID, "voice": "nova", "response_format": "wav", "speed": 1.25}
    assert server[0].asked == [asked]
    assert [sound.last for sound in heard.sounds] == [False] * (len(heard.sounds) - 1) + [True]
    assert len(heard.sounds) > 4, "streamed"
    assert heard.rate_hz == 24_000
    assert np.abs(heard.pcm[:200]).max() > 100, "no silence before it"
    assert [SAID[word.start : word.end] for word in heard.words] == SAID.split()
    sent = 0
    for sound in heard.sounds:
        assert all(mark.at >= sent - 0.05 * heard.rate_hz for mark in (*sound.shapes, *sound.words)), "never behind"
        sent += len(sound.pcm)
    lips = [shape.at for shape in heard.shapes if shape.viseme == 21]
    assert len(lips) >= 6, "mi, mamá, mi, papá, mucho, bebé close the lips"


async def test_it_is_as_loud_as_all_other_voices_from_its_second_phrase_on(
    server: tuple[Speech, str], connect: Connect
) -> None:
    whisper = server[0].speaks
    server[0].speaks = lambda said, rate_hz: whisper(said, rate_hz) // 6
    voice = await connect()
    first, second = (await spoken(voice)).pcm, (await spoken(voice)).pcm
    assert np.abs(second).max() > 3 * np.abs(first).max()


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
async def test_a_wav_tells_its_own_rate(server: tuple[Speech, str], connect: Connect, rate_hz: int) -> None:
    server[0].rate_hz = rate_hz
    heard = await spoken(await connect(), "Hola.")
    assert heard.rate_hz == rate_hz
    assert 0.3 < len(heard.pcm) / rate_hz < 1.5


async def test_a_server_that_refuses_wav_is_asked_for_bare_samples_from_then_on(
    server: tuple[Speech, str], connect: Connect
) -> None:
    server[0].offers = ("pcm",)
    voice = await connect()
    one = await spoken(voice, "Hola.")
    await spoken(voice, "Hola.")
    assert [asked["response_format"] for asked in server[0].asked] == ["wav", "pcm", "pcm"]
    assert one.rate_hz == 24_000
    assert 0.3 < len(one.pcm) / one.rate_hz < 1.5


async def test_stopping_closes_the_connection(server: tuple[Speech, str], connect: Connect) -> None:
    server[0].pace_s = 0.05
    sounds = (await connect()).speak(Phrase("r", 0, SAID))
    await anext(sounds)
    await sounds.aclose()
    async with asyncio.timeout(HANGS_S):
        assert await server[0].left.wait()


async def test_what_has_no_words_is_not_sent(server: tuple[Speech, str], connect: Connect) -> None:
    heard = await spoken(await connect(), "…!")
    assert (len(heard.pcm), heard.sounds[-1].last, server[0].asked) == (0, True, [])


FAULTS = [
    (401, "refused", "down"),
    (403, "refused", "down"),
    (404, "no_route", "down"),
    (307, "no_route", "down"),
    (400, "bad_voice", "down"),
    (429, "busy", "degraded"),
    (500, "failed", "degraded"),
    ("hang", "slow", "degraded"),
    ("stall", "slow", "degraded"),
    ("drop", "broke_off", "down"),
    ("empty", "silent", "degraded"),
    ("silence", "silent", "degraded"),
    (("audio/mpeg", b"ID3\x04" + bytes(100)), "format", "down"),
    (("text/html", b"<html>welcome</html>"), "garbled", "degraded"),
    (("application/json", b"[" * 50_000), "garbled", "degraded"),
    (("audio/wav", b"RIFF" + bytes(99_999)), "garbled", "degraded"),
    (("audio/wav", wav_header(24_000, bits=24) + bytes(999)), "garbled", "degraded"),
    (("audio/wav", wav_header(5) + bytes(999)), "garbled", "degraded"),
]


@pytest.mark.parametrize(("fault", "key", "state"), FAULTS)
async def test_every_fault_is_told_with_its_repair_and_never_with_the_key(
    server: tuple[Speech, str], connect: Connect, caplog: pytest.LogCaptureFixture, fault: Any, key: str, state: str
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[Health] = []
    waits = {"first_s": 0.6, "next_s": 0.3} if fault in ("hang", "stall") else {}
    voice = await connect(on_health=said.append, **waits)
    server[0].faults = [fault]
    with pytest.raises(EngineDown) as down:
        await spoken(voice)
    for language in ("es", "en"):
        use(language)  # type: ignore[arg-type]
        repair = text(f"openai_voice.{key}_repair")
        assert repair
        if language == "es":
            assert down.value.repair == repair
    assert (voice.health.state, voice.health.reason) == (state, down.value.reason)
    assert KEY not in f"{down.value.reason}{down.value.repair}{said}{caplog.text}"
    voice._first_s = voice._next_s = HANGS_S
    assert len((await spoken(voice, "Hola.")).pcm) > 0, "the next phrase is a new chance"
    assert voice.health.state == "ok"


async def test_a_server_that_is_not_there_and_a_key_that_is_missing(connect: Connect) -> None:
    nobody = await connect("http://127.0.0.1:9/v1")
    assert not await nobody.ready(5)
    assert "127.0.0.1:9" in nobody.health.reason
    keyless = await connect("https://api.openai.com/v1", key="")
    assert keyless.health.state == "down"
    with pytest.raises(EngineDown) as down:
        await spoken(keyless)
    assert "tts.openai.api_key" in down.value.repair


async def test_a_server_that_is_there_later_than_she_is_speaks_from_then_on(
    server: tuple[Speech, str], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rung, "BACK_OFF_S", (0.05,))
    server[0].faults = [404, 404, 404]
    board, ladders = Board(lambda message: None), list[VoiceLadder]()
    voice = await connect(on_health=lambda health: [ladder.on_health(voice, health) for ladder in ladders])
    ladders.append(VoiceLadder([voice, CaptionsOnly()], CaptionsOnly(), board, "es"))
    await ladders[0].start()
    async with asyncio.timeout(HANGS_S):
        while "voice" not in board.parts or board.parts["voice"].state != "down":
            await asyncio.sleep(0.01)
        while board.parts["voice"].state != "ok":
            await asyncio.sleep(0.01)
    assert board.parts["voice"].serving == "openai"
    await ladders[0].close()


async def test_a_list_that_cannot_be_had_is_no_failure_of_the_voice(connect: Connect) -> None:
    voice = await connect(key="sk-another")
    with pytest.raises(EngineDown):
        await voice.list_voices()
    assert voice.health.state == "ok"


async def test_a_name_and_a_password_in_the_address_are_never_shown(connect: Connect) -> None:
    voice = await connect("http://me:open-sesame@127.0.0.1:9/v1", key="")
    assert not await voice.ready(5)
    assert "127.0.0.1:9/v1" in voice.health.reason
    assert "sesame" not in voice.health.reason + voice.health.repair


async def test_it_is_ready_once_it_has_spoken(server: tuple[Speech, str], connect: Connect) -> None:
    voice = await connect()
    assert await voice.ready(HANGS_S)
    assert await voice.ready(HANGS_S)
    assert len(server[0].asked) == 1


@pytest.mark.parametrize(
    "lists", [["ef_dora", "af_sky"], {"voices": [{"id": "ef_dora"}, {"name": "af_sky"}, 3, None, {"id": 4}]}]
)
async def test_it_lists_what_the_server_lists(server: tuple[Speech, str], connect: Connect, lists: Any) -> None:
    server[0].lists = lists
    assert [info.name for info in await (await connect()).list_voices()] == ["ef_dora", "af_sky"]


@pytest.mark.parametrize("lists", [None, "?", {"voices": 5}])
async def test_a_server_without_a_list_has_openai_s_names(
    server: tuple[Speech, str], connect: Connect, lists: Any
) -> None:
    server[0].lists = lists
    assert {"alloy", "nova"} <= {info.name for info in await (await connect()).list_voices()}


def test_a_wav_comes_the_same_however_it_is_torn() -> None:
    stereo = np.arange(2000, dtype=np.int16).reshape(-1, 2)
    files = {
        wav_header(24_000, channels=2) + stereo.tobytes(): stereo.mean(axis=1),
        wav_header(24_000, 400) + stereo[:100].tobytes() + b"LIST of words": stereo[:100].reshape(-1),
        wav_header(24_000, kind=3, bits=32) + (stereo[:, 0] / 32767).astype("<f4").tobytes(): stereo[:, 0],
    }
    for data, samples in files.items():
        for size in (1, 7, 5000):
            wav = Wav()
            made = np.concatenate([wav.feed(data[at : at + size]) for at in range(0, len(data), size)])
            assert np.abs(made - samples).max() <= 1
            assert wav.rate_hz == 24_000
    with pytest.raises(BadSound):
        Wav().feed(b"RIFF____AVI and so on")
