"""``aneeka voices list``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bot.config.settings import Settings
from bot.texts import text
from bot.vocabulary import EngineDown
from bot.voice.choice import recall
from bot.voice.picker import list_voices

WELL, FAILED = 0, 1


async def show_voices(settings: Settings, data: Path, *, as_json: bool) -> int:
    """Print the voices of the engine in use; those of her language come first. Return the exit code."""
    settings = recall(settings, data)
    tts, language = settings.tts, settings.persona.language
    try:
        voices = await list_voices(settings, data)
    except EngineDown as down:
        print(f"{down.reason} {down.repair}".rstrip(), file=sys.stderr)
        return FAILED
    if as_json:
        rows = [{"name": voice.name, "languages": list(voice.languages), "about": voice.about} for voice in voices]
        found = {"engine": tts.engine, "voice": tts.voice, "voices": rows}
        print(json.dumps(found, ensure_ascii=False))
        return WELL
    if not voices:
        print(text("listing.none", engine=tts.engine))
        return WELL
    own = [voice for voice in voices if any(code.lower().startswith(language) for code in voice.languages)]
    for voice in [*own, *(voice for voice in voices if voice not in own)]:
        mark = "*" if voice.name == tts.voice else " "
        spoken = f"[{', '.join(voice.languages)}]" if voice.languages else ""
        print(f"{mark} {voice.name:32} {spoken:12} {voice.about}".rstrip())
    print(f"\n{text('listing.how_to_use')}")
    return WELL
