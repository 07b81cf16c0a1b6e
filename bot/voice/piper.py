"""The light neural voice: Piper, in a child process of its own (see ``bot.voice.piper_engine``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from bot.config.settings import Settings
from bot.models import catalogue
from bot.models.bundles import BUNDLES, Bundle, missing
from bot.models.words import amount
from bot.texts import text
from bot.vocabulary import Health, Language
from bot.voice.child import ChildVoice
from bot.voice.listing import VoiceInfo
from bot.worker import Worker

DEFAULT_VOICES: Mapping[Language, str] = {"es": "es_MX-claude-high", "en": "en_US-ljspeech-high"}
FIRST_S, NEXT_S = 8.0, 8.0
"""Limits for one sentence; who cannot wait so long leaves sooner (``bot.voice.ladder``)."""
SUFFIX = ".onnx"


class PiperVoice(ChildVoice):
    """Streams a phrase a sentence a piece.

    ``voice``: a name such as ``es_MX-claude-high``, of one with several speakers ``es_ES-sharvard-medium:F``, or the
    path of a model (``.onnx``). ``models``: the folder of downloaded voices, a folder each. ``speed``: 1.0 is as the
    voice was made.
    """

    name = "piper"

    def __init__(self, voice: str, models: Path, *, speed: float = 1.0, on_health: Callable[[Health], None]) -> None:
        self._models = models
        file, speaker = Path(voice).expanduser(), ""
        if not voice.endswith(SUFFIX):
            voice, _, speaker = voice.partition(":")
            file = models / voice / f"{voice}{SUFFIX}"
        options = {"voice": voice, "model": str(file), "speaker": speaker, "speed": speed}
        worker = Worker("piper", "bot.voice.piper_engine:PiperEngine", options, on_health=on_health)
        super().__init__(worker, FIRST_S, NEXT_S)

    async def list_voices(self) -> list[VoiceInfo]:
        """Return the voices that are here, a speaker each, and then those that can be downloaded."""
        here = [info for file in sorted(self._models.glob(f"*/*{SUFFIX}")) for info in _speakers(file)]
        known = {info.name.partition(":")[0] for info in here}
        absent = [bundle for bundle in BUNDLES if bundle.kind == "voice" and bundle.name not in known]
        return here + [
            VoiceInfo(
                bundle.name,
                bundle.languages,
                text("piper.to_pull", size=amount(bundle.size_bytes), licence=bundle.licence),
            )
            for bundle in absent
        ]


def _speakers(file: Path) -> list[VoiceInfo]:
    """Return what the file beside a model tells of it; nothing where that is missing or is none of Piper's."""
    try:
        config = json.loads(file.with_name(f"{file.name}.json").read_text("utf-8"))
        language = str(config.get("language", {}).get("code") or config["espeak"]["voice"]).replace("_", "-")
        names = [file.stem, *(f"{file.stem}:{speaker}" for speaker in config.get("speaker_id_map") or ())]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []
    return [VoiceInfo(name, (language,), text("piper.about")) for name in names]


def build(settings: Settings, data: Path, on_health: Callable[[Health], None]) -> PiperVoice:
    """Build the voice that the settings ask for, not yet started; what it lacks shows in its health from then on."""
    return PiperVoice(voice_of(settings), catalogue.folder(data), speed=settings.tts.speed, on_health=on_health)


def to_pull(settings: Settings, data: Path) -> Bundle | None:
    """Return what must be downloaded for the voice that the settings ask for; ``None``: nothing can be or need be."""
    name = voice_of(settings).partition(":")[0]
    return next((bundle for bundle in BUNDLES if bundle.name == name and missing(bundle, data)), None)


def voice_of(settings: Settings) -> str:
    """Return the voice that the settings ask for, whichever engine is in charge."""
    tts = settings.tts
    chosen = tts.voice if tts.engine == PiperVoice.name else tts.voices.piper
    return chosen or DEFAULT_VOICES[settings.persona.language]
