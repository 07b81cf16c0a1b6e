"""Azure hears one at a time, and much at once: nobody's words are lost over it, and no service is blamed for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from bot import azure_sdk
from bot.config.settings import Settings
from bot.hearing import azure_utterance
from bot.hearing.azure import AzureRecogniser, build
from bot.hearing.azure_utterance import AzureUtterance
from bot.vocabulary import Pcm
from tests.conftest import HANGS_S, REAL_TIME
from tests.healths import Healths
from tests.local_azure.stt import RATE_HZ, Recognition, say
from tests.local_azure.usp import KEY, LocalAzure

pytestmark = REAL_TIME

HOLA = "hola aneeka qué tal estás hoy cuéntame algo"
BLOCK = 512

pytest.importorskip(azure_sdk.PACKAGE, reason="needs the extra: azure")


def quiet(seconds: float) -> Pcm:
    return np.random.default_rng(1).normal(0, 20, round(seconds * RATE_HZ)).astype(np.int16)


def feed(utterance: AzureUtterance, *sound: Pcm) -> None:
    pcm = np.concatenate(sound)
    for at in range(0, len(pcm), BLOCK):
        utterance.feed(pcm[at : at + BLOCK])


def unheard(partial: str) -> None:
    pass


@pytest.fixture
def server() -> Iterator[LocalAzure]:
    with LocalAzure(Recognition()) as server:
        yield server


@pytest.fixture
async def recogniser(
    server: LocalAzure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AzureRecogniser]:
    monkeypatch.setattr(azure_utterance, "PATIENCE_S", 10.0)  # a slow machine is no service that has stalled
    recogniser = build(Settings(azure={"key": KEY, "endpoint": server.endpoint}), tmp_path, Healths().report)
    await recogniser.start()
    assert await recogniser.ready(HANGS_S)
    yield recogniser
    await recogniser.close()


async def test_much_speech_that_comes_at_once_is_no_stall(recogniser: AzureRecogniser, server: LocalAzure) -> None:
    """So it comes from whoever failed before Azure, or in a file."""
    utterance = recogniser.begin(unheard)
    feed(utterance, quiet(0.3), *(say(HOLA) for _ in range(10)), quiet(0.12))
    text = (await utterance.text_so_far()).text
    assert text.lower().rstrip(".").split() == HOLA.split() * 10
    assert server.log.handshakes == [101]


async def test_a_private_question_beside_the_operators_voice_costs_neither_a_word(
    recogniser: AzureRecogniser, server: LocalAzure
) -> None:
    live: list[str] = []
    private = recogniser.begin(unheard)
    feed(private, quiet(0.3), say("cuéntame algo hoy"), quiet(0.12))
    asking = asyncio.create_task(private.text_so_far())
    await asyncio.sleep(0)
    operator = recogniser.begin(live.append)
    feed(operator, quiet(0.3), say("hola aneeka"))
    other = recogniser.begin(unheard)
    feed(other, quiet(0.3), say("dos tres"), quiet(0.12))
    feed(operator, say("qué tal"), quiet(0.12))
    assert (await other.text_so_far()).text == "Dos tres."
    other.close()
    assert (await operator.text_so_far()).text == "Hola aneeka qué tal."
    assert not asking.done()
    operator.close()
    assert (await asking).text == "Cuéntame algo hoy."
    private.close()
    assert live[-1] == "Hola aneeka qué tal."
    assert server.log.handshakes == [101]


async def test_who_waits_for_another_to_finish_learns_that_the_service_is_gone(
    recogniser: AzureRecogniser, server: LocalAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = recogniser.begin(unheard)
    feed(waiting, quiet(0.3), say(HOLA), quiet(0.12))
    asking = asyncio.create_task(waiting.text_so_far())
    await asyncio.sleep(0)
    recogniser.begin(unheard)
    recogniser.stalled(again=True)
    with pytest.raises(azure_sdk.AzureDown):
        await asking
