"""The bodies of EventSub events, complete, as section "Event payloads" of Twitch's reference gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.chat.twitch_words import TwitchUser

Json = dict[str, Any]


def named(prefix: str, user: TwitchUser | None) -> Json:
    """Return the three keys of a person, such as ``chatter_user_id``; ``prefix`` is ``""`` for plain ``user_id``."""
    head = f"{prefix}_user" if prefix else "user"
    values = (user.id, user.login, user.name) if user else (None, None, None)
    return dict(zip((f"{head}_id", f"{head}_login", f"{head}_name"), values, strict=True))


def _fragment(type: str, shown: str, **parts: Any) -> Json:
    return {"type": type, "text": shown, "cheermote": None, "emote": None, "mention": None, **parts}


def text(shown: str) -> Json:
    return _fragment("text", shown)


def emote(name: str, id: str = "425618", *, animated: bool = False) -> Json:
    formats = ["static", "animated"] if animated else ["static"]
    return _fragment("emote", name, emote={"id": id, "emote_set_id": "0", "owner_id": "0", "format": formats})


def mention(user: TwitchUser) -> Json:
    return _fragment("mention", f"@{user.name}", mention=named("", user))


def cheermote(bits: int, prefix: str = "Cheer") -> Json:
    parts = {
        "prefix": prefix.lower(),
        "bits": bits,
        "tier": max(t for t in (1, 100, 1000, 5000, 10000) if t <= max(bits, 1)),
    }
    return _fragment("cheermote", f"{prefix}{bits}", cheermote=parts)


def message(shown: str, fragments: Sequence[Json] | None = None) -> Json:
    if fragments is None:
        fragments = [text(shown)] if shown else []
    return {"text": "".join(part["text"] for part in fragments) if fragments else shown, "fragments": list(fragments)}


def badges(names: Iterable[str]) -> list[Json]:
    """Return badges of names such as ``moderator`` or ``subscriber/6`` (months in ``info``)."""
    made = []
    for name in names:
        set_id, _, number = name.partition("/")
        made.append({"set_id": set_id, "id": number or "1", "info": number if set_id == "subscriber" else ""})
    return made


SOURCE: Json = {
    "source_broadcaster_user_id": None,
    "source_broadcaster_user_login": None,
    "source_broadcaster_user_name": None,
    "source_message_id": None,
    "source_badges": None,
    "is_source_only": None,
}


def source(user: TwitchUser | None, message_id: str) -> Json:
    if user is None:
        return dict(SOURCE)
    more = {"source_message_id": message_id, "source_badges": [], "is_source_only": False}
    return {**named("source_broadcaster", user), **more}


NOTICES = (
    "sub",
    "resub",
    "sub_gift",
    "community_sub_gift",
    "gift_paid_upgrade",
    "prime_paid_upgrade",
    "pay_it_forward",
    "raid",
    "unraid",
    "announcement",
    "bits_badge_tier",
    "charity_donation",
    "modiversary",
    "watch_streak",
)
SHARED_NOTICES = tuple(
    f"shared_chat_{name}"
    for name in (
        "sub",
        "resub",
        "sub_gift",
        "community_sub_gift",
        "gift_paid_upgrade",
        "prime_paid_upgrade",
        "pay_it_forward",
        "raid",
        "announcement",
        "modiversary",
    )
)


def hype_train(stage: str, channel: TwitchUser, id: str, level: int, total: int, stamps: Sequence[str]) -> Json:
    """``stage``: begin, progress or end; ``stamps``: started, expires or ended, end of the cooldown."""
    event = {
        "id": id,
        **named("broadcaster", channel),
        "total": total,
        "level": level,
        "started_at": stamps[0],
        "top_contributions": [],
        "shared_train_participants": None,
        "is_shared_train": False,
        "type": "regular",
    }
    if stage == "end":
        return {**event, "ended_at": stamps[1], "cooldown_ends_at": stamps[2]}
    event |= {"progress": total % 1600, "goal": 1600, "expires_at": stamps[1]}
    if stage == "begin":
        event |= {"all_time_high_level": max(level, 4), "all_time_high_total": max(total, 6400)}
    return event


def poll(stage: str, channel: TwitchUser, id: str, title: str, votes: Mapping[str, int], stamps: Sequence[str]) -> Json:
    choices = [
        {"id": f"{id}-{i}", "title": choice, "bits_votes": 0, "channel_points_votes": 0, "votes": number}
        for i, (choice, number) in enumerate(votes.items())
    ]
    event = {
        "id": id,
        **named("broadcaster", channel),
        "title": title,
        "choices": choices,
        "bits_voting": {"is_enabled": False, "amount_per_vote": 0},
        "channel_points_voting": {"is_enabled": False, "amount_per_vote": 0},
        "started_at": stamps[0],
    }
    return event | ({"status": "completed", "ended_at": stamps[1]} if stage == "end" else {"ends_at": stamps[1]})


def prediction(
    stage: str, channel: TwitchUser, id: str, title: str, points: Mapping[str, int], stamps: Sequence[str]
) -> Json:
    """``stage``: begin, progress, lock or end; the first outcome wins."""
    outcomes = [
        {"id": f"{id}-{i}", "title": name, "color": "blue", "users": 1, "channel_points": paid, "top_predictors": []}
        for i, (name, paid) in enumerate(points.items())
    ]
    event = {"id": id, **named("broadcaster", channel), "title": title, "outcomes": outcomes, "started_at": stamps[0]}
    if stage == "end":
        return {**event, "winning_outcome_id": f"{id}-0", "status": "resolved", "ended_at": stamps[1]}
    return {**event, ("locked_at" if stage == "lock" else "locks_at"): stamps[1]}
