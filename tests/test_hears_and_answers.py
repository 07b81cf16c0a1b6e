"""All of it in one piece: a sentence played into a sound card's microphone is heard, understood and answered.

PortAudio on a virtual microphone, the real voice activity, turns and addressing, a real recogniser behind a real HTTP
client, the director, a brain and espeak-ng. Only the operator is made up: espeak-ng says the sentence.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import HANGS_S, House, until
from tests.spoken_english import spoken
from tests.transcription_server import KEY, Sphinx, Transcriptions
from tests.virtual_microphone import virtual_microphone

RATE_HZ = 16_000
SAID = "tell me a story please"


async def test_a_sentence_said_into_the_microphone_is_answered_aloud(
    go_live: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pocketsphinx")
    server = Transcriptions(Sphinx())
    openai = {"base_url": await server.start(), "api_key": KEY}
    with virtual_microphone(tmp_path, monkeypatch) as microphone:
        house: House = await go_live(
            persona={"language": "en"},
            stt={"engine": "openai", "language": "en", "openai": openai},
            audio={"input": "sound_card", "mode": "open"},
            stage={"sound": "none"},
        )
        live = await house.live()
        microphones = house.aneeka.listening.microphones
        async with asyncio.timeout(HANGS_S):
            while microphones.health.state != "ok":
                await asyncio.sleep(0.02)
        assert microphones.health.serving == "sound_card"
        room = np.zeros(RATE_HZ, np.int16)
        player = microphone.hears(np.concatenate((room, spoken(SAID), room)), RATE_HZ)
        heard = await until(live, "heard_final")
        turn = await until(live, "turn")
        player.wait()
        await house.aneeka.listening.microphones.close()
    await server.close()
    assert (heard["text"], heard["answered"]) == (SAID, True)
    assert (turn["mode"], turn["heard"][0]["text"], turn["cut"]) == ("operator", SAID, None)
    assert turn["spoken"]
    assert turn["engines"]["stt"] == "openai"
    marks = turn["marks_ms"]
    assert marks["speech_ended"] < marks["turn_ended"] < marks["first_audible"] < marks["last_audible"]
