"""Turns what the settings refuse into problems that a person can repair."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bot.config.errors import Problem
from bot.config.settings import PREFIX, Settings
from bot.config.toml_file import written
from bot.hearing.hotkey_engine import key_name
from bot.texts import table, text

HIDDEN = "•••"
MAX_SHOWN = 60


def _fields(model: type[BaseModel] = Settings, above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield every section and key by its dotted name, a section before its keys."""
    for name, info in model.model_fields.items():
        yield above + name, info
        if is_section(info):
            yield from _fields(info.annotation, f"{above}{name}.")  # type: ignore[arg-type]


def is_section(info: FieldInfo) -> bool:
    """Return whether this is a section rather than a key."""
    return isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)


FIELDS = dict(_fields())
"""Every section and key by its dotted name, a section before its keys."""

KEYS = [key for key, info in FIELDS.items() if not is_section(info)]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where every key was set."""

    file: Path | None
    lines: dict[str, int]
    """Line in the file by dotted name, from 1."""
    variables: dict[str, str]
    """Environment variable by dotted name."""

    def where(self, key: str) -> str:
        """Return the variable, or ``file:line`` of the key or of what is nearest above it."""
        if key in self.variables or not self.file:
            return self.variables.get(key, variable(key))
        line = self._line(key)
        return f"{self.file}:{line}" if line else str(self.file)

    def origin(self, key: str, tables: Mapping[str, Any]) -> str:
        """Return where a key's value came from, in words; ``tables`` is what the file says."""
        if key in self.variables:
            return f"environment {self.variables[key]}"
        value: Any = tables
        for name in key.split("."):
            if name not in value:
                return "default"
            value = value[name]
        return f"{self.file} line {self._line(key)}"

    def _line(self, key: str) -> int | None:
        while key and key not in self.lines:
            key = key.rpartition(".")[0]
        return self.lines.get(key)


def variable(key: str) -> str:
    """Return the environment variable of a dotted key."""
    return PREFIX + key.upper().replace(".", "__")


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the known word most like this one, or an empty text."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else ""


def unknown_variables(variables: Mapping[str, str]) -> list[Problem]:
    """Return a problem for every environment variable with our prefix that is no setting."""
    known = {variable(key).removeprefix(PREFIX): variable(key) for key in KEYS}
    problems = []
    for key, name in variables.items():
        if key not in FIELDS or variable(key) != name.upper():
            alike = nearest(name[len(PREFIX) :], known)
            problems.append(
                Problem(
                    key=key,
                    found=text("config.found_unknown_variable"),
                    wanted=text("config.wanted_variable", example=variable("llm.model")),
                    suggestion=_did_you_mean(known[alike] if alike else ""),
                    where=name,
                )
            )
    return problems


def unknown_sections(tables: Mapping[str, Any], sources: Sources) -> list[Problem]:
    """Return a problem for everything at the top of the file that is no section."""
    return [_unknown_key(name, sources.where(name)) for name in tables if name not in FIELDS]


def problems_of(error: ValidationError, sources: Sources, told: set[str]) -> list[Problem]:
    """Return one problem for every mistake that the settings found, without what follows from those already told."""
    problems = []
    for details in error.errors(include_url=False):
        path = ".".join(step for step in details["loc"] if isinstance(step, str))
        if path not in told and not any(key.startswith(f"{path}.") for key in told):
            problems.append(_problem(details, path, sources))
    return problems


def clashing_keys(settings: Settings, sources: Sources) -> list[Problem]:
    """Return a problem if one key of the keyboard would both talk to her and silence her; looked at last of all."""
    key, other = "safety.panic_hotkey", "audio.push_to_talk_key"
    panic, talk = settings.safety.panic_hotkey, settings.audio.push_to_talk_key
    if not panic or key_name(panic) != key_name(talk):
        return []
    return [
        Problem(
            key=key,
            found=written(panic),
            wanted=text("config.wanted_other_hotkey", other=other),
            suggestion=text("config.suggest_other_hotkey"),
            where=sources.where(key),
        )
    ]


def _problem(details: ErrorDetails, key: str, sources: Sources) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    is_set = key in sources.variables or key in sources.lines
    where = sources.where(key if is_set else context.get("cause", key))
    info = FIELDS.get(key)
    if info is None:
        return _unknown_key(key, where)
    if is_section(info):
        return Problem(
            key=key,
            found=_kind(details["input"]),
            wanted=text("config.wanted_section", setting=key),
            suggestion=text("config.suggest_section", setting=key, variable=variable(_first_key(key))),
            where=where,
        )
    told = f"config.wanted_{kind}" in table("es")
    return Problem(
        key=key,
        found=_shown(info, details["input"]),
        wanted=text(f"config.wanted_{kind}", **context) if told else _wanted(info),
        suggestion=text(f"config.suggest_{kind}", **context)
        if told
        else _try(key, info, details, key in sources.variables),
        where=where,
    )


def _unknown_key(key: str, where: str) -> Problem:
    above, _, name = key.rpartition(".")
    beside = [known.rpartition(".")[2] for known in FIELDS if known.rpartition(".")[0] == above]
    same_name = [known for known in FIELDS if known.rpartition(".")[2] == name]
    sibling = nearest(name, beside)
    alike = f"{above}.{sibling}".lstrip(".") if sibling else next(iter(same_name), nearest(key, FIELDS))
    return Problem(
        key=key,
        found=text("config.found_unknown_key" if above else "config.found_unknown_section"),
        wanted=text("config.wanted_one_of", values=", ".join(beside)),
        suggestion=_did_you_mean(alike),
        where=where,
    )


def _first_key(section: str) -> str:
    return next(key for key in KEYS if key.startswith(f"{section}."))


def _did_you_mean(alike: str) -> str:
    return text("config.did_you_mean", name=alike) if alike else text("config.suggest_example")


def _kind(value: object) -> str:
    if isinstance(value, str):
        return text("config.kind_text")
    if isinstance(value, list | tuple):
        return text("config.kind_list")
    return text("config.kind_table") if isinstance(value, dict) else text("config.kind_value")


def _shown(info: FieldInfo, value: object) -> str:
    if value == "" or (isinstance(value, SecretStr) and not value.get_secret_value()):
        return text("config.found_nothing")
    if is_secret(info):
        return HIDDEN
    if isinstance(value, dict):
        return text("config.kind_table")
    shown = written(value)
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 3] + "..."


def is_secret(info: FieldInfo) -> bool:
    """Return whether the values of this key must never be shown."""
    return info.annotation is SecretStr


def _wanted(info: FieldInfo) -> str:
    """Say what a key takes, from its type and limits."""
    if values := _choices(info.annotation):
        is_list = get_origin(info.annotation) is tuple
        return text("config.wanted_list_of" if is_list else "config.wanted_one_of", values=", ".join(values))
    if info.annotation is bool:
        return text("config.wanted_bool")
    if info.annotation in (int, float):
        low = max(limit.ge for limit in info.metadata if hasattr(limit, "ge"))
        high = min(limit.le for limit in info.metadata if hasattr(limit, "le"))
        return text("config.wanted_int" if info.annotation is int else "config.wanted_float", low=low, high=high)
    if get_origin(info.annotation) is tuple:
        return text("config.wanted_list")
    longest = next((limit.max_length for limit in info.metadata if hasattr(limit, "max_length")), None)
    if longest:
        return text("config.wanted_text_up_to", characters=longest)
    can_be_empty = not any(hasattr(limit, "min_length") for limit in info.metadata)
    return text("config.wanted_text" if can_be_empty else "config.wanted_text_not_empty")


def _choices(annotation: Any) -> Sequence[str]:
    if get_origin(annotation) is tuple:
        return _choices(get_args(annotation)[0])
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _try(key: str, info: FieldInfo, details: ErrorDetails, from_environment: bool) -> str:
    """Show the line as it could stand: with the nearest value, the same one in its proper type, or the default."""
    value: object = details["input"]
    choices = _choices(info.annotation)
    if is_secret(info):
        value = "..."
    elif choices and isinstance(value, str) and (alike := nearest(value, choices, cutoff=0.4)):
        if get_origin(info.annotation) is tuple:
            return _did_you_mean(alike)
        value = alike
    else:
        value = _converted(info, value)
    if from_environment:
        plain = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
        line = f"{variable(key)}={plain if isinstance(plain, str) else written(plain)}"
    else:
        line = f"{key.rpartition('.')[2]} = {written(value)}"
    return text("config.try", line=line)


def _converted(info: FieldInfo, value: object) -> object:
    """Return the value in the type that is wanted ("8710" as 8710, 5 as "5"), or else the default."""
    if info.annotation is str and isinstance(value, int | float):
        return written(value)
    if isinstance(value, bool):
        return info.default
    try:
        lax: TypeAdapter[object] = TypeAdapter(cast(Any, info.annotation))
        converted = lax.validate_python(value)
        return TypeAdapter(info.rebuild_annotation()).validate_python(converted)
    except ValidationError:
        return info.default
