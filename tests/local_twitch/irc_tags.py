"""The tags of IRC lines, made of the same events that EventSub sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.chat.twitch_words import TwitchUser

NAMES = {
    "sub_gift": "subgift",
    "community_sub_gift": "submysterygift",
    "gift_paid_upgrade": "giftpaidupgrade",
    "prime_paid_upgrade": "primepaidupgrade",
    "pay_it_forward": "communitypayforward",
    "bits_badge_tier": "bitsbadgetier",
    "charity_donation": "charitydonation",
    "watch_streak": "viewermilestone",
}
"""``msg-id`` of a USERNOTICE, where it is not the notice type's own name."""


def escape(value: str) -> str:
    for plain, written in (("\\", "\\\\"), (";", "\\:"), (" ", "\\s"), ("\r", "\\r"), ("\n", "\\n")):
        value = value.replace(plain, written)
    return value


def written(tags: Mapping[str, str]) -> str:
    return f"@{';'.join(f'{name}={escape(value)}' for name, value in tags.items())} " if tags else ""


def of_message(
    channel: TwitchUser, user: TwitchUser, event: dict[str, Any], sent_ms: int, *, first: bool
) -> dict[str, str]:
    tags = {
        **_of_person(user, event),
        "emotes": _emotes(event["message"]["fragments"]),
        "first-msg": str(int(first)),
        "id": event["message_id"],
        "returning-chatter": "0",
        "room-id": channel.id,
        "tmi-sent-ts": str(sent_ms),
    }
    if event["cheer"]:
        tags["bits"] = str(event["cheer"]["bits"])
    if event["channel_points_custom_reward_id"]:
        tags["custom-reward-id"] = event["channel_points_custom_reward_id"]
    if to := event["reply"]:
        tags |= {
            "reply-parent-msg-id": to["parent_message_id"],
            "reply-parent-msg-body": to["parent_message_body"],
            "reply-parent-user-id": to["parent_user_id"],
            "reply-parent-user-login": to["parent_user_login"],
            "reply-parent-display-name": to["parent_user_name"],
            "reply-thread-parent-msg-id": to["thread_message_id"],
        }
    if event["source_broadcaster_user_id"]:
        tags |= {"source-room-id": event["source_broadcaster_user_id"], "source-id": event["source_message_id"]}
    return tags


def of_notice(channel: TwitchUser, user: TwitchUser, event: dict[str, Any], sent_ms: int) -> dict[str, str]:
    kind = event["notice_type"]
    return {
        **_of_person(user, event),
        "emotes": _emotes(event["message"]["fragments"]),
        "id": event["message_id"],
        "login": user.login,
        "msg-id": NAMES.get(kind, kind),
        **{f"msg-param-{name}": str(value) for name, value in _params(kind, event[kind], user).items()},
        "room-id": channel.id,
        "system-msg": event["system_message"],
        "tmi-sent-ts": str(sent_ms),
    }


def _of_person(user: TwitchUser, event: dict[str, Any]) -> dict[str, str]:
    worn = {badge["set_id"]: badge["id"] for badge in event["badges"]}
    months = next((badge["info"] for badge in event["badges"] if badge["set_id"] == "subscriber"), "")
    return {
        "badge-info": f"subscriber/{months}" if months else "",
        "badges": ",".join(f"{name}/{number}" for name, number in worn.items()),
        "color": event["color"],
        "display-name": user.name,
        "mod": str(int("moderator" in worn)),
        "subscriber": str(int("subscriber" in worn)),
        "turbo": "0",
        "user-id": user.id,
        "user-type": "mod" if "moderator" in worn else "",
    }


def _emotes(fragments: Sequence[dict[str, Any]]) -> str:
    """Return ``id:start-end,start-end/id:…``, in code points, the end inclusive."""
    places: dict[str, list[str]] = {}
    at = 0
    for fragment in fragments:
        end = at + len(fragment["text"])
        if fragment["type"] == "emote":
            places.setdefault(fragment["emote"]["id"], []).append(f"{at}-{end - 1}")
        at = end
    return "/".join(f"{id}:{','.join(where)}" for id, where in places.items())


def _params(kind: str, details: dict[str, Any], user: TwitchUser) -> dict[str, Any]:
    match kind:
        case "sub":
            return {"cumulative-months": 1, "sub-plan": "Prime" if details["is_prime"] else details["sub_tier"]}
        case "resub":
            streak = details["streak_months"]
            shown = {"should-share-streak": int(bool(streak)), "sub-plan": details["sub_tier"]}
            return {"cumulative-months": details["cumulative_months"], "streak-months": streak or 0, **shown}
        case "community_sub_gift":
            total = {"mass-gift-count": details["total"], "community-gift-id": details["id"]}
            return {**total, "sender-count": details["cumulative_total"] or 0, "sub-plan": details["sub_tier"]}
        case "sub_gift":
            bomb = {"community-gift-id": details["community_gift_id"]} if details["community_gift_id"] else {}
            to = {"id": "user_id", "user-name": "user_login", "display-name": "user_name"}
            return {
                **bomb,
                **{f"recipient-{name}": details[f"recipient_{key}"] for name, key in to.items()},
                "gift-months": details["duration_months"],
                "sub-plan": details["sub_tier"],
            }
        case "raid":
            return {"displayName": user.name, "login": user.login, "viewerCount": details["viewer_count"]}
        case "announcement":
            return {"color": details["color"]}
        case "watch_streak":
            points = {"copoReward": details["channel_points_awarded"]}
            return {"category": "watch-streak", "value": details["streak_count"], **points}
    return {}
