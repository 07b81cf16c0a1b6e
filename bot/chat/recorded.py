"""Recorded chat played again: files of ``{"at_s", "user", "text"}`` lines, or the flight recorder's own."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.texts import text


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """One line of recorded chat; ``at_s`` counts from the start of the recording."""

    at_s: float
    kind: str
    user: str
    text: str


class BadRecording(Exception):
    """A file that is no recorded chat; the message says where and what is wanted."""


def read_recording(file: Path) -> list[RecordedLine]:
    """Read a recording in order of time. Raises ``BadRecording``."""
    try:
        raw = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecording(text("chat.unreadable", file=file, error=error)) from error
    lines: list[RecordedLine] = []
    for number, line in enumerate(raw.split("\n"), 1):
        if not line.strip():
            continue
        try:
            lines += _lines(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise BadRecording(text("chat.bad_line", file=file, line=number)) from error
    if not lines:
        raise BadRecording(text("chat.no_lines", file=file))
    lines.sort(key=lambda line: line.at_s)
    first = lines[0].at_s
    return [RecordedLine(line.at_s - first, line.kind, line.user, line.text) for line in lines]


def _lines(record: Any) -> list[RecordedLine]:
    at_s = float(record["at_s"])
    if not math.isfinite(at_s):
        raise ValueError(at_s)
    heard = record.get("heard", [record])
    replayed = [RecordedLine(at_s, h.get("kind", "chat"), str(h["user"] or ""), str(h["text"])) for h in heard]
    return [line for line in replayed if line.kind in ("chat", "operator") and line.text]


async def play_recording(
    lines: list[RecordedLine], hear: Callable[[RecordedLine], None], *, speed: float, until_s: float | None
) -> None:
    """Hand over each line when it is due, ``speed`` times as fast as it was recorded."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for line in lines:
        if until_s is not None and line.at_s > until_s:
            break
        due = start + line.at_s / speed
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
        hear(line)
        await asyncio.sleep(0)
