"""Scenes of one reply on a virtual clock: overlap, silence, stopping, and what was really heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest

from avatar.lipsync import MouthTrack
from bot.bench import Answer, SimulatedBrain, SimulatedVoice, Speeds, split_tokens
from bot.reply import Outcome, Performance
from bot.safety.gate import Gate
from bot.stage.playback import Stage
from bot.stage.silent import RATE_HZ, SilentOutput
from bot.vocabulary import Cue, EngineDown, Heard, Message, Phrase, Prompt, PromptTooLong, Reply, Sound
from bot.voice.phrases import PhraseCutter
from tests.virtual_time import play

SPEEDS = Speeds()
LONG = "Hola, Marta, qué alegría verte otra vez. Ayer estuve pensando en lo que dijiste. Fue una tarde muy bonita."


class Scene:
    """One reply on real phrases, stage and clock logic, with engines of known speed."""

    def __init__(self, text: str, speeds: Speeds = SPEEDS) -> None:
        self.now = asyncio.get_running_loop().time
        self.told: list[tuple[float, dict[str, Any]]] = []
        self.shown: list[dict[str, Any]] = []
        self.output = SilentOutput(self.now)
        self.stage = Stage(self.output, lambda: MouthTrack(RATE_HZ), self.shown.append, self._tell, self.now)
        self.cue = Cue("operator", (Heard("1", "operator", "hola", self.now()),), self.now())
        self.reply = Reply("r1", self.cue)
        self.brain: Any = SimulatedBrain(Answer(split_tokens(text)), speeds)
        self.voice: Any = SimulatedVoice(speeds)
        self.gate = Gate().goes_out
        self.started = self.now()

    def _tell(self, message: dict[str, Any]) -> None:
        self.told.append((self.now(), message))

    async def run(self) -> Outcome:
        performance = Performance(
            self.reply,
            brain=self.brain,
            cutter=PhraseCutter("es"),
            gate=self.gate,
            voice=self.voice,
            stage=self.stage,
            tell=self._tell,
        )
        return await performance.run(Prompt((Message("user", "hola"),), self.cue))

    async def stop_after(self, seconds: float, why: str = "skip") -> Outcome:
        asyncio.get_running_loop().call_later(seconds, self.reply.stop, why)
        return await self.run()

    def ms(self, mark: str) -> float:
        return (self.reply.marks[mark] - self.started) * 1000


def test_the_first_clause_is_audible_at_the_floor() -> None:
    async def scene() -> None:
        one = Scene("¡Wow! No me esperaba una pregunta así, pero me encanta.")
        outcome = await one.run()
        floor = 150 + 2 * 1000 / 60 + 120
        assert one.ms("first_audible") == pytest.approx(floor, abs=0.1)
        assert outcome.spoken.text == "¡Wow! No me esperaba una pregunta así, pero me encanta."
        assert outcome.spoken.cut is None
        assert one.output.dry_s == pytest.approx(0.0, abs=0.001), "no silence inside the answer"

    play(scene())


def test_what_was_played_is_what_was_said_in_real_time() -> None:
    async def scene() -> None:
        one = Scene(LONG)
        outcome = await one.run()
        spoken_s = len(outcome.sound) / RATE_HZ
        lasted_s = one.reply.marks["last_audible"] - one.reply.marks["first_audible"]
        assert outcome.spoken.text == LONG
        assert lasted_s == pytest.approx(spoken_s, abs=0.03)
        words = [m for _, m in one.told if m["type"] == "word"]
        assert len(words) == len(LONG.split())

    play(scene())


@pytest.mark.parametrize("at_s", [0.3, 0.45, 0.8, 1.31, 2.2, 3.7, 5.05])
def test_stop_is_silence_now_and_only_audible_words_count(at_s: float) -> None:
    async def scene() -> None:
        one = Scene(LONG)
        outcome = await one.stop_after(at_s)
        stopped = one.started + at_s
        if "first_audible" in one.reply.marks:
            assert one.reply.marks["last_audible"] == pytest.approx(stopped, abs=0.001)
        audible_s = max(0.0, stopped - one.reply.marks.get("first_audible", stopped))
        assert len(outcome.sound) / RATE_HZ == pytest.approx(audible_s, abs=0.002)
        assert outcome.spoken.cut == "skip"
        assert LONG.startswith(outcome.spoken.text)
        said = [m for at, m in one.told if m["type"] == "word" and at <= stopped]
        assert abs(len(outcome.spoken.text.split()) - len(said)) <= 1
        assert [m["type"] for m in one.shown][-1] == "cut"

    play(scene())


def test_stop_twice_keeps_the_first_reason_and_nothing_of_it_plays_later() -> None:
    async def scene() -> None:
        one = Scene(LONG)
        loop = asyncio.get_running_loop()
        loop.call_later(1.0, one.reply.stop, "panic")
        loop.call_later(1.1, one.reply.stop, "skip")
        outcome = await one.run()
        assert outcome.spoken.cut == "panic"
        late = Phrase("r1", 9, "tarde")
        one.stage.play(one.reply, late, Sound(outcome.sound, RATE_HZ, last=True))
        assert one.stage.current is None
        assert one.output.played() == len(outcome.sound)

    play(scene())


def test_text_runs_at_most_two_phrases_ahead_of_the_sound() -> None:
    async def scene() -> None:
        sentences = " ".join(
            f"Esta es la frase larga número {word} del cuento." for word in "uno dos tres cuatro cinco".split()
        )
        one = Scene(sentences, Speeds(first_token_ms=1, tokens_per_s=10_000, first_audio_ms=5, speech_speed=100))
        asked: list[tuple[float, int]] = []
        voice = one.voice

        class Watched:
            name = "watched"

            async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
                asked.append((one.now(), phrase.index))
                async for sound in voice.speak(phrase):
                    yield sound

        one.voice = Watched()
        outcome = await one.run()
        assert outcome.spoken.text == sentences
        audible = {m["index"]: at for at, m in one.told if m["type"] == "phrase"}
        assert len(asked) == len(audible) >= 5
        for at, index in asked:
            unheard = [i for i, when in audible.items() if i < index and when > at]
            assert len(unheard) <= 2

    play(scene())


def test_a_blocked_phrase_ends_the_reply_before_it_is_heard() -> None:
    async def scene() -> None:
        one = Scene("Todo va bien por aquí. Esto es malo y no debe oírse. Y esto tampoco.")
        one.gate = lambda phrase: "bad" if "malo" in phrase.text else None
        outcome = await one.run()
        assert outcome.spoken.text == "Todo va bien por aquí."
        assert outcome.blocked == ["bad"]
        assert not any("malo" in str(m) for m in [*one.shown, *[t for _, t in one.told]])

    play(scene())


def test_a_prompt_that_is_too_long_is_said_before_anything_is_heard() -> None:
    async def scene() -> None:
        one = Scene(LONG)

        class Full:
            name, prompt_tokens = "full", 0

            async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
                raise PromptTooLong
                yield ""

        one.brain = Full()
        with pytest.raises(PromptTooLong):
            await one.run()
        assert one.stage.current is None

    play(scene())


def test_a_voice_that_is_lost_for_good_ends_the_reply_with_what_was_heard() -> None:
    async def scene() -> None:
        one = Scene("Una frase corta. Y otra que no llegará a sonar nunca.")
        voice = one.voice

        class Dying:
            name = "dying"

            async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
                if phrase.index:
                    raise EngineDown("gone")
                async for sound in voice.speak(phrase):
                    yield sound

        one.voice = Dying()
        outcome = await one.run()
        assert outcome.spoken.cut == "voice_lost"
        assert outcome.spoken.text != LONG
        assert "Una frase corta.".startswith(outcome.spoken.text)

    play(scene())


def test_phrases_without_a_sound_hold_nothing_up() -> None:
    async def scene() -> None:
        one = Scene("Esta frase es larga y se oye entera sin problema. Uno. Dos. Tres. Y ya está todo dicho.")
        voice = one.voice

        class Mute:
            name = "mute"

            async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
                if len(phrase.text) < 6:
                    yield Sound(np.zeros(0, np.int16), RATE_HZ, last=True)
                    return
                async for sound in voice.speak(phrase):
                    yield sound

        one.voice = Mute()
        outcome = await one.run()
        assert outcome.spoken.text.endswith("Y ya está todo dicho.")
        assert outcome.spoken.cut is None

    play(scene())


def test_an_output_that_dies_ends_the_reply() -> None:
    async def scene() -> None:
        one = Scene(LONG)
        played = one.output.played
        one.output.played = lambda: min(played(), 30_000)  # type: ignore[method-assign]
        outcome = await one.run()
        assert outcome.spoken.cut == "sound_lost"

    play(scene())
