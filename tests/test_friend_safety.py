"""The conversation beside the show is judged as the show is: by the second opinion, too."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from bot.safety.gate import filtered_line
from tests.conftest import House
from tests.containers import wav
from tests.spoken_english import RATE_HZ, spoken
from tests.test_second_opinion import server as judge
from tests.transcription_server import KEY, Sphinx, Transcriptions

pytest.importorskip("pocketsphinx", reason="needs the package pocketsphinx")

__all__ = ["judge"]


@pytest.fixture
async def hearing() -> AsyncIterator[dict[str, Any]]:
    server = Transcriptions(Sphinx())
    yield {"engine": "openai", "openai": {"base_url": await server.start(), "api_key": KEY}}
    await server.close()


async def test_what_the_second_opinion_objects_to_is_not_said_here_either(
    go_live: Callable[..., Awaitable[House]], hearing: dict[str, Any], judge: Any
) -> None:
    async def awful(prompt: Any) -> AsyncIterator[str]:
        yield "[happy] Sure, I will tell you. "
        yield "Something that no list of words knows. And so on."

    judge.flags = "list of words"
    house = await go_live(stt=hearing, safety={"second_opinion": "openai", "second_opinion_url": judge.url})
    house.aneeka.engines.brain.think = awful  # type: ignore[method-assign, assignment]
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("audio", wav(spoken("what is the weather like"), RATE_HZ), filename="question.wav")
    form.add_field("messages", json.dumps([]))
    async with house.client.post(f"{house.url}/api/voice-chat", data=form, headers=house.headers) as answer:
        assert answer.status == 200
        assert (await answer.json())["text"] == f"Sure, I will tell you. {filtered_line(0)}"
