"""The ear in whole scenes: real speech, real voice activity, a recogniser that knows the truth, and a virtual clock."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bot.config.settings import Settings
from bot.hearing.barge_in import HELD_MOST_S
from bot.hearing.ear import build
from bot.hearing.echo import Echo
from bot.hearing.silero import RATE_HZ
from tests.ear_scene import Her, Room, Scene, Speech, clip, clip_with_words, noise, spoken
from tests.virtual_time import play

HIS = "es-419+m3"
ASKING = "Aneeka, cuéntame un chiste de gatos."
HERS = """Hola a todos, hoy vamos a jugar un rato y después leemos el chat. Ayer estuve pensando en lo que dijiste, y
creo que tenías razón. Fue una tarde muy bonita, aunque hacía frío y no había nadie por la calle."""


def his(text: str, language: str = "es") -> Speech:
    return spoken(text, language, HIS if language == "es" else "en-us+m3")


def hear(room: Room, her: Her | None = None, **options: Any) -> Scene:
    """Play a scene in which nothing but the room happens."""

    async def scene() -> Scene:
        return await Scene(room, her, **options).run()

    result: Scene = play(scene())
    return result


def alone(speech: Speech, seconds: float = 3.0, **options: Any) -> tuple[Scene, float]:
    """Let somebody speak while she is silent; return what was told, and when the last word ended."""
    room = Room(1.0 + speech.ends_s + seconds)
    ends = room.add(1.0, speech)
    return hear(room, **options), ends


def over_her(speech: Speech | np.ndarray[Any, Any], echo_db: float | None = None, **options: Any) -> Scene:
    """Let somebody speak 2.5 s after she began; times in the log are from their first sound."""
    room = Room(14.0)
    room.add(3.0, speech)
    scene = hear(room, Her(0.5, spoken(HERS).pcm[: 7 * RATE_HZ], echo_db), **options)
    scene.log = [(at - 3.0, name, more) for at, name, more in scene.log]
    return scene


# ---------------------------------------------------------------------- a turn


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ASKING, "es"),
        ("Sí.", "es"),
        ("Hola, ¿qué tal estás?", "es"),
        ("Tell me what the chat is saying.", "en"),
        ("Stop.", "en"),
    ],
)
def test_what_is_said_is_heard_from_the_first_word_and_ends_in_time(text: str, language: str) -> None:
    scene, ends = alone(his(text, language))
    assert [turn["text"] for turn in scene.turns] == [text]
    turn = scene.turns[0]
    assert turn["speech_ended"] == pytest.approx(ends, abs=0.1)
    assert turn["turn_ended"] - ends <= 0.28
    assert turn["served"] == "simulated"


@pytest.mark.parametrize(("name", "language"), [("leopard_test", "en"), ("leopard_test_es", "es")])
@pytest.mark.parametrize("delay_s", [0.02, 0.3, 1.2])
def test_people_are_heard_whole_though_they_pause(name: str, language: str, delay_s: float) -> None:
    speech = clip_with_words(name, language)
    scene, _ = alone(speech, delay_s=delay_s)
    assert scene.turns[-1]["text"] == speech.text
    thrown_away = [at for at, name, _ in scene.log if name == "goes_on"]
    assert len(thrown_away) >= len(scene.turns) - 1, "what was told before its time was taken back"


def test_nobody_is_nobody() -> None:
    assert hear(Room(8.0)).log == []


def test_a_slow_recogniser_makes_her_patient_not_deaf() -> None:
    scene, ends = alone(his(ASKING), delay_s=2.0)
    turn = scene.turns[0]
    assert turn["turn_ended"] - ends <= 0.63
    assert turn["transcript_ready"] == pytest.approx(ends + 2.1, abs=0.15)


def test_the_probable_end_is_told_before_the_end_and_with_the_same_words() -> None:
    scene, ends = alone(his(ASKING), delay_s=0.03)
    probable = [(at, text) for at, name, text in scene.log if name == "probably_said"]
    assert probable[-1][1] == scene.turns[0]["text"]
    assert probable[-1][0] - ends <= 0.2
    assert probable[-1][0] < scene.turns[0]["turn_ended"]
    assert len(scene.told("goes_on")) == len(probable) - 1, "and what was not all is taken back"


def test_partial_texts_are_handed_on() -> None:
    scene, _ = alone(his(ASKING), lag_s=0.2)
    partial = [text for _, name, text in scene.log if name == "partial"]
    assert partial[0] == "Aneeka,"
    assert len(partial) >= 4


@pytest.mark.parametrize("pause_s", [0.3, 0.8])
def test_who_goes_on_is_heard_as_one(pause_s: float) -> None:
    first, second = his("Quiero pedirte una cosa."), his("Canta una canción de cuna.")
    room = Room(9.0)
    ends = room.add(1.0, first)
    room.add(ends + pause_s, second)
    scene = hear(room)
    assert scene.turns[-1]["text"] == f"{first.text} {second.text}"
    assert "goes_on" in scene.told()


def test_another_thing_said_later_is_another_turn() -> None:
    room = Room(10.0)
    ends = room.add(1.0, his("Quiero pedirte una cosa."))
    room.add(ends + 2.5, his("Canta una canción de cuna."))
    scene = hear(room)
    assert [turn["text"] for turn in scene.turns] == ["Quiero pedirte una cosa.", "Canta una canción de cuna."]
    assert "goes_on" not in scene.told()


def test_a_cough_after_the_last_word_takes_nothing_away() -> None:
    room = Room(8.0)
    ends = room.add(1.0, his(ASKING))
    room.add(ends + 0.6, his("Ja ja.").pcm)  # nothing that the recogniser understands
    scene = hear(room)
    assert scene.turns[-1]["text"] == ASKING
    assert [name for name in scene.told() if name in ("goes_on", "said")][-1] == "said"


def test_a_broken_recogniser_is_silence_and_the_next_turn_is_heard() -> None:
    async def scene() -> None:
        room = Room(9.0)
        room.add(1.0, his(ASKING))
        room.add(5.0, his("¿Me oyes ahora?"))
        one = Scene(room)
        one.recogniser.broken = True
        one.at(4.5, lambda: setattr(one.recogniser, "broken", False))
        await one.run()
        assert [turn["text"] for turn in one.turns] == ["¿Me oyes ahora?"]

    play(scene())


def test_whom_he_talks_to_is_told_with_what_he_said() -> None:
    room = Room(14.0)
    room.add(1.0, his("Bueno, vamos a por el jefe final."))
    room.add(5.0, his("Aneeka, ¿qué te parece?"))
    room.add(9.0, his("Me gusta mucho este juego."))

    async def scene() -> None:
        one = Scene(room, everything=False)
        one.at(8.0, lambda: one.addressing.answered("Me encanta.", one.now()))
        await one.run()
        assert [turn["addressed"] for turn in one.turns] == [False, True, True]
        assert not [text for _, name, text in one.log if name == "probably_said" and "jefe" in text]

    play(scene())


# ---------------------------------------------------------------------- talking over her


@pytest.mark.parametrize("text", ["Para.", "No.", "Espera un momento.", "Aneeka, no digas eso.", "Oye, una pregunta."])
def test_words_hold_her_within_the_budget_and_then_cut_her(text: str) -> None:
    scene = over_her(his(text))
    assert scene.when("interrupts") <= 0.21
    assert "takes_over" in scene.told()
    assert "murmured" not in scene.told()
    assert scene.turns[-1]["text"] == text


@pytest.mark.parametrize(("name", "onset_s"), [("leopard_test", 0.54), ("leopard_test_es", 0.9)])
def test_people_who_talk_over_her_are_noticed_in_time(name: str, onset_s: float) -> None:
    scene = over_her(clip(name))
    assert scene.when("interrupts") - onset_s <= 0.2
    assert scene.when("takes_over") - onset_s <= 1.3, "long before anything is understood"


@pytest.mark.parametrize("text", ["Mm-hm.", "Ajá.", "Sí.", "Sí, sí.", "Vale.", "Jajaja.", "Ja, ja, ja, ja.", "Claro."])
def test_a_murmur_or_a_laugh_holds_her_for_a_moment_and_she_goes_on(text: str) -> None:
    scene = over_her(his(text))
    assert "takes_over" not in scene.told()
    assert scene.turns == []
    assert scene.told("interrupts", "murmured")[-1] == "murmured"
    assert scene.her.played >= len(scene.her.pcm), "she says all of it"


@pytest.mark.parametrize("text", ["Uh-huh.", "Yeah.", "Right.", "Okay.", "Ha ha ha."])
def test_the_same_in_english(text: str) -> None:
    scene = over_her(his(text, "en"))
    assert "takes_over" not in scene.told()
    assert scene.turns == []


def test_coughs_and_a_keyboard_do_not_even_hold_her() -> None:
    rng = np.random.default_rng(3)
    fade = np.exp(-np.arange(3500) / 900)
    cough = (rng.standard_normal(3500) * fade * 9000).clip(-32768, 32767).astype(np.int16)
    keys = noise(2.0, -70.0)
    keys[:: RATE_HZ // 8] = 12_000
    assert over_her(np.concatenate([cough, noise(0.2), cough, noise(0.5), keys])).log == []


def test_she_waits_for_who_speaks_already_and_is_not_cut_for_what_was_said_before() -> None:
    room = Room(22.0)
    began = room.add(1.0, his("Bueno, pues ayer estuve en la feria del pueblo y,"))
    scene = hear(room, Her(began - 0.5, spoken(HERS).pcm), delay_s=1.0)
    assert began - 0.5 <= scene.when("interrupts") <= began - 0.2
    assert scene.told("interrupts", "takes_over", "murmured", "said") == ["interrupts", "takes_over", "said"]
    assert scene.when("takes_over") > began, "when it was understood, not for its length"


def test_a_murmur_with_words_after_it_is_words() -> None:
    scene = over_her(his("Sí, pero espera un momento."))
    assert "takes_over" in scene.told()
    assert scene.turns[-1]["text"] == "Sí, pero espera un momento."


def test_a_partial_text_of_words_cuts_her_before_the_end() -> None:
    scene = over_her(his("Oye, una pregunta."), lag_s=0.1)
    assert scene.when("takes_over") < 0.6


def test_the_operators_own_murmurs_are_murmurs() -> None:
    assert "takes_over" in over_her(his("Qué fuerte.")).told()
    assert "takes_over" not in over_her(his("Qué fuerte."), murmurs=("qué fuerte",)).told()


def test_what_nobody_understands_does_not_silence_her_for_long() -> None:
    scene = over_her(his("Sí."), delay_s=20.0)
    assert scene.when("murmured") - scene.when("interrupts") == pytest.approx(HELD_MOST_S, abs=0.01)


def test_words_that_are_understood_late_still_cut_her() -> None:
    scene = over_her(his("No."), delay_s=4.0)
    assert scene.told() == ["speech_began", "interrupts", "murmured", "takes_over", "said"]


def test_a_microphone_that_dies_does_not_leave_her_held() -> None:
    room = Room(5.3)
    room.add(5.0, his("Espera un momento."))
    scene = hear(room, Her(1.0, spoken(HERS).pcm))
    assert scene.told("interrupts", "murmured") == ["interrupts", "murmured"]


def test_where_nothing_may_interrupt_her_he_is_still_heard() -> None:
    scene = over_her(his("Espera un momento."), interrupt=False)
    assert not {"interrupts", "takes_over", "murmured"} & set(scene.told())
    assert scene.turns[0]["text"] == "Espera un momento."
    assert over_her(his("Mm-hm."), interrupt=False).turns == []


# ---------------------------------------------------------------------- her own voice


@pytest.mark.parametrize("echo_db", [-40.0, -30.0, -20.0, -10.0, -3.0])
@pytest.mark.parametrize("delay_s", [0.03, 0.2])
def test_her_own_voice_from_the_loudspeakers_is_not_the_operators(echo_db: float, delay_s: float) -> None:
    scene = hear(Room(17.0), Her(1.0, spoken(HERS).pcm, echo_db, delay_s))
    assert "interrupts" not in scene.told()
    assert scene.turns == []


@pytest.mark.parametrize(("echo_db", "most_s"), [(None, 0.21), (-40.0, 0.21), (-25.0, 0.25), (-15.0, 0.4)])
def test_who_is_louder_than_her_echo_interrupts_her(echo_db: float | None, most_s: float) -> None:
    scene = over_her(his("Espera un momento."), echo_db)
    assert scene.when("interrupts") <= most_s
    assert scene.turns[-1]["text"] == "Espera un momento."


def test_her_own_words_in_the_microphone_are_taken_for_hers() -> None:
    room = Room(17.0)
    heard = spoken("tenías razón")  # an echo that came louder than ever before
    room.add(6.0, heard, 6.0)

    async def scene() -> None:
        one = Scene(room, Her(1.0, spoken(HERS).pcm, -20.0))
        one.at(1.0, lambda: one.ear.she_says(HERS))
        await one.run()
        assert one.turns == []
        assert "takes_over" not in one.told()

    play(scene())


def test_who_tells_her_to_stop_is_heard_through_loudspeakers_even_if_she_has_just_said_it() -> None:
    async def scene() -> None:
        room = Room(17.0)
        room.add(6.0, his("Para."), 6.0)
        one = Scene(room, Her(1.0, spoken(HERS).pcm, -20.0))
        one.at(1.0, lambda: one.ear.she_says("Un saludo para todos, y no es para menos."))
        await one.run()
        assert "takes_over" in one.told()

    play(scene())


def test_loudspeakers_that_are_turned_up_are_learned_from_one_mistake() -> None:
    echo = Echo()
    echo.she_says("creo que tenías razón", 0.0)
    quiet, loud = -50.0, -25.0
    assert all(echo.explains(quiet, -20.0) for _ in range(200))
    assert not any(echo.explains(loud, -20.0) for _ in range(12))
    echo.mistaken()
    assert all(echo.explains(loud, -20.0) for _ in range(50))
    assert not echo.explains(-10.0, -20.0), "who is louder is still heard"


def test_the_end_of_a_long_phrase_is_hers_too() -> None:
    echo = Echo()
    echo.she_says(" ".join(HERS.split()), 0.0)
    assert echo.is_hers("no había nadie por la calle", 13.0)
    assert not echo.is_hers("no había nadie por la calle", 60.0)


def test_while_she_is_silent_nothing_is_an_echo() -> None:
    echo = Echo()
    assert not any(echo.explains(-60.0, -96.0) for _ in range(50))


def test_on_headphones_he_may_say_her_words() -> None:
    async def scene() -> None:
        room = Room(17.0)
        room.add(6.0, his("No."))
        one = Scene(room, Her(1.0, spoken(HERS).pcm))
        one.at(1.0, lambda: one.ear.she_says("No, no había nadie."))
        await one.run()
        assert [turn["text"] for turn in one.turns] == ["No."]

    play(scene())


# ---------------------------------------------------------------------- keys and modes


def test_while_a_key_is_held_pauses_end_nothing_and_all_of_it_is_for_her() -> None:
    async def scene() -> None:
        room = Room(9.0)
        room.add(1.0, his("Esto no se oye."))
        ends = room.add(3.0, his("Quiero pedirte una cosa."))
        ends = room.add(ends + 1.5, his("Canta."))
        one = Scene(room, mode="push_to_talk", everything=False)
        one.at(3.05, one.ear.press)
        one.at(ends + 0.1, one.ear.release)
        await one.run()
        assert [(turn["text"], turn["addressed"]) for turn in one.turns] == [("Quiero pedirte una cosa. Canta.", True)]
        assert one.turns[0]["turn_ended"] == pytest.approx(ends + 0.1, abs=0.01)

    play(scene())


def test_a_key_cuts_her_at_once_and_silence_under_it_is_nothing() -> None:
    async def scene() -> None:
        one = Scene(Room(9.0), Her(1.0, spoken(HERS).pcm), mode="push_to_talk")
        one.at(4.0, one.ear.press)
        one.at(4.5, one.ear.release)
        await one.run()
        assert one.told() == ["speech_began", "interrupts", "takes_over"]
        assert one.when("takes_over") == pytest.approx(4.0, abs=0.001)
        assert one.recogniser.asked == 0, "silence is not even sent to the recogniser"

    play(scene())


def test_after_her_answer_a_key_begins_another_turn() -> None:
    async def scene() -> None:
        room = Room(9.0)
        first = room.add(1.0, his("¿Me oyes?"))
        second = room.add(first + 1.2, his("Canta."))
        one = Scene(room, Her(first + 0.5, spoken(HERS).pcm), mode="push_to_talk")
        for at, act in ((1.0, one.ear.press), (first, one.ear.release), (first + 1.2, one.ear.press)):
            one.at(at, act)
        one.at(second, one.ear.release)
        await one.run()
        assert [turn["text"] for turn in one.turns] == ["¿Me oyes?", "Canta."]
        assert "goes_on" not in one.told()

    play(scene())


def test_a_key_in_open_mode_says_that_this_is_for_her() -> None:
    async def scene() -> None:
        room = Room(8.0)
        ends = room.add(2.0, his("Me gusta mucho este juego."))
        one = Scene(room, everything=False)
        one.at(2.5, one.ear.press)
        one.at(ends + 0.3, one.ear.release)
        await one.run()
        assert [(turn["text"], turn["addressed"]) for turn in one.turns] == [("Me gusta mucho este juego.", True)]

    play(scene())


def test_off_hears_nothing_and_lets_go_of_what_it_had() -> None:
    async def scene() -> None:
        room = Room(12.0)
        room.add(5.0, his("Espera un momento, por favor."))
        room.add(8.0, his("¿Hola?"))
        one = Scene(room, Her(1.0, spoken(HERS).pcm))
        one.at(5.5, lambda: setattr(one.ear, "mode", "off"))
        await one.run()
        assert one.told() == ["speech_began", "interrupts", "murmured"]
        assert not one.ear.hearing

    play(scene())


def test_blocks_of_any_size_are_the_same_sound() -> None:
    async def scene(pieces: int) -> list[str]:
        room = Room(5.0)
        room.add(1.0, his(ASKING))
        one = Scene(room)
        one.block_s = 5.0
        for piece in np.array_split(room.sound, pieces):
            one.ear.feed(piece, one.now())
        one.ear.close()
        return one.told("speech_began")

    assert play(scene(1)) == play(scene(7)) == play(scene(3001)) == ["speech_began"]


@pytest.mark.parametrize(
    ("answer", "twitch", "addressed"),
    [
        ("auto", "off", True),
        ("auto", "anonymous", False),
        ("everything", "anonymous", True),
        ("addressed", "off", False),
    ],
)
def test_the_settings_say_what_she_answers(answer: str, twitch: str, *, addressed: bool) -> None:
    async def scene() -> bool:
        settings = Settings(audio={"answer": answer}, twitch={"mode": twitch, "channel": "somebody"})
        one = Scene(Room(0.1))
        ear = build(settings, one.recogniser, one, clock=one.now, hers_db=lambda: -96.0, busy=lambda: False)
        return ear.addressing.to_her("Me gusta este juego.", one.now())

    assert play(scene()) is addressed
