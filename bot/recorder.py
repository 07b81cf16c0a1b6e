"""The flight recorder: one JSON line a turn, in a file a day; what a moderator withdraws is blanked there too."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import re
import time
import wave
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bot.record_files import blanked_line, change_lines, day_of, delete, expired_line, record_in
from bot.texts import text
from bot.turn_record import Record, blank, blank_old
from bot.vocabulary import Health, Pcm
from bot.withdrawal import Withdrawal

log = logging.getLogger(__name__)

KEPT_IN_MEMORY = 500
PART = "recorder"
FOLDER = "recordings"
"""Of the data folder."""
A_FILE_A_DAY = "????-??-??.jsonl"
SHOWN = frozenset("id mode cut expression engines marks_ms".split())
"""What a record has besides, to be shown as a turn."""
Seen = TypeVar("Seen")


class Recorder:
    """Writes turn records (see the README for their fields) without ever blocking the event loop."""

    def __init__(
        self, folder: Path, sounds: Path | None = None, report: Callable[[Health], None] = lambda health: None
    ) -> None:
        """``sounds``: where to keep what she said; ``report`` gets the light ``recorder``."""
        self._folder = folder
        self._sounds = sounds
        self._report = report
        self._newest: deque[Record] = deque(maxlen=KEPT_IN_MEMORY)
        self._unwritten: deque[Record] = deque(maxlen=KEPT_IN_MEMORY)
        """Turns that could not be written yet, oldest first."""
        self._faults: dict[Path, str] = {}
        """Why a folder could not be written when it was last tried."""
        self._order = asyncio.Lock()
        self._jobs: set[asyncio.Task[None]] = set()
        self._gone: deque[tuple[Withdrawal, bool]] = deque()
        """What is still to be blanked on disk, and whether in all files: a wave of bans is one pass over them."""
        self._silenced: set[Path] = set()
        """The sounds of turns that were blanked, to be deleted."""
        self._since = time.time()
        self._before_s = float("-inf")
        self._first_file = f"{time.strftime('%Y-%m-%d')}.jsonl"

    def begin(self) -> None:
        """See in the background whether the folders can be written, and what the newest turns of earlier runs were."""
        self._later(self._begin())

    def newest(self, limit: int) -> list[Record]:
        """Return up to ``limit`` records, newest first."""
        return list(reversed(self._newest))[: max(0, limit)]

    def wav_path(self, reply: str) -> Path | None:
        """Where a reply's sound is written (``None``: sound is not recorded)."""
        return self._sounds / f"{re.sub(r'[^A-Za-z0-9_-]', '', reply)}.wav" if self._sounds else None

    def write(self, record: Record, sound: Pcm, rate_hz: int) -> None:
        """Keep a turn; files are written in the background, in order.

        A ``wav`` in it is taken out if it cannot be written, at once where the last one could not.
        """
        path = self.wav_path(record["id"]) if "wav" in record else None
        if self._sounds in self._faults:
            record.pop("wav", None)
        self._newest.append(record)
        self._later(self._keep(record, path, sound, rate_hz))

    def answered(self, what: Withdrawal) -> list[dict[str, str]]:
        """Return what was withdrawn among the lines that the newest turns answered."""
        lines = (line for record in self._newest if self._reaches(what, record) for line in record["heard"])
        return [line for line in lines if what.takes_line(line)]

    def withdraw(self, what: Withdrawal, *, ever: bool = False) -> list[str]:
        """Blank every turn that answered something withdrawn or names the person, in memory and on disk.

        Their sounds are deleted. ``ever``: also in the files of days long past, as where one of the newest turns is of
        an earlier run. Returns the ids of those among the newest turns, oldest first.
        """
        blanked = [record for record in self._newest if self._blank(record, what)]
        self._gone.append((what, ever or any(record["at_s"] < self._since for record in blanked)))
        self._later(self._in_thread(self._rewrite))
        return [record["id"] for record in blanked]

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
        self._before_s = before_s
        for record in self._newest:
            blank_old(record, before_s)
        self._later(self._in_thread(self._expire, before_s))

    async def flush(self) -> None:
        """Wait until everything is on disk."""
        while self._jobs:
            await asyncio.gather(*self._jobs)

    async def forgotten(self) -> None:
        """Wait until all that was withdrawn has gone from disk.

        Raises ``OSError`` when a file is held or full: it is tried again with what is withdrawn later.
        """
        await self.flush()
        async with self._order:
            await asyncio.to_thread(self._rewrite)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _in_thread(self, job: Callable[..., None], *args: Any) -> None:
        async with self._order:
            try:
                await asyncio.to_thread(job, *args)
            except Exception as error:
                log.error("cannot write the recording: %s", error)

    # ------------------------------------------------------------------ written and read in the background

    async def _begin(self) -> None:
        async with self._order:
            for folder in self._written_to:
                await self._tried(folder, probe, folder)
            try:
                earlier = await asyncio.to_thread(self._earlier)
            except OSError as error:
                log.error("cannot read the recordings: %s", error)
                return
            for record in earlier[: KEPT_IN_MEMORY - len(self._newest)]:
                for what, _ in self._gone:
                    self._blank(record, what)
                blank_old(record, self._before_s)
                self._newest.appendleft(record)

    async def _keep(self, record: Record, wav: Path | None, sound: Pcm, rate_hz: int) -> None:
        async with self._order:
            if wav is not None and self._sounds is not None and not _is_blank(record):
                if not await self._tried(self._sounds, _write_sound, wav, sound, rate_hz):
                    record.pop("wav", None)
                elif _is_blank(record):
                    await asyncio.to_thread(delete, wav)
                else:
                    record["wav"] = str(wav)
            self._unwritten.append(record)
            lines = [json.dumps(each, ensure_ascii=False) for each in self._unwritten]
            if await self._tried(self._folder, self._append, lines):
                self._unwritten.clear()

    @property
    def _written_to(self) -> list[Path]:
        return [self._folder] if self._sounds is None else [self._folder, self._sounds]

    async def _tried(self, folder: Path, job: Callable[..., None], *args: Any) -> bool:
        """Whether this could be written in one of the folders; the light tells. What cannot never costs a reply."""
        try:
            await asyncio.to_thread(job, *args)
        except Exception as error:
            log.error("cannot write the recording: %s", error)
            self._faults[folder] = getattr(error, "strerror", None) or str(error)
        else:
            self._faults.pop(folder, None)
        self._report(health(self._written_to, self._faults))
        return folder not in self._faults

    def _append(self, lines: list[str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        whole = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        with (self._folder / f"{time.strftime('%Y-%m-%d')}.jsonl").open("ab", buffering=0) as file:
            end = file.tell()
            if file.write(whole) < len(whole):
                file.truncate(end)  # no half line, to which the next one would be added
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _earlier(self) -> list[Record]:
        """Return the newest records on disk that can be shown, newest first."""
        found: list[Record] = []
        for file in reversed(self._files()):
            with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
                newest_last = list(lines)
            for line in reversed(newest_last):
                record = record_in(line)
                if record is not None and record.keys() >= SHOWN:
                    found.append(record)
                    if len(found) == KEPT_IN_MEMORY:
                        return found
        return found

    # ------------------------------------------------------------------ taken back

    def _reaches(self, what: Withdrawal, record: Record) -> bool:
        """Clearing the chat leaves what is older than this run."""
        return not what.chat or record["at_s"] >= self._since

    def _blank(self, record: Record, what: Withdrawal) -> bool:
        wav = record.get("wav")
        if not self._reaches(what, record) or not blank(record, what):
            return False
        if wav:
            self._silenced.add(Path(wav))
        return True

    def _rewrite(self) -> None:
        """Blank the files of this session, and the last two at least: the program may have been started again.

        Raises the last ``OSError`` after it has tried every file; all of it is due then still.
        """
        gone = [self._gone.popleft() for _ in range(len(self._gone))]
        files = self._files()
        fault: OSError | None = None
        for file in files:
            is_recent = file.name >= self._first_file or file in files[-2:]
            here = [what for what, ever in gone if ever or is_recent]
            try:
                if here:
                    change_lines(file, partial(blanked_line, gone=here, since=self._since, silenced=self._silenced))
            except OSError as error:
                fault = error
        for wav in list(self._silenced):
            try:
                wav.unlink(missing_ok=True)
            except OSError as error:  # on Windows, while somebody listens to it
                fault = error
            else:
                self._silenced.discard(wav)
        if fault is not None:
            self._gone.extendleft(reversed(gone))
            raise fault

    def _expire(self, before_s: float) -> None:
        for left in self._folder.glob("????-??-??.new"):
            delete(left)  # of a rewriting that was cut short
        for file in self._files():
            begins, ends = day_of(file)
            if begins < before_s:
                change_lines(file, partial(expired_line, before_s=before_s))
            if ends <= before_s:
                delete(file)

    def _files(self) -> list[Path]:
        """Return the files of records, oldest first; what else lies in the folder is not hers."""
        return [file for file in sorted(self._folder.glob(A_FILE_A_DAY)) if day_of(file)[1]]

    def _kept(self) -> Iterator[Record]:
        for file in self._files():
            with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
                for line in lines:
                    record = record_in(line)
                    if record is not None:
                        yield record


def _is_blank(record: Record) -> bool:
    return "withdrawn" in record or "expired" in record


def health(folders: list[Path], faults: Mapping[Path, str]) -> Health:
    """Return the light of recordings in these folders; ``faults``: why one cannot be written."""
    if not faults:
        return Health(PART, "ok", text("recorder.writes", folders=", ".join(map(str, folders))))
    told = [text("recorder.cannot", folder=folder, error=error) for folder, error in faults.items()]
    return Health(PART, "down", " ".join(told), text("recorder.repair"))


def probe(folder: Path) -> None:
    """See whether a folder can be written, or made where it is missing; nothing stays. Raises ``OSError`` if not."""
    here = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    file = here / f".probe-{os.getpid()}"  # on Windows tempfile tries names for ever where none may be made
    try:
        file.write_bytes(b"\0")
    finally:
        with suppress(OSError):
            file.unlink()


def _write_sound(path: Path, sound: Pcm, rate_hz: int) -> None:
    """Write a WAV file, or nothing. Raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_wav(path, sound, rate_hz)
    except OSError:
        delete(path)
        raise


def write_wav(path: Path, sound: Pcm, rate_hz: int) -> None:
    """Write mono sound, 16 bits, as a WAV file."""
    with path.open("wb") as raw, wave.open(raw) as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(sound.astype("<i2").tobytes())
