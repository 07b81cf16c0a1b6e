"""The voice that is always there: espeak-ng, in a child process of its own (see ``bot.voice.espeak_library``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

from bot.config.settings import Settings
from bot.texts import text
from bot.vocabulary import Health, Language
from bot.voice.child import ChildVoice
from bot.voice.listing import VoiceInfo
from bot.worker import Worker

FIRST_S, NEXT_S = 3.0, 1.0
"""Limits for a voice that needs milliseconds: the machine is stuck, not the voice, when they pass."""
_PLAIN = re.compile(r"[fm]\d")
"""Speakers without effects are called so."""


def build(settings: Settings, data: Path, on_health: Callable[[Health], None]) -> EspeakVoice:
    """Build the voice that the settings ask for, not yet started; it needs nothing from the data folder."""
    tts = settings.tts
    voice = tts.voice if tts.engine == EspeakVoice.name else tts.voices.espeak
    return EspeakVoice(voice, settings.persona.language, tts.speed, tts.pitch, on_health=on_health)


class EspeakVoice(ChildVoice):
    """Speaks with a voice of espeak-ng, about 100 ms a piece.

    ``voice``: such as ``es-419``, ``en-gb`` or, with one of the library's speakers, ``es+f2``; None: a young woman's.
    ``speed``: 1.0 is 175 words a minute. ``pitch``: semitones. An unknown voice shows in ``health``
    with the names that are near.
    """

    name = "espeak"

    def __init__(
        self,
        voice: str | None,
        language: Language,
        speed: float = 1.0,
        pitch: float = 0.0,
        *,
        on_health: Callable[[Health], None],
    ) -> None:
        self._language = language
        options = {"voice": voice, "language": language, "speed": speed, "pitch": pitch}
        worker = Worker("espeak", "bot.voice.espeak_engine:EspeakEngine", options, on_health=on_health)
        super().__init__(worker, FIRST_S, NEXT_S)

    async def list_voices(self) -> list[VoiceInfo]:
        """Return all voices; those of her language come first, and with every plain speaker.

        Raises ``EngineDown``.
        """
        async with aclosing(self._ask({"list": True})) as items:
            async for header, _ in items:
                own = [voice for voice in header["voices"] if voice.split("-")[0] == self._language]
                others = [voice for voice in header["voices"] if voice not in own]
                plain = [speaker for speaker in header["variants"] if _PLAIN.fullmatch(speaker)]
                spoken = [*own, *(f"{voice}+{speaker}" for voice in own for speaker in plain), *others]
                return [VoiceInfo(name, (name.partition("+")[0].partition("-")[0],), _about(name)) for name in spoken]
        return []


def _about(name: str) -> str:
    speaker = name.partition("+")[2]
    if not speaker:
        return ""
    return text("voice.espeak_woman") if speaker.startswith("f") else text("voice.espeak_man")
