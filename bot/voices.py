"""The voices that the settings ask for, in the order in which they stand in for each other."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.config.settings import Settings
from bot.config.speech import VoiceEngine
from bot.supervisor import Board, Living
from bot.vocabulary import Health, Voice
from bot.voice.captions_only import CaptionsOnly
from bot.voice.ladder import VoiceLadder

if TYPE_CHECKING:
    from bot.engines import Part

ALWAYS: VoiceEngine = "espeak"
"""Stands behind every other voice: it needs no account, no model and no network."""


class LiveVoice(Voice, Living, Protocol):
    """A voice as its module's ``build`` returns it."""


def build_voices(settings: Settings, board: Board, data: Path) -> tuple[VoiceLadder, dict[str, LiveVoice]]:
    """Build the voice of ``tts.engine``, those of ``tts.fallback`` and espeak-ng.

    Return the ladder that speaks with them, and the voices by part: ``voice`` is the first, ``voice_espeak`` and so
    on are the others.
    """
    names = dict.fromkeys((settings.tts.engine, *settings.tts.fallback, ALWAYS))
    voices = [
        build_voice(name, settings, data, lambda voice, health: ladder.on_health(voice, health)) for name in names
    ]
    ladder = VoiceLadder(voices, CaptionsOnly(), board, settings.persona.language)
    return ladder, {part_of(voice, ladder): voice for voice in voices}


def build_voice(
    engine: VoiceEngine, settings: Settings, data: Path, on_health: Callable[[Voice, Health], None]
) -> LiveVoice:
    """Build the voice of one engine, not yet started."""
    voice: LiveVoice = import_module(f"bot.voice.{engine}").build(
        settings, data, lambda health: on_health(voice, health)
    )
    return voice


def part_of(voice: Voice, ladder: VoiceLadder) -> str:
    """Return the name of a voice's part: ``voice`` for the one in charge."""
    return "voice" if voice.name == ladder.name else f"voice_{voice.name}"


def take_over(voice: LiveVoice, ladder: VoiceLadder, parts: dict[str, Part]) -> list[Part]:
    """Put a started voice in charge; return those that it replaces, which are yours to close.

    Belongs between two replies.
    """
    before = {name: part for name, part in parts.items() if name == "voice" or name.startswith("voice_")}
    known = {id(part): part for part in before.values()} | {id(voice): voice}
    gone = ladder.swap(voice)
    ladder.on_health(voice, voice.health)
    for name in before:
        del parts[name]
    parts |= {part_of(each, ladder): known[id(each)] for each in ladder.voices}
    return [known[id(each)] for each in gone]
