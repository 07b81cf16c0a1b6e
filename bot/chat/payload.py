"""Picks out of a payload what is there, whatever else is: a missing or odd value reads as nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from bot.chat.channel import ANONYMOUS, roles_of
from bot.chat.emotes import emote, joined, part_without_emotes, without_emotes
from bot.vocabulary import Person, sound_text

Payload = Mapping[str, Any]
LONGEST = 1000
"""Characters kept of a text; Twitch's own limit is 500."""
_MOST_ROWS = 200
_MOST = 10**12


def words(payload: Payload, key: str) -> str:
    """Return a text, or nothing."""
    value = payload.get(key)
    return sound_text(value[:LONGEST]) if isinstance(value, str) else ""


def number(payload: Payload, key: str) -> int | None:
    """Return a number of zero or more."""
    value = payload.get(key)
    if isinstance(value, str) and len(value) < len(str(_MOST)) and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None


def stamp(payload: Payload, key: str) -> datetime | None:
    """Return a moment, as RFC 3339 writes it with its offset."""
    try:
        at = datetime.fromisoformat(words(payload, key))
    except ValueError:
        return None
    return at if at.tzinfo else None


def table(payload: Payload, key: str) -> Payload:
    """Return an object, or an empty one."""
    value = payload.get(key)
    return value if isinstance(value, Mapping) else {}


def rows(payload: Payload, key: str) -> list[Payload]:
    """Return the objects of a list."""
    value = payload.get(key)
    return [row for row in value[:_MOST_ROWS] if isinstance(row, Mapping)] if isinstance(value, list) else []


def figures(**values: int | str | None) -> dict[str, int | str]:
    """Return the figures that are known: neither missing, nor empty, nor zero."""
    return {name: value for name, value in values.items() if value}


def person(payload: Payload, prefix: str = "") -> Person | None:
    """Return who did it, from ``<prefix>_user_id`` and its like; ``None``: somebody unknown, or who hides."""
    head = f"{prefix}_user" if prefix else "user"
    id_, login = words(payload, f"{head}_id"), words(payload, f"{head}_login")
    if not id_ or login in ANONYMOUS:
        return None
    badges = (words(badge, "set_id") for badge in rows(payload, "badges")) if prefix == "chatter" else ()
    return Person(id_, words(payload, f"{head}_name") or login or id_, roles_of(badges))


def message(payload: Payload, own_id: str, name: str, keep: Collection[str]) -> str:
    """Return a message's text as she is to read it: emotes by their meaning, and her account's name as ``name``."""
    parts = [_part(fragment, own_id, name, keep) for fragment in rows(payload, "fragments")]
    return joined(parts)[:LONGEST] if parts else without_emotes(words(payload, "text"), keep)


def _part(fragment: Payload, own_id: str, name: str, keep: Collection[str]) -> str:
    shown = words(fragment, "text")
    match fragment.get("type"):
        case "emote":
            return f" {emote(shown)} "
        case "cheermote" | "gif":
            return " "
        case "mention":
            is_her = own_id and words(table(fragment, "mention"), "user_id") == own_id
            return f"@{name}" if is_her else shown
        case _:
            return part_without_emotes(shown, keep)
