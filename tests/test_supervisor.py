"""When an engine fails in mid-reply: who goes on, with which words, and what the lights say."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from bot.supervisor import Board, BrainLadder
from bot.vocabulary import Cue, EngineDown, Health, Message, Prompt
from tests.virtual_time import play

CUE = Cue("operator", (), 0.0)
PROMPT = Prompt((Message("user", "hola"),), CUE)


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


def lights() -> tuple[Board, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    return Board(told.append), told


async def _answer(ladder: BrainLadder) -> str:
    return "".join([piece async for piece in ladder.think(PROMPT)])


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


def test_lights_tell_each_change_once_and_who_serves() -> None:
    board, told = lights()
    brain = BrainLadder(Talker("llama", ["x"]), Talker("understudy", ["y"]), lambda cue: "", board)
    for state in ("ok", "ok", "down", "down", "ok"):
        brain.on_health(Health("llm", state))  # type: ignore[arg-type]
    seen = [(m["part"], m["state"], m["serving"]) for m in told]
    assert seen == [
        ("brain", "ok", "llama"),
        ("brain", "down", "understudy"),
        ("brain", "ok", "llama"),
    ]
    assert board.as_json()["brain"]["serving"] == "llama"
