"""Voices with every fault, and an ear that tells which words were heard, by whom and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from avatar.lipsync import MouthTrack
from bot.reply import Performance
from bot.stage.playback import Stage
from bot.stage.silent import RATE_HZ, SilentOutput
from bot.vocabulary import Cue, EngineDown, Health, Phrase, Prompt, Reply, Sound, Spoken, Word
from bot.voice.ladder import VoiceLadder
from bot.voice.phrases import PhraseCutter

SECRET = "k3y-" + "0f-a-user"
PER_VOICE = 5000
PIECE = RATE_HZ // 10
GAP = RATE_HZ // 50
"""Silence after a word; the words themselves are told apart by the value of their samples."""
HEARD = 0.9


def letters_long(word: str) -> int:
    return RATE_HZ * (len(word) + 1) // 15


class Lines:
    """The words of a reply, each one known by a number."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = text.split()
        self.number = {word.strip(",.!?¿¡"): index for index, word in enumerate(self.words)}
        assert len(self.number) == len(self.words)


class FailingVoice:
    """Speaks ``speed`` times as fast as it plays, until ``fault`` comes over it after so many samples."""

    def __init__(self, name: str, number: int, lines: Lines, first_s: float = 0.15, speed: float = 4.0) -> None:
        self.name = name
        self.health = Health(name, "ok")
        self.fault = ""
        self.fault_at = 0
        self.drip = 1.0
        self.asked: list[str] = []
        self.cancelled = 0
        self.back_s = 0.4
        self.tells_ahead = name == "azure"
        """Gives the times of all words with the first sound."""
        self._base = (number + 1) * PER_VOICE
        self._lines = lines
        self._first_s, self._speed = first_s, speed
        self._made = 0

    def falls_ill(self, fault: str, after: int) -> None:
        self.fault, self.fault_at, self._made = fault, after, 0

    async def ready(self, timeout_s: float) -> bool:
        if self.fault == "killed":
            await asyncio.sleep(min(self.back_s, timeout_s))
            if self.back_s <= timeout_s:
                self.fault = ""
        return not self.fault

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def _sound(self, phrase: Phrase) -> tuple[np.ndarray[Any, np.dtype[np.int16]], list[Word]]:
        pieces, words, at, end = [], [], 0, 0
        for word in phrase.text.split():
            start = phrase.text.index(word, end)
            end = start + len(word)
            words.append(Word(at, start, end))
            value = self._base + self._lines.number.get(word.strip(",.!?¿¡"), PER_VOICE - 2)
            pieces += [np.full(letters_long(word), value, np.int16), np.zeros(GAP, np.int16)]
            at += letters_long(word) + GAP
        return np.concatenate(pieces), words

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        self.asked.append(phrase.text)
        try:
            async for sound in self._speak(phrase):
                yield sound
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            if self.fault == "deaf":
                await asyncio.sleep(30)
            raise

    async def _speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        ill = bool(self.fault) and self._made >= self.fault_at
        if ill and self.fault == "refuses":
            raise EngineDown("429")
        if ill and self.fault == "empty":
            yield Sound(np.zeros(0, np.int16), RATE_HZ, last=True)
            return
        pcm, words = self._sound(phrase)
        await asyncio.sleep(self._first_s)
        for at in range(0, len(pcm), PIECE):
            if self.fault and self._made >= self.fault_at:
                if self.fault in ("killed", "refuses"):
                    raise EngineDown("it died")
                if self.fault == "crashes":
                    raise ValueError(SECRET)
                if self.fault == "breaks_off":
                    return
                if self.fault in ("stalls", "deaf"):
                    await asyncio.sleep(1e6)
                await asyncio.sleep(PIECE / RATE_HZ / self.drip if self.fault == "drips" else 0)
            else:
                await asyncio.sleep(PIECE / RATE_HZ / self._speed)
            piece = pcm[at : at + PIECE]
            self._made += len(piece)
            if self.tells_ahead:
                mine = () if at else tuple(words)
            else:
                mine = tuple(word for word in words if at <= word.at < at + PIECE)
            yield Sound(piece, RATE_HZ, words=mine, last=at + PIECE >= len(pcm))


class Ear(SilentOutput):
    """Notes when each stretch of sound began to be audible."""

    def begin(self, serial: int) -> None:
        super().begin(serial)
        self.stretches: list[tuple[int, float]] = []
        self.pcm: list[Any] = []

    def write(self, pcm: Any) -> None:
        if self.played() >= self._written:
            self.stretches.append((self._written, self.clock()))
        self.pcm.append(pcm)
        super().write(pcm)

    def time_of(self, sample: int) -> float:
        at, since = [stretch for stretch in self.stretches if stretch[0] <= sample][-1]
        return since + (sample - at) / RATE_HZ


@dataclass(slots=True)
class Heard:
    """What the audience heard: words that were spoken whole, who spoke each, gaps between them in seconds."""

    words: list[int]
    voices: list[int]
    fragments: int
    gaps_s: list[float]
    begins_s: float
    spoken: Spoken
    told: list[dict[str, Any]] = field(default_factory=list)


def listen(ear: Ear, lines: Lines, asked_s: float, spoken: Spoken) -> Heard:
    pcm = np.concatenate([*ear.pcm, np.zeros(1, np.int16)])
    edges = np.flatnonzero(np.diff(pcm)) + 1
    words, voices, spans, fragments = [], [], [], 0
    for start, end in pairwise([0, *edges.tolist()]):
        value = int(pcm[start])
        number = value % PER_VOICE
        if value < PER_VOICE or number >= len(lines.words):
            continue
        if end - start >= HEARD * letters_long(lines.words[number]):
            words.append(number)
            voices.append(value // PER_VOICE - 1)
            spans.append((start, end))
        elif end - start > RATE_HZ // 100:
            fragments += 1
    times = [(ear.time_of(start), ear.time_of(end - 1)) for start, end in spans]
    gaps = [after[0] - before[1] for before, after in pairwise(times)]
    return Heard(words, voices, fragments, gaps, times[0][0] - asked_s if times else 0.0, spoken)


class Talker:
    """A brain of 60 tokens a second."""

    name, prompt_tokens = "talker", 0

    def __init__(self, text: str) -> None:
        self._text = text

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        for word in self._text.split():
            await asyncio.sleep(1 / 40)
            yield word + " "

    async def warm(self, prompt: Prompt) -> None: ...


async def perform(
    ladder: VoiceLadder,
    lines: Lines,
    *,
    id: str = "r1",
    during: Callable[[Reply, Stage], Any] | None = None,
) -> Heard:
    """Let her say these lines with real phrases, reply and stage; ``during`` runs beside it."""
    now = asyncio.get_running_loop().time
    ear, told = Ear(now), []
    stage = Stage(ear, lambda: MouthTrack(RATE_HZ), lambda message: None, told.append, now)
    ladder.ahead_s = stage.ahead_s
    reply = Reply(id, Cue("say", (), now()))
    performance = Performance(
        reply,
        brain=Talker(lines.text),
        cutter=PhraseCutter("es"),
        gate=lambda phrase: None,
        voice=ladder,
        stage=stage,
        tell=lambda message: None,
    )
    asked_s = now()
    beside = asyncio.ensure_future(during(reply, stage)) if during else None
    outcome = await performance.run(Prompt((), reply.cue))
    if beside:
        beside.cancel()
    heard = listen(ear, lines, asked_s, outcome.spoken)
    heard.told = told
    return heard
