"""Reads EventSub's notifications.

Anything in a payload may be missing, null or of another type: what can be read counts. Payloads as Twitch's "EventSub
Subscription Types" and "EventSub Reference" give them.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from bot.chat import event_figures as known
from bot.chat.channel import REMEMBERED, Channel, Line, power_up
from bot.chat.emotes import without_cheermotes
from bot.chat.event_policy import Happening
from bot.chat.payload import Payload, figures, message, number, person, rows, stamp, table, words
from bot.chat.twitch_words import Notification
from bot.likeness import remember
from bot.vocabulary import Person
from bot.withdrawal import SILENCED_S

_Handler = Callable[[Notification, Payload], None]


class ChannelEvents:
    """Hands on to a ``Channel`` what every notification means."""

    def __init__(
        self, channel: Channel, name: str, *, redeemed: Callable[[Payload], bool] = lambda event: False
    ) -> None:
        """``name``: what she is called. ``redeemed``: takes a redemption, and returns whether it was its to take."""
        self._channel = channel
        self._name = name
        self._keep = (name,)
        self._redeemed = redeemed
        self._followers: OrderedDict[str, None] = OrderedDict()
        self._levels: OrderedDict[str, int] = OrderedDict()
        """The highest level told of each hype train."""
        self._handlers: dict[str, _Handler] = {
            "channel.chat.message": self._chat,
            "channel.chat.notification": self._notice,
            "channel.chat.message_delete": lambda n, e: channel.deleted(words(e, "message_id")),
            "channel.chat.clear_user_messages": lambda n, e: channel.cleared(
                words(e, "target_user_id"), words(e, "target_user_name")
            ),
            "channel.chat.clear": lambda n, e: channel.all_cleared(),
            "channel.ban": self._ban,
            "channel.unban": lambda n, e: channel.unbanned(words(e, "user_id")),
            "automod.message.hold": lambda n, e: channel.held(words(e, "message_id")),
            "automod.message.update": self._decided,
            "channel.follow": self._follow,
            "channel.subscribe": self._sub,
            "channel.subscription.message": self._resub,
            "channel.subscription.gift": self._gift,
            "channel.cheer": self._cheer,
            "channel.bits.use": self._bits_use,
            "channel.raid": self._raid,
            "channel.channel_points_custom_reward_redemption.add": self._redemption,
            "channel.hype_train.begin": self._train,
            "channel.hype_train.progress": self._train,
            "channel.hype_train.end": self._train,
            "channel.poll.end": self._poll,
            "channel.prediction.end": self._prediction,
            "channel.shoutout.receive": self._shoutout,
            "channel.ad_break.begin": self._ad_break,
            "stream.online": lambda n, e: self._happens(n, "stream_online"),
            "stream.offline": lambda n, e: self._happens(n, "stream_offline"),
        }
        self._notices: dict[str, _Handler] = {
            "sub": self._notice_sub,
            "resub": self._notice_resub,
            "sub_gift": self._notice_gift,
            "community_sub_gift": self._notice_gift,
            "gift_paid_upgrade": self._notice_sub,
            "prime_paid_upgrade": self._notice_sub,
            "raid": self._notice_raid,
            "announcement": lambda n, e: self._happens_by(n, e, "announcement"),
            "charity_donation": self._notice_charity,
            "watch_streak": self._notice_streak,
        }

    def deliver(self, notification: Notification) -> None:
        """Take one notification; a type that means nothing to her is passed over."""
        handler = self._handlers.get(notification.type)
        if handler is not None and isinstance(notification.event, dict):
            handler(notification, notification.event)

    # ------------------------------------------------------------------ chat

    def _chat(self, n: Notification, event: Payload) -> None:
        id_, chatter = words(event, "message_id"), words(event, "chatter_user_id")
        if not id_ or not chatter:
            return
        said, kind = table(event, "message"), words(event, "message_type")
        to = words(table(event, "reply"), "parent_user_id")
        self._channel.says(
            Line(
                id_,
                n.at_s,
                person(event, "chatter"),
                self._said(said, is_to_her=bool(to) and to == self._channel.own_id),
                words(said, "text"),
                bits=number(table(event, "cheer"), "bits") or 0,
                reward=words(event, "channel_points_custom_reward_id"),
                is_foreign=_is_foreign(event),
                is_first=kind == "user_intro",
                is_power_up=kind.startswith("power_ups_"),
            )
        )

    def _said(self, said: Payload, *, is_to_her: bool = False) -> str:
        text = message(said, self._channel.own_id, self._name, self._keep)
        return f"@{self._name} {text}" if is_to_her and self._name not in text else text

    def _decided(self, n: Notification, event: Payload) -> None:
        if words(event, "status").lower() != "approved":
            self._channel.held(words(event, "message_id"))

    # ------------------------------------------------------------------ events

    def _happens(
        self,
        n: Notification,
        event: str,
        who: Payload | None = None,
        prefix: str = "",
        *,
        said: str = "",
        told: dict[str, int | str] | None = None,
        key: tuple[object, ...] = (),
        id_: str = "",
    ) -> None:
        happening = Happening(id_ or n.message_id, event, n.at_s, person(who or {}, prefix), said, told or {})
        self._channel.happens(happening, key, n.type)

    def _follow(self, n: Notification, event: Payload) -> None:
        who = words(event, "user_id")
        if who and who not in self._followers:
            remember(self._followers, who, None, REMEMBERED)
            self._happens(n, "follow", event)

    def _sub(self, n: Notification, event: Payload) -> None:
        if event.get("is_gift") is not True:
            told = figures(tier=known.tier(event, "tier"))
            self._happens(n, "sub", event, told=told, key=("sub", words(event, "user_id")))

    def _resub(self, n: Notification, event: Payload) -> None:
        told = known.resub(event, "tier")
        said = self._said(table(event, "message"))
        self._happens(n, "resub", event, said=said, told=told, key=("resub", words(event, "user_id")))

    def _gift(self, n: Notification, event: Payload) -> None:
        told = figures(count=number(event, "total"))
        giver = None if event.get("is_anonymous") is True else person(event)
        self._channel.gives(Happening(n.message_id, "gift", n.at_s, giver, "", told), "", n.type)

    def _cheer(self, n: Notification, event: Payload) -> None:
        who = {} if event.get("is_anonymous") is True else event
        self._bits(n, event, person(who), {"text": event.get("message")})

    def _bits_use(self, n: Notification, event: Payload) -> None:
        """Tells of every cheer once more, and of power-ups; one that carries a text is a line of chat as well."""
        giver, said = person(event), table(event, "message")
        if event.get("type") == "cheer":
            self._bits(n, event, giver, said)
        else:
            line = words(said, "text")
            self._bits(n, event, giver, said, power_up(giver, line) if line else ())

    def _bits(
        self,
        n: Notification,
        event: Payload,
        giver: Person | None,
        said: Payload,
        key: tuple[object, ...] | None = None,
    ) -> None:
        bits = number(event, "bits")
        key = ("cheer", giver.id if giver else "", bits) if key is None else key
        shown = self._said(said)
        if not rows(said, "fragments"):
            shown = without_cheermotes(shown, bits or 0)
        self._channel.happens(Happening(n.message_id, "cheer", n.at_s, giver, shown, figures(bits=bits)), key, n.type)

    def _raid(self, n: Notification, event: Payload) -> None:
        told = figures(viewers=number(event, "viewers"))
        self._happens(n, "raid", event, "from_broadcaster", told=told, key=_raid_by(event, "from_broadcaster_user_id"))

    def _redemption(self, n: Notification, event: Payload) -> None:
        if not self._redeemed(event):
            reward, said = table(event, "reward"), words(event, "user_input")
            told = figures(title=words(reward, "title"))
            redemption = Happening(n.message_id, "redemption", n.at_s, person(event), said, told)
            self._channel.redeems(redemption, words(reward, "id"))

    def _train(self, n: Notification, event: Payload) -> None:
        train, level = words(event, "id"), number(event, "level") or 0
        before = self._levels.get(train)
        remember(self._levels, train, max(level, before or 0), REMEMBERED)
        told = figures(level=level)
        if n.type.endswith(".end"):
            self._happens(n, "hype_train_end", told=told)
        elif n.type.endswith(".begin"):
            self._happens(n, "hype_train", told=told)
        elif before is not None and level > before:
            self._happens(n, "hype_train_level", told=told)

    def _poll(self, n: Notification, event: Payload) -> None:
        if words(event, "status") in ("completed", "terminated"):
            self._happens(n, "poll", told=known.poll(event))

    def _prediction(self, n: Notification, event: Payload) -> None:
        told = known.prediction(event)
        if told is not None:
            self._happens(n, "prediction", told=told)

    def _shoutout(self, n: Notification, event: Payload) -> None:
        told = figures(viewers=number(event, "viewer_count"))
        self._happens(n, "shoutout", event, "from_broadcaster", told=told)

    def _ad_break(self, n: Notification, event: Payload) -> None:
        self._happens(n, "ad_break", told=known.ad_break(event))

    def _ban(self, n: Notification, event: Payload) -> None:
        begins, ends = stamp(event, "banned_at"), stamp(event, "ends_at")
        if event.get("is_permanent") is True:
            for_s = math.inf
        else:
            for_s = (ends - begins).total_seconds() if begins and ends and ends > begins else SILENCED_S
        self._channel.banned(words(event, "user_id"), words(event, "user_name"), for_s)

    # ------------------------------------------------------------------ notices in chat

    def _notice(self, n: Notification, event: Payload) -> None:
        kind = words(event, "notice_type")
        if not kind or kind == "unraid" or kind.startswith("shared_chat_") or _is_foreign(event):
            return
        handler = self._notices.get(kind)
        if handler is not None:
            handler(n, event)
        else:
            self._happens_by(n, event, "notice", said=words(event, "system_message"))

    def _happens_by(
        self,
        n: Notification,
        event: Payload,
        kind: str,
        *,
        said: str = "",
        told: dict[str, int | str] | None = None,
        key: tuple[object, ...] = (),
    ) -> None:
        """Something happens of which a notice in chat tells: it has the id under which moderators delete it."""
        said = said or self._said(table(event, "message"))
        who = {} if event.get("chatter_is_anonymous") is True else event
        id_ = words(event, "message_id")
        self._happens(n, kind, who, "chatter", said=said, told=told, key=key, id_=id_)

    def _notice_sub(self, n: Notification, event: Payload) -> None:
        told = figures(tier=known.tier(table(event, words(event, "notice_type")), "sub_tier"))
        self._happens_by(n, event, "sub", told=told, key=("sub", words(event, "chatter_user_id")))

    def _notice_resub(self, n: Notification, event: Payload) -> None:
        told = known.resub(table(event, "resub"), "sub_tier")
        self._happens_by(n, event, "resub", told=told, key=("resub", words(event, "chatter_user_id")))

    def _notice_gift(self, n: Notification, event: Payload) -> None:
        kind = words(event, "notice_type")
        told = table(event, kind)
        is_whole = kind == "community_sub_gift"
        bomb = words(told, "id" if is_whole else "community_gift_id")
        is_part = bool(bomb) and not is_whole
        figured = figures(count=number(told, "total") if is_whole else None)
        if not is_whole and not is_part:
            figured = figures(recipient=words(told, "recipient_user_name"))
        giver = None if event.get("chatter_is_anonymous") is True else person(event, "chatter")
        gift = Happening(words(event, "message_id") or n.message_id, "gift", n.at_s, giver, "", figured)
        self._channel.gives(gift, bomb, n.type, is_part=is_part)

    def _notice_raid(self, n: Notification, event: Payload) -> None:
        told = figures(viewers=number(table(event, "raid"), "viewer_count"))
        self._happens_by(n, event, "raid", told=told, key=_raid_by(event, "chatter_user_id"))

    def _notice_charity(self, n: Notification, event: Payload) -> None:
        self._happens_by(n, event, "charity", told=known.charity(event))

    def _notice_streak(self, n: Notification, event: Payload) -> None:
        told = table(event, "watch_streak")
        self._happens_by(n, event, "watch_streak", told=figures(streams=number(told, "streak_count")))


def _is_foreign(event: Payload) -> bool:
    source = words(event, "source_broadcaster_user_id")
    return bool(source) and source != words(event, "broadcaster_user_id")


def _raid_by(event: Payload, key: str) -> tuple[object, ...]:
    return ("raid", words(event, key))
