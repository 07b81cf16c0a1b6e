"""The flight recorder: one JSON line a turn, in a file a day; what a moderator withdraws is blanked there too."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import wave
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bot.timing import marks_ms
from bot.vocabulary import Pcm, Reply, Spoken

log = logging.getLogger(__name__)

KEPT_IN_MEMORY = 500
Record = dict[str, Any]


class Recorder:
    """Writes turn records (see the README for their fields) without ever blocking the event loop."""

    def __init__(self, folder: Path, sounds: Path | None = None) -> None:
        self._folder = folder
        self._sounds = sounds
        self._newest: deque[Record] = deque(maxlen=KEPT_IN_MEMORY)
        self._order = asyncio.Lock()
        self._jobs: set[asyncio.Task[None]] = set()

    def newest(self, limit: int) -> list[Record]:
        """Return up to ``limit`` records, newest first."""
        return list(reversed(self._newest))[: max(0, limit)]

    def wav_path(self, reply: str) -> Path | None:
        """Where a reply's sound is written (``None``: sound is not recorded)."""
        return self._sounds / f"{re.sub(r'[^A-Za-z0-9_-]', '', reply)}.wav" if self._sounds else None

    def write(self, record: Record, sound: Pcm, rate_hz: int) -> None:
        """Keep a turn; files are written in the background, in order."""
        self._newest.append(record)
        path = self.wav_path(record["id"]) if "wav" in record else None
        self._later(self._append, dict(record), path, sound, rate_hz)

    def withdraw(self, ids: Iterable[str]) -> list[str]:
        """Blank every turn that answered one of these messages, in memory and on disk; return the turns' ids."""
        gone = set(ids)
        blanked = [r["id"] for r in self._newest if blank(r, gone)]
        self._later(self._rewrite, gone)
        return blanked

    async def flush(self) -> None:
        """Wait until everything is on disk."""
        while self._jobs:
            await asyncio.gather(*self._jobs)

    def _later(self, job: Any, *args: Any) -> None:
        task = asyncio.create_task(self._in_order(job, *args))
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _in_order(self, job: Any, *args: Any) -> None:
        async with self._order:
            try:
                await asyncio.to_thread(job, *args)
            except Exception as error:  # a recording that cannot be written must never cost a reply
                log.error("cannot write the recording: %s", error)

    def _append(self, record: Record, wav: Path | None, sound: Pcm, rate_hz: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{time.strftime('%Y-%m-%d')}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        if wav is not None:
            wav.parent.mkdir(parents=True, exist_ok=True)
            write_wav(wav, sound, rate_hz)

    def _rewrite(self, gone: set[str]) -> None:
        for file in sorted(self._folder.glob("????-??-??.jsonl"))[-2:]:
            lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
            touched = [number for number, line in enumerate(lines) if any(heard_id in line for heard_id in gone)]
            if not touched:
                continue
            for number in touched:
                lines[number] = _blanked(lines[number], gone)
            whole = "\n".join(lines)
            fresh = file.with_suffix(".new")
            fresh.write_text(whole, encoding="utf-8")
            fresh.replace(file)


def _blanked(line: str, gone: set[str]) -> str:
    """Return a line of a recording without what was withdrawn; one that cannot be read is emptied whole."""
    try:
        record = json.loads(line)
        if blank(record, gone) and record.get("wav"):
            Path(record.pop("wav")).unlink(missing_ok=True)
        return json.dumps(record, ensure_ascii=False)
    except (ValueError, KeyError, TypeError):
        return ""


def turn_record(
    reply: Reply, spoken: Spoken, generated: str, expression: str, brain: str | None, voice: str | None
) -> Record:
    """Return a finished reply as the turn record of the README; ``brain`` and ``voice`` are those that served it."""
    heard = [
        {"id": h.id, "kind": h.kind, "user": h.person.name if h.person else "", "text": h.text} for h in reply.cue.heard
    ]
    return {
        "id": reply.id,
        "at_s": round(time.time(), 3),
        "mode": reply.cue.mode,
        "heard": heard,
        "generated": generated,
        "spoken": spoken.text,
        "cut": spoken.cut,
        "expression": expression,
        "engines": {"stt": None, "llm": brain, "tts": voice},
        "marks_ms": marks_ms(reply.marks),
        "audible_at_s": reply.marks.get("first_audible"),
    }


def blank(record: Record, gone: set[str]) -> bool:
    """Empty a record that answered a withdrawn message; return whether it did."""
    hit = False
    for heard in record["heard"]:
        if heard["id"] in gone:
            heard["text"] = ""
            hit = True
    if hit:
        record["generated"] = record["spoken"] = ""
        record["withdrawn"] = True
    return hit


def write_wav(path: Path, sound: Pcm, rate_hz: int) -> None:
    """Write mono sound, 16 bits, as a WAV file."""
    with path.open("wb") as raw, wave.open(raw) as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(sound.astype("<i2").tobytes())
