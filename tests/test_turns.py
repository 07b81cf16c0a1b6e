"""When a turn begins and ends, block by block: no sound, no model, no clock but the one passed in."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest

from bot.hearing.silero import BLOCK, BLOCK_S, Silero, level_db
from bot.hearing.turns import TurnEvent, TurnRules, Turns
from tests.ear_scene import clip, clip_with_words, noise

SPEECH, NOTHING = (0.9, -20.0), (0.02, -60.0)
FADING = (0.7, -32.0)


class Told(NamedTuple):
    at_s: float
    event: TurnEvent


class Scene:
    """Feeds blocks; ``finished``: what the text says at each pause, ``text_s`` after it is asked for."""

    def __init__(self, finished: bool | None = None, text_s: float = 0.05, rules: TurnRules | None = None) -> None:
        self.turns = Turns(rules or TurnRules())
        self.finished, self.text_s = finished, text_s
        self.now = 0.0
        self.told: list[Told] = []
        self._due: float | None = None
        self.over_her = False

    def feed(self, block: tuple[float, float], seconds: float) -> Scene:
        for _ in range(round(seconds / BLOCK_S)):
            self.block(*block)
        return self

    def block(self, probability: float, level: float) -> None:
        self.now += BLOCK_S
        self._take(self.turns.block(probability, level, self.now, over_her=self.over_her))
        if self._due is not None and self._due <= self.now and self.finished is not None:
            self._due = None
            self._take(self.turns.judged(self.now, finished=self.finished))

    def say(self, seconds: float) -> Scene:
        """Speak, and let the voice fall at the end."""
        return self.feed(SPEECH, seconds - 0.128).feed(FADING, 0.128)

    def quiet(self, seconds: float) -> Scene:
        return self.feed(NOTHING, seconds)

    def _take(self, events: list[TurnEvent]) -> None:
        for event in events:
            self.told.append(Told(self.now, event))
            if event.kind == "probably_ended":
                self._due = self.now + self.text_s
            elif event.kind in ("resumed", "ended"):
                self._due = None

    @property
    def kinds(self) -> list[str]:
        return [told.event.kind for told in self.told]

    def pause(self) -> float:
        """Return how long the pause was that ended the turn."""
        told = next(told for told in self.told if told.event.kind == "ended")
        return told.at_s - told.event.at_s


def test_what_sounds_finished_ends_quickly_and_the_rest_in_its_own_time() -> None:
    for finished, limit in ((True, 0.25), (False, 0.6), (None, 0.6)):
        scene = Scene(finished).say(1.5).quiet(1.0)
        assert scene.kinds == ["began", "probably_ended", "ended"]
        assert limit - 0.04 <= scene.pause() <= limit


def test_a_voice_that_is_held_up_has_not_finished_whatever_the_words_say() -> None:
    scene = Scene(finished=True).feed(SPEECH, 1.5).quiet(1.0)
    assert scene.pause() > 0.5


def test_a_late_word_of_the_text_still_ends_it_early() -> None:
    scene = Scene(finished=True, text_s=0.3).say(1.5).quiet(1.0)
    assert 0.4 <= scene.pause() <= 0.5


def test_the_numbers_are_the_operators() -> None:
    rules = TurnRules(quick_s=0.4, patient_s=1.2)
    assert Scene(finished=True, rules=rules).say(1.5).quiet(2.0).pause() == pytest.approx(0.4, abs=0.04)
    assert Scene(finished=False, rules=rules).say(1.5).quiet(2.0).pause() == pytest.approx(1.2, abs=0.04)


def test_pauses_in_mid_sentence_end_nothing() -> None:
    scene = Scene(finished=False)
    for pause in (0.06, 0.2, 0.3, 0.5):
        scene.say(1.0).quiet(pause)
    scene.say(1.0).quiet(1.0)
    assert scene.kinds.count("began") == scene.kinds.count("ended") == 1
    assert scene.kinds.count("resumed") == 3


def test_a_breath_in_a_pause_does_not_make_it_longer() -> None:
    scene = Scene(finished=False).say(1.0).quiet(0.3).feed((0.6, -40.0), 0.064).quiet(1.0)
    assert scene.kinds == ["began", "probably_ended", "ended"]
    assert scene.pause() <= 0.6


def test_clicks_and_coughs_that_are_too_short_begin_nothing() -> None:
    scene = Scene()
    for _ in range(5):
        scene.feed(SPEECH, 0.064).quiet(0.2)
    scene.feed((0.45, -20.0), 2.0).quiet(0.5)
    assert scene.kinds == []


def test_talking_over_her_is_noticed_within_the_budget_and_once() -> None:
    scene = Scene()
    scene.over_her = True
    scene.quiet(0.32).feed(SPEECH, 2.0)
    told = [told for told in scene.told if told.event.kind == "over_her"]
    assert len(told) == 1
    assert told[0].event.at_s == pytest.approx(0.32)
    assert told[0].at_s - 0.32 <= 0.13


def test_who_speaks_already_when_she_begins_is_talking_over_her_too() -> None:
    scene = Scene().say(1.0)
    scene.over_her = True
    assert "over_her" in scene.feed(SPEECH, 0.1).kinds


def test_she_alone_is_nobody_talking_over_her() -> None:
    scene = Scene()
    scene.over_her = True
    assert scene.quiet(5.0).kinds == []


def test_until_its_text_has_been_handed_on_the_turn_can_go_on() -> None:
    scene = Scene(finished=True).say(1.0).quiet(0.7).say(1.0).quiet(0.7)
    assert scene.kinds == ["began", "probably_ended", "ended", "resumed", "probably_ended", "ended"]


def test_after_that_the_next_speech_is_another_turn_and_loses_nothing() -> None:
    scene = Scene(finished=True).say(1.0).quiet(0.6).feed(SPEECH, 0.064)
    scene.turns.settled()
    scene.say(1.0)
    began = [told.event.at_s for told in scene.told if told.event.kind == "began"]
    assert len(began) == 2
    assert began[1] == pytest.approx(1.6, abs=0.04)


def test_music_does_not_make_a_turn_without_end() -> None:
    scene = Scene(rules=TurnRules(longest_s=10.0)).feed(SPEECH, 40.0)
    assert scene.kinds == ["began", "ended"]
    assert scene.told[1].at_s == pytest.approx(10.0, abs=0.05)
    scene.turns.settled()
    assert scene.feed(SPEECH, 1.0).kinds == ["began", "ended", "began"]


def test_a_key_keeps_it_open_and_ends_it_at_once() -> None:
    scene = Scene(finished=True)
    scene.turns.press(0.0)
    scene.quiet(0.3).say(1.0).quiet(3.0).say(1.0).quiet(0.1)
    assert "ended" not in scene.kinds
    assert [event.kind for event in scene.turns.release()] == ["ended"]
    assert scene.turns.release() == []


def test_in_a_noisy_room_a_quiet_voice_ends_as_the_model_says() -> None:
    rng = np.random.default_rng(1)
    scene = Scene(finished=True)
    for _ in range(40):
        scene.block(0.9, -22.0 + rng.uniform(-3, 3))
    scene.feed((0.7, -27.0), 0.128).feed((0.1, -30.0), 0.6)
    assert scene.kinds[-1] == "ended"
    assert scene.pause() <= 0.25


# ---------------------------------------------------------------------- people


def listen(name: str, rules: TurnRules) -> list[tuple[float, float]]:
    """Return the turns of a clip: onset and end of each, text never sounding finished."""
    sound = np.concatenate([noise(1.0), clip(name), noise(2.0)])
    silero, turns = Silero(), Turns(rules)
    found: list[list[float]] = []
    for i in range(0, len(sound) - BLOCK + 1, BLOCK):
        block = sound[i : i + BLOCK]
        now = (i + BLOCK) / 16_000 - 1.0
        for event in turns.block(silero.probability(block), level_db(block), now, over_her=False):
            if event.kind == "began":
                found.append([event.at_s])
            elif event.kind == "ended":
                found[-1].append(event.at_s)
                turns.settled()
    return [(start, end) for start, end in found]


@pytest.mark.parametrize(("name", "language"), [("leopard_test", "en"), ("leopard_test_es", "es")])
def test_people_are_cut_only_in_pauses_longer_than_the_rule(name: str, language: str) -> None:
    words = clip_with_words(name, language).words
    for patient_s in (0.3, 0.6, 1.2):
        found = listen(name, TurnRules(patient_s=patient_s))
        gaps = [(a[2], b[1]) for a, b in itertools.pairwise(words) if b[1] - a[2] >= patient_s - 0.15]
        assert len(found) <= len(gaps) + 1
        for (_, end), (start, _) in itertools.pairwise(found):
            assert any(last - 0.1 <= end and start <= first + 0.1 for last, first in gaps), (end, start)
        assert found[0][0] == pytest.approx(words[0][1], abs=0.1)
        assert found[-1][1] == pytest.approx(words[-1][2], abs=0.12)


@pytest.mark.parametrize(("name", "most"), [("es-mx", 2), ("jfk", 4)])
def test_a_natural_sentence_stays_in_few_pieces(name: str, most: int) -> None:
    assert len(listen(name, TurnRules())) <= most
    assert len(listen(name, TurnRules(patient_s=1.3))) == 1
