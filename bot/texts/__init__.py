"""Every sentence that a user reads, in Spanish and English: ``<room>.<language>.toml`` files beside this one."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.vocabulary import Language

_chosen: list[Language] = ["es"]


def use(language: Language) -> None:
    """Choose the language of all texts from now on; called once at start."""
    _chosen[0] = language


def chosen() -> Language:
    """Return the language of the texts."""
    return _chosen[0]


@cache
def table(language: Language) -> dict[str, str]:
    """Return every text of a language by key ``room.name``."""
    texts: dict[str, str] = {}
    for file in sorted(Path(__file__).parent.glob(f"*.{language}.toml")):
        room = file.name.split(".")[0]
        for name, line in tomllib.loads(file.read_text(encoding="utf-8")).items():
            texts[f"{room}.{name}"] = line
    return texts


def text(key: str, **values: object) -> str:
    """Return one sentence with its ``{names}`` filled in. Values are inserted as they are, never interpreted."""
    return table(_chosen[0])[key].format(**values)
