"""Writes settings into the user's config file and leaves all else in it as it stands, comments too."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from bot.config.paths import make_private
from bot.config.toml_file import decode
from bot.files import take_place


class NotSaved(Exception):
    """The file could not be changed safely; it stands as it was."""


def save(file: Path, section: str, values: Mapping[str, str | bool | list[str]]) -> None:
    """Set these keys of a section (``twitch``, ``avatar.vmc``). Makes a missing file and its folder.

    Raises ``NotSaved``.
    """
    try:
        file = file.resolve()  # what a link points to is changed, and not the link
        raw = file.read_bytes() if file.exists() else b""
        before = decode(raw)
        after = _edited(before, section, values)
        if b"\r\n" in raw:
            after = after.replace("\n", "\r\n")
        _write(file, after)
    except (OSError, ValueError, TOMLKitError) as error:
        raise NotSaved from error


def _edited(before: str, section: str, values: Mapping[str, str | bool | list[str]]) -> str:
    document, wanted = tomlkit.parse(before), tomllib.loads(before)
    table: MutableMapping[str, Any] = document
    meant = wanted
    for name in section.split("."):
        table.setdefault(name, tomlkit.table())
        table, meant = table[name], meant.setdefault(name, {})
        if not isinstance(table, MutableMapping):
            raise NotSaved(section)
    for key, value in values.items():
        table[key] = value
    after = tomlkit.dumps(document)
    meant.update(values)
    if tomllib.loads(after) != wanted:
        raise ValueError(section)
    return after


def _write(file: Path, content: str) -> None:
    make_private(file.parent)
    fresh = file.with_name(file.name + ".new")
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.chmod(mode)
    take_place(fresh, file)
