"""When an engine fails in mid-reply: who goes on, with which words, and what the lights say."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import numpy as np

from bot.supervisor import Board, BrainLadder, VoiceLadder
from bot.vocabulary import Cue, EngineDown, Health, Message, Phrase, Prompt, Shape, Sound, Word
from bot.voice.captions_only import CaptionsOnly
from tests.virtual_time import play

CUE = Cue("operator", (), 0.0)
PROMPT = Prompt((Message("user", "hola"),), CUE)
RATE = 1000
WORD_SAMPLES = 100


class Talker:
    """A brain that fails after some pieces."""

    def __init__(self, name: str, pieces: list[str], fails: bool = False) -> None:
        self.name, self.prompt_tokens = name, 7
        self._pieces, self._fails = pieces, fails

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        for piece in self._pieces:
            yield piece
        if self._fails:
            raise EngineDown("it died")

    async def warm(self, prompt: Prompt) -> None:
        raise EngineDown("it died")


class Speaker:
    """A voice of 100 samples a word, whose sample values tell the word; fails after so many samples."""

    def __init__(self, name: str, fails_after: int | None = None, back: bool = False) -> None:
        self.name = name
        self.fails_after = fails_after
        self.back = back

    async def ready(self, timeout_s: float) -> bool:
        if self.back:
            self.fails_after = None
        return self.back

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        words, at = [], 0
        for word in phrase.text.split():
            start = phrase.text.index(word, at)
            at = start + len(word)
            words.append(Word(len(words) * WORD_SAMPLES, start, at))
        total = len(words) * WORD_SAMPLES
        limit = total if self.fails_after is None else min(total, self.fails_after)
        sound = np.arange(limit, dtype=np.int16)
        yield Sound(sound, RATE, (Shape(0, 2),), tuple(words), last=self.fails_after is None)
        if self.fails_after is not None:
            raise EngineDown("it died")


def lights() -> tuple[Board, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    return Board(told.append), told


async def _answer(ladder: BrainLadder) -> str:
    return "".join([piece async for piece in ladder.think(PROMPT)])


async def _sounds(ladder: VoiceLadder, text: str) -> list[Sound]:
    return [sound async for sound in ladder.speak(Phrase("r", 0, text))]


def test_a_dead_brain_is_replaced_before_the_first_word() -> None:
    board, _ = lights()
    ladder = BrainLadder(Talker("llama", [], fails=True), Talker("understudy", ["Hola."]), lambda cue: "x", board)
    assert play(_answer(ladder)) == "Hola."
    assert ladder.served == "understudy"


def test_an_empty_answer_is_no_dead_air() -> None:
    ladder = BrainLadder(Talker("llama", []), Talker("understudy", ["Hola."]), lambda cue: "x", lights()[0])
    assert play(_answer(ladder)) == "Hola."


def test_a_brain_that_dies_in_mid_answer_is_followed_by_a_way_out_and_nothing_is_repeated() -> None:
    ladder = BrainLadder(
        Talker("llama", ["Yo creo ", "que"], fails=True),
        Talker("understudy", ["No."]),
        lambda cue: "se me fue.",
        lights()[0],
    )
    assert play(_answer(ladder)) == "Yo creo que se me fue."
    assert ladder.served == "llama"


def test_one_failed_answer_is_told_and_so_is_the_next_good_one() -> None:
    board, told = lights()
    brain = Talker("llama", [], fails=True)
    ladder = BrainLadder(brain, Talker("understudy", ["Hola."]), lambda cue: "x", board)
    ladder.on_health(Health("llm", "ok"))
    play(_answer(ladder))
    brain.__init__("llama", ["Bien."])  # type: ignore[misc]
    play(_answer(ladder))
    assert [(m["state"], m["serving"]) for m in told] == [("ok", "llama"), ("degraded", "understudy"), ("ok", "llama")]


def test_a_brain_that_cannot_read_ahead_is_no_failure() -> None:
    ladder = BrainLadder(Talker("llama", ["x"]), Talker("understudy", ["y"]), lambda cue: "", lights()[0])
    assert play(ladder.warm(PROMPT)) is None


def test_a_voice_that_dies_is_followed_from_the_first_unfinished_word() -> None:
    text = "uno dos tres cuatro"
    ladder = VoiceLadder([Speaker("azure", fails_after=250), Speaker("espeak")], CaptionsOnly(), lights()[0])
    first, second = play(_sounds(ladder, text))
    assert len(first.pcm) == 250
    assert [text[w.start : w.end] for w in second.words] == ["tres", "cuatro"]
    assert [w.at for w in second.words] == [250, 350]
    assert second.shapes[0].at == 250
    assert ladder.served == "espeak"


def test_an_only_voice_is_waited_for_and_goes_on() -> None:
    text = "uno dos tres"
    ladder = VoiceLadder([Speaker("espeak", fails_after=120, back=True)], CaptionsOnly(), lights()[0])
    first, second = play(_sounds(ladder, text))
    assert [text[w.start : w.end] for w in second.words] == ["dos", "tres"]
    assert (len(first.pcm), second.last, ladder.served) == (120, True, "espeak")


def test_without_any_voice_captions_go_on_at_the_pace_of_speech() -> None:
    text = "uno dos tres cuatro cinco"
    ladder = VoiceLadder([Speaker("espeak", fails_after=0)], CaptionsOnly(), lights()[0])
    *_, last = play(_sounds(ladder, text))
    assert ladder.served == "captions"
    assert not last.pcm.any()
    assert 1.0 < len(last.pcm) / last.rate_hz < 3.0
    assert [text[w.start : w.end] for w in last.words] == text.split()


def test_lights_tell_each_change_once_and_who_serves() -> None:
    board, told = lights()
    brain = BrainLadder(Talker("llama", ["x"]), Talker("understudy", ["y"]), lambda cue: "", board)
    for state in ("ok", "ok", "down", "down", "ok"):
        brain.on_health(Health("llm", state))  # type: ignore[arg-type]
    voice = VoiceLadder([Speaker("azure"), Speaker("espeak")], CaptionsOnly(), board)
    voice.on_health(Health("tts", "degraded", "starting again"))
    seen = [(m["part"], m["state"], m["serving"]) for m in told]
    assert seen == [
        ("brain", "ok", "llama"),
        ("brain", "down", "understudy"),
        ("brain", "ok", "llama"),
        ("voice", "degraded", "espeak"),
    ]
    assert board.as_json()["voice"]["reason"] == "starting again"
