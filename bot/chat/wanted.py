"""Which EventSub subscriptions two logins can have, and what she does not hear of for want of a scope.

Types, versions, conditions and scopes: Twitch, "EventSub Subscription Types".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from bot.chat.twitch_words import TwitchUser, Wanted, Who
from bot.texts import text

May = Callable[[Who, str], bool]
"""Whether a login was given a scope."""
Purpose = Literal[
    "chat", "follows", "redemptions", "hype_train", "polls", "predictions", "shoutouts", "ad_breaks", "automod", "bans"
]
_BASIC: frozenset[Purpose] = frozenset(("chat", "follows", "redemptions", "hype_train"))
_Condition = Literal["reader", "anyone", "raided", "owner", "moderator"]


@dataclass(frozen=True, slots=True)
class Missing:
    """What a scope of a login would let her hear. ``is_basic``: people expect it of her."""

    scope: str
    who: Who
    purpose: Purpose

    @property
    def is_basic(self) -> bool:  # noqa: D102
        return self.purpose in _BASIC


@dataclass(frozen=True, slots=True)
class _Row:
    """``scopes``: any one of them. Without a purpose it only tells again what chat tells."""

    type: str
    version: str
    condition: _Condition
    scopes: tuple[str, ...] = ()
    purpose: Purpose | None = None


_CHAT = ("user:read:chat",)
REDEMPTION_SCOPES = ("channel:read:redemptions", "channel:manage:redemptions")
_TABLE = (
    _Row("channel.chat.message", "1", "reader", _CHAT, "chat"),
    _Row("channel.chat.message_delete", "1", "reader", _CHAT, "chat"),
    _Row("channel.chat.clear_user_messages", "1", "reader", _CHAT, "chat"),
    _Row("channel.chat.clear", "1", "reader", _CHAT, "chat"),
    _Row("channel.chat.notification", "1", "reader", _CHAT, "chat"),
    _Row("channel.raid", "1", "raided"),
    _Row("channel.follow", "2", "moderator", ("moderator:read:followers",), "follows"),
    _Row(
        "channel.channel_points_custom_reward_redemption.add",
        "1",
        "owner",
        REDEMPTION_SCOPES,
        "redemptions",
    ),
    *(
        _Row(f"channel.hype_train.{stage}", "2", "owner", ("channel:read:hype_train",), "hype_train")
        for stage in ("begin", "progress", "end")
    ),
    _Row("channel.subscribe", "1", "owner", ("channel:read:subscriptions",)),
    _Row("channel.subscription.message", "1", "owner", ("channel:read:subscriptions",)),
    _Row("channel.subscription.gift", "1", "owner", ("channel:read:subscriptions",)),
    _Row("channel.cheer", "1", "owner", ("bits:read",)),
    _Row("channel.bits.use", "1", "owner", ("bits:read",)),
    _Row("channel.poll.end", "1", "owner", ("channel:read:polls", "channel:manage:polls"), "polls"),
    _Row(
        "channel.prediction.end",
        "1",
        "owner",
        ("channel:read:predictions", "channel:manage:predictions"),
        "predictions",
    ),
    _Row(
        "channel.shoutout.receive",
        "1",
        "moderator",
        ("moderator:read:shoutouts", "moderator:manage:shoutouts"),
        "shoutouts",
    ),
    _Row("channel.ad_break.begin", "1", "owner", ("channel:read:ads",), "ad_breaks"),
    _Row("automod.message.hold", "2", "moderator", ("moderator:manage:automod",), "automod"),
    _Row("automod.message.update", "2", "moderator", ("moderator:manage:automod",), "automod"),
    _Row("channel.ban", "1", "owner", ("channel:moderate",), "bans"),
    _Row("channel.unban", "1", "owner", ("channel:moderate",)),
    _Row("stream.online", "1", "anyone"),
    _Row("stream.offline", "1", "anyone"),
)


def subscriptions(bot: TwitchUser, owner: TwitchUser, may: May) -> tuple[list[Wanted], list[Missing]]:
    """Return what can be subscribed to, chat first, and what cannot for want of a scope.

    ``bot``: the account that reads; ``owner``: the channel's, which may be the same.
    """
    wanted: list[Wanted] = []
    missing: dict[Missing, None] = {}
    for row in _TABLE:
        asked = _logins(row, bot, owner)
        who = next((who for who in asked if not row.scopes or any(may(who, scope) for scope in row.scopes)), None)
        if who is not None:
            wanted.append(Wanted(row.type, row.version, _condition(row, who, bot, owner), who))
        elif row.purpose is not None:
            missing[Missing(row.scopes[0], asked[0], row.purpose)] = None
    return wanted, list(missing)


def not_heard(missing: Iterable[Missing]) -> str:
    """Return a sentence for people: what she does not hear of, each with the scope that it needs."""
    told = [f"{text(f'events.purpose_{one.purpose}')} ({one.scope})" for one in missing]
    return text("events.not_heard", what=", ".join(told)) if told else ""


def _logins(row: _Row, bot: TwitchUser, owner: TwitchUser) -> tuple[Who, ...]:
    """Return whose login may ask for it, best first. Fewer logins mean fewer connections."""
    if bot == owner or row.condition in ("reader", "anyone", "raided"):
        return ("bot",)
    return ("channel",) if row.condition == "owner" else ("channel", "bot")


def _condition(row: _Row, who: Who, bot: TwitchUser, owner: TwitchUser) -> tuple[tuple[str, str], ...]:
    match row.condition:
        case "raided":
            return (("to_broadcaster_user_id", owner.id),)
        case "reader":
            return ("broadcaster_user_id", owner.id), ("user_id", bot.id)
        case "moderator":
            moderator = bot if who == "bot" else owner
            return ("broadcaster_user_id", owner.id), ("moderator_user_id", moderator.id)
        case _:
            return (("broadcaster_user_id", owner.id),)
