"""A small Twitch behind the ``Helix`` protocol: one channel's chat and rewards, its limits, and planned faults.

It counts requests when they arrive, ``delay_s`` before it answers, as the real one does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from bot.chat.twitch_words import Subscription, TwitchRefused, TwitchUser, Wanted, Who

CHANNEL = TwitchUser("5001", "mika_live", "Mika_Live")
BOT = TwitchUser("5002", "aneeka", "Aneeka")


class FakeHelix:
    def __init__(self, *, bot: TwitchUser = BOT, moderator: bool = False, delay_s: float = 0.05) -> None:
        self.bot = bot
        self.channel = CHANNEL
        self.delay_s = delay_s
        self.moderator = moderator or bot == CHANNEL
        self.refused_scopes: set[str] = set()
        self.faults: list[Exception | None] = []
        """What the next calls raise, in order; ``None``: nothing."""
        self.chat: list[tuple[float, str]] = []
        self.shown: dict[str, str] = {}
        """Her messages that nobody has deleted, by their ids."""
        self.violations: list[str] = []
        self.made: dict[str, dict[str, Any]] = {}
        self.open: dict[str, str] = {}
        """Redemption to reward."""
        self.missed: list[dict[str, Any]] = []
        """Redemptions of which nobody told her."""
        self.settled: dict[str, bool] = {}
        self.calls: Counter[str] = Counter()

    async def _arrive(self, call: str) -> None:
        self.calls[call] += 1
        fault = self.faults.pop(0) if self.faults else None
        await asyncio.sleep(self.delay_s)
        if fault is not None:
            raise fault

    def may(self, who: Who, scope: str) -> bool:
        return scope not in self.refused_scopes

    async def send(self, text: str, reply_to: str = "") -> str:
        now = asyncio.get_running_loop().time()
        lately = self.chat[-200:]
        if sum(at > now - 30 for at, _ in lately) >= (100 if self.moderator else 20):
            self.violations.append(f"window at {now}")
        if not self.moderator and lately and now - lately[-1][0] < 1.0:
            self.violations.append(f"quick at {now}")
        if any(at > now - 30 and said.casefold() == text.casefold() for at, said in lately):
            self.violations.append(f"twice: {text}")
        if len(text) > 500 or text != " ".join(text.split()) or text[:1] in ("/", ".", "!", ""):
            self.violations.append(f"form: {text}")
        await self._arrive("send")
        self.chat.append((now, text))
        written = f"hers-{len(self.chat)}"
        self.shown[written] = text
        return written

    async def delete(self, message: str) -> None:
        await self._arrive("delete")
        if self.bot == CHANNEL:
            raise TwitchRefused(400, "the message belongs to the broadcaster")
        del self.shown[message]

    @property
    def said(self) -> list[str]:
        return [text for _, text in self.chat]

    async def rewards(self) -> list[Mapping[str, Any]]:
        await self._arrive("rewards")
        return list(self.made.values())

    async def make_reward(self, title: str, cost: int, prompt: str, *, wants_text: bool) -> Mapping[str, Any]:
        await self._arrive("make_reward")
        if any(reward["title"] == title for reward in self.made.values()):
            raise TwitchRefused(400, "CREATE_CUSTOM_REWARD_DUPLICATE_REWARD")
        assert 0 < len(title) <= 45
        assert len(prompt) <= 200
        assert cost >= 1
        made = {"id": f"reward-{len(self.made) + 1}", "title": title, "cost": cost, "prompt": prompt}
        self.made[made["id"]] = made | {"is_user_input_required": wants_text}
        return self.made[made["id"]]

    async def redemptions(self, reward: str) -> list[Mapping[str, Any]]:
        await self._arrive("redemptions")
        return [one for one in self.missed if one["reward"]["id"] == reward and one["id"] in self.open]

    async def settle(self, reward: str, redemption: str, *, fulfilled: bool) -> None:
        await self._arrive("settle")
        if self.open.get(redemption) != reward:
            raise TwitchRefused(404, "no such redemption")
        del self.open[redemption]
        self.settled[redemption] = fulfilled

    async def subscribe(self, wanted: Wanted, session: str) -> str:
        raise NotImplementedError

    async def subscriptions(self, who: Who) -> list[Subscription]:
        raise NotImplementedError

    async def unsubscribe(self, who: Who, subscription: str) -> None:
        raise NotImplementedError

    async def is_live(self) -> bool:
        return True
