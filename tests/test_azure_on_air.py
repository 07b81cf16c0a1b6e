"""The Azure voice on air: the whole program, the real SDK, a local server of its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import numpy as np
import pytest

from bot import azure_sdk
from bot.vocabulary import Pcm, Shape, Word
from bot.voice.azure_clip import TICKS_HZ, Clip
from tests.conftest import AT_EASE, HANGS_S, REAL_TIME, House, until
from tests.local_azure.tts import Synthesis
from tests.local_azure.usp import KEY, LocalAzure

pytestmark = REAL_TIME

pytest.importorskip(azure_sdk.PACKAGE, reason="needs the extra: azure")

GoLive = Callable[..., Awaitable[House]]
RATE_HZ = 24_000
LONG = " ".join(["mananaluneramarina"] * 10)
"""One request, which takes the service 7 s."""


@pytest.fixture
def tts() -> Synthesis:
    return Synthesis(speed=1.5)


@pytest.fixture
def server(tts: Synthesis) -> Iterator[LocalAzure]:
    with LocalAzure(tts) as server:
        yield server


async def test_after_a_skip_not_one_more_sample_is_heard_though_the_service_was_still_sending(
    go_live: GoLive, server: LocalAzure, tts: Synthesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await go_live(
        tts={"engine": "azure", **AT_EASE},
        azure={"key": KEY, "endpoint": server.endpoint},
        audio={"mode": "off"},
    )
    live = await house.live()
    rehearsed = tts.finished
    await house.ask("POST", "/api/say", {"text": LONG})
    for _ in range(2):
        await until(live, "word")
    await house.ask("POST", "/api/control/skip")
    answered = house.aneeka.now()
    late: list[Pcm] = []
    monkeypatch.setattr(house.aneeka.stage.output, "write", late.append)
    turn = await until(live, "turn")
    async with asyncio.timeout(HANGS_S):
        while not tts.abandoned:
            await asyncio.sleep(0.01)
    assert (turn["cut"], turn["engines"]["tts"], tts.finished) == ("skip", "azure", rehearsed)
    assert late == []
    silent_at = turn["audible_at_s"] + (turn["marks_ms"]["last_audible"] - turn["marks_ms"]["first_audible"]) / 1000
    assert silent_at <= answered, "she was silent before the one who asked was told so"
    assert 0 < len(turn["spoken"]) < len(LONG)


def test_what_begins_in_a_silence_comes_with_the_sound_after_it() -> None:
    """A piece without sound is never given away, so it may carry nothing."""
    clip = Clip("hola. mamá", RATE_HZ, 1.0)
    tone = (np.sin(np.arange(RATE_HZ // 2) / 9) * 9000).astype("<i2").tobytes()
    clip.add_audio(tone)
    clip.take()
    clip.add_audio(bytes(len(tone)))
    clip.add_viseme(9 * TICKS_HZ // 10, 21)
    clip.add_word(9 * TICKS_HZ // 10, "mamá")
    silent = clip.take()
    assert (len(silent.pcm), silent.shapes, silent.words) == (0, (), ())
    clip.add_audio(tone)
    at = RATE_HZ * 9 // 10
    spoken = clip.take()
    assert spoken.shapes == (Shape(at, 21),)
    assert spoken.words == (Word(at, 6, 10),)
