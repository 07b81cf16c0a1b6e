"""Never silent: voices that fail in every way, at any moment, while she speaks."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.config.settings import Settings
from bot.supervisor import Board
from bot.vocabulary import EngineDown, Health, Phrase, Sound
from bot.voice.captions_only import CaptionsOnly
from bot.voice.espeak import EspeakVoice
from bot.voice.ladder import VoiceLadder
from bot.voice.rung import BACK_OFF_S
from bot.voices import build_voice, build_voices, take_over
from tests.conftest import HANGS_S, REAL_TIME
from tests.failing_voices import RATE_HZ, SECRET, FailingVoice, Heard, Lines, perform
from tests.virtual_time import play

pytestmark = REAL_TIME

REPLY = (
    "Hola Marta, qué alegría verte otra vez por aquí. Ayer terminé aquel juego tan largo, y todavía pienso "
    "en su final triste. ¿Sabes cuál fue mi parte favorita? Cuando la dragona azul abre las alas."
)
ALL_WORDS = list(range(len(REPLY.split())))
FAULTS = ("killed", "stalls", "drips", "refuses", "crashes", "breaks_off", "empty", "deaf")
"""Gone, silent, below real time, 401 or 429, a bug, an end without a last sound, no sound, silent and not to cancel."""


class Scene:
    """A ladder of three voices that have rehearsed."""

    def __init__(self, text: str = REPLY, *names: str) -> None:
        self.lines = Lines(text)
        speeds = {"azure": (0.15, 4.0), "xtts": (0.25, 1.6), "espeak": (0.01, 50.0)}
        chosen = names or tuple(speeds)
        self.voices = [FailingVoice(n, i, self.lines, *speeds[n]) for i, n in enumerate(chosen)]
        self.told: list[dict[str, Any]] = []
        self.board = Board(self.told.append)
        self.ladder = VoiceLadder(self.voices, CaptionsOnly(), self.board, "es")

    async def rehearse(self) -> Scene:
        await self.ladder.start()
        await self.ladder.ready(20)
        return self

    async def say(self, id: str = "r1", **more: Any) -> Heard:
        return await perform(self.ladder, self.lines, id=id, **more)

    def light(self, part: str) -> tuple[str, str]:
        health = self.board.parts[part]
        return health.state, health.serving


async def _fails(seed: int) -> tuple[Heard, list[str], str]:
    dice = random.Random(seed)
    scene = await Scene().rehearse()
    first, second, _ = scene.voices
    first.falls_ill(FAULTS[seed % len(FAULTS)], after=dice.randrange(11 * RATE_HZ))
    first.drip = dice.uniform(0.2, 0.9)
    if seed % 4 == 0:
        second.falls_ill(dice.choice(FAULTS), after=dice.randrange(5 * RATE_HZ))
        second.drip = 0.5
    heard = await scene.say()
    await scene.ladder.close()
    return heard, [scene.voices[i].name for i in dict.fromkeys(heard.voices)], scene.ladder.served


def lose_nothing(replies: int) -> None:
    """Let a voice fail in each reply; ``python -m tests.bench.voices`` does it for more of them."""
    logging.getLogger("bot.voice").setLevel(logging.CRITICAL)
    try:
        runs = [play(_fails(seed)) for seed in range(replies)]
    finally:
        logging.getLogger("bot.voice").setLevel(logging.NOTSET)
    for seed, (heard, who, served) in enumerate(runs):
        assert heard.words == ALL_WORDS, (seed, who)
        assert heard.spoken.text == REPLY, seed
        assert served == ", ".join(who), seed
    longest = sorted(max(heard.gaps_s) for heard, _, _ in runs)
    assert longest[round(0.95 * replies) - 1] < 1.0
    assert longest[-1] < 1.5
    assert max(heard.begins_s for heard, _, _ in runs) < 2.0
    fragments = sum(heard.fragments for heard, _, _ in runs)
    assert fragments <= max(1, 0.02 * replies), "a word that is begun by one voice is said by another"
    assert sum(len(who) > 1 for _, who, _ in runs) > replies / 2, "most of these runs change the voice"


def test_replies_in_which_a_voice_fails_lose_no_word_repeat_none_and_never_pause_for_long() -> None:
    lose_nothing(32)


def test_a_voice_that_fails_while_there_is_sound_to_play_is_left_between_two_phrases() -> None:
    async def scene() -> tuple[Heard, list[str]]:
        s = await Scene().rehearse()
        s.voices[0].falls_ill("killed", after=7 * RATE_HZ)
        return await s.say(), s.voices[1].asked[1:]

    heard, asked = play(scene())
    assert asked[0].split()[0] in ("en", "y", "¿Sabes", "Ayer", "Cuando")
    assert all(text in REPLY for text in asked)
    assert max(heard.gaps_s) < 0.1


def test_a_slow_voice_is_no_failure_where_nobody_waits() -> None:
    async def scene() -> tuple[list[Sound], VoiceLadder]:
        s = Scene()
        s.voices[0].falls_ill("drips", after=0)
        s.voices[0].drip = 0.2
        return [sound async for sound in s.ladder.speak(Phrase("r", 0, "Hola Marta, qué alegría"))], s.ladder

    sounds, ladder = play(scene())
    assert ladder.served == "azure"
    assert sounds[-1].last


def test_the_last_voice_is_given_time_since_only_silence_is_behind_it() -> None:
    async def scene() -> tuple[Heard, str]:
        s = await Scene(REPLY, "espeak").rehearse()
        s.voices[0]._first_s = 2.0
        return await s.say(), s.ladder.served

    heard, served = play(scene())
    assert served == "espeak"
    assert heard.words == ALL_WORDS


def test_no_voice_is_blamed_when_our_own_loop_stood_still() -> None:
    async def scene() -> str:
        s = await Scene().rehearse()

        azure = s.voices[0]

        async def stands_still(reply: Any, stage: Any) -> None:
            for phrase in range(2, 5):  # the first one was the rehearsal's
                while len(azure.asked) < phrase:
                    await asyncio.sleep(0.01)
                asyncio.get_running_loop()._jump.skipped_s += 8.0  # type: ignore[attr-defined]

        await s.say(during=stands_still)
        return s.ladder.served

    assert play(scene()) == "azure"


def test_a_voice_is_tried_in_the_background_and_taken_back_between_two_phrases() -> None:
    async def scene() -> tuple[Scene, list[str], list[float]]:
        s = await Scene().rehearse()
        azure = s.voices[0]
        azure.falls_ill("refuses", after=0)
        served, probed = [], []
        for turn in range(5):
            before = len(azure.asked)
            await s.say(f"r{turn}")
            served.append(s.ladder.served)
            probed.append(len(azure.asked) - before)
        assert s.light("voice") == ("degraded", "xtts")
        assert s.light("voice_azure")[0] == "degraded"
        azure.fault = ""
        await asyncio.sleep(BACK_OFF_S[-1] + 1)
        await s.say("r9")
        served.append(s.ladder.served)
        assert s.light("voice") == ("ok", "azure")
        return s, served, probed

    _, served, asked = play(scene())
    assert served == ["xtts"] * 5 + ["azure"]
    assert sum(asked) <= 5, "asked once for a phrase, then after 5, 15, 60 and 60 s"


def test_a_voice_that_says_that_it_is_well_is_tried_at_once() -> None:
    async def scene() -> list[str]:
        s = await Scene().rehearse()
        azure = s.voices[0]
        azure.falls_ill("refuses", after=0)
        s.ladder.on_health(azure, Health("azure", "down", "no key", "enter one"))
        await s.say("r1")
        served = [s.ladder.served]
        assert s.light("voice_azure")[0] == "down"
        s.ladder.on_health(azure, Health("azure", "ok"))
        await s.say("r2")
        served.append(s.ladder.served)
        azure.fault = ""
        for state in ("degraded", "ok"):
            s.ladder.on_health(azure, Health("azure", state))  # type: ignore[arg-type]
        await asyncio.sleep(BACK_OFF_S[0] / 2)
        await s.say("r3")
        return [*served, s.ladder.served]

    assert play(scene()) == ["xtts", "xtts", "azure"]


def test_whole_sentences_are_wanted_while_a_voice_that_packs_would_speak() -> None:
    async def scene() -> None:
        s = await Scene().rehearse()
        azure = s.voices[0]
        assert not s.ladder.packs
        azure.packs = True  # type: ignore[attr-defined]
        assert s.ladder.packs
        s.ladder.on_health(azure, Health("azure", "down"))
        assert not s.ladder.packs

    play(scene())


def test_the_record_names_everyone_who_spoke() -> None:
    async def scene() -> str:
        s = await Scene().rehearse()
        s.voices[0].falls_ill("breaks_off", after=5 * RATE_HZ)
        await s.say()
        return s.ladder.served

    assert play(scene()) == "azure, xtts"


def test_an_only_voice_is_waited_for_and_goes_on() -> None:
    async def scene() -> tuple[Heard, str]:
        s = await Scene(REPLY, "espeak").rehearse()
        s.voices[0].falls_ill("killed", after=4 * RATE_HZ)
        return await s.say(), s.ladder.served

    heard, served = play(scene())
    assert heard.words == ALL_WORDS
    assert max(heard.gaps_s) < 0.6
    assert served == "espeak"


def test_without_any_voice_captions_go_on_at_the_pace_of_speech() -> None:
    async def scene() -> tuple[Heard, Scene]:
        s = await Scene(REPLY, "espeak").rehearse()
        s.voices[0].falls_ill("refuses", after=0)
        return await s.say(), s

    heard, s = play(scene())
    assert heard.words == []
    assert s.ladder.served == "captions"
    assert heard.spoken.text == REPLY
    texts = {m["index"]: m["text"] for m in heard.told if m["type"] == "phrase"}
    shown = [texts[m["index"]][m["start"] : m["end"]] for m in heard.told if m["type"] == "word"]
    assert shown == REPLY.split()
    assert s.light("voice") == ("degraded", "captions")


def test_talking_over_her_wastes_one_synthesis_at_most() -> None:
    async def scene() -> tuple[Heard, FailingVoice]:
        s = await Scene().rehearse()
        azure = s.voices[0]
        azure.asked.clear()

        async def interrupt(reply: Any, stage: Any) -> None:
            await asyncio.sleep(4.0)
            reply.stop("barge_in")
            stage.cut(reply)

        return await s.say(during=interrupt), azure

    heard, azure = play(scene())
    begun = sum(m["type"] == "phrase" for m in heard.told)
    assert heard.spoken.cut == "barge_in"
    assert 0 < len(heard.words) < len(ALL_WORDS)
    assert len(azure.asked) <= begun + 2, "two phrases ahead at most"
    done = len(azure.asked)
    assert done - azure.cancelled <= begun + 1


def test_numbers_are_spoken_as_words_and_shown_as_they_are_written() -> None:
    async def scene() -> tuple[FailingVoice, str, list[Sound]]:
        text = "Faltan 3 horas y $20 más."
        s = Scene(text, "azure", "espeak")
        return s.voices[0], text, [sound async for sound in s.ladder.speak(Phrase("r", 0, text))]

    voice, text, sounds = play(scene())
    assert voice.asked == ["Faltan tres horas y veinte dólares más."]
    assert [text[w.start : w.end] for sound in sounds for w in sound.words] == text.split()


def test_a_voice_that_breaks_off_is_faded_and_the_mouth_closes() -> None:
    async def scene() -> list[Sound]:
        s = Scene()
        s.voices[0].falls_ill("killed", after=RATE_HZ // 2)
        s.voices[0].back_s = 60.0
        return [sound async for sound in s.ladder.speak(Phrase("r", 0, "Hola Marta, qué alegría verte"))]

    sounds = play(scene())
    broken = next(index for index, sound in enumerate(sounds) if any(shape.viseme == 0 for shape in sound.shapes))
    end = sounds[broken].pcm.astype(int)
    before = sounds[broken - 1].pcm.astype(int)
    steps = np.abs(np.diff(np.concatenate((before[-10:], end))))
    assert steps.max() <= np.abs(before).max() * 0.02
    assert not end[-RATE_HZ // 20 :].any()


def test_another_voice_can_be_put_in_charge_and_its_engine_is_there_once() -> None:
    async def scene() -> None:
        s = await Scene().rehearse()
        other = FailingVoice("xtts", 3, s.lines)
        assert s.ladder.swap(other) == s.voices[:2]
        assert [voice.name for voice in s.ladder.voices] == ["xtts", "espeak"]
        assert s.light("voice") == ("ok", "xtts")
        assert s.light("voice_azure")[0] == "off"
        await s.say()
        assert s.ladder.served == "xtts"
        mine = FailingVoice("espeak", 4, s.lines)
        assert s.ladder.swap(mine) == [other, s.voices[2]]
        assert s.ladder.voices == [mine]

    play(scene())


async def test_the_settings_order_the_voices_and_espeak_is_always_the_last(tmp_path: Path) -> None:
    settings = Settings(tts={"engine": "openai", "fallback": ["piper", "openai"], "voices": {"espeak": "es+f2"}})
    board = Board(lambda message: None)
    ladder, voices = build_voices(settings, board, tmp_path)
    parts: dict[str, Any] = {**voices, "voices": ladder, "brain": object()}
    assert [voice.name for voice in ladder.voices] == ["openai", "piper", "espeak"]
    assert list(parts) == ["voice", "voice_piper", "voice_espeak", "voices", "brain"]

    other = build_voice("piper", settings, tmp_path, ladder.on_health)
    assert take_over(other, ladder, parts) == [voices["voice"], voices["voice_piper"]]
    assert {name: getattr(part, "name", "") for name, part in parts.items() if name.startswith("voice_")} == {
        "voice_espeak": "espeak"
    }
    assert parts["voice"] is other
    await ladder.close()


async def test_espeak_is_killed_in_mid_reply_and_she_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real worker, killed twice; the other voice of the ladder is a second real one."""
    monkeypatch.setattr("bot.voice.ladder.BACK_S", 60.0)  # a busy machine starts processes slowly
    first = EspeakVoice("es-419", "es", on_health=lambda health: None)
    second = EspeakVoice("es", "es", on_health=lambda health: None)
    second.name = "reserve"  # type: ignore[misc]
    ladder = VoiceLadder([first, second], CaptionsOnly(), Board(lambda message: None), "es")
    for voice in (first, second):
        await voice.start()
        assert await voice.ready(HANGS_S)
    try:
        phrase = Phrase("r", 0, "Esta frase es bastante larga, " * 60 + "y aquí termina.")
        words, sounds, killed = [], [], 0
        async for sound in ladder.speak(phrase):
            sounds.append(sound)
            words += [phrase.text[w.start : w.end] for w in sound.words]
            if len(words) > 40 * (killed + 1) and killed < 2:
                pid = (first, second)[killed].pid
                assert pid is not None
                os.kill(pid, signal.SIGTERM)
                killed += 1
        assert killed == 2
        assert words == phrase.text.split()
        assert [sound.last for sound in sounds] == [False] * (len(sounds) - 1) + [True]
        assert "captions" not in ladder.served
    finally:
        await ladder.close()
        await first.close()
        await second.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_no_word_of_a_fault_is_logged_or_shown_that_might_hold_a_secret(
    fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> str:
        s = await Scene().rehearse()
        s.voices[0].falls_ill(fault, after=RATE_HZ)
        await s.say()
        return repr(s.told)

    assert SECRET not in play(scene()) + caplog.text
    assert fault == "drips" or "voice azure failed" in caplog.text


def test_an_engine_that_is_down_says_so_by_the_same_words() -> None:
    async def scene() -> None:
        s = Scene()
        s.voices[0].falls_ill("refuses", after=0)
        with pytest.raises(EngineDown):
            await anext(s.voices[0].speak(Phrase("r", 0, "Hola")))
        await s.say()
        assert s.board.parts["voice_azure"].reason == "429"

    play(scene())
