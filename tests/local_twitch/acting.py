"""What people and moderators do on the channel: complete events, on EventSub and on IRC."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from bot.chat.twitch_words import TwitchUser
from tests.local_twitch import payloads
from tests.local_twitch.accounts import Accounts
from tests.local_twitch.clock import Clock
from tests.local_twitch.irc import Irc
from tests.local_twitch.payloads import Json, named
from tests.local_twitch.sockets import Sockets
from tests.local_twitch.subscriptions import Subscriptions


class Acting:
    """Each method sends every notification that the deed causes at Twitch (a cheer: three of them)."""

    channel: TwitchUser
    clock: Clock
    irc: Irc
    accounts: Accounts
    subscriptions: Subscriptions
    sockets: Sockets
    delivered_chat: list[str]
    _said: OrderedDict[str, tuple[TwitchUser, str, str, TwitchUser]]
    """Chat messages by id: who, text, id and author of the thread's first message."""
    _gone: set[str]
    """Messages that were deleted."""
    _held: dict[str, tuple[TwitchUser, Json]]
    _numbers: count[int]

    async def emit(self, type: str, event: dict[str, Any], *, message_id: str | None = None) -> int:
        raise NotImplementedError

    def _id(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers):07d}"

    @property
    def _b(self) -> Json:
        return named("broadcaster", self.channel)

    # ------------------------------------------------------------------ chat

    async def chat(
        self,
        user: TwitchUser,
        text: str = "",
        *,
        id: str | None = None,
        badges: Sequence[str] = (),
        first: bool = False,
        reply: str | None = None,
        cheer: int = 0,
        fragments: Sequence[Json] | None = None,
        kind: str = "text",
        reward: str | None = None,
        source: TwitchUser | None = None,
    ) -> str:
        """A chat message; return its id.

        ``badges`` such as ``vip`` or ``subscriber/6``; the channel's and moderators' own come by themselves. ``reply``:
        the id of the message answered to. ``source``: the other channel of a shared chat that it comes from. A cheer
        also sends channel.cheer and channel.bits.use. ``first`` shows on IRC alone, as at Twitch.
        """
        parent = self._said.get(reply or "")
        if parent and fragments is None and not text.startswith("@"):
            fragments = [payloads.mention(parent[0]), payloads.text(f" {text}")]
        message = payloads.message(text, fragments)
        id = id or self._id("c0ffee00")
        worn = payloads.badges([*self._rank(user), *badges])
        event = {
            **self._b,
            **named("chatter", user),
            "message_id": id,
            "message": message,
            "color": "#1E90FF",
            "badges": worn,
            "message_type": kind,
            "cheer": {"bits": cheer} if cheer else None,
            "reply": self._reply(reply, parent),
            "channel_points_custom_reward_id": reward,
            "channel_points_animation_id": None,
            **payloads.source(source, self._id("source")),
        }
        thread = (parent[2], parent[3]) if parent else (id, user)
        self._said[id] = (user, message["text"], *thread)
        if len(self._said) > 2000:
            self._said.popitem(last=False)
        if await self.emit("channel.chat.message", event):
            self.delivered_chat.append(id)
        if self.irc.readers:
            await self.irc.message(self.channel, user, event, first=first)
        if cheer:
            bits = {**named("", user), **self._b, "bits": cheer}
            await self.emit("channel.cheer", {**bits, "is_anonymous": False, "message": message["text"]})
            more = {"type": "cheer", "message": message, "power_up": None, "custom_power_up": None}
            await self.emit("channel.bits.use", {**bits, **more})
        return id

    def _rank(self, user: TwitchUser) -> list[str]:
        if user == self.channel:
            return ["broadcaster"]
        return ["moderator"] if (self.channel.id, user.id) in self.subscriptions.moderators else []

    def _reply(self, id: str | None, parent: tuple[TwitchUser, str, str, TwitchUser] | None) -> Json | None:
        if parent is None:
            return None
        to, shown, thread, starter = parent
        told = {"parent_message_id": id, "parent_message_body": shown, "thread_message_id": thread}
        return {**told, **named("parent", to), **named("thread", starter)}

    async def cheer(self, user: TwitchUser, bits: int, text: str = "") -> str:
        """A cheer, as channel.chat.message, channel.cheer and channel.bits.use; return the chat message's id."""
        rest = [payloads.text(f" {text}")] if text else []
        return await self.chat(user, cheer=bits, fragments=[payloads.cheermote(bits), *rest])

    # ------------------------------------------------------------------ moderation

    def author(self, message_id: str) -> TwitchUser | None:
        """Who wrote a message that is still in chat."""
        return self._said[message_id][0] if message_id in self._said and message_id not in self._gone else None

    async def delete(self, message_id: str, user: TwitchUser) -> int:
        """A moderator deletes one message of this user."""
        self._gone.add(message_id)
        await self.irc.deleted(self.channel, user, message_id, self._said.get(message_id, (user, ""))[1])
        event = {**self._b, **named("target", user), "message_id": message_id}
        return await self.emit("channel.chat.message_delete", event)

    async def clear_user(self, user: TwitchUser, seconds: int | None = None) -> int:
        """All messages of a user go (ban without ``seconds``, else timeout)."""
        await self.irc.cleared(self.channel, user, seconds)
        return await self.emit("channel.chat.clear_user_messages", {**self._b, **named("target", user)})

    async def clear(self) -> int:
        """A moderator clears the whole chat."""
        await self.irc.cleared(self.channel)
        return await self.emit("channel.chat.clear", self._b)

    async def ban(self, user: TwitchUser, seconds: int | None = None, reason: str = "") -> int:
        """A ban, or with ``seconds`` a timeout: channel.ban and channel.chat.clear_user_messages.

        Who is banned cannot read any more: their chat subscriptions are revoked.
        """
        if seconds is None:
            self.subscriptions.banned.add((self.channel.id, user.id))
            await self.sockets.shut_out(user.id, "user_id", "chat_user_banned")
        event = {
            **named("", user),
            **self._b,
            **named("moderator", self.channel),
            "reason": reason,
            "banned_at": self.clock.stamp(),
            "ends_at": None if seconds is None else self.clock.stamp(seconds),
            "is_permanent": seconds is None,
        }
        await self.emit("channel.ban", event)
        return await self.clear_user(user, seconds)

    async def lift_ban(self, user: TwitchUser) -> int:
        """A ban or a timeout is taken back: channel.unban."""
        self.subscriptions.banned.discard((self.channel.id, user.id))
        return await self.emit("channel.unban", {**named("", user), **self._b, **named("moderator", self.channel)})

    async def automod_hold(self, user: TwitchUser, text: str, *, blocked_term: bool = False) -> str:
        """AutoMod keeps a message back; return its id. It is in chat only when ``automod_update`` approves it."""
        id = self._id("held")
        event = {**self._b, **named("", user), "message_id": id, "message": payloads.message(text)}
        self._held[id] = user, event
        where = {"start_pos": 0, "end_pos": max(len(text) - 1, 0)}
        found = {"term_id": "term-1", **named("owner_broadcaster", self.channel), "boundary": where}
        why: Json = {"reason": "automod", "blocked_term": None}
        why["automod"] = {"category": "swearing", "level": 3, "boundaries": [where]}
        if blocked_term:
            why = {"reason": "blocked_term", "automod": None, "blocked_term": {"terms_found": [found]}}
        await self.emit("automod.message.hold", {**event, **why, "held_at": self.clock.stamp()})
        await self.emit("channel.chat.user_message_hold", event)
        return id

    async def automod_update(self, message_id: str, status: str = "approved") -> None:
        """A moderator decides (``approved``, ``denied``) or nobody does (``expired``)."""
        user, event = self._held.pop(message_id)
        decided = {**event, **named("moderator", self.channel), "status": status, "held_at": self.clock.stamp()}
        why = {"reason": "automod", "automod": None, "blocked_term": None}
        await self.emit("automod.message.update", {**decided, **why})
        own = status.lower() if status.lower() in ("approved", "denied") else "invalid"
        await self.emit("channel.chat.user_message_update", {**event, "status": own})
        if own == "approved":
            await self.chat(user, event["message"]["text"], id=message_id)

    async def chat_settings(self, **changes: Any) -> int:
        """Chat settings change, such as ``slow_mode=True, slow_mode_wait_time_seconds=30``."""
        event = {
            **self._b,
            "emote_mode": False,
            "follower_mode": False,
            "follower_mode_duration_minutes": None,
            "slow_mode": False,
            "slow_mode_wait_time_seconds": None,
            "subscriber_mode": False,
            "unique_chat_mode": False,
        }
        assert changes.keys() <= event.keys()
        return await self.emit("channel.chat_settings.update", {**event, **changes})

    # ------------------------------------------------------------------ notices

    async def notice(
        self,
        notice_type: str,
        user: TwitchUser | None = None,
        details: Mapping[str, Any] | None = None,
        *,
        text: str = "",
        system: str = "",
        source: TwitchUser | None = None,
    ) -> int:
        """A channel.chat.notification: ``details`` is the notice's own object. No ``user``: anonymous."""
        who = user or self.accounts.user("ananonymousgifter", "AnAnonymousGifter", "274598607")
        event: Json = {
            **self._b,
            **named("chatter", who),
            "chatter_is_anonymous": user is None,
            "color": "",
            "badges": payloads.badges(self._rank(who)),
            "system_message": system or f"{who.name}: {notice_type}",
            "message_id": self._id("notice"),
            "message": payloads.message(text),
            "notice_type": notice_type,
            **dict.fromkeys((*payloads.NOTICES, *payloads.SHARED_NOTICES)),
            **payloads.source(source, self._id("source")),
            notice_type: dict(details or {}),
        }
        await self.irc.notice(self.channel, who, event)
        return await self.emit("channel.chat.notification", event)

    async def announce(self, user: TwitchUser, text: str, color: str = "PRIMARY") -> int:
        """A moderator's announcement."""
        return await self.notice("announcement", user, {"color": color}, text=text)

    async def watch_streak(self, user: TwitchUser, streams: int, text: str = "") -> int:
        """A viewer tells how many streams in a row they watched."""
        system = f"{user.name} watched {streams} streams in a row!"
        details = {"streak_count": streams, "channel_points_awarded": 450}
        return await self.notice("watch_streak", user, details, text=text, system=system)

    async def follow(self, user: TwitchUser) -> int:
        """A new follower."""
        event = {**named("", user), **self._b, "followed_at": self.clock.stamp()}
        return await self.emit("channel.follow", event)

    async def sub(self, user: TwitchUser, tier: str = "1000", *, prime: bool = False) -> int:
        """A first subscription: channel.subscribe and the notice."""
        await self.emit("channel.subscribe", {**named("", user), **self._b, "tier": tier, "is_gift": False})
        details = {"sub_tier": tier, "is_prime": prime, "duration_months": 1}
        return await self.notice("sub", user, details, system=f"{user.name} subscribed at Tier {tier[0]}.")

    async def sub_end(self, user: TwitchUser, tier: str = "1000") -> int:
        """A subscription runs out."""
        return await self.emit(
            "channel.subscription.end", {**named("", user), **self._b, "tier": tier, "is_gift": False}
        )

    async def resub(self, user: TwitchUser, months: int, text: str = "", *, tier: str = "1000", streak: int = 0) -> int:
        """A resubscription that is shown: channel.subscription.message and the notice."""
        told = {"cumulative_months": months, "streak_months": streak or None, "duration_months": 1}
        message = {"text": text, "emotes": None}
        await self.emit(
            "channel.subscription.message", {**named("", user), **self._b, "tier": tier, "message": message, **told}
        )
        gift = {"is_prime": False, "is_gift": False, "gifter_is_anonymous": None, **named("gifter", None)}
        system = f"{user.name} subscribed at Tier {tier[0]}. They've subscribed for {months} months!"
        return await self.notice("resub", user, {**told, "sub_tier": tier, **gift}, text=text, system=system)

    async def gift(self, user: TwitchUser | None, to: Sequence[TwitchUser], tier: str = "1000") -> str:
        """A gift or a gift bomb: one channel.subscription.gift, N channel.subscribe, N notices (a bomb: 1 + N).

        No ``user``: anonymous. Return the community gift's id.
        """
        bomb = self._id("bomb")
        total = None if user is None else len(to) + 10
        event = {**named("", user), **self._b, "total": len(to), "tier": tier, "cumulative_total": total}
        await self.emit("channel.subscription.gift", {**event, "is_anonymous": user is None})
        name = user.name if user else "An anonymous user"
        details = {"id": bomb, "total": len(to), "sub_tier": tier, "cumulative_total": total}
        system = f"{name} is gifting {len(to)} Tier {tier[0]} Subs to the community!"
        if len(to) > 1:
            await self.notice("community_sub_gift", user, details, system=system)
        for recipient in to:
            one = {**named("", recipient), **self._b, "tier": tier, "is_gift": True}
            await self.emit("channel.subscribe", one)
            gifted = {"duration_months": 1, "cumulative_total": None, **named("recipient", recipient), "sub_tier": tier}
            gifted["community_gift_id"] = bomb if len(to) > 1 else None
            system = f"{name} gifted a Tier {tier[0]} sub to {recipient.name}!"
            await self.notice("sub_gift", user, gifted, system=system)
        return bomb

    async def raid(self, user: TwitchUser, viewers: int) -> int:
        """Another channel raids: channel.raid and the notice."""
        ends = {**named("from_broadcaster", user), **named("to_broadcaster", self.channel)}
        await self.emit("channel.raid", {**ends, "viewers": viewers})
        details = {
            **named("", user),
            "viewer_count": viewers,
            "profile_image_url": "https://static-cdn.jtvnw.net/r.png",
        }
        return await self.notice("raid", user, details, system=f"{viewers} raiders from {user.name} have joined!")
