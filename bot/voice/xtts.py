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
from bot.config.speech import XTTS_LANGUAGES
from bot.models import catalogue
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Phrase, Sound
from bot.voice.child import ChildVoice
from bot.voice.clip import PolishedClip
from bot.voice.level import Level
from bot.voice.listing import VoiceInfo
from bot.voice.wire import as_sound
from bot.worker import Worker

ENGINE = "bot.voice.xtts_engine:XttsEngine"
RATE_HZ = 24_000
LOAD_S = 300.0
"""The libraries need 7 s, and most of a minute where the disk has not read them yet; the model as much again."""
FIRST_S, NEXT_S = 20.0, 15.0
"""Limits for a processor without a graphics card; who cannot wait so long leaves sooner (``bot.voice.ladder``)."""
MOST_GROWTH_BYTES = 1_500_000_000
"""A child that has grown by so much since its first phrase leaks, and another takes its place."""

_log = logging.getLogger(__name__)


class XttsVoice(ChildVoice):
    """Speaks in pieces of about a second.

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
        super().__init__(self._new_worker(), FIRST_S, NEXT_S)
        self._turn = asyncio.Lock()
        self._first: tuple[int | None, int] = (None, 0)
        """The child's process id, and its memory after its first phrase."""
        self._relief: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End the child."""
        if self._relief is not None:
            self._relief.cancel()
            await asyncio.wait([self._relief])
        await super().close()

    async def list_voices(self) -> list[VoiceInfo]:
        """Return the cloned voices, and the model's own while the child can be asked."""
        voices = [VoiceInfo(name, XTTS_LANGUAGES, text("xtts.about_clone")) for name in clones_in(self._clones)]
        try:
            async with aclosing(self._ask({"list": True})) as items:
                async for header, _ in items:
                    voices += [VoiceInfo(name, XTTS_LANGUAGES, text("xtts.about_own")) for name in header["speakers"]]
        except EngineDown as down:
            if not voices:
                raise
            _log.warning("the model's own voices cannot be listed: %s", down.reason)
        return voices

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Stream one phrase. What has no letter or digit is one empty last piece. Raises ``EngineDown``."""
        if not any(character.isalnum() for character in phrase.text):
            yield Sound(np.zeros(0, np.int16), RATE_HZ, last=True)
            return
        async with self._turn:
            clip = PolishedClip(phrase.text, RATE_HZ, self._level.gain)
            async with aclosing(self._ask({"text": phrase.text})) as items:
                async for header, payload in items:
                    made = as_sound(header, payload)
                    clip.note(made.shapes, made.words)
                    sound = clip.add(made.pcm, last=made.last)
                    if made.last:
                        self._level.hear(clip.raw)
                        self._watch(header["bytes"])
                    if len(sound.pcm) or sound.last:
                        yield sound

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
            async with self._turn:  # no phrase may be in progress, and none may begin
                if fits:
                    self._worker, fresh = fresh, before
                    self._on_health(self.health)
                else:
                    await fresh.close()
                    await before.close()
                    await before.start()
        finally:
            await fresh.close()


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
        "language": tts.xtts.language or settings.persona.language,
        "speed": tts.speed,
        "accepted": tts.xtts.accept_license,
        "sample": str(sample or ""),
        "speaker": chosen,
        "cache": str(clones / "latents"),
    }
    level = Level(data / "voices" / "levels.json", f"xtts {chosen or tts.xtts.speaker_wav}", RATE_HZ)
    return XttsVoice(options, clones, level=level, on_health=on_health)
