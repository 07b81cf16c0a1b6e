"""What happens on the channel beside chat: rewards, trains, votes, the stream itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.chat.twitch_words import TwitchUser
from tests.local_twitch import payloads
from tests.local_twitch.acting import Acting
from tests.local_twitch.payloads import Json, named
from tests.local_twitch.rewards import Rewards


class Happenings(Acting):
    rewards: Rewards
    is_live: bool
    title: str
    category: str

    # ------------------------------------------------------------------ channel points and bits

    def reward(self, title: str, cost: int = 100, *, wants_text: bool = False) -> str:
        """The streamer makes a reward by hand, so that no app may settle it; return its id."""
        body = {"title": title, "cost": cost, "is_user_input_required": wants_text}
        return str(self.rewards.make(body, client_id="")["id"])

    async def redeem(self, user: TwitchUser, reward: str, user_input: str = "") -> str:
        """A viewer redeems a custom reward; with text it is a chat message as well. Return the redemption's id."""
        event = self.rewards.redeemed(user, reward, user_input)
        await self.emit("channel.channel_points_custom_reward_redemption.add", event)
        if user_input:
            await self.chat(user, user_input, reward=reward)
        return str(event["id"])

    async def auto_redeem(
        self, user: TwitchUser, kind: str = "send_highlighted_message", text: str = "", cost: int = 200
    ) -> str:
        """A viewer uses a built-in reward; a highlighted message is a chat message as well."""
        reward = {"type": kind, "channel_points": cost, "emote": None}
        event = {"id": self._id("auto"), **self._b, **named("", user), "reward": reward}
        event |= {"message": payloads.message(text) if text else None, "redeemed_at": self.clock.stamp()}
        await self.emit("channel.channel_points_automatic_reward_redemption.add", event)
        if text:
            await self.chat(user, text, kind="channel_points_highlighted")
        return str(event["id"])

    async def power_up(self, user: TwitchUser, kind: str = "celebration", bits: int = 50, text: str = "") -> int:
        """A built-in power-up: channel.bits.use, and a chat message where it carries one."""
        if text:
            shown = {"gigantify_an_emote": "power_ups_gigantified_emote"}.get(kind, "power_ups_message_effect")
            await self.chat(user, text, kind=shown)
        power_up = {"type": kind, "emote": None, "message_effect_id": None}
        event = {**named("", user), **self._b, "bits": bits, "type": "power_up", "power_up": power_up}
        more = {"message": payloads.message(text) if text else None, "custom_power_up": None}
        return await self.emit("channel.bits.use", event | more)

    async def custom_power_up(self, user: TwitchUser, title: str, bits: int, text: str = "") -> int:
        """A power-up that the streamer made."""
        made = {"id": self._id("power"), "title": title, "bits": bits, "prompt": ""}
        event = {"id": self._id("powered"), **self._b, **named("", user), "user_input": text, "custom_power_up": made}
        event |= {"status": "unfulfilled", "redeemed_at": self.clock.stamp()}
        return await self.emit("channel.custom_power_up_redemption.add", event)

    # ------------------------------------------------------------------ trains and votes

    async def hype_train(
        self, stage: str, *, level: int = 1, total: int = 500, id: str = "train-1", by: Sequence[TwitchUser] = ()
    ) -> int:
        """``stage``: begin, progress or end. ``by``: who gave the most."""
        stamps = [self.clock.stamp(later_s) for later_s in (0, 300, 3600)]
        event = payloads.hype_train(stage, self.channel, id, level, total, stamps)
        event["top_contributions"] = [{**named("", user), "type": "bits", "total": total} for user in by]
        return await self.emit(f"channel.hype_train.{stage}", event)

    async def poll(self, stage: str, title: str, votes: Mapping[str, int], *, status: str = "completed") -> int:
        """``stage``: begin, progress or end; ``votes``: choices and their votes."""
        stamps = [self.clock.stamp(), self.clock.stamp(60)]
        event = payloads.poll(stage, self.channel, "poll-1", title, votes, stamps)
        return await self.emit(f"channel.poll.{stage}", event | ({"status": status} if stage == "end" else {}))

    async def prediction(
        self, stage: str, title: str, points: Mapping[str, int], *, winner: int = 0, status: str = "resolved"
    ) -> int:
        """``stage``: begin, progress, lock or end; ``points``: outcomes and what was paid on them."""
        stamps = [self.clock.stamp(), self.clock.stamp(120)]
        event = payloads.prediction(stage, self.channel, "prediction-1", title, points, stamps)
        if stage == "end":
            event["status"] = status
            event["winning_outcome_id"] = event["outcomes"][winner]["id"] if status == "resolved" else None
        return await self.emit(f"channel.prediction.{stage}", event)

    # ------------------------------------------------------------------ the stream

    async def go_live(self) -> int:
        """The stream begins."""
        self.is_live = True
        event = {"id": self._id("stream"), **self._b, "type": "live", "started_at": self.clock.stamp()}
        return await self.emit("stream.online", event)

    async def go_offline(self) -> int:
        """The stream ends."""
        self.is_live = False
        return await self.emit("stream.offline", {"id": self._id("stream"), **self._b})

    async def update_channel(self, title: str, category: str = "Just Chatting", language: str = "es") -> int:
        """Title or category change."""
        self.title, self.category = title, category
        event: Json = {**self._b, "title": title, "language": language, "category_id": "509658"}
        return await self.emit(
            "channel.update", event | {"category_name": category, "content_classification_labels": []}
        )

    async def shared_chat(self, stage: str, others: Sequence[TwitchUser], *, host: TwitchUser | None = None) -> int:
        """``stage``: begin, update or end of a chat shared with other channels."""
        event: dict[str, Any] = {"session_id": "shared-1", **self._b, **named("host_broadcaster", host or self.channel)}
        if stage != "end":
            event["participants"] = [named("broadcaster", user) for user in (self.channel, *others)]
        return await self.emit(f"channel.shared_chat.{stage}", event)

    async def ad_break(self, seconds: int = 60, *, automatic: bool = True) -> int:
        """An ad break begins."""
        event = {**self._b, **named("requester", self.channel), "duration_seconds": seconds}
        more = {"started_at": self.clock.stamp(), "is_automatic": automatic}
        return await self.emit("channel.ad_break.begin", event | more)

    async def shoutout(self, user: TwitchUser, viewers: int = 10) -> int:
        """Another channel shouts this one out."""
        event = {**self._b, **named("from_broadcaster", user), "viewer_count": viewers}
        return await self.emit("channel.shoutout.receive", event | {"started_at": self.clock.stamp()})
