"""The flight recorder: one JSON line a turn, in a file a day; what a moderator withdraws is blanked there too."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import wave
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bot.timing import marks_ms
from bot.vocabulary import Heard, Pcm, Reply, Spoken
from bot.withdrawal import Withdrawal

log = logging.getLogger(__name__)

KEPT_IN_MEMORY = 500
VIEWERS_KINDS = ("chat", "event")
A_FILE_A_DAY = "????-??-??.jsonl"
Record = dict[str, Any]
Seen = TypeVar("Seen")


class Recorder:
    """Writes turn records (see the README for their fields) without ever blocking the event loop."""

    def __init__(self, folder: Path, sounds: Path | None = None) -> None:
        self._folder = folder
        self._sounds = sounds
        self._newest: deque[Record] = deque(maxlen=KEPT_IN_MEMORY)
        self._order = asyncio.Lock()
        self._jobs: set[asyncio.Task[None]] = set()
        self._gone: deque[tuple[Withdrawal, bool]] = deque()
        """What is still to be blanked on disk, and whether in all files: a wave of bans is one pass over them."""
        self._since = time.time()
        self._first_file = f"{time.strftime('%Y-%m-%d')}.jsonl"

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
        self._later(self._append, json.dumps(record, ensure_ascii=False), path, sound, rate_hz)

    def answered(self, what: Withdrawal) -> list[dict[str, str]]:
        """Return what was withdrawn among the lines that the newest turns answered."""
        return [line for record in self._newest for line in record["heard"] if what.takes_line(line)]

    def withdraw(self, what: Withdrawal, *, ever: bool = False) -> list[str]:
        """Blank every turn that answered something withdrawn or names the person, in memory and on disk.

        Their sounds are deleted. ``ever``: also in the files of days long past. Returns the ids of those among the
        newest turns, oldest first.
        """
        blanked = [r["id"] for r in self._newest if blank(r, what)]
        self._gone.append((what, ever))
        self._later(self._rewrite)
        return blanked

    async def look(self, see: Callable[[Iterator[Record]], Seen]) -> Seen:
        """Return what ``see`` makes of all that is kept on disk, oldest first; it runs in a thread."""
        await self.flush()
        async with self._order:
            return await asyncio.to_thread(lambda: see(self._kept()))

    def expire(self, before_s: float) -> None:
        """Let go of what is older than this time of day (Unix seconds).

        Files of older days are deleted whole, with the sounds of turns that answered viewers; in what stays, viewers'
        words and her answers to them are blanked.
        """
        for record in self._newest:
            blank_old(record, before_s)
        self._later(self._expire, before_s)

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

    def _append(self, line: str, wav: Path | None, sound: Pcm, rate_hz: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{time.strftime('%Y-%m-%d')}.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if wav is not None:
            wav.parent.mkdir(parents=True, exist_ok=True)
            write_wav(wav, sound, rate_hz)

    def _rewrite(self) -> None:
        """Blank the files of this session, and the last two at least: the program may have been started again."""
        gone = [self._gone.popleft() for _ in range(len(self._gone))]
        files = self._files()
        for file in files:
            is_recent = file.name >= self._first_file or file in files[-2:]
            here = [what for what, ever in gone if ever or is_recent]
            if here:
                _change(file, partial(_blanked, gone=here, since=self._since))

    def _expire(self, before_s: float) -> None:
        for left in self._folder.glob("????-??-??.new"):
            _delete(left)  # of a rewriting that was cut short
        for file in self._files():
            begins, ends = _day_of(file)
            if begins < before_s:
                _change(file, partial(_expired, before_s=before_s))
            if ends <= before_s:
                _delete(file)

    def _files(self) -> list[Path]:
        """Return the files of records, oldest first; what else lies in the folder is not hers."""
        return [file for file in sorted(self._folder.glob(A_FILE_A_DAY)) if _day_of(file)[1]]

    def _kept(self) -> Iterator[Record]:
        for file in self._files():
            with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
                for line in lines:
                    record = _record_in(line)
                    if record is not None:
                        yield record


def _day_of(file: Path) -> tuple[float, float]:
    """Return when a file's day begins and ends, in Unix seconds; zeros for a name that is no day."""
    try:
        day = datetime.strptime(file.stem, "%Y-%m-%d")
        return day.timestamp(), (day + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0, 0.0


def _change(file: Path, change: Callable[[str], str]) -> None:
    """Write a file anew with every line changed, if any changes."""
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    changed = [change(line) for line in lines]
    if changed != lines:
        fresh = file.with_suffix(".new")
        fresh.write_text("\n".join(changed), encoding="utf-8")
        fresh.replace(file)


def _record_in(line: str) -> Record | None:
    """Return a line's record, or ``None`` for what is none."""
    try:
        record = json.loads(line)
        whole = all(isinstance(heard["id"], str) and isinstance(heard["kind"], str) for heard in record["heard"])
        known = isinstance(record["at_s"], int | float) and isinstance(record["generated"] + record["spoken"], str)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if whole and known else None


def _expired(line: str, before_s: float) -> str:
    """Return a line of a file that holds what is too old; one that cannot be read is emptied whole."""
    record = _record_in(line)
    if record is None:
        return ""
    wav = record.get("wav")
    if not blank_old(record, before_s):
        return line
    if wav:
        _delete(Path(wav))
    return json.dumps(record, ensure_ascii=False)


def _blanked(line: str, gone: list[Withdrawal], since: float) -> str:
    """Return a line of a recording without what was withdrawn; one that cannot be read is emptied whole.

    ``since``: clearing the chat leaves what is older.
    """
    try:
        record = json.loads(line)
        wav = record.get("wav")
        hits = [blank(record, what) for what in gone if not what.chat or record["at_s"] >= since]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "" if any(what.may_be_in(line) for what in gone) else line
    if not any(hits):
        return line
    if wav:
        _delete(Path(wav))
    return json.dumps(record, ensure_ascii=False)


def _delete(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:  # on Windows, while somebody listens to it
        log.error("cannot delete %s: %s", file.name, error.strerror)


def turn_record(
    reply: Reply, spoken: Spoken, generated: str, expression: str, engines: Mapping[str, str | None]
) -> Record:
    """Return a finished reply as the turn record of the README; ``engines``: who served as ear, brain and voice."""
    return {
        "id": reply.id,
        "at_s": round(time.time(), 3),
        "mode": reply.cue.mode,
        "heard": [_line(heard) for heard in reply.cue.heard],
        "generated": generated,
        "spoken": spoken.text,
        "cut": spoken.cut,
        "expression": expression,
        "engines": dict(engines),
        "marks_ms": marks_ms(reply.marks),
        "audible_at_s": reply.marks.get("first_audible"),
    }


def _line(heard: Heard) -> dict[str, str]:
    line = {"id": heard.id, "kind": heard.kind, "user": "", "text": heard.text}
    if heard.person is not None:
        line |= {"user": heard.person.name, "user_id": heard.person.id}
    return line | ({"event": heard.event} if heard.event else {})


def blank(record: Record, what: Withdrawal) -> bool:
    """Take out of a record what was withdrawn, and all her words with it; return whether there was anything."""
    taken = [line for line in record["heard"] if what.takes_line(line) and (line["text"] or line["user"])]
    for line in taken:
        line["text"] = line["user"] = line["user_id"] = ""
    if taken or what.names_in(f"{record['generated']} {record['spoken']}"):
        blank_words(record)
        return True
    return False


def blank_old(record: Record, before_s: float) -> bool:
    """Take viewers' words out of a record older than this, and hers with them; return whether there were any."""
    theirs = [line for line in record["heard"] if line.get("user") or line["kind"] in VIEWERS_KINDS]
    if record["at_s"] >= before_s or not any(line.get("user") or line.get("text") for line in theirs):
        return False
    for line in theirs:
        line["text"] = line["user"] = line["user_id"] = ""
    record["generated"] = record["spoken"] = ""
    record.pop("wav", None)
    record["expired"] = True
    return True


def blank_words(record: Record) -> None:
    """Take her words out of a record, and the sound."""
    record["generated"] = record["spoken"] = ""
    record.pop("wav", None)
    record["withdrawn"] = True


def write_wav(path: Path, sound: Pcm, rate_hz: int) -> None:
    """Write mono sound, 16 bits, as a WAV file."""
    with path.open("wb") as raw, wave.open(raw) as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(sound.astype("<i2").tobytes())
