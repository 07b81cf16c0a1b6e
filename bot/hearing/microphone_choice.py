"""Which microphone listens and when: as the config says, or as was chosen in the studio since."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from bot.config.speech import Audio
from bot.files import take_place

Source = Literal["sound_card", "browser"]
Mode = Literal["open", "push_to_talk", "off"]
NAME_LIMIT = 200
FITS: dict[str, Callable[[object], bool]] = {
    "source": lambda value: value in get_args(Source),
    "device": lambda value: isinstance(value, str) and len(value) <= NAME_LIMIT and value.isprintable(),
    "mode": lambda value: value in get_args(Mode),
}
"""What each part of a choice may be."""


@dataclass(frozen=True, slots=True)
class Choice:
    """``device`` is a part of a sound card's name, empty for the system's choice; the browser knows its own."""

    source: Source
    device: str
    mode: Mode


def configured(audio: Audio) -> Choice:
    """Return what the config says."""
    return Choice(audio.input, audio.input_device, audio.mode)


def recall(audio: Audio, file: Path) -> Choice:
    """Return what was chosen last; a line of the config that was changed since then counts more."""
    config = asdict(configured(audio))
    try:
        kept = json.loads(file.read_text("utf-8"))
        chosen = {
            name: kept["chosen"][name]
            for name, fits in FITS.items()
            if kept["config"][name] == config[name] and fits(kept["chosen"][name])
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        chosen = {}
    return Choice(**config | chosen)


def remember(choice: Choice, audio: Audio, file: Path) -> None:
    """Keep it for the next start. Raises ``OSError``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({"chosen": asdict(choice), "config": asdict(configured(audio))}), "utf-8")
    take_place(fresh, file)
