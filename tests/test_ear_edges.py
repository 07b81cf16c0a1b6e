"""The ear where things go on at the same time: sound that comes late, keys that are let go of, microphones that die."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.hearing.addressed import RECENT_S
from bot.hearing.silero import BLOCK, RATE_HZ, level_db
from bot.hearing.take import GONE_S
from bot.hearing.turns import TurnRules
from tests.ear_scene import Her, Room, Scene, Speech, spoken
from tests.virtual_time import play

HIS = "es-419+m3"


def his(text: str) -> Speech:
    return spoken(text, "es", HIS)


class Late(Scene):
    """A scene whose sound reaches the ear so long after it was spoken."""

    def __init__(self, room: Room, late_s: float, her: Her | None = None, **options: Any) -> None:
        super().__init__(room, her, **options)
        self.late_s = late_s

    async def run(self, after_s: float = 5.0) -> Scene:
        await self.ear.start()
        for start in range(0, len(self.room.sound) - BLOCK + 1, BLOCK):
            self.block_s = (start + BLOCK) / RATE_HZ
            await asyncio.sleep(max(0.0, self.started + self.block_s + self.late_s - self.now()))
            hers, echo = self.her.block(self.block_s)
            self.hers_db = level_db(hers)
            self.ear.feed(self.room.sound[start : start + BLOCK] + echo, self.started + self.block_s)
        await asyncio.sleep(after_s)
        self.ear.close()
        assert self.recogniser.open == 0
        return self


@pytest.mark.parametrize("late_s", [0.0, 0.08, 0.3])
def test_the_last_word_before_the_key_is_let_go_of_is_heard_however_late_its_sound_comes(late_s: float) -> None:
    async def scene() -> None:
        room = Room(6.0)
        ends = room.add(1.0, his("Quiero pedirte una cosa."))
        one = Late(room, late_s, mode="push_to_talk")
        one.at(1.0, one.ear.press)
        one.at(ends + 0.02, one.ear.release)
        await one.run()
        assert [turn["text"] for turn in one.turns] == ["Quiero pedirte una cosa."]
        assert one.turns[0]["turn_ended"] == pytest.approx(ends + 0.02, abs=0.001)

    play(scene())


def test_a_key_that_is_let_go_of_over_a_dead_microphone_ends_the_turn() -> None:
    async def scene() -> None:
        one = Scene(Room(2.0), mode="push_to_talk")
        one.at(1.0, one.ear.press)
        one.at(2.5, one.ear.release)
        one.at(3.5, lambda: one.log.append((3.5, "hears", one.ear.hearing)))
        await one.run()
        assert one.log[-1][2] is False

    play(scene())


def test_pressed_again_before_the_last_sound_has_come_it_was_never_let_go_of() -> None:
    async def scene() -> None:
        room = Room(8.0)
        first = room.add(1.0, his("Quiero pedirte una cosa."))
        second = room.add(first + 0.1, his("Canta."))
        one = Late(room, 0.2, mode="push_to_talk")
        for at, act in ((1.0, one.ear.press), (first, one.ear.release), (first + 0.1, one.ear.press)):
            one.at(at, act)
        one.at(second + 0.1, one.ear.release)
        await one.run()
        assert [turn["text"] for turn in one.turns] == ["Quiero pedirte una cosa. Canta."]

    play(scene())


def test_who_presses_again_a_little_late_while_the_text_is_awaited_loses_no_syllable() -> None:
    async def scene() -> None:
        room = Room(9.0)
        first = room.add(1.0, his("Quiero pedirte una cosa."))
        second = room.add(first + 0.8, his("Canta."))
        one = Scene(room, mode="push_to_talk", delay_s=2.0)
        fed: list[int] = []
        one.at(1.0, one.ear.press)
        one.at(first + 0.05, one.ear.release)
        one.at(first + 1.0, lambda: fed.append(one.ear._take._utterance.samples))  # type: ignore[union-attr]
        one.at(first + 1.05, one.ear.press)
        one.at(first + 1.06, lambda: fed.append(one.ear._take._utterance.samples))  # type: ignore[union-attr]
        one.at(second + 0.1, one.ear.release)
        await one.run()
        assert fed[1] - fed[0] >= 0.25 * RATE_HZ

    play(scene())


def test_what_is_said_after_the_key_was_let_go_of_is_for_nobody_though_the_text_is_still_awaited() -> None:
    async def scene() -> None:
        room = Room(9.0)
        ends = room.add(1.0, his("Quiero pedirte una cosa."))
        room.add(ends + 0.3, his("Chicos, esto no es para ella."))
        one = Scene(room, mode="push_to_talk", delay_s=1.5)
        one.at(1.0, one.ear.press)
        one.at(ends + 0.1, one.ear.release)
        await one.run()
        assert [turn["text"] for turn in one.turns] == ["Quiero pedirte una cosa."]

    play(scene())


def test_a_microphone_that_dies_in_mid_sentence_ends_the_turn() -> None:
    async def scene() -> None:
        room = Room(3.0)
        room.add(1.0, his("Quiero pedirte una cosa, y luego otra, y luego una más."))
        one = Scene(room)
        await one.run(after_s=GONE_S + 1.0)
        assert [turn["text"] for turn in one.turns], "what was said by then is handed on"
        assert one.turns[0]["turn_ended"] < 3.0 + GONE_S + 1.0

    play(scene())


def test_who_speaks_longer_than_a_turn_may_last_loses_no_word_and_has_none_twice() -> None:
    text = """Hola a todos, hoy vamos a jugar un rato y después leemos el chat. Ayer estuve pensando en lo que
    dijiste, y creo que tenías razón. Fue una tarde muy bonita, aunque hacía frío y no había nadie por la calle."""
    room = Room(24.0)
    room.add(1.0, his(" ".join(text.split())))

    async def scene() -> None:
        one = Scene(room, delay_s=2.0, rules=TurnRules(patient_s=1.5, longest_s=8.0, breath_s=3.0))
        await one.run()
        assert len(one.turns) > 1
        assert one.turns[-1]["text"].split() == text.split()

    play(scene())


def test_a_pause_is_as_long_as_it_was_heard_to_be() -> None:
    """Sound that is under way may be speech: what is late must not shorten the pause that ends a turn."""

    async def scene() -> None:
        room = Room(7.0)
        ends = room.add(1.0, his("Quiero pedirte una cosa."))
        room.add(ends + 0.17, his("Canta una canción de cuna."))
        one = Late(room, 0.25, delay_s=0.0)
        await one.run()
        assert len(one.turns) == 1

    play(scene())


def test_what_goes_on_with_words_for_her_is_for_her() -> None:
    async def scene() -> None:
        room = Room(9.0)
        ends = room.add(2.0, his("Pues a mí me gustan los perros."))
        room.add(ends + 0.9, his("Los de casa, digo."))
        one = Scene(room, everything=False)
        one.addressing.answered("Me gustan los gatos.", one.now() + ends - RECENT_S - 0.2)
        await one.run()
        assert [(turn["text"], turn["addressed"]) for turn in one.turns] == [
            ("Pues a mí me gustan los perros.", True),
            ("Pues a mí me gustan los perros. Los de casa, digo.", True),
        ]

    play(scene())


@pytest.mark.parametrize("delay_s", [0.1, 1.0])
def test_a_reply_that_nobody_has_heard_yet_goes_on_when_it_was_no_words_that_held_it(delay_s: float) -> None:
    """A second of noise over a reply that is still being made: it is neither cut nor left waiting for ever."""

    async def scene() -> None:
        room = Room(9.0)
        room.add(2.0, his("Jajajajaja, jajajajaja.").pcm)
        her = Unheard()
        one = Scene(room, her, delay_s=delay_s)
        await one.run()
        assert "interrupts" in one.told()
        assert not her.held
        assert one.turns == []

    play(scene())


def test_a_silent_key_over_a_reply_that_nobody_has_heard_yet_does_not_hold_it_for_ever() -> None:
    async def scene() -> None:
        her = Unheard()
        one = Scene(Room(5.0), her, mode="push_to_talk")
        one.at(2.0, one.ear.press)
        one.at(2.5, one.ear.release)
        await one.run()
        assert one.told() == ["speech_began", "interrupts", "takes_over", "murmured"]
        assert not her.held

    play(scene())


class Unheard(Her):
    """She is about to speak all the time, and words do not end what nobody has heard."""

    def __init__(self) -> None:
        super().__init__(1e9, spoken("Hola a todos.").pcm)

    @property
    def busy(self) -> bool:
        return True

    @property
    def played(self) -> int:
        return 0

    @played.setter
    def played(self, samples: int) -> None:
        pass
