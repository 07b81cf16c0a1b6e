"""The operator's voice in the living program: heard, answered, and talked over, with a real speech server's client."""

import asyncio

import numpy as np
import pytest

from bot import thinking
from tests.conftest import until
from tests.spoken_english import spoken
from tests.transcription_server import KEY, Transcriptions

RATE_HZ = 16_000
BLOCK = 512
LONG = "Once upon a time there was a little cat who lived on a very tall chair. It looked down on everybody. " * 3
LISTENS_WORDS = 8
"""Of her first words she only learns how loud she comes back herself."""


class Room:
    """Her ear, with somebody speaking into it in real time."""

    def __init__(self, house):
        self.house = house
        self.ear = house.aneeka.listening.ear
        self._queue = np.zeros(0, np.int16)
        self._task = asyncio.create_task(self._run())

    def say(self, words):
        self._queue = np.concatenate((self._queue, spoken(words)))

    async def _run(self):
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            block, self._queue = self._queue[:BLOCK], self._queue[BLOCK:]
            due += BLOCK / RATE_HZ
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.ear.feed(np.concatenate((block, np.zeros(BLOCK - len(block), np.int16))), due)


@pytest.fixture
async def room(go_live):
    hears = {"text": "what is your name"}
    server = Transcriptions(lambda pcm: hears["text"])
    url = await server.start()
    house = await go_live(
        persona={"language": "en"},
        stt={"engine": "openai", "language": "en", "openai": {"base_url": url, "api_key": KEY}},
        audio={"mode": "off"},
    )
    await house.aneeka.listening.ear.start()
    house.aneeka.listening.ear.mode = "open"
    room = Room(house)
    room.hears = hears
    yield room
    room._task.cancel()
    await server.close()


async def test_who_speaks_to_her_is_answered_with_what_she_thought_meanwhile_and_the_record_tells_when(
    room, monkeypatch
):
    monkeypatch.setattr(thinking, "BUSY_S", float("inf"))
    room.ear.addressing._everything = False
    live = await room.house.live()
    ladder, began = room.house.aneeka.engines.brain, []
    real = ladder.think

    def think(prompt):
        began.append(room.house.aneeka.now())
        return real(prompt)

    ladder.think = think
    room.hears["text"] = "welcome everybody to the stream"
    room.say("welcome to the stream")
    heard = await until(live, "heard_final")
    assert heard["answered"] is False
    assert (await until(live, "dropped"))["reason"] == "not_addressed"
    assert began == []

    room.hears["text"] = "Aneeka, what is your name"
    room.say("Anika what is your name")
    heard = await until(live, "heard_final")
    turn = await until(live, "turn")
    assert (heard["text"], heard["answered"]) == ("Aneeka, what is your name", True)
    assert (turn["mode"], turn["heard"][0]["text"]) == ("operator", "Aneeka, what is your name")
    assert turn["spoken"]
    assert turn["engines"]["stt"] == "openai"
    marks = turn["marks_ms"]
    assert list(marks)[:4] == ["speech_ended", "turn_ended", "transcript_ready", "heard"]
    assert min(marks.values()) == marks["speech_ended"] == 0
    turn_ended_s = turn["audible_at_s"] + (marks["turn_ended"] - marks["first_audible"]) / 1000
    assert len(began) == 1, "thought once, not once more in earnest"
    assert began[0] < turn_ended_s


async def test_a_murmur_over_her_does_not_end_what_she_says_and_words_do_and_are_answered(room):
    live = await room.house.live()
    said = " ".join(LONG.split()[:20]) + "."
    room.hears["text"] = "mm-hm"
    await room.house.ask("POST", "/api/say", {"text": said})
    for _ in range(LISTENS_WORDS):
        await until(live, "word")
    room.say("mmm")
    turn = await until(live, "turn", mode="say")
    assert (turn["cut"], turn["spoken"]) == (None, said)

    await room.house.ask("POST", "/api/say", {"text": LONG})
    for _ in range(LISTENS_WORDS):
        await until(live, "word")
    room.hears["text"] = "stop it please and tell me your name"
    room.say("stop it please and tell me your name")
    cut = await until(live, "turn", mode="say")
    assert cut["cut"] == "barge_in"
    assert 0 < len(cut["spoken"]) < len(LONG)
    answer = await until(live, "turn", mode="operator")
    assert answer["heard"][0]["text"].startswith("stop it please")
