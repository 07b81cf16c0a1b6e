"""The configuration: ``config.toml``, over it the environment; where each value came from; all mistakes at once."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import SecretStr, ValidationError

from bot.config.check import (
    FIELDS,
    KEYS,
    Sources,
    clashing_keys,
    is_secret,
    is_section,
    problems_of,
    unknown_sections,
    unknown_variables,
)
from bot.config.errors import ConfigErrors, Problem
from bot.config.paths import DATA_DIR_VARIABLE, config_dir, data_dir
from bot.config.settings import PREFIX, Settings
from bot.config.toml_file import decode, keys_by_line, parse, read, written
from bot.texts import text, use
from bot.vocabulary import Language

__all__ = ["ConfigErrors", "Loaded", "Problem", "Settings", "data_dir", "load", "secrets_of", "show"]

FILE_NAME = "config.toml"

_LANGUAGE_STANDS = ("persona", "persona.language")  # the first for persona = { language = "es" }


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, the file they were read from (if any), and where each value came from.

    An origin is ``default``, ``config.toml line 12`` or ``environment ANEEKA_LLM__MODEL``, by dotted key.
    """

    settings: Settings
    file: Path | None
    origins: dict[str, str]


def load(path: Path | None = None) -> Loaded:
    """Read the file at ``path``, or else ``./config.toml``, or else the user's own, and the environment over it.

    Chooses the language of all texts (``persona.language``) first, so that mistakes are told in it.
    Raises ``ConfigErrors`` with all of them.
    """
    file = path or next((file for file in (Path(FILE_NAME), config_dir() / FILE_NAME) if file.is_file()), None)
    variables = {
        name[len(PREFIX) :].lower().replace("__", "."): name
        for name in os.environ
        if name.upper().startswith(PREFIX) and name.upper() != DATA_DIR_VARIABLE
    }
    use(_language("", variables))
    raw = read(file) if file else b""
    if isinstance(raw, Problem):
        raise ConfigErrors([raw, *unknown_variables(variables)])
    use(_language(decode(raw), variables))
    toml = parse(raw, str(file))
    sources = Sources(file, toml.lines, variables)
    problems = [*toml.problems, *unknown_variables(variables)]
    if toml.tables is not None:
        problems += unknown_sections(toml.tables, sources)
        try:
            settings = Settings(**{name: value for name, value in toml.tables.items() if name in Settings.model_fields})
        except ValidationError as error:
            problems += problems_of(error, sources, {problem.key for problem in problems})
        else:
            problems += clashing_keys(settings, sources)
    if problems:
        raise ConfigErrors(sorted(problems, key=_by_line))
    return Loaded(settings, file, {key: sources.origin(key, toml.tables or {}) for key in KEYS})


def secrets_of(settings: Settings) -> list[str]:
    """Return every secret that is set."""
    found: list[str] = []
    for key, info in FIELDS.items():
        if is_secret(info):
            value: Any = settings
            for name in key.split("."):
                value = getattr(value, name)
            found.append(value.get_secret_value())
    return [secret for secret in found if secret]


def show(loaded: Loaded, origin: bool) -> str:
    """Return the settings as TOML, with ``origin`` each with where it came from. Secrets are only set or not set."""
    lines: list[str] = []
    for key, info in FIELDS.items():
        if is_section(info):
            lines += ["", f"[{key}]"]
            continue
        value: object = loaded.settings
        for name in key.split("."):
            value = getattr(value, name)
        name = key.rpartition(".")[2]
        if is_secret(info):
            is_set = bool(cast(SecretStr, value).get_secret_value())
            line = f"# {name}: {text('config.set' if is_set else 'config.not_set')}"
        else:
            line = f"{name} = {written(value)}"
        lines.append(f"{line}  # {loaded.origins[key]}" if origin else line)
    return "\n".join(lines[1:])


def _by_line(problem: Problem) -> tuple[str, int]:
    place, _, line = problem.where.rpartition(":")
    return (place, int(line)) if line.isdigit() else ("~", 0)  # the file's in the order of its lines, variables last


def _language(content: str, variables: dict[str, str]) -> Language:
    """Return ``persona.language`` as far as it can be read, also from a broken file; Spanish otherwise."""
    told = os.environ.get(variables.get("persona.language", ""), "")
    if told not in get_args(Language):
        lines = content.split("\n")
        places = [lines[number - 1] for number, key in keys_by_line(content).items() if key in _LANGUAGE_STANDS]
        found = re.search(r"""\blanguage\s*=\s*["'](es|en)["']""", "\n".join(places))
        told = found[1] if found else "es"
    return cast(Language, told)
