"""The XTTS2 voice: a cloned one, or one of the model's own, in a child process with torch (``bot.voice.xtts_engine``).

The code of XTTS2 is under the MPL-2.0, its weights are under the Coqui Public Model License, which allows
non-commercial use alone. Nothing is loaded before the user has accepted that (``tts.xtts.accept_license``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np

from bot.config.settings import Settings
from bot.models import catalogue
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Pcm, Phrase, Shape, Sound, Word
from bot.voice.level import Level
from bot.voice.listing import VoiceInfo
from bot.voice.polish import Polisher, pause_after
from bot.worker import Worker

ENGINE = "bot.voice.xtts_engine:XttsEngine"
RATE_HZ = 24_000
LANGUAGES = ("ar", "cs", "de", "en", "es", "fr", "hi", "hu", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh-cn")
"""What XTTS2 speaks. Source: its documentation."""
LOAD_S = 300.0
"""The libraries need 7 s, and most of a minute where the disk has not read them yet; the model as much again."""
FIRST_S, NEXT_S = 20.0, 15.0
"""Limits for a processor without a graphics card; who cannot wait so long leaves sooner (``bot.voice.ladder``)."""
MOST_GROWTH_BYTES = 1_500_000_000
"""A child that has grown by so much since its first phrase leaks, and another takes its place."""

_log = logging.getLogger(__name__)


class XttsVoice:
    """Implements ``vocabulary.Voice``.

    ``options``: see ``xtts_engine.XttsEngine``; ``clones``: the folder of cloned voices; ``level`` makes it as loud as
    all other voices.
    """

    name = "xtts"

    def __init__(
        self, options: dict[str, Any], clones: Path, *, level: Level, on_health: Callable[[Health], None]
    ) -> None:
        self._options = options
        self._clones = clones
        self._level = level
        self._on_health = on_health
        self._worker = self._new_worker()
        self._turn = asyncio.Lock()
        self._first: tuple[int | None, int] = (None, 0)
        """The child's process id, and its memory after its first phrase."""
        self._relief: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the child; returns at once."""
        await self._worker.start()

    async def ready(self, timeout_s: float) -> bool:
        """Wait until it can speak."""
        return await self._worker.ready(timeout_s)

    async def close(self) -> None:
        """End the child."""
        if self._relief is not None:
            self._relief.cancel()
            await asyncio.wait([self._relief])
        await self._worker.close()

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        return self._worker.pid

    @property
    def health(self) -> Health:
        """How the child is."""
        return self._worker.health

    async def list_voices(self) -> list[VoiceInfo]:
        """Return the cloned voices, and the model's own while the child can be asked."""
        voices = [VoiceInfo(name, LANGUAGES, text("xtts.about_clone")) for name in clones_in(self._clones)]
        try:
            async with aclosing(self._worker.stream({"list": True}, first_s=FIRST_S, next_s=NEXT_S)) as items:
                async for header, _ in items:
                    voices += [VoiceInfo(name, LANGUAGES, text("xtts.about_own")) for name in header["speakers"]]
        except EngineDown as down:
            if not voices:
                raise
            _log.warning("the model's own voices cannot be listed: %s", down.reason)
        return voices

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Stream one phrase, about a second a piece. What has no letter or digit is one empty last piece.

        Raises ``EngineDown``.
        """
        if not any(character.isalnum() for character in phrase.text):
            yield Sound(np.zeros(0, np.int16), RATE_HZ, last=True)
            return
        async with self._turn:
            clip = _Clip(phrase.text, self._level.gain)
            items = self._worker.stream({"text": phrase.text}, first_s=FIRST_S, next_s=NEXT_S)
            async with aclosing(items):
                async for header, payload in items:
                    sound = clip.add(header, np.frombuffer(payload, np.dtype("<i2")))
                    if len(sound.pcm) or sound.last:
                        yield sound
                    if sound.last:
                        self._level.hear(clip.raw)
                        self._watch(header["bytes"])

    def _new_worker(self) -> Worker:
        def heard(health: Health) -> None:
            if self._worker is worker:
                self._on_health(health)

        worker = Worker("voice", ENGINE, self._options, on_health=heard, load_s=LOAD_S)
        return worker

    def _watch(self, used_bytes: int) -> None:
        """Have a child replaced that leaks; local voices are known to, by gigabytes in half a day."""
        if self._first[0] != self.pid:
            self._first = self.pid, used_bytes
        if used_bytes - self._first[1] > MOST_GROWTH_BYTES and (self._relief is None or self._relief.done()):
            _log.info("its process has grown to %.1f GB; another takes its place", used_bytes / 1e9)
            self._relief = asyncio.create_task(self._relieve(), name="relieve xtts")

    async def _relieve(self) -> None:
        """Load another child beside the one that speaks, then change them; without memory for two it starts anew."""
        fresh, before = self._new_worker(), self._worker
        await fresh.start()
        try:
            fits = await fresh.ready(LOAD_S)
            async with self._turn:
                if fits:
                    self._worker, fresh = fresh, before
                    self._on_health(self.health)
        finally:
            await fresh.close()
        if not fits:
            await before.close()
            await before.start()


class _Clip:
    """One phrase on its way from the child's sound to ours."""

    def __init__(self, spoken: str, gain: float) -> None:
        self._polisher = Polisher(RATE_HZ, gain, pause_after(spoken))
        self._heard: list[Pcm] = []
        self._shapes: list[Shape] = []
        self._words: list[Word] = []

    @property
    def raw(self) -> Pcm:
        """All the sound as it was made."""
        return np.concatenate(self._heard)

    def add(self, header: dict[str, Any], pcm: Pcm) -> Sound:
        """Take one of the child's items."""
        self._heard.append(pcm)
        self._shapes += [Shape(at, viseme) for at, viseme in header["shapes"]]
        self._words += [Word(at, start, end) for at, start, end in header["words"]]
        last: bool = header["last"]
        polished = self._polisher.feed(pcm)
        if last:
            polished = np.concatenate((polished, self._polisher.finish()))
        skipped = self._polisher.skipped
        if skipped is None:
            return Sound(polished, RATE_HZ, last=last)
        shapes = tuple(Shape(max(shape.at - skipped, 0), shape.viseme) for shape in self._shapes)
        words = tuple(Word(max(word.at - skipped, 0), word.start, word.end) for word in self._words)
        self._shapes, self._words = [], []
        return Sound(polished, RATE_HZ, shapes, words, last)


def clones_in(clones: Path) -> list[str]:
    """Return the names of the cloned voices."""
    return sorted(file.stem for file in clones.glob("*.wav"))


def clones_folder(data: Path) -> Path:
    """Return where cloned voices live, a WAV file each; it may be missing."""
    return data / "voices" / "xtts"


def build(settings: Settings, data: Path, on_health: Callable[[Health], None]) -> XttsVoice:
    """Build the voice that the settings ask for, not yet started; what it lacks shows in its health from then on."""
    tts = settings.tts
    chosen = tts.voice if tts.engine == XttsVoice.name else tts.voices.xtts
    clones = clones_folder(data)
    own = Path(tts.xtts.speaker_wav).expanduser() if tts.xtts.speaker_wav else None
    sample = clones / f"{chosen}.wav" if chosen in clones_in(clones) else None if chosen else own
    model = Path(tts.xtts.model_dir).expanduser() if tts.xtts.model_dir else catalogue.folder(data) / "xtts-v2"
    options = {
        "model_dir": str(model),
        "device": tts.xtts.device,
        "language": settings.persona.language,
        "speed": tts.speed,
        "accepted": tts.xtts.accept_license,
        "sample": str(sample or ""),
        "speaker": chosen,
        "cache": str(clones / "latents"),
    }
    level = Level(data / "voices" / "levels.json", f"xtts {chosen or tts.xtts.speaker_wav}", RATE_HZ)
    return XttsVoice(options, clones, level=level, on_health=on_health)
