"""Hearing by an OpenAI-compatible server: a strict one with a real recogniser, and one that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from bot.config.settings import Settings
from bot.hearing.openai import RATE_HZ, OpenAIRecogniser, build
from bot.vocabulary import EngineDown, Health
from tests.spoken_english import spoken
from tests.transcription_server import KEY, Sphinx, Transcriptions

NOISE = (np.random.default_rng(1).standard_normal(RATE_HZ) * 3000).astype(np.int16)


@pytest.fixture
async def server() -> AsyncIterator[tuple[Transcriptions, str]]:
    server = Transcriptions(lambda pcm: "hola")
    yield server, await server.start()
    await server.close()


@pytest.fixture
async def connect(server: tuple[Transcriptions, str]) -> AsyncIterator[Callable[..., Any]]:
    made: list[OpenAIRecogniser] = []

    def connected(**options: Any) -> OpenAIRecogniser:
        options = {"on_health": lambda health: None, "answer_s": 0.3, **options}
        made.append(OpenAIRecogniser(server[1] + "/", "whisper-1", KEY, **options))
        return made[-1]

    yield connected
    for recogniser in made:
        await recogniser.close()


async def test_speech_becomes_text_by_a_real_recogniser(server: Any, tmp_path: Any) -> None:
    pytest.importorskip("pocketsphinx")
    server[0].hears = Sphinx()
    settings = Settings(stt={"language": "en-GB", "openai": {"base_url": server[1], "api_key": KEY}})
    recogniser = build(settings, tmp_path, lambda health: None)
    try:
        utterance = recogniser.begin(lambda said: None)
        sound = spoken("what is the weather like")
        utterance.feed(sound[:5000])
        utterance.feed(sound[5000:])
        transcript = await utterance.text_so_far()
        assert (transcript.text, transcript.language) == ("what is the weather like", "en")
        asked = {"model": "whisper-1", "response_format": "verbose_json", "temperature": "0"}
        assert server[0].asked == [{**asked, "language": "en", "prompt": "Aneeka"}]
        await utterance.text_so_far()
        assert len(server[0].asked) == 1, "nothing new was said"
    finally:
        await recogniser.close()


async def test_a_model_without_the_long_form_is_asked_for_the_short_one(server: Any, connect: Any) -> None:
    server[0].long_form = False
    recogniser = connect()
    assert (await recogniser.write_down(NOISE)).text == "hola"
    assert (await recogniser.write_down(NOISE)).text == "hola"
    assert [asked["response_format"] for asked in server[0].asked] == ["verbose_json", "json", "json"]
    assert "language" not in server[0].asked[0]


async def test_silence_is_not_sent_and_what_nobody_said_is_left_out(server: Any, connect: Any) -> None:
    recogniser = connect()
    assert (await recogniser.write_down(np.zeros(RATE_HZ, np.int16))).text == ""
    assert server[0].asked == []
    server[0].extra = {"no_speech_prob": 0.9, "avg_logprob": -1.4}
    assert (await recogniser.write_down(NOISE)).text == ""
    server[0].extra = {"text": " Thanks for watching!"}
    assert (await recogniser.write_down(NOISE)).text == ""
    server[0].extra = {"no_speech_prob": None, "avg_logprob": "?", "start": None}
    assert (await recogniser.write_down(NOISE)).text == "hola"


@pytest.mark.parametrize(
    ("fault", "state", "word"),
    [
        (401, "down", "clave"),
        (404, "down", "whisper-1"),
        (429, "degraded", "429"),
        (500, "degraded", "on purpose"),
        ("<html>hello</html>", "degraded", "no es la de un reconocimiento"),
        ("[1]", "degraded", "no es la de un reconocimiento"),
        ('{"text": 5}', "degraded", "no es la de un reconocimiento"),
        ("[" * 100_000, "degraded", "no es la de un reconocimiento"),
        ("hang", "degraded", "segundos"),
        ("drop", "down", "No se puede llegar"),
    ],
)
async def test_each_fault_is_one_sentence_and_it_recovers(
    server: Any, connect: Any, fault: Any, state: str, word: str
) -> None:
    told: list[Health] = []
    recogniser = connect(on_health=told.append)
    server[0].faults = [fault] * 2 if fault == "drop" else [fault]  # a dropped connection is tried once more below us
    with pytest.raises(EngineDown) as down:
        await recogniser.write_down(NOISE)
    assert word in down.value.reason
    assert down.value.repair
    assert (told[-1].part, told[-1].state, told[-1].reason) == ("hearing", state, down.value.reason)
    server[0].faults.clear()
    assert await recogniser.ready(2)
    assert told[-1].state == "ok"


async def test_the_key_is_never_shown(server: Any, connect: Any) -> None:
    told: list[Health] = []
    server[0].faults = [503, 401]
    for _ in range(2):
        with pytest.raises(EngineDown) as down:
            await connect(on_health=told.append).write_down(NOISE)
        assert KEY not in down.value.reason + down.value.repair + str(told)


async def test_nobody_there_is_told(connect: Any, server: Any) -> None:
    recogniser = connect()
    await server[0].close()
    with pytest.raises(EngineDown, match="No se puede llegar"):
        await recogniser.write_down(NOISE)
    assert not await recogniser.ready(1)


async def test_cancelling_costs_nothing(server: Any, connect: Any) -> None:
    recogniser = connect(answer_s=30)
    server[0].faults = ["hang"]
    utterance = recogniser.begin(lambda said: None)
    utterance.feed(NOISE)
    asking = asyncio.create_task(utterance.text_so_far())
    while not server[0].asked:
        await asyncio.sleep(0.005)
    asking.cancel()
    assert (await utterance.text_so_far()).text == "hola"
