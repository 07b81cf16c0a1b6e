"""Channel-point rewards that she makes: fulfilled when she has answered, refunded when she has not.

Only the app that made a reward may fulfil or refund its redemptions (Twitch API reference, "Update Redemption Status"),
so they are made through Helix, once, and recognised again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bot.chat.moods import mood_in
from bot.chat.payload import stamp
from bot.chat.reward_book import Redemption, RewardBook, RewardKind
from bot.chat.reward_offers import Offer
from bot.chat.twitch_words import Helix, LoginLost, TwitchBusy, TwitchRefused
from bot.likeness import remember
from bot.texts import text
from bot.vocabulary import Heard, Person

log = logging.getLogger(__name__)

SCOPE = "channel:manage:redemptions"
EVENT = "reward"
PRIORITY = 55
HEARD = "redemption-"
TEXT_LIMIT = 500
MOST_OPEN = 1_000
REMEMBERED = 500
BUSY_S, BUSY_MOST_S = 2.0, 120.0
LOGIN_S = 60.0
"""How soon a login that was lost, or may not do this, is looked at again."""
YOUNG_S = 60.0
"""A redemption that was missed is still answered when it is no older than this; else it is refunded."""

Redeemed = tuple[str, str, str]
"""Reward id, viewer id, and the text without case: what a redemption and its chat line have in common."""
_NOBODY: Redeemed = ("", "", "")


class Rewards:
    """Takes redemptions in, and tells Twitch what became of each, however long that takes."""

    def __init__(
        self,
        helix: Helix,
        wanted: Sequence[Offer],
        file: Path,
        *,
        hear: Callable[[Heard], None],
        mood: Callable[[str], None],
        ignores: Callable[[Person], bool],
        on_trouble: Callable[[str], None],
        now: Callable[[], float],
        unix_s: Callable[[], float],
    ) -> None:
        """``file``: where open redemptions survive; ``on_trouble``: takes a sentence for people, empty when it is over.

        What the file holds undecided from an earlier run is refunded.
        """
        self._helix = helix
        self._wanted = {offer.kind: offer for offer in wanted}
        self._hear = hear
        self._mood = mood
        self._ignores = ignores
        self._on_trouble = on_trouble
        self._now = now
        self._unix_s = unix_s
        self._book = RewardBook.load(file)
        for redemption in self._book.open.values():
            redemption.fulfilled = bool(redemption.fulfilled)
        self._missing = dict(self._wanted)
        self._may_not = False
        self._is_unsure = False
        self._work = asyncio.Event()
        self._seen: OrderedDict[str, Redeemed] = OrderedDict()
        self._lines: OrderedDict[str, Redeemed] = OrderedDict()
        self._withdrawn: OrderedDict[str, None] = OrderedDict()

    # ------------------------------------------------------------------ what happens

    def is_ours(self, reward: str) -> bool:
        """Whether she made this reward."""
        return reward in self._book.rewards

    def redeemed(self, event: Mapping[str, Any]) -> bool:
        """Take a ``channel.channel_points_custom_reward_redemption.add``; ``False``: the reward is none of hers."""
        told = event.get("reward")
        reward = _word(told.get("id") if isinstance(told, Mapping) else "")
        redemption = _word(event.get("id"))
        kind = self._book.rewards.get(reward)
        if kind is None or not redemption:
            return kind is not None
        status = event.get("status")
        if redemption in self._seen or redemption in self._book.open or status == "canceled":
            return True
        said = _word(event.get("user_input"), TEXT_LIMIT)
        person = Person(_word(event.get("user_id")), _word(event.get("user_name")) or _word(event.get("user_login")))
        alike = remembered_as(reward, person.id, said)
        remember(self._seen, redemption, alike, REMEMBERED)
        if len(self._book.open) >= MOST_OPEN:
            self._on_trouble(text("rewards.too_many"))
            return True
        if status != "fulfilled":  # the streamer may let a reward skip the queue: then there is nothing to settle
            self._book.open[redemption] = Redemption(reward)
            self._save()
        self._act(kind, redemption, person, said, alike)
        return True

    def _act(self, kind: RewardKind, redemption: str, person: Person, said: str, alike: Redeemed) -> None:
        heard_id = HEARD + redemption
        if kind not in self._wanted or any(self._lines.get(line) == alike for line in self._withdrawn):
            self.done(heard_id, spoken=False)
        elif kind == "mood":
            expression = None if self._ignores(person) else mood_in(said)
            if expression is not None:
                self._mood(expression)
            self.done(heard_id, spoken=expression is not None)
        else:
            self._hear(Heard(heard_id, "event", said, self._now(), person, EVENT, PRIORITY))

    def done(self, heard_id: str, spoken: bool) -> None:
        """A ``Heard`` is over; ``spoken``: she answered it. What is no redemption, or is decided, changes nothing."""
        redemption = self._book.open.get(heard_id.removeprefix(HEARD))
        if redemption is None or redemption.fulfilled is not None:
            return
        redemption.fulfilled = spoken
        self._save()
        self._work.set()

    # ------------------------------------------------------------------ the chat line that comes with a redemption

    def line(self, message_id: str, reward: str, user_id: str, said: str) -> bool:
        """Take the chat message of a redemption; ``True``: it is one of hers, and not to be heard a second time."""
        if not self.is_ours(reward):
            return False
        remember(self._lines, message_id, remembered_as(reward, user_id, said), REMEMBERED)
        return True

    def withdraw(self, message_id: str) -> list[str]:
        """A moderator deleted this chat message; return the ids of the ``Heard`` that said the same for points.

        A redemption that comes only after its line was deleted is refunded.
        """
        remember(self._withdrawn, message_id, None, REMEMBERED)
        line = self._lines.get(message_id)
        return [HEARD + redemption for redemption, alike in self._seen.items() if line is not None and alike == line]

    def redeemed_by(self, person_id: str) -> int:
        """Return how many redemptions of this person are remembered."""
        return sum(viewer == person_id for _, viewer, _ in self._seen.values())

    def forget(self, person_id: str) -> None:
        """Drop what this person wrote with redemptions; points are still settled."""
        for kept in (self._seen, self._lines):
            for one in [one for one, (_, viewer, _) in kept.items() if viewer == person_id]:
                del kept[one]

    # ------------------------------------------------------------------ Twitch

    def look_back(self) -> None:
        """Redemptions may have come in unheard, while she was off or her connection was: find them."""
        self._is_unsure = True
        self._work.set()

    async def run(self) -> None:
        """Make the rewards, find redemptions that were missed, and settle those that are decided, for ever.

        Raises ``LoginLost`` for the bot's login; the channel's own is waited for.
        """
        busy_s = BUSY_S
        while True:
            self._work.clear()
            try:
                await self._settle()
                await self._make()
                await self._find()
            except TwitchBusy as busy:
                await asyncio.sleep(max(busy.retry_after_s, busy_s))
                busy_s = min(2 * busy_s, BUSY_MOST_S)
            except LoginLost as lost:
                if lost.who == "bot":
                    raise
                await asyncio.sleep(LOGIN_S)
            else:
                busy_s = BUSY_S
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOGIN_S if self._may_not else None):
                        await self._work.wait()

    async def close(self, timeout_s: float = 1.0) -> None:
        """Refund what is undecided, as far as time allows; the rest is settled at the next start. ``run`` has ended."""
        for redemption in list(self._book.open):
            self.done(HEARD + redemption, spoken=False)
        with suppress(TimeoutError, TwitchBusy, LoginLost):
            async with asyncio.timeout(timeout_s):
                await self._settle()

    async def _settle(self) -> None:
        """Tell Twitch what became of every decided redemption; one that fails does not hold up the others."""
        later: TwitchBusy | None = None
        for redemption, entry in list(self._book.open.items()):
            if entry.fulfilled is None:
                continue
            try:
                await self._helix.settle(entry.reward, redemption, fulfilled=entry.fulfilled)
            except TwitchBusy as busy:
                later = busy
                continue
            except TwitchRefused as refused:
                self._on_trouble(text("rewards.not_settled", reason=refused.reason))
            del self._book.open[redemption]
            self._save()
            remember(self._seen, redemption, self._seen.get(redemption, _NOBODY), REMEMBERED)
        if later is not None:
            raise later

    async def _make(self) -> None:
        """Find the rewards that exist, by id or by title, and make those that do not."""
        if not self._missing:
            return
        could_not, self._may_not = self._may_not, not self._helix.may("channel", SCOPE)
        if self._may_not != could_not:
            self._on_trouble(text("rewards.no_scope") if self._may_not else "")
        if self._may_not:
            return
        try:
            existing = {_word(one.get("id")): _word(one.get("title")).casefold() for one in await self._helix.rewards()}
        except TwitchRefused as refused:
            self._missing.clear()
            self._on_trouble(text("rewards.not_available", reason=refused.reason))
            return
        for kind, offer in list(self._missing.items()):
            ours = self._book.rewards
            by_id = [i for i in existing if ours.get(i) == kind]
            by_title = [i for i, title in existing.items() if title == offer.title.casefold() and i not in ours]
            try:
                for reward in (by_id or by_title or [await self._made(offer)])[:1]:
                    ours[reward] = kind
                    self._save()
            except TwitchRefused as refused:
                self._on_trouble(text("rewards.not_made", title=offer.title, reason=refused.reason))
            del self._missing[kind]

    async def _find(self) -> None:
        """Ask Twitch what is open. What is young is answered as if it came now, the rest refunded."""
        if not self._is_unsure or not self._helix.may("channel", SCOPE):
            return
        self._is_unsure = False
        try:
            for reward in list(self._book.rewards):
                for redemption in await self._too_old(reward):
                    with suppress(TwitchRefused):  # somebody has settled it meanwhile
                        await self._helix.settle(reward, redemption, fulfilled=False)
                    remember(self._seen, redemption, _NOBODY, REMEMBERED)
        except (TwitchBusy, LoginLost):
            self._is_unsure = True
            raise

    async def _too_old(self, reward: str) -> list[str]:
        """Take in what is young of what nobody told her of; return the ids of the others."""
        old: list[str] = []
        try:
            waiting = await self._helix.redemptions(reward)
        except TwitchRefused:  # the reward was deleted since, and Twitch has given its points back
            return old
        for event in waiting:
            redemption, at = _word(event.get("id")), stamp(event, "redeemed_at")
            if redemption in self._seen or redemption in self._book.open:
                continue
            if at is not None and abs(self._unix_s() - at.timestamp()) <= YOUNG_S:
                self.redeemed(event)
            elif redemption:
                old.append(redemption)
        return old

    async def _made(self, offer: Offer) -> str:
        made = await self._helix.make_reward(offer.title, offer.cost, offer.prompt, wants_text=True)
        return _word(made.get("id"))

    def _save(self) -> None:
        """Write at once, though on the event loop: she must not answer what a crash would leave unpaid."""
        try:
            self._book.save()
        except OSError as error:
            log.error("cannot write %s: %s", self._book.file.name, error.strerror)
            reason = error.strerror or type(error).__name__
            self._on_trouble(text("rewards.not_kept", file=self._book.file, reason=reason))


def remembered_as(reward: str, user_id: str, said: str) -> Redeemed:
    """Return what a redemption and its chat line have in common."""
    return reward, user_id, " ".join(said[:TEXT_LIMIT].split()).casefold()


def _word(value: object, limit: int = 100) -> str:
    """Return a text of the payload, or nothing in place of what is none or too long."""
    return value[:limit] if isinstance(value, str) else ""
