"""Thinking ahead: the right guess saves the time, the wrong one costs nothing and is never heard."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from bot.mind.forethought import MOST_TRIES, Forethought
from bot.vocabulary import Cue, Heard, Message, Prompt, PromptTooLong
from tests.virtual_time import play

STEP_S = 0.1


class SlowBrain:
    """Says the prompt's last word back, letter by letter, one each ``STEP_S``."""

    name = "slow"
    prompt_tokens = 7

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        asked = prompt.messages[-1].content
        self.begun.append(asked)
        try:
            if asked == "long":
                raise PromptTooLong("too long")
            for letter in asked:
                await asyncio.sleep(STEP_S)
                yield letter
        finally:
            self.ended.append(asked)

    async def warm(self, prompt: Prompt) -> None:
        self.begun.append("warm")


def asks(said: str, at_s: float = 0.0) -> Prompt:
    cue = Cue("operator", (Heard("x", "operator", said, at_s),), at_s)
    return Prompt((Message("user", said),), cue)


async def answer(brain: Forethought, prompt: Prompt) -> tuple[str, float]:
    loop, since = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    said, first = "", -1.0
    async with aclosing(brain.think(prompt)) as pieces:
        async for piece in pieces:
            first = loop.time() - since if first < 0 else first
            said += piece
    return said, first


def test_what_was_foreseen_is_there_at_once_and_goes_on():
    async def scene() -> None:
        slow = SlowBrain()
        brain = Forethought(slow)
        brain.foresee(asks("hola"))
        await asyncio.sleep(2.5 * STEP_S)
        said, first_s = await answer(brain, asks("hola", at_s=9.0))
        assert (said, first_s) == ("hola", 0.0)
        assert slow.begun == slow.ended == ["hola"]

    play(scene())


def test_what_was_not_wanted_is_never_heard_and_ends_before_the_next_begins():
    async def scene() -> None:
        slow = SlowBrain()
        brain = Forethought(slow)
        brain.foresee(asks("hola"))
        await asyncio.sleep(2.5 * STEP_S)
        said, first_s = await answer(brain, asks("adiós"))
        assert said == "adiós"
        assert first_s == pytest.approx(STEP_S)
        assert slow.ended == ["hola", "adiós"]

    play(scene())


def test_it_stops_guessing_after_guessing_wrong_too_often_until_something_was_answered():
    async def scene() -> None:
        slow = SlowBrain()
        brain = Forethought(slow)
        for guess in "abcde":
            brain.foresee(asks(guess))
            await asyncio.sleep(STEP_S / 2)
            await brain.drop()
        assert len(slow.begun) == MOST_TRIES
        await answer(brain, asks("x"))
        brain.foresee(asks("y"))
        await asyncio.sleep(STEP_S / 2)
        assert slow.begun[-1] == "y"

    play(scene())


def test_a_failure_ahead_is_told_when_it_is_asked_in_earnest():
    async def scene() -> None:
        brain = Forethought(SlowBrain())
        brain.foresee(asks("long"))
        await asyncio.sleep(STEP_S)
        with pytest.raises(PromptTooLong):
            await answer(brain, asks("long"))

    play(scene())


def test_nothing_is_read_ahead_while_something_is_thought_ahead():
    async def scene() -> None:
        slow = SlowBrain()
        brain = Forethought(slow)
        brain.foresee(asks("hola"))
        await brain.warm(asks("x"))
        await asyncio.sleep(0)
        await answer(brain, asks("hola"))
        await brain.warm(asks("x"))
        assert slow.begun == ["hola", "warm"]

    play(scene())
