"""``GET /api/state``: what is configured, and what is counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.vocabulary import Heard, Person
from tests.conftest import House, until

GoLive = Callable[..., Awaitable[House]]


async def test_it_tells_what_is_configured_of_every_part(go_live: GoLive) -> None:
    house = await go_live(
        with_voice=False,
        stt={"engine": "off", "language": "en"},
        audio={"mode": "push_to_talk", "input": "browser"},
        avatar={"outputs": ["page", "vmc"]},
        safety={"strictness": "family", "hold": "chat", "blocked_words": ["Villarriba"]},
    )
    _, state = await house.ask("GET", "/api/state")
    assert state["config"] == {
        "llm": {"engine": "understudy", "model": "demo"},
        "stt": {"engine": "off", "model": "small", "language": "en"},
        "tts": {"engine": "espeak", "voice": ""},
        "audio": {"input": "browser", "mode": "push_to_talk", "answer": "auto"},
        "stage": {"sound": "none", "record": False},
        "avatar": {"outputs": ["page", "vmc"], "reduced_motion": False},
        "twitch": {"mode": "off", "channel": ""},
        "safety": {"strictness": "family", "second_opinion": "off", "hold": "chat"},
    }


async def test_what_comes_twice_counts_as_a_duplicate_of_chat_if_it_is_chat(go_live: GoLive) -> None:
    house = await go_live(with_voice=False)
    await house.ask("POST", "/api/control/pause")
    ana = Person("1", "ana")
    heard = (
        Heard("m1", "chat", "hola a todo el mundo", 0.0, ana),
        Heard("f1", "event", "", 0.0, ana, event="follow"),
        Heard("o1", "operator", "hola", 0.0),
    )
    for one in heard:
        for _ in range(3):
            house.aneeka.desk.hear(one)
    _, state = await house.ask("GET", "/api/state")
    counted = state["counters"]
    assert (counted["chat_received"], counted["chat_duplicates"], counted["events_received"]) == (1, 2, 1)


async def test_what_she_was_kept_from_saying_is_counted(go_live: GoLive) -> None:
    house = await go_live(safety={"blocked_words": ["Villarriba"]})
    live = await house.live()
    await house.ask("POST", "/api/say", {"text": "Vengo de Villarriba."})
    await until(live, "turn")
    await house.ask("POST", "/api/say", {"text": "Hola."})
    await until(live, "turn")
    _, state = await house.ask("GET", "/api/state")
    assert (state["counters"]["phrases_blocked"], state["counters"]["turns"]) == (1, 2)
