"""A room with an operator, a microphone and a recogniser that knows what was said and when: scenes on a virtual clock.

Speech is real sound (espeak-ng, or recorded clips), voice activity is the real model; time alone is virtual.
"""

from __future__ import annotations

import asyncio
import json
import os
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from bot.hearing.addressed import Addressing
from bot.hearing.ear import Ear
from bot.hearing.silero import BLOCK, RATE_HZ, SILENCE_DB, Silero, level_db
from bot.vocabulary import EngineDown, Pcm, Transcript
from bot.voice.espeak_engine import EspeakEngine

CLIPS = Path(os.environ.get("ANEEKA_SPEECH", Path(__file__).parents[2] / "shared" / "data" / "speech"))
ROOM_DB = -62.0


@dataclass(frozen=True)
class Speech:
    """Sound at 16 kHz and its words: text, first and last second."""

    pcm: Pcm
    words: tuple[tuple[str, float, float], ...]

    @property
    def starts_s(self) -> float:
        return self.words[0][1]

    @property
    def ends_s(self) -> float:
        return self.words[-1][2]

    @property
    def text(self) -> str:
        return " ".join(word for word, *_ in self.words)


@cache
def spoken(text: str, language: str = "es", voice: str | None = None) -> Speech:
    """Let espeak-ng say it."""
    engine = EspeakEngine({"voice": voice, "language": language, "speed": 1.0})
    items = list(engine.run({"text": text}, b""))
    rate = items[0][0]["rate_hz"]
    pcm = np.concatenate([np.frombuffer(data, "<i2") for _, data in items])
    spots = [word for header, _ in items for word in header["words"]]
    audible = float(np.flatnonzero(np.abs(pcm.astype(np.int32)) > 300)[-1]) / rate
    starts = [at / rate for at, *_ in spots]
    ends = [*starts[1:], audible]
    words = tuple((text[a:b], s, e) for (_, a, b), s, e in zip(spots, starts, ends, strict=True))
    return Speech(soxr.resample(pcm, rate, RATE_HZ), words)


def clip(name: str) -> Pcm:
    """Return a recorded clip, or skip the test where there are none."""
    file = CLIPS / f"{name}.wav"
    if not file.exists():
        pytest.skip(f"no {file.name}")
    with wave.open(str(file)) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")


def clip_with_words(name: str, language: str) -> Speech:
    """Return a clip whose words and their times are known."""
    pcm = clip(name)
    known = json.loads((CLIPS / "leopard_test_data.json").read_text("utf-8"))["tests"]["language_tests"]
    words = next(test for test in known if test["language"] == language)["words"]
    return Speech(pcm, tuple((w["word"], w["start_sec"], w["end_sec"]) for w in words))


def noise(seconds: float, level_db: float = ROOM_DB, seed: int = 1) -> Pcm:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(round(seconds * RATE_HZ)) * 32768 * 10 ** (level_db / 20)).astype(np.int16)


@dataclass
class Room:
    """What happens before the microphone, from second 0 on."""

    seconds: float
    sound: Pcm = field(init=False)
    words: list[tuple[str, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sound = noise(self.seconds)

    def add(self, at_s: float, speech: Speech | Pcm, gain_db: float = 0.0) -> float:
        """Put speech into the room; return when its last word ends."""
        pcm = speech.pcm if isinstance(speech, Speech) else speech
        start = round(at_s * RATE_HZ)
        part = self.sound[start : start + len(pcm)]
        louder = pcm[: len(part)] * 10 ** (gain_db / 20)
        part[:] = np.clip(part + louder, -32768, 32767).astype(np.int16)
        if not isinstance(speech, Speech):
            return at_s + len(pcm) / RATE_HZ
        self.words += [(word, at_s + a, at_s + b) for word, a, b in speech.words]
        return at_s + speech.ends_s


class Her:
    """She speaks: from ``at_s`` on, and comes back through loudspeakers ``echo_db`` quieter and ``delay_s`` later."""

    def __init__(self, at_s: float, pcm: Pcm, echo_db: float | None = None, delay_s: float = 0.1) -> None:
        self.at_s, self.pcm = at_s, pcm
        self.held = False
        self.share = 0.0 if echo_db is None else 10 ** (echo_db / 20)
        self.played = 0
        self._past = np.zeros(round(delay_s * RATE_HZ) + BLOCK, np.int16)

    @property
    def busy(self) -> bool:
        return 0 < self.played < len(self.pcm)

    def block(self, now_s: float) -> tuple[Pcm, Pcm]:
        """Return what she plays during the block that ends now, and what of her the microphone gets."""
        out = np.zeros(BLOCK, np.int16)
        if now_s >= self.at_s and not self.held and self.played < len(self.pcm):
            piece = self.pcm[self.played : self.played + BLOCK]
            out[: len(piece)] = piece
            self.played += BLOCK
        self._past = np.concatenate((self._past[BLOCK:], out))
        return out, (self._past[:BLOCK] * self.share).astype(np.int16)


class Recogniser:
    """Knows the room's words. ``delay_s``: for a text that is asked for; ``lag_s``: for partial ones (None: none)."""

    name = "ladder"
    served = "simulated"

    def __init__(self, scene: Scene, delay_s: float, lag_s: float | None) -> None:
        self.scene, self.delay_s, self.lag_s = scene, delay_s, lag_s
        self.broken = False
        self.open = 0
        self.asked = 0

    def begin(self, on_partial: Callable[[str], None]) -> Any:
        self.open += 1
        return _Utterance(self, on_partial)

    async def ready(self, timeout_s: float) -> bool:
        return True


class _Utterance:
    def __init__(self, recogniser: Recogniser, on_partial: Callable[[str], None]) -> None:
        self.recogniser, self.on_partial = recogniser, on_partial
        self.samples = 0
        self.told = ""
        self.closed = False

    def feed(self, pcm: Pcm) -> None:
        assert not self.closed
        self.samples += len(pcm)
        lag = self.recogniser.lag_s
        if lag is not None and (text := self.words()) != self.told:
            self.told = text
            asyncio.get_running_loop().call_later(lag, lambda: self.closed or self.on_partial(text))

    def words(self) -> str:
        scene = self.recogniser.scene
        to = scene.block_s
        since = to - self.samples / RATE_HZ
        return " ".join(w for w, a, b in scene.room.words if a >= since - 0.02 and b <= to + 0.05)

    async def text_so_far(self) -> Transcript:
        assert not self.closed
        self.recogniser.asked += 1
        text = self.words()
        await asyncio.sleep(self.recogniser.delay_s)
        if self.recogniser.broken:
            raise EngineDown("broken")
        return Transcript(text)

    def close(self) -> None:
        assert not self.closed
        self.closed = True
        self.recogniser.open -= 1


class Scene:
    """An ear in a room. ``log`` holds what it told: seconds since the scene began, the call's name, what was told."""

    def __init__(
        self, room: Room, her: Her | None = None, *, delay_s: float = 0.1, lag_s: float | None = None, **options: Any
    ) -> None:
        self.room = room
        self.her = her or Her(0.0, noise(0))
        self.now = asyncio.get_running_loop().time
        self.started = self.now()
        self.block_s = 0.0
        self.log: list[tuple[float, str, Any]] = []
        self.hers_db = SILENCE_DB
        self.recogniser = Recogniser(self, delay_s, lag_s)
        self.addressing = Addressing(("Aneeka",), everything=options.pop("everything", True))
        self.ear = Ear(
            self.recogniser,
            self,
            self.addressing,
            clock=self.now,
            hers_db=lambda: self.hers_db,
            busy=lambda: self.her.busy,
            silero=Silero(),
            **options,
        )

    # the listener

    def _note(self, what: str, more: Any = None) -> None:
        self.log.append((self.now() - self.started, what, more))

    def speech_began(self) -> None:
        self._note("speech_began")

    def interrupts(self) -> None:
        self._note("interrupts")
        self.her.held = True

    def murmured(self) -> None:
        self._note("murmured")
        self.her.held = False

    def takes_over(self) -> None:
        self._note("takes_over")
        self.her.played = len(self.her.pcm)

    def partial(self, text: str) -> None:
        self._note("partial", text)

    def probably_said(self, text: str) -> None:
        self._note("probably_said", text)

    def goes_on(self) -> None:
        self._note("goes_on")

    def said(self, text: str, *, addressed: bool, marks: dict[str, float], served: str) -> None:
        since = {name: at - self.started for name, at in marks.items()}
        self._note("said", {"text": text, "addressed": addressed, "served": served, **since})

    # the scene

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_at(self.started + seconds, act)

    async def run(self, after_s: float = 5.0) -> Scene:
        await self.ear.start()
        for start in range(0, len(self.room.sound) - BLOCK + 1, BLOCK):
            self.block_s = (start + BLOCK) / RATE_HZ
            await asyncio.sleep(max(0.0, self.started + self.block_s - self.now()))
            hers, echo = self.her.block(self.block_s)
            self.hers_db = level_db(hers)
            self.ear.feed(self.room.sound[start : start + BLOCK] + echo, self.now())
        await asyncio.sleep(after_s)
        self.ear.close()
        assert self.recogniser.open == 0, "every utterance is closed"
        return self

    def told(self, *what: str) -> list[str]:
        """Return the names of the calls in order, or of these ones."""
        return [name for _, name, _ in self.log if not what or name in what]

    def when(self, what: str) -> float:
        """Return when this was first told."""
        return next(at for at, name, _ in self.log if name == what)

    @property
    def turns(self) -> list[dict[str, Any]]:
        return [more for _, name, more in self.log if name == "said"]
