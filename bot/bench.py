"""Latency of the pipeline with simulated engines of known speed, against the computed floor.

The floor is that of an ideal cutter: it asks the voice at the first ``. ! ? …`` however short, or at ``, ; :`` after at
least 10 letters, the moment that mark's token arrives. Everything but the two engines is the real thing.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from avatar.lipsync import MouthTrack
from bot.reply import Performance
from bot.safety.gate import Gate
from bot.stage.playback import Stage
from bot.stage.silent import RATE_HZ, SilentOutput
from bot.timing import percentile
from bot.vocabulary import Cue, Heard, Message, Phrase, Prompt, Reply, Shape, Sound, Word
from bot.voice.phrases import PhraseCutter

LETTERS_PER_S = 15.0
CHUNK_S = 0.1
FLOOR_LETTERS = 10
IN_FLIGHT = 6
"""Turns that may still be speaking while the next one starts (never two before their first sound)."""
SEQUENTIAL_TURNS = 5
ABBREVIATIONS = frozenset("dr dra sr sra srta mr mrs ms st vs etc ej ee uu am pm prof".split())

ANSWERS = (
    "¡Wow! No me esperaba una pregunta así, pero me encanta.",
    "Wow! I did not see that coming, and I love it.",
    "Hola, Marta, qué alegría verte por aquí otra vez. ¿Cómo va todo?",
    "Well, that depends on the day: sometimes I win, sometimes the boss wins.",
    "La versión 3.5 salió ayer, y ya tiene muchos fans.",
    "It takes about 2.5 hours, give or take. Bring snacks!",
    "El Dr. López dice que no, pero yo creo que sí.",
    "Honestly? Dr. Smith would call that a miracle; I call it luck.",
    "Mmm… déjame pensarlo un momento. Creo que la respuesta es azul.",
    "Gracias por el follow, de verdad, esto se llena de gente bonita.",
    "No way! You really beat it on the first try? Incredible.",
    "Sí. Y además pienso repetirlo mañana, que conste.",
)
"""What the simulated brain says: openers, commas, decimals and abbreviations, in both languages."""


class BadAnswers(Exception):
    """The file of answers is not usable; the message says why."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """How fast the simulated engines are."""

    first_token_ms: float = 150.0
    tokens_per_s: float = 60.0
    first_audio_ms: float = 120.0
    speech_speed: float = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the brain says, as the tokens it comes in."""

    tokens: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.tokens)


class SimulatedBrain:
    """Gives an answer's tokens at a fixed pace (``vocabulary.Brain``)."""

    name = "simulated"
    prompt_tokens = 0

    def __init__(self, answer: Answer, speeds: Speeds) -> None:
        self._answer = answer
        self._speeds = speeds

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Yield each token at its time."""
        now = asyncio.get_running_loop().time
        start = now()
        for index, token in enumerate(self._answer.tokens):
            due = start + self._speeds.first_token_ms / 1000 + index / self._speeds.tokens_per_s
            await asyncio.sleep(max(0.0, due - now()))
            yield token

    async def warm(self, prompt: Prompt) -> None:
        """Nothing to read ahead."""


class SimulatedVoice:
    """Gives noise of the length of speech, one synthesis at a time (``vocabulary.Voice``)."""

    name = "simulated"

    def __init__(self, speeds: Speeds) -> None:
        self._speeds = speeds
        self._noise = np.random.default_rng(1).integers(-9000, 9000, int(RATE_HZ * CHUNK_S)).astype(np.int16)

    async def ready(self, timeout_s: float) -> bool:
        """Return ``True``."""
        return True

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Yield 100 ms pieces, ``speech_speed`` times as fast as they play."""
        now = asyncio.get_running_loop().time
        start = now()
        length = max(CHUNK_S, len(phrase.text) / LETTERS_PER_S)
        pieces = max(1, round(length / CHUNK_S))
        shapes = tuple(Shape(int(i * RATE_HZ / 10), 2 if i % 2 else 21) for i in range(int(length * 10)))
        starts = [(m.start(), m.end()) for m in re.finditer(r"\S+", phrase.text)]
        words = tuple(Word(round(a / LETTERS_PER_S * RATE_HZ), a, b) for a, b in starts)
        for index in range(pieces):
            due = start + self._speeds.first_audio_ms / 1000 + index * CHUNK_S / self._speeds.speech_speed
            await asyncio.sleep(max(0.0, due - now()))
            first = index == 0
            yield Sound(self._noise, RATE_HZ, shapes if first else (), words if first else (), last=index == pieces - 1)


class _UntilWritten(Stage):
    """A stage whose replies are over when all sound is written: the rest can hold no surprise."""

    async def drained(self, reply: Reply) -> None:
        return


@dataclass(frozen=True, slots=True)
class _Turn:
    over_floor_ms: float
    first_audible_ms: float
    silence_ms: float


def split_tokens(text: str) -> tuple[str, ...]:
    """Split as language models do: words with their leading blank, long ones in two, each mark by itself."""
    parts = re.findall(r"\s*[^\W\d_]{1,6}|\s*\d{1,3}|\s*[^\w\s]|\s*\w|\s+", text)
    return tuple(parts)


def floor_index(tokens: Sequence[str]) -> int:
    """Return the index of the token at which an ideal cutter asks the voice for the first time."""
    text = "".join(tokens)
    ends = np.cumsum([len(token) for token in tokens])
    letters = 0
    for position, char in enumerate(text):
        letters += char.isalpha()
        before, after = text[:position], text[position + 1 : position + 2]
        if (char in ".,:" and before[-1:].isdigit() and after.isdigit()) or not letters:
            continue
        word = re.search(r"([^\W\d_]+)$", before)
        if char == "." and word and (word[1].lower() in ABBREVIATIONS or (len(word[1]) == 1 and word[1].isupper())):
            continue
        if char in ".!?…" or (char in ",;:" and letters >= FLOOR_LETTERS):
            return int(np.searchsorted(ends, position, side="right"))
    return len(tokens) - 1


def floor_ms(answer: Answer, speeds: Speeds) -> float:
    """Return the earliest moment at which the first sound can be audible."""
    index = floor_index(answer.tokens)
    return speeds.first_token_ms + index * 1000 / speeds.tokens_per_s + speeds.first_audio_ms


def read_answers(file: Path) -> list[Answer]:
    """Read a list of ``{"text", "tokens"}``; ``tokens`` is a list of strings that make the text, or their number.

    Raises ``BadAnswers``.
    """
    try:
        rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        answers = [_answer(row["text"], row.get("tokens")) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise BadAnswers(f'{file}: [{{"text": "…", "tokens": ["…", …]}}, …] ({error})') from error
    if not answers:
        raise BadAnswers(f"{file}: []")
    return answers


def _answer(text: str, tokens: list[str] | int | None) -> Answer:
    if not any(char.isalnum() for char in text):
        raise ValueError(text)
    if tokens is None:
        return Answer(split_tokens(text))
    if isinstance(tokens, list):
        if not all(isinstance(token, str) for token in tokens) or not "".join(tokens).strip():
            raise ValueError("tokens")
        return Answer(tuple(tokens))
    count = max(1, min(int(tokens), len(text)))
    edges = [round(i * len(text) / count) for i in range(count + 1)]
    return Answer(tuple(text[a:b] for a, b in pairwise(edges)))


async def bench(
    answers: Sequence[Answer], turns: int, speeds: Speeds, progress: Callable[[int], None]
) -> dict[str, Any]:
    """Run turns through the real pipeline; return the figures as on the interface page.

    A first turn is not counted: what it loads, the living program has loaded before anybody speaks. The engines' own
    CPU is measured before and after, since a machine's speed drifts.
    """
    alone = [answers[i % len(answers)] for i in range(min(turns, IN_FLIGHT * 4))]
    await _turn(answers[0], speeds, asyncio.Event(), [])
    engines_s = await _engines_alone(alone, speeds)
    results: list[_Turn] = []
    cpu_before = time.process_time()
    running: set[asyncio.Task[None]] = set()
    for number in range(turns):
        audible = asyncio.Event()
        task = asyncio.create_task(_turn(answers[number % len(answers)], speeds, audible, results))
        running.add(task)
        await audible.wait()
        while len(running) >= IN_FLIGHT:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            running = {t for t in running if not t.done()}
        progress(number + 1)
    await asyncio.gather(*running)
    cpu_s = (time.process_time() - cpu_before) / turns
    engines_s = (engines_s + await _engines_alone(alone, speeds)) / 2
    sequential = [await _sequential(answers[i % len(answers)], speeds) for i in range(min(turns, SEQUENTIAL_TURNS))]
    over = [r.over_floor_ms for r in results]
    first = [r.first_audible_ms for r in results]
    same = [r.first_audible_ms for r in results[: len(sequential)]]
    return {
        "turns": turns,
        "over_floor_ms": {f"p{p}": round(percentile(over, p / 100), 2) for p in (50, 95, 99)},
        "first_audible_ms": {f"p{p}": round(percentile(first, p / 100), 1) for p in (50, 95, 99)},
        "silence_ms": round(max(r.silence_ms for r in results), 2),
        "cpu_s_per_turn": round(max(0.0, cpu_s - engines_s), 4),
        "engines_cpu_s_per_turn": round(engines_s, 4),
        "sequential_ratio": round(percentile(sequential, 0.5) / percentile(same, 0.5), 2),
        "sequential_first_audible_ms": round(percentile(sequential, 0.5), 1),
        "engines": {
            "first_token_ms": speeds.first_token_ms,
            "tokens_per_s": speeds.tokens_per_s,
            "first_audio_ms": speeds.first_audio_ms,
            "speech_speed": speeds.speech_speed,
        },
    }


async def _turn(answer: Answer, speeds: Speeds, audible: asyncio.Event, results: list[_Turn]) -> None:
    heard_at = time.monotonic()
    cue = Cue("operator", (Heard("bench", "operator", "", heard_at),), heard_at)
    reply = Reply("bench", cue, {"heard": heard_at})
    output = SilentOutput(time.monotonic)

    def tell(message: dict[str, Any]) -> None:
        if message["type"] == "phrase":
            audible.set()

    stage = _UntilWritten(output, lambda: MouthTrack(RATE_HZ), lambda message: None, tell, time.monotonic)
    performance = Performance(
        reply,
        brain=SimulatedBrain(answer, speeds),
        cutter=PhraseCutter("es"),
        gate=Gate().goes_out,
        voice=SimulatedVoice(speeds),
        stage=stage,
        tell=tell,
    )
    await performance.run(Prompt((Message("user", ""),), cue))
    audible.set()
    first_ms = (reply.marks["first_audible"] - heard_at) * 1000
    results.append(_Turn(first_ms - floor_ms(answer, speeds), first_ms, output.dry_s * 1000))


async def _engines_alone(answers: Sequence[Answer], speeds: Speeds) -> float:
    """Return the CPU seconds a turn that the simulated engines take by themselves, as crowded as in the bench."""

    async def drain(stream: AsyncGenerator[object, None]) -> None:
        async for _ in stream:
            pass

    async def turn(answer: Answer) -> None:
        prompt = Prompt((), Cue("operator", (), 0.0))
        brain, voice = SimulatedBrain(answer, speeds), SimulatedVoice(speeds)
        await asyncio.gather(drain(brain.think(prompt)), drain(voice.speak(Phrase("bench", 0, answer.text))))

    before = time.process_time()
    running = []
    for answer in answers:
        running.append(asyncio.create_task(turn(answer)))
        await asyncio.sleep(floor_ms(answer, speeds) / 1000)
    await asyncio.gather(*running)
    return (time.process_time() - before) / len(answers)


async def _sequential(answer: Answer, speeds: Speeds) -> float:
    """Return the first audible moment (ms) of the usual way: the whole answer, then its whole audio, then play."""
    start = time.monotonic()
    cue = Cue("operator", (), start)
    async for _ in SimulatedBrain(answer, speeds).think(Prompt((), cue)):
        pass
    async for _ in SimulatedVoice(speeds).speak(Phrase("bench", 0, answer.text)):
        pass
    return (time.monotonic() - start) * 1000
