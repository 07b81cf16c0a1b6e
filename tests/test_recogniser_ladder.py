"""The ladder of recognisers: nothing said is lost, and the better one is taken back."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.config.settings import Settings
from bot.ears import build_ears
from bot.hearing.ladder import RecogniserLadder
from bot.supervisor import Board
from bot.vocabulary import EngineDown, Health, Pcm, Transcript
from tests.conftest import HANGS_S
from tests.spoken_english import spoken
from tests.transcription_server import KEY, Sphinx, Transcriptions
from tests.virtual_time import play

BLOCK = np.ones(512, np.int16)


class Simulated:
    """Hears how many samples it was given; fails while ``well`` is false, or at a chosen request."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.well = True
        self.fails_at = -1
        self.requests = self.probes = 0
        self.open: list[Any] = []

    def begin(self, on_partial: Callable[[str], None]) -> Any:
        return SimulatedUtterance(self, on_partial)

    async def ready(self, timeout_s: float) -> bool:
        self.probes += 1
        return self.well


class SimulatedUtterance:
    def __init__(self, recogniser: Simulated, on_partial: Callable[[str], None]) -> None:
        self.recogniser, self.on_partial = recogniser, on_partial
        self.samples = 0
        recogniser.open.append(self)

    def feed(self, pcm: Pcm) -> None:
        self.samples += len(pcm)
        self.on_partial(f"{self.recogniser.name} {self.samples}")

    async def text_so_far(self) -> Transcript:
        self.recogniser.requests += 1
        failing = self.recogniser.requests == self.recogniser.fails_at
        await asyncio.sleep(0.2)
        if failing or not self.recogniser.well:
            raise EngineDown(f"{self.recogniser.name} is ill", "give it tea")
        return Transcript(f"{self.recogniser.name} {self.samples}")

    def close(self) -> None:
        self.recogniser.open.remove(self)


def climb(*names: str) -> tuple[RecogniserLadder, Board, list[Simulated]]:
    board = Board(lambda message: None)
    recognisers = [Simulated(name) for name in names]
    return RecogniserLadder(recognisers, board), board, recognisers


def lights(board: Board) -> dict[str, tuple[str, str]]:
    return {part: (health.state, health.serving) for part, health in board.parts.items()}


def test_the_next_one_hears_all_of_it_and_the_first_is_taken_back() -> None:
    async def scene() -> None:
        ladder, board, (first, second) = climb("first", "second")
        partials: list[str] = []
        utterance = ladder.begin(partials.append)
        for _ in range(3):
            utterance.feed(BLOCK)
        first.well = False
        asking = asyncio.create_task(utterance.text_so_far())
        await asyncio.sleep(0.1)
        utterance.feed(BLOCK)
        assert (await asking).text == "second 2048"
        assert ladder.served == "second"
        assert partials == [
            "first 512",
            "first 1024",
            "first 1536",
            "first 2048",
            *(f"second {512 * n}" for n in (1, 2, 3, 4)),
        ]
        assert lights(board) == {
            "hearing": ("degraded", "second"),
            "hearing_first": ("down", ""),
            "hearing_second": ("ok", ""),
        }
        assert (board.parts["hearing"].reason, board.parts["hearing"].repair) == ("first is ill", "give it tea")
        utterance.close()
        assert first.open == second.open == []
        again = ladder.begin(partials.append)
        again.feed(BLOCK)
        assert (await again.text_so_far()).text == "second 512"
        assert first.requests == 1, "it is left alone"
        await asyncio.sleep(81)
        assert first.probes == 3, "after 5, 15 and 60 s"
        first.well = True
        await asyncio.sleep(60)
        assert lights(board)["hearing"] == ("ok", "first")
        last = ladder.begin(partials.append)
        last.feed(BLOCK)
        assert (await last.text_so_far()).text == "first 512"
        await ladder.close()

    play(scene())


def test_when_nobody_can_the_first_ones_reason_is_told_and_all_are_tried_again() -> None:
    async def scene() -> None:
        ladder, board, both = climb("first", "second")
        for each in both:
            each.well = False
        for _ in range(2):
            utterance = ladder.begin(lambda said: None)
            utterance.feed(BLOCK)
            with pytest.raises(EngineDown, match="first is ill"):
                await utterance.text_so_far()
            utterance.close()
        assert lights(board)["hearing"] == ("down", "")
        for each in both:
            each.well = True
        utterance = ladder.begin(lambda said: None)
        utterance.feed(BLOCK)
        assert (await utterance.text_so_far()).text == "first 512", "who speaks is tried for at once"
        assert lights(board)["hearing"] == ("ok", "first")
        await ladder.close()

    play(scene())


def test_what_was_said_waits_for_the_only_one_to_come_back() -> None:
    class Killed(Simulated):
        async def ready(self, timeout_s: float) -> bool:
            await asyncio.sleep(3.0)
            self.well = True
            return self.well

    async def scene() -> None:
        board, only = Board(lambda message: None), Killed("only")
        ladder = RecogniserLadder([only], board)
        utterance = ladder.begin(lambda said: None)
        utterance.feed(BLOCK)
        only.well = False
        impatient = asyncio.create_task(utterance.text_so_far())
        await asyncio.sleep(1.0)
        impatient.cancel()
        utterance.feed(BLOCK)
        assert (await utterance.text_so_far()).text == "only 1024"
        assert lights(board)["hearing"] == ("ok", "only")
        utterance.close()
        await ladder.close()

    play(scene())


def test_an_engine_that_says_it_is_loading_is_passed_over() -> None:
    async def scene() -> None:
        ladder, board, (first, _) = climb("first", "second")
        ladder.on_health(first, Health("hearing", "degraded", "loading"))
        utterance = ladder.begin(lambda said: None)
        utterance.feed(BLOCK)
        assert (await utterance.text_so_far()).text == "second 512"
        assert first.requests == 0
        assert lights(board)["hearing"] == ("degraded", "second")
        ladder.on_health(first, Health("hearing", "ok"))
        assert lights(board)["hearing"] == ("ok", "first")

    play(scene())


@pytest.mark.parametrize("seed", range(100))
def test_whatever_fails_whenever_every_sample_is_heard(seed: int) -> None:
    dice = random.Random(seed)

    async def scene() -> None:
        ladder, _, recognisers = climb("first", "second", "third")
        for each in recognisers[:2]:
            each.fails_at = dice.randint(1, 4)
        for _ in range(3):
            partials: list[str] = []
            utterance = ladder.begin(partials.append)
            fed, tasks = 0, []
            for _ in range(dice.randint(1, 20)):
                utterance.feed(BLOCK)
                fed += len(BLOCK)
                if dice.random() < 0.3:
                    tasks.append(asyncio.create_task(utterance.text_so_far()))
                if tasks and dice.random() < 0.2:
                    dice.choice(tasks).cancel()
                await asyncio.sleep(0.032 * dice.randint(0, 8))
            transcript = await utterance.text_so_far()
            assert transcript.text.split()[1] == str(fed)
            assert partials[-1].split()[1] == str(fed)
            assert ladder.served == transcript.text.split()[0]
            await asyncio.gather(*tasks, return_exceptions=True)
            utterance.close()
            await asyncio.sleep(dice.choice((0, 6, 30)))
        assert [each.open for each in recognisers] == [[], [], []]
        await ladder.close()

    play(scene())


async def test_a_whisper_that_is_killed_leaves_the_question_to_a_server(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    pytest.importorskip("pocketsphinx")
    from tests import tiny_whisper

    server = Transcriptions(Sphinx())
    url = await server.start()
    model = tiny_whisper.write(tmp_path / "model", ["Ġhola"], hotwords=True)
    stt = {"model": str(model), "fallback": ["openai"], "openai": {"base_url": url, "api_key": KEY}}
    board = Board(lambda message: None)
    ladder, parts = build_ears(Settings(stt=stt), board, tmp_path)
    assert list(parts) == ["hearing", "hearing_openai"]
    for part in parts.values():
        await part.start()
    try:
        assert await parts["hearing"].ready(HANGS_S)
        assert lights(board)["hearing"] == ("ok", "whisper")
        utterance = ladder.begin(lambda said: None)
        utterance.feed(spoken("tell me a story please"))
        assert (await utterance.text_so_far()).text == "hola"
        utterance.feed(np.zeros(1600, np.int16))
        pid = parts["hearing"].pid
        assert pid
        os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        assert (await utterance.text_so_far()).text == "tell me a story please"
        assert ladder.served == "openai"
        utterance.close()
        assert await parts["hearing"].ready(HANGS_S)
        assert lights(board)["hearing"] == ("ok", "whisper")
    finally:
        await ladder.close()
        for part in parts.values():
            await part.close()
        await server.close()


async def test_switched_off_it_says_so(tmp_path: Path) -> None:
    board = Board(lambda message: None)
    ladder, parts = build_ears(Settings(stt={"engine": "off", "fallback": ["openai"]}), board, tmp_path)
    assert parts == {}
    assert lights(board) == {"hearing": ("off", "")}
    assert not await ladder.ready(1)
    with pytest.raises(EngineDown):
        await ladder.begin(lambda said: None).text_so_far()


async def test_a_default_that_nobody_asked_for_is_off_while_it_lacks_its_model(tmp_path: Path) -> None:
    for stt, state in (({}, "off"), ({"engine": "whisper"}, "down")):
        board = Board(lambda message: None)
        ladder, parts = build_ears(Settings(stt=stt), board, tmp_path)
        await parts["hearing"].start()
        assert board.parts["hearing"].state == state
        assert board.parts["hearing"].repair
        utterance = ladder.begin(lambda said: None)
        utterance.feed(BLOCK * 9000)
        with pytest.raises(EngineDown):
            await utterance.text_so_far()
        assert board.parts["hearing"].state == state
        await ladder.close()
        await parts["hearing"].close()


async def test_a_server_with_odd_ideas_of_the_long_form_is_still_understood(tmp_path: Path) -> None:
    server = Transcriptions(lambda pcm: "hello")
    openai = {"base_url": await server.start(), "api_key": KEY}
    ladder, parts = build_ears(
        Settings(stt={"engine": "openai", "openai": openai}), Board(lambda message: None), tmp_path
    )
    server.faults = ['{"text": "hello", "segments": 5}']
    utterance = ladder.begin(lambda said: None)
    utterance.feed(spoken("good morning everybody"))
    assert (await utterance.text_so_far()).text == "hello"
    await parts["hearing"].close()
    await server.close()
