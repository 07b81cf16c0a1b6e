"""From the first sound of somebody who talks over her to her last audible sample, in real time and the whole program.

``python -m tests.bench.barge_in [--times N]``: she speaks with espeak-ng; speech goes into her ear block by block, as a
microphone brings it. Her sound goes nowhere in real time, so a device's own delay comes on top. Prints milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from pathlib import Path

import numpy as np

from bot.app import Aneeka
from bot.config.settings import Settings
from bot.timing import percentile
from bot.vocabulary import Transcript
from tests.spoken_english import spoken

RATE_HZ, BLOCK = 16_000, 512
AUDIBLE = 600
SAID = "Once upon a time there was a little cat who lived on a very tall chair. It looked down on everybody. " * 3
OVER = ("wait a moment please", "no no that is not what I meant", "stop talking now", "tell me something else")


class _Knows:
    """A recogniser that knows what is said, after a moment."""

    name = served = "bench"

    def __init__(self) -> None:
        self.words = ""

    async def ready(self, timeout_s: float) -> bool:
        return True

    def begin(self, on_partial: object) -> _Knows:
        return self

    def feed(self, pcm: object) -> None: ...

    async def text_so_far(self) -> Transcript:
        await asyncio.sleep(0.1)
        return Transcript(self.words, "en")

    def close(self) -> None: ...


async def measure(times: int, folder: Path) -> list[float]:
    """Return the seconds of each time."""
    settings = Settings.model_validate(
        {
            "persona": {"language": "en"},
            "llm": {"engine": "understudy"},
            "stage": {"sound": "none"},
            "studio": {"port": 0},
            "chat": {"idle_after_s": 0.0},
            "audio": {"mode": "off"},
        }
    )
    aneeka = Aneeka(settings, folder)
    knows, chance, found = _Knows(), random.Random(1), []
    ear = aneeka.listening.ear
    ear._recogniser = knows  # type: ignore[assignment]
    await aneeka.start()
    await ear.start()
    ear.mode = "open"
    await aneeka.engines.parts["voice"].ready(30)
    queue, onset = np.zeros(0, np.int16), 0.0

    async def microphone() -> None:
        nonlocal queue, onset
        due = aneeka.now()
        while True:
            block, queue = queue[:BLOCK], queue[BLOCK:]
            loud = np.flatnonzero(np.abs(block.astype(np.int32)) > AUDIBLE)
            if len(loud) and not onset:
                onset = due + float(loud[0]) / RATE_HZ
            due += BLOCK / RATE_HZ
            await asyncio.sleep(max(0.0, due - aneeka.now()))
            ear.feed(np.concatenate((block, np.zeros(BLOCK - len(block), np.int16))), due)

    talking = asyncio.create_task(microphone())
    for number in range(times):
        before = aneeka.reporter.turns
        aneeka.desk.say(SAID)
        while aneeka.stage.position is None or aneeka.stage.position < 48_000 * (1.2 + chance.random()):
            await asyncio.sleep(0.01)
        reply, onset = aneeka.reply, 0.0
        knows.words = OVER[number % len(OVER)]
        queue = spoken(knows.words)
        while aneeka.reporter.turns == before:
            await asyncio.sleep(0.02)
        if reply is not None and reply.cut == "barge_in":
            found.append(reply.marks["last_audible"] - onset)
        while aneeka.reply is not None or ear.hearing or len(queue):
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
    talking.cancel()
    await aneeka.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=40)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(times, Path(folder)))
    figures = {f"p{p}": round(1000 * percentile(found, p / 100), 1) for p in (50, 95)}
    print(json.dumps({"times": times, "cut": len(found), **figures, "max": round(1000 * max(found), 1)}))


if __name__ == "__main__":
    main()
