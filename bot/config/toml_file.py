"""Reads a TOML file that a person wrote: every mistake it can find, in words, and the line of every key."""

from __future__ import annotations

import json
import re
import tomllib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.config.errors import Problem
from bot.texts import text

MAX_BYTES = 256_000
"""A longer file is no configuration (and reading a device such as /dev/zero must end)."""

MAX_PROBLEMS = 50
"""Mistakes of grammar told at once; a file with more is no TOML."""

_UTF16 = (BOM_UTF16_LE, BOM_UTF16_BE)
_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_MISTAKES = (
    ("backslash", re.compile(r'"[^"]*\\')),
    ("capital", re.compile(r"=\s*(True|False|TRUE|FALSE|yes|no|on|off|si|sí)\s*(#.*)?$")),
    ("comma", re.compile(r"=\s*-?\d+,\d+\s*(#.*)?$")),
    ("quotes", re.compile(r"=\s*[^\W\d]")),
    ("no_value", re.compile(r"=\s*(#.*)?$")),
    ("open_text", re.compile(r"""=\s*(["'])(?:(?!\1).)*$""")),
)
"""What people get wrong, by the look of the line; the first match counts. ``found_`` and ``suggest_`` texts tell it."""


@dataclass(frozen=True, slots=True)
class TomlFile:
    """What a file says. ``tables`` is ``None`` where so much is broken that the rest cannot be judged."""

    tables: dict[str, Any] | None
    lines: dict[str, int]
    """Line of every section and key, from 1, by dotted name."""
    problems: list[Problem]


def read(file: Path) -> bytes | Problem:
    """Return what a file holds, or why it cannot be read."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        found = text("config.found_no_file")
    except (OSError, ValueError) as error:
        found = text("config.found_unusable", reason=getattr(error, "strerror", None) or str(error))
    else:
        if len(raw) <= MAX_BYTES:
            return raw
        found = text("config.found_too_long")
    return Problem("", found, text("config.wanted_file"), text("config.suggest_file"), str(file))


def decode(raw: bytes) -> str:
    """Return a file's text; what is not UTF-8 (nor UTF-16, as some Windows programs write) is marked with U+FFFD."""
    encoding = "utf-16" if raw.startswith(_UTF16) else "utf-8-sig"
    return raw.decode(encoding, errors="replace").replace("\r\n", "\n")


def parse(raw: bytes, name: str) -> TomlFile:
    """Read a TOML file. A line that is wrong by itself is noted and left out, so that the rest is still judged."""
    problems: list[Problem] = []
    content = decode(raw)
    lines = content.split("\n")
    keys = keys_by_line(content)
    first_lines = {key: number for number, key in reversed(keys.items())}
    if raw.startswith(_UTF16) or "\ufffd" in content:
        number = next((number for number, line in enumerate(lines, start=1) if "\ufffd" in line), 1)
        problems.append(_syntax_problem("not_utf8", keys.get(number, ""), f"{name}:{number}"))
    while len(problems) < MAX_PROBLEMS:
        try:
            return TomlFile(tomllib.loads("\n".join(lines)), first_lines, problems)
        except (ValueError, RecursionError) as error:
            at = re.search(r"at line (\d+)", str(error))
            number = int(at[1]) if at else len(lines)
            line = lines[number - 1]
            repeated = bool(re.search("twice|overwrite|mutate|Duplicate", str(error)))
            mistake = (
                "repeated" if repeated else next((kind for kind, look in _MISTAKES if look.search(line)), "syntax")
            )
            problems.append(_syntax_problem(mistake, keys.get(number, ""), f"{name}:{number}"))
            if not (repeated and _KEY.match(line)) and not _wrong_by_itself(line):
                break
            lines[number - 1] = ""
    return TomlFile(None, first_lines, problems)


def keys_by_line(content: str) -> dict[int, str]:
    """Return the dotted name of the section or key that stands on each line, from 1, also in a broken text."""
    keys: dict[int, str] = {}
    above = ""
    inside = ""
    for number, line in enumerate(content.split("\n"), start=1):
        if not inside and (header := _HEADER.match(line)):
            above = _dotted(header[1])
            keys[number] = above
        elif not inside and (key := _KEY.match(line)):
            keys[number] = f"{above}.{_dotted(key[1])}".lstrip(".")
        for quotes in re.findall(r"\"\"\"|'''", line):  # texts over several lines hold no keys
            inside = "" if inside == quotes else inside or quotes
    return keys


def written(value: object) -> str:
    """Return a value as it stands in TOML, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(item) for item in value)}]"
    if isinstance(value, dict):
        return "{...}"
    if isinstance(value, int) and value.bit_length() > 64:
        return f"{value:#x}"  # Python refuses to write very long numbers in decimal
    return str(value)


def _dotted(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _wrong_by_itself(line: str) -> bool:
    """Return whether this one line can be left out without changing what the lines around it mean."""
    if not line.strip() or line.lstrip().startswith("[") or line.rstrip().endswith(("[", ",", "{", '"""', "'''")):
        return False
    try:
        tomllib.loads(line)
    except (ValueError, RecursionError):
        return "=" in line
    return False


def _syntax_problem(mistake: str, key: str, where: str) -> Problem:
    return Problem(
        key=key,
        found=text(f"config.found_{mistake}"),
        wanted=text("config.wanted_toml"),
        suggestion=text(f"config.suggest_{mistake}", setting=key.rpartition(".")[2]),
        where=where,
    )
