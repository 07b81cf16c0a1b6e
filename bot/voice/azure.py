"""The Azure voice: streamed speech with mouth shapes and word times, in a style that follows her expression.

Azure's own patience is too long for talk (80 s for a first sound), so this voice has its own; what its failures mean
is told in ``bot.azure_sdk``.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

import numpy as np

from bot.azure_sdk import AzureDown, failure, in_thread, load, place, speech_config
from bot.config.settings import Settings
from bot.config.speech import Azure
from bot.texts import text
from bot.vocabulary import Health, Phrase, Sound
from bot.voice.azure_clip import Clip
from bot.voice.azure_link import AzureLink
from bot.voice.azure_synthesiser import RATE_HZ, Audio, Ended, Request, SpokenWord, Viseme
from bot.voice.azure_voices import DEFAULT_VOICES, fetch_voices, style_for, takes_prosody
from bot.voice.level import Level
from bot.voice.listing import VoiceInfo
from bot.voice.ssml import ssml

FIRST_S = 4.0
"""Limit from a request to its first sound."""
NEXT_S = 3.0
"""Limit from one piece of sound to the next."""
HOLD_S = 0.005
"""How long sound waits for the mouth shapes that belong to it: they come over other threads, a moment later."""
WORDS_S = 0.001
"""How long it waits for words when all shapes are there."""
QUICK_S = 1.0
"""A request that fails sooner than this, with nothing said, is made once more: nobody has noticed yet."""


class AzureVoice:
    """Implements ``vocabulary.Voice``.

    ``voice``: Azure's name of it; ``speed`` 1.0 and ``pitch`` 0 (semitones): as it was made; ``level`` makes it as
    loud as all others.
    """

    name = "azure"
    pid = None

    def __init__(
        self,
        azure: Azure,
        voice: str,
        *,
        speed: float = 1.0,
        pitch: float = 0.0,
        level: Level,
        on_health: Callable[[Health], None],
    ) -> None:
        self._azure = azure
        self._voice = voice
        self._speed, self._pitch = speed, pitch
        self._level = level
        self._link = AzureLink(azure, voice, on_health)
        self._turn = asyncio.Lock()

    @property
    def health(self) -> Health:
        """Whether the service can be asked, and if not, why."""
        return self._link.health

    @property
    def packs(self) -> bool:
        """Whether requests are few, so that whole sentences should be asked for and not clauses."""
        return self._link.budget.limited

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        await self._link.start()

    async def ready(self, timeout_s: float) -> bool:
        """Wait until it can speak; ``False``: not within that time."""
        return await self._link.ready(timeout_s)

    async def close(self) -> None:
        """Be silent and disconnect."""
        await self._link.close()

    async def list_voices(self) -> list[VoiceInfo]:
        """Return the voices that the account can use. Raises ``EngineDown``."""
        speech_config(await in_thread(load), self._azure)
        return [voice.info() for voice in await fetch_voices(self._azure)]

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Stream one phrase. What has no letter or digit is one empty last piece. Raises ``EngineDown``."""
        if not any(character.isalnum() for character in phrase.text):
            yield Sound(np.zeros(0, np.int16), RATE_HZ, last=True)
            return
        again = True
        async with self._turn:
            while True:
                began, said = _now(), False
                try:
                    async with aclosing(self._attempt(phrase)) as sounds:
                        async for sound in sounds:
                            said = True
                            yield sound
                except AzureDown as down:
                    if not again or said or down.kind != "passing" or _now() - began > QUICK_S:
                        self._link.failed(down)
                        raise
                    again = False
                else:
                    self._link.worked()
                    return

    async def _attempt(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Make one request. Raises ``AzureDown``."""
        clip = Clip(phrase.text, RATE_HZ, self._level.gain)
        request = await self._link.begin(self._ssml(phrase))
        try:
            while not await self._gather(request, clip):
                sound = clip.take()
                if len(sound.pcm):
                    yield sound
            last = clip.finish()
            if not clip.audible:
                raise AzureDown("request", text("azure.silent"), text("azure.silent_repair", voice=self._voice))
            self._level.hear(clip.raw)
            yield last
        finally:
            request.stop()

    async def _gather(self, request: Request, clip: Clip) -> bool:
        """Take events until there is sound whose mouth shapes are known; return whether that was the end.

        Raises ``AzureDown``.
        """
        due = _now() + (NEXT_S if clip.begun else FIRST_S)
        hold, ended = math.inf, False
        while True:
            try:
                async with asyncio.timeout_at(min(due, hold)):
                    event = await request.events.get()
            except TimeoutError:
                if hold < due:
                    return ended
                raise failure("ServiceTimeout", self._azure) from None
            match event:
                case Viseme(ticks, viseme):
                    clip.add_viseme(ticks, viseme)
                case SpokenWord(ticks, word):
                    clip.add_word(ticks, word)
                case Audio(pcm):
                    clip.add_audio(pcm)
                    hold = min(hold, _now() + HOLD_S)
                case Ended(code):
                    if code:
                        raise self._failure(code)
                    ended, hold = True, min(hold, _now() + HOLD_S)
            if hold < math.inf and clip.covered:
                hold = min(hold, _now() + WORDS_S)

    def _failure(self, code: str) -> AzureDown:
        """Return a failure of the service, with the voice's name in it where that may be the cause."""
        if code != "BadRequest":
            return failure(code, self._azure)
        reason = text("azure.bad_voice", voice=self._voice, where=place(self._azure))
        return AzureDown("request", reason, text("azure.bad_voice_repair"))

    def _ssml(self, phrase: Phrase) -> str:
        if not takes_prosody(self._voice):
            return ssml(phrase.text, self._voice)
        style = style_for(phrase.expression, self._link.styles)
        return ssml(phrase.text, self._voice, style=style, speed=self._speed, pitch=self._pitch)


def build(settings: Settings, data: Path, on_health: Callable[[Health], None]) -> AzureVoice:
    """Return the voice that the settings ask for; what it lacks shows in its health from ``start`` on."""
    tts = settings.tts
    chosen = tts.voice if tts.engine == AzureVoice.name else tts.voices.azure
    voice = chosen or DEFAULT_VOICES[settings.persona.language]
    level = Level(data / "voice_levels.json", f"azure {voice}", RATE_HZ)
    return AzureVoice(settings.azure, voice, speed=tts.speed, pitch=tts.pitch, level=level, on_health=on_health)


def _now() -> float:
    return asyncio.get_running_loop().time()
