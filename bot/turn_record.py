"""One turn as a record: what it holds, and how words are taken out of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bot.timing import marks_ms
from bot.vocabulary import Heard, Reply, Spoken
from bot.withdrawal import Withdrawal

VIEWERS_KINDS = ("chat", "event")
Record = dict[str, Any]


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
