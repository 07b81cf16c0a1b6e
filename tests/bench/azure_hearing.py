"""Minutes of speech through Azure's real SDK and a local server of its protocol, with drops and stalls among it.

``python -m tests.bench.azure_hearing [--minutes N] [--no-faults]``: an operator speaks in real time, block by block, a
pause between two sentences; now and then the connection is torn, the service falls silent in mid-phrase, or a private
question is asked beside. The server runs in a process of its own. Prints how late the loop's timers are (all of the
bot's work waits so long), how long a text takes after the last word, whether every word came, and what it costs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import random
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

from bot.config.settings import Settings
from bot.hearing.azure import AzureRecogniser, build
from bot.hearing.azure_utterance import AzureUtterance
from bot.hearing.silero import BLOCK, BLOCK_S, RATE_HZ
from bot.timing import percentile
from bot.vocabulary import EngineDown, Pcm
from tests.local_azure.stt import VOCABULARY, Recognition, say
from tests.local_azure.usp import KEY, LocalAzure

TICK_S = 0.005
THINKS_S = 0.05
"""What the service takes for the text of a phrase."""
NAMES_EACH_S = 0.5
"""So often somebody new writes in chat, whose name the service is told."""

Plan = Literal["", "torn", "stall", "private", "at_rest"]
PLANS: tuple[Plan, ...] = ("", "torn", "", "private", "", "stall", "", "at_rest")
"""What happens to each sentence in turn: torn while it is spoken, not answered, asked beside, torn in the pause."""


def serve(pipe: Connection) -> None:
    """Run the server in this process; ``torn`` through the pipe tears all connections, ``stall`` plans one."""
    faults: list[Any] = []

    def met() -> Iterator[Any]:
        while True:
            yield faults.pop(0) if faults else None

    stt = Recognition(final_s=THINKS_S, at_turn=met())
    with LocalAzure(stt) as server:
        pipe.send(server.endpoint)
        with contextlib.suppress(EOFError):
            while (word := pipe.recv()) != "over":
                if word == "stall":
                    faults.append("stall_mid")
                server.drop_all()


@dataclass
class Measured:
    late_s: list[float] = field(default_factory=list)
    text_s: dict[str, list[float]] = field(default_factory=dict)
    """By what happened to the sentence."""
    wrong: list[tuple[str, str, str]] = field(default_factory=list)
    partial_s: list[float] = field(default_factory=list)
    """From the first word's first sample to the first guess."""


async def late(into: list[float]) -> None:
    """Note how late each timer is."""
    while True:
        due = time.perf_counter() + TICK_S
        await asyncio.sleep(TICK_S)
        into.append(max(0.0, time.perf_counter() - due))


async def meet(recogniser: AzureRecogniser) -> None:
    """Somebody new writes, again and again."""
    names: list[str] = []
    for number in itertools.count():
        names = [f"viewer_{number}", *names][:100]
        recogniser.set_names(names)
        await asyncio.sleep(NAMES_EACH_S)


async def blocks(sound: Pcm) -> AsyncIterator[tuple[int, Pcm]]:
    """Bring sound as a microphone does."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for at in range(0, len(sound) - BLOCK + 1, BLOCK):
        due += BLOCK_S
        await asyncio.sleep(max(0.0, due - loop.time()))
        yield at, sound[at : at + BLOCK]


def room(seconds: float) -> Pcm:
    return np.random.default_rng(1).normal(0, 20, round(seconds * RATE_HZ)).astype(np.int16)


async def text_of(utterance: AzureUtterance) -> str:
    try:
        return (await utterance.text_so_far()).text
    except EngineDown as down:
        return f"(down: {down.reason})"


async def private(recogniser: AzureRecogniser, words: str) -> str:
    """Ask beside, all of it at once."""
    utterance = recogniser.begin(lambda text: None)
    utterance.feed(np.concatenate((room(0.3), say(words), room(0.2))))
    text = await text_of(utterance)
    utterance.close()
    return text


async def sentence(recogniser: AzureRecogniser, plan: Plan, pipe: Connection, dice: random.Random, m: Measured) -> None:
    """Say one, with whatever happens to it."""
    words = " ".join(dice.choices(VOCABULARY, k=dice.randint(5, 20)))
    sound = np.concatenate((room(0.5), say(words), room(0.128)))
    began = time.monotonic() + 0.5
    guesses: list[float] = []
    utterance = recogniser.begin(lambda text: guesses.append(time.monotonic() - began))
    happens_at = dice.randrange(len(sound) // 3, 2 * len(sound) // 3)
    beside: asyncio.Task[str] | None = None
    beside_words = " ".join(dice.choices(VOCABULARY, k=4))
    async for at, block in blocks(sound):
        utterance.feed(block)
        if at <= happens_at < at + BLOCK:
            if plan in ("torn", "stall"):
                pipe.send(plan)
            elif plan == "private":
                beside = asyncio.create_task(private(recogniser, beside_words))
    ended = time.monotonic()
    text = await text_of(utterance)
    m.text_s.setdefault(plan or "well", []).append(time.monotonic() - ended)
    m.partial_s += guesses[:1] if not plan else []
    utterance.close()
    _check(words, text, plan, m)
    if beside is not None:
        _check(beside_words, await beside, plan, m)
    if plan == "at_rest":
        pipe.send("torn")
    await asyncio.sleep(dice.uniform(0.2, 0.8))


def _check(words: str, text: str, plan: Plan, m: Measured) -> None:
    if text.lower().replace(".", "").split() != words.split():
        m.wrong.append((plan, words, text))


async def measure(endpoint: str, pipe: Connection, minutes: float, *, faults: bool) -> dict[str, Any]:
    settings = Settings.model_validate({"azure": {"key": KEY, "endpoint": endpoint}})
    states: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        recogniser = build(settings, Path(folder), lambda health: states.append(health.state))
    await recogniser.start()
    if not await recogniser.ready(20):
        raise SystemExit("the local server cannot be reached")
    m, process, dice = Measured(), psutil.Process(), random.Random(1)
    beside = [asyncio.create_task(late(m.late_s)), asyncio.create_task(meet(recogniser))]
    cpu, began, resident = time.process_time(), time.monotonic(), process.memory_info().rss
    spoken = 0
    for plan in itertools.cycle(PLANS if faults else ("",)):
        if time.monotonic() - began > 60 * minutes:
            break
        await sentence(recogniser, plan, pipe, dice, m)
        spoken += 1
    took_s, cpu_s, threads = time.monotonic() - began, time.process_time() - cpu, threading.active_count()
    for task in beside:
        task.cancel()
    figures = {
        "minutes": round(took_s / 60, 1),
        "sentences": spoken,
        "wrong": m.wrong,
        "down": states.count("down"),
        "loop_late_ms": _spread(m.late_s, (50, 99, 99.9)),
        "text_after_last_word_ms": {plan: _spread(times, (50, 95)) for plan, times in m.text_s.items()},
        "first_guess_ms": _spread(m.partial_s, (50, 95)),
        "cpu_share": round(cpu_s / took_s, 3),
        "rss_grew_mb": round((process.memory_info().rss - resident) / 2**20, 1),
        "threads": threads,
    }
    await recogniser.close()
    return figures


def _spread(seconds: list[float], percents: tuple[float, ...]) -> dict[str, float]:
    if not seconds:
        return {}
    return {
        **{f"p{p}": round(1000 * percentile(seconds, p / 100), 2) for p in percents},
        "max": round(1000 * max(seconds), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--no-faults", action="store_true")
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    figures = asyncio.run(measure(ours.recv(), ours, asked.minutes, faults=not asked.no_faults))
    ours.send("over")
    server.join(5)
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
