"""Whom the operator talks to, and whether a sentence sounds finished: judged from words, in both languages."""

from __future__ import annotations

import pytest

from bot.hearing.addressed import ASKED_S, RECENT_S, Addressing, names
from bot.hearing.endings import sounds_finished


def addressing() -> Addressing:
    return Addressing(("Aneeka",), everything=False)


@pytest.mark.parametrize(
    "text", "Aneeka|Hola Anika, ¿qué tal?|annika dime|Aneca|oye a Nika|Anica|Aníka|what do you say, Anneeka?".split("|")
)
def test_her_name_is_heard_however_it_is_written(text: str) -> None:
    assert names(text, "Aneeka")
    assert addressing().to_her(text, 0.0)


@pytest.mark.parametrize(
    "text",
    """única|Anita ven|América|técnica|anoche|an idea|a new car|mecánica|Mónica|a nice car|ahí en casa|any car|anime
    |a nadie""".split("|"),
)
def test_other_words_are_not_her_name(text: str) -> None:
    assert not names(text, "Aneeka")


def test_a_short_name_must_be_exact() -> None:
    assert names("Oye, Luna, mira", "Luna")
    assert not names("la lana y la lona", "Luna")
    assert not names("hola", "")


def test_talk_to_the_audience_is_not_for_her() -> None:
    one = addressing()
    assert not one.to_her("Bueno, ahora vamos a por el jefe.", 10.0)
    assert not one.to_her("¿Qué os parece?", 11.0)
    assert Addressing(("Aneeka",), everything=True).to_her("Bueno, ahora vamos a por el jefe.", 10.0)


def test_after_her_answer_the_talk_goes_on_for_a_while() -> None:
    one = addressing()
    one.answered("Me gustan los gatos.", 100.0)
    assert one.to_her("A mí también.", 100.0 + RECENT_S)
    assert not one.to_her("A mí también.", 101.0 + RECENT_S)
    assert one.to_her("¿Y los perros?", 101.0 + RECENT_S)
    assert not one.to_her("¿Y los perros?", 101.0 + ASKED_S)
    one.answered("¿Y a ti?", 200.0)
    assert one.to_her("A mí también.", 200.0 + ASKED_S)


def test_while_she_answers_the_operator_all_of_it_is_for_her() -> None:
    one = addressing()
    one.answers()
    assert one.to_her("No, no quería decir eso.", 500.0)
    one.answered("", 510.0)
    assert not one.to_her("No, no quería decir eso.", 540.0)


def test_the_audience_by_name_is_the_audience_even_then() -> None:
    one = addressing()
    one.answered("Me gustan los gatos.", 100.0)
    assert not one.to_her("Chat, ¿a vosotros qué os gusta?", 102.0)
    assert not one.to_her("What do you guys think?", 102.0)
    assert one.to_her("Chat, ahora Aneeka nos canta algo", 102.0)


FINISHED = """Hola, ¿cómo estás?|me gusta mucho este juego|Creo que sí.|vamos a jugar otra partida|¿Dónde está?|sí|vale
|no sé qué es|Para.|cuéntame un chiste|what do you think about that|who are you looking at|I love this game.|yes|stop
|tell me a joke|Let's go to the next level.|dime qué hora es|eso es todo|how are you|qué te parece el nuevo mapa
|Gracias.|no me acuerdo|I don't know|do you like it?|si quieres, jugamos otra|if you want, we can play
|where are you from|Muy bien, gracias.
|lee el último mensaje del chat|read the last message|Canta algo.|qué opinas de eso|¡Cuidado!
|Buenas noches.|Eso no. Cuéntame otra cosa."""
UNFINISHED = """quiero que me|creo que|y entonces|me gustaría ir a la|Si mañana llueve|Pues yo pienso que.|porque
|I want to|el otro día fui con|and then|If it rains tomorrow|I was going to the|so|Well, um|my favourite
|mi juego favorito es|y|bueno, pero|¿Sabes qué es lo|a mí me parece muy|when I was|cuando era pequeño|do you|can you
|what is your|me puedes|tell me about the|cuéntame algo sobre|let's see...|a ver...|quiero decir,
||Aneeka.|Muy bien. Y ahora
|lo que pasa es que"""


@pytest.mark.parametrize("text", FINISHED.split("|"))
def test_what_sounds_finished(text: str) -> None:
    assert sounds_finished(text)


@pytest.mark.parametrize("text", UNFINISHED.split("|"))
def test_what_does_not(text: str) -> None:
    assert not sounds_finished(text)
