"""The files of turn records, one a day: which they are, and how their lines are read and changed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from bot.files import take_place
from bot.turn_record import Record, blank, blank_old
from bot.withdrawal import Withdrawal

log = logging.getLogger(__name__)


def day_of(file: Path) -> tuple[float, float]:
    """Return when a file's day begins and ends, in Unix seconds; zeros for a name that is no day."""
    try:
        day = datetime.strptime(file.stem, "%Y-%m-%d")
        return day.timestamp(), (day + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0, 0.0


def change_lines(file: Path, change: Callable[[str], str]) -> None:
    """Write a file anew with every line changed, if any changes. Raises ``OSError``."""
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    changed = [change(line) for line in lines]
    if changed != lines:
        fresh = file.with_suffix(".new")
        fresh.write_text("\n".join(changed), encoding="utf-8")
        take_place(fresh, file)


def record_in(line: str) -> Record | None:
    """Return a line's record, or ``None`` for what is none."""
    try:
        record = json.loads(line)
        whole = all(
            isinstance(heard[name], str) for heard in record["heard"] for name in ("id", "kind", "user", "text")
        )
        known = isinstance(record["at_s"], int | float) and isinstance(record["generated"] + record["spoken"], str)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if whole and known else None


def expired_line(line: str, before_s: float) -> str:
    """Return a line of a file that holds what is too old; one that cannot be read is emptied whole."""
    record = record_in(line)
    if record is None:
        return ""
    wav = record.get("wav")
    if not blank_old(record, before_s):
        return line
    if wav:
        delete(Path(wav))
    return json.dumps(record, ensure_ascii=False)


def blanked_line(line: str, gone: list[Withdrawal], since: float, silenced: set[Path]) -> str:
    """Return a line of a recording without what was withdrawn; one that cannot be read is emptied whole.

    ``since``: clearing the chat leaves what is older. ``silenced`` gets its sound, which is to be deleted.
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
        silenced.add(Path(wav))
    return json.dumps(record, ensure_ascii=False)


def delete(file: Path) -> None:
    """Delete a file, if that can be done."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:  # on Windows, while somebody listens to it
        log.error("cannot delete %s: %s", file.name, error.strerror)
