"""The operator's voice in the living program, where it is easy to lose words or to fall silent for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from bot.vocabulary import Reply
from tests.conftest import House, until
from tests.spoken_english import spoken
from tests.transcription_server import KEY, Transcriptions

BLOCK = 512
MINE = {"addressed": True, "marks": {}, "served": "test"}


@pytest.fixture
async def house(go_live: Any) -> House:
    live: House = await go_live(persona={"language": "en"}, stt={"engine": "off"}, audio={"mode": "off"})
    return live


async def test_what_waits_to_be_answered_is_not_lost_when_the_next_sentence_goes_on_after_a_pause(house: House) -> None:
    a, live = house.aneeka, await house.live()
    listening = a.listening
    a.desk.control("mute")
    listening.said("what is your name", **MINE)
    listening.probably_said("do you like")
    listening.goes_on()
    listening.said("do you like cats", **MINE)
    a.desk.control("unmute")
    answered = [(await until(live, "turn"))["heard"][0]["text"] for _ in range(2)]
    assert answered == ["what is your name", "do you like cats"]


async def test_who_goes_on_before_she_is_heard_is_answered_once_and_whole(house: House) -> None:
    a, live = house.aneeka, await house.live()
    a.listening.said("what is", **MINE)
    a.listening.goes_on()
    a.listening.said("what is your name", **MINE)
    turn = await until(live, "turn")
    assert turn["heard"][0]["text"] == "what is your name"
    assert a.reporter.turns == 1


async def test_a_key_pressed_in_silence_while_she_gets_ready_does_not_keep_her_from_speaking(house: House) -> None:
    a, live = house.aneeka, await house.live()
    ear = a.listening.ear
    ear.mode = "push_to_talk"
    a.desk.say("Hello there.")
    while not a.stage.busy:
        await asyncio.sleep(0)
    ear.press()
    quiet = np.zeros(BLOCK, np.int16)
    for _ in range(10):
        ear.feed(quiet, a.now())
    ear.release()
    assert a.reply is not None
    assert "first_audible" not in a.reply.marks
    turn = await until(live, "turn")
    assert (turn["spoken"], turn["cut"]) == ("Hello there.", None)


async def test_who_has_cut_her_short_and_talks_on_is_not_talked_over_by_her_next_answer(house: House) -> None:
    a, live = house.aneeka, await house.live()
    ear = a.listening.ear
    ear.mode = "push_to_talk"
    loud = np.tile(np.array([9000, -9000], np.int16), BLOCK // 2)

    async def said_over_her(text: str) -> None:
        a.desk.say(text)
        while not a.stage.busy:
            await asyncio.sleep(0)
        for _ in range(40):
            ear.feed(loud, a.now())

    ear.press()
    await said_over_her("First I say this.")
    assert a.stage.position is None, "she waits for who speaks"
    a.cut("skip")
    await until(live, "turn")
    await said_over_her("Then I say that.")
    assert a.stage.position is None, "she waits for who still speaks"
    ear.release()
    turn = await until(live, "turn")
    assert (turn["spoken"], turn["cut"]) == ("Then I say that.", None)


async def test_a_fault_in_hearing_costs_a_moment_and_not_the_microphone(
    go_live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Transcriptions(lambda pcm: "what is your name")
    stt = {"engine": "openai", "openai": {"base_url": await server.start(), "api_key": KEY}}
    house: House = await go_live(persona={"language": "en"}, stt=stt, audio={"input": "browser"})
    listening, live = house.aneeka.listening, await house.live()
    real, faults = listening.speech_began, ["once"]

    def speech_began() -> None:
        if faults:
            faults.clear()
            raise RuntimeError("a fault")
        real()

    monkeypatch.setattr(listening, "speech_began", speech_began)
    while listening.microphones.health.state != "down":  # no page yet
        await asyncio.sleep(0.01)
    page = await house.client.ws_connect(f"{house.url}/api/microphone", headers=house.headers)
    sound = np.concatenate((spoken("what is your name"), np.zeros(16_000, np.int16)))
    for at in range(0, len(sound), BLOCK):
        await page.send_bytes(sound[at : at + BLOCK].astype("<i2").tobytes())
    heard = await until(live, "heard_final")
    assert (heard["text"], faults) == ("what is your name", [])
    assert not page.closed
    await page.close()
    await server.close()


# ---------------------------------------------------------------------- what is said to others


async def test_what_is_said_to_the_audience_is_known_to_her_for_a_while_and_forgotten_when_it_is_withdrawn(
    house: House,
) -> None:
    a, live = house.aneeka, await house.live()
    a.listening.said("okay everybody the next boss is the last one", **(MINE | {"addressed": False}))
    shown = await until(live, "chat")
    asked = Reply("r", a.listening._cue("what do you think"))

    def prompt() -> str:
        asked_now = a.thinking.prompt(asked)
        assert not isinstance(asked_now, str)
        return asked_now.messages[-1].content

    said, _, rest = prompt().partition("\n\n")
    assert said == 'Your streamer tells you: "what do you think"'
    assert '"okay everybody the next boss is the last one"' in rest
    assert a.memory.messages() == (), "it is no part of the history"
    await house.ask("DELETE", f"/api/chat/{shown['id']}")
    assert "next boss" not in prompt()
