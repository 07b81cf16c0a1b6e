"""What an engine tells of a voice that it has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """One voice: the engine's own name of it, the languages it speaks, and what it is like, in words."""

    name: str
    languages: tuple[str, ...]
    about: str
