"""Every EventSub type that the local Twitch knows: version, condition, scopes, and whose token may have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

B, U, M = "broadcaster_user_id", "user_id", "moderator_user_id"
TO, FROM = "to_broadcaster_user_id", "from_broadcaster_user_id"

MODERATE = (
    "moderator:read:blocked_terms",
    "moderator:read:chat_settings",
    "moderator:read:unban_requests",
    "moderator:read:banned_users",
    "moderator:read:chat_messages",
    "moderator:read:warnings",
    "moderator:read:moderators",
    "moderator:read:vips",
)


@dataclass(frozen=True)
class Type:
    """``owner``: the condition's key that must be the token's user (none: anybody may ask)."""

    version: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    owner: str = ""
    one_of: tuple[str, ...] = ()
    """Exactly one of these keys must be there."""
    rooted: Literal["channel", "person"] = "channel"
    """``person``: only what happens to the ``user_id`` of the condition is sent."""


def _reading(rooted: Literal["channel", "person"] = "channel") -> Type:
    return Type("1", (B, U), scopes=("user:read:chat",), owner=U, rooted=rooted)


def _channel(scope: str = "", version: str = "1", optional: tuple[str, ...] = ()) -> Type:
    return Type(version, (B,), optional, (scope,) if scope else (), B if scope else "")


def _moderator(version: str, *scopes: str) -> Type:
    return Type(version, (B, M), scopes=scopes, owner=M)


TYPES: dict[str, Type] = {
    "channel.chat.message": _reading(),
    "channel.chat.message_delete": _reading(),
    "channel.chat.clear_user_messages": _reading(),
    "channel.chat.clear": _reading(),
    "channel.chat.notification": _reading(),
    "channel.chat_settings.update": _reading(),
    "channel.chat.user_message_hold": _reading("person"),
    "channel.chat.user_message_update": _reading("person"),
    "channel.follow": _moderator("2", "moderator:read:followers"),
    "channel.subscribe": _channel("channel:read:subscriptions"),
    "channel.subscription.end": _channel("channel:read:subscriptions"),
    "channel.subscription.gift": _channel("channel:read:subscriptions"),
    "channel.subscription.message": _channel("channel:read:subscriptions"),
    "channel.cheer": _channel("bits:read"),
    "channel.bits.use": _channel("bits:read"),
    "channel.raid": Type("1", (), one_of=(TO, FROM)),
    "channel.channel_points_custom_reward_redemption.add": _channel(
        "channel:read:redemptions", optional=("reward_id",)
    ),
    "channel.channel_points_automatic_reward_redemption.add": _channel("channel:read:redemptions", "2"),
    "channel.custom_power_up_redemption.add": _channel("bits:read", optional=("reward_id",)),
    **{
        f"channel.hype_train.{stage}": _channel("channel:read:hype_train", "2")
        for stage in ("begin", "progress", "end")
    },
    "automod.message.hold": _moderator("2", "moderator:manage:automod"),
    "automod.message.update": _moderator("2", "moderator:manage:automod"),
    "channel.ban": _channel("channel:moderate"),
    "channel.unban": _channel("channel:moderate"),
    "channel.moderate": _moderator("2", *MODERATE),
    "stream.online": _channel(),
    "stream.offline": _channel(),
    "channel.update": _channel(version="2"),
    **{f"channel.shared_chat.{stage}": _channel() for stage in ("begin", "update", "end")},
    "channel.ad_break.begin": _channel("channel:read:ads"),
    **{f"channel.poll.{stage}": _channel("channel:read:polls") for stage in ("begin", "progress", "end")},
    **{
        f"channel.prediction.{stage}": _channel("channel:read:predictions")
        for stage in ("begin", "progress", "lock", "end")
    },
    "channel.shoutout.receive": _moderator("1", "moderator:read:shoutouts"),
}

GONE = {("channel.follow", "1"), *((f"channel.hype_train.{stage}", "1") for stage in ("begin", "progress", "end"))}
"""Versions that were withdrawn: 410."""

IMPLIED = {
    "channel:read:redemptions": "channel:manage:redemptions",
    "channel:read:polls": "channel:manage:polls",
    "channel:read:predictions": "channel:manage:predictions",
    "moderator:read:shoutouts": "moderator:manage:shoutouts",
    "moderator:read:blocked_terms": "moderator:manage:blocked_terms",
    "moderator:read:chat_settings": "moderator:manage:chat_settings",
    "moderator:read:unban_requests": "moderator:manage:unban_requests",
    "moderator:read:banned_users": "moderator:manage:banned_users",
    "moderator:read:chat_messages": "moderator:manage:chat_messages",
    "moderator:read:warnings": "moderator:manage:warnings",
    "moderator:read:moderators": "channel:manage:moderators",
    "moderator:read:vips": "channel:manage:vips",
}
"""What may stand for a scope: who may change it may read it."""


def has_scope(scopes: tuple[str, ...], wanted: str) -> bool:
    return wanted in scopes or IMPLIED.get(wanted) in scopes
