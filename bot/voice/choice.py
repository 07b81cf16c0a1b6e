"""Which voice speaks: as the config says, or as was chosen in the studio since."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast, get_args

from bot.config.settings import Settings
from bot.config.speech import VoiceEngine
from bot.files import take_place

NAME_LIMIT = 300


@dataclass(frozen=True, slots=True)
class VoiceChoice:
    """``voice``: the engine's own name of it, empty for its default."""

    engine: VoiceEngine
    voice: str


def fits(engine: object, voice: object) -> bool:
    """Return whether these can be a choice."""
    is_name = isinstance(voice, str) and len(voice) <= NAME_LIMIT and (voice.isprintable() or not voice)
    return engine in get_args(VoiceEngine) and is_name


def configured(settings: Settings) -> VoiceChoice:
    """Return what the settings say."""
    return VoiceChoice(settings.tts.engine, settings.tts.voice)


def chosen(settings: Settings, choice: VoiceChoice) -> Settings:
    """Return the settings with this voice in charge; the one before is still named for its engine."""
    tts, before = settings.tts, configured(settings)
    voices = tts.voices.model_copy(update={before.engine: before.voice}) if before.voice else tts.voices
    changed = {"engine": choice.engine, "voice": choice.voice, "voices": voices}
    return settings.model_copy(update={"tts": tts.model_copy(update=changed)})


def recall(settings: Settings, data: Path) -> Settings:
    """Return the settings with the voice that was chosen last; a config that was changed since then counts more."""
    try:
        kept = json.loads(_file(data).read_text("utf-8"))
        engine, voice = kept["chosen"]["engine"], kept["chosen"]["voice"]
        if kept["config"] == asdict(configured(settings)) and fits(engine, voice):
            return chosen(settings, VoiceChoice(cast(VoiceEngine, engine), voice))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return settings


def remember(choice: VoiceChoice, settings: Settings, data: Path) -> None:
    """Keep it for the next start; ``settings`` are those of the config. Raises ``OSError``."""
    file = _file(data)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({"chosen": asdict(choice), "config": asdict(configured(settings))}), "utf-8")
    take_place(fresh, file)


def _file(data: Path) -> Path:
    return data / "voices" / "in_use.json"
