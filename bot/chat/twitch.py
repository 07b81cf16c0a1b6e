"""Her channel on Twitch: who reads it, what that means for her, and how she answers there.

``eventsub`` signs in and hears chat and events; ``anonymous`` reads chat alone. Whatever is lost comes back by itself:
a connection in seconds, a login as soon as somebody has signed in again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from pathlib import Path

from bot.chat.channel import Channel, Line
from bot.chat.event_policy import EventPolicy
from bot.chat.events import ChannelEvents
from bot.chat.eventsub_races import until_one_fails
from bot.chat.helix import TwitchHelix
from bot.chat.house import House, Moderation
from bot.chat.irc import AnonymousReader
from bot.chat.regulars import Regulars
from bot.chat.reward_offers import offers
from bot.chat.rewards import Rewards
from bot.chat.talk_back import SILENCED, TalkBack
from bot.chat.token_store import TokenStore
from bot.chat.twitch_listening import Listening
from bot.chat.twitch_words import LoginLost, TwitchBusy, TwitchRefused
from bot.chat.viewer_commands import ViewerCommands
from bot.chat.wanted import REDEMPTION_SCOPES
from bot.chat_choice import KNOWN_BOTS
from bot.config.settings import Settings
from bot.texts import text
from bot.vocabulary import Cue, Health, Heard, Person, Spoken, Tell

log = logging.getLogger(__name__)

AGAIN_S, AGAIN_MOST_S = 2.0, 60.0
"""Pauses between attempts to sign in; one that held for longer than the longest was no failure."""
SAVE_S = 60.0
CLOSE_S = 0.7
"""How long refunds may hold up the program's end."""


class TwitchChannel:
    """From the first login to the last message. Keep ``run`` running, and tell it what became of what was heard."""

    def __init__(
        self,
        settings: Settings,
        data: Path,
        policy: EventPolicy,
        house: House,
        moderation: Moderation,
        report: Callable[[Health], None],
        tell: Tell,
        now: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._data = data
        self._policy = policy
        self._house = house
        self._moderation = moderation
        self._report = report
        self._tell = tell
        self._now = now
        self.regulars = Regulars(data / "regulars.json", time.time)
        self.on_forget: Callable[[Person], None] = lambda person: None
        """Called when a viewer wants to be forgotten, for what is kept elsewhere."""
        self._talk_back: TalkBack | None = None
        self.rewards: Rewards | None = None
        chosen, name = settings.twitch.commands, settings.persona.name
        self._commands = ViewerCommands(
            {
                "ask": chosen.ask,
                "forget": chosen.forget,
                "mood": chosen.mood,
                "mute": chosen.mute,
                "unmute": chosen.unmute,
                "skip": chosen.skip,
            },
            self,
            name,
            cooldown_s=chosen.cooldown_s,
            viewer_cooldown_s=chosen.viewer_cooldown_s,
            bots=KNOWN_BOTS | set(settings.chat.ignored_users),
        )
        self._listening: Listening | None = None

    async def run(self) -> None:
        """Read the channel until cancelled."""
        if self._settings.twitch.mode == "anonymous":
            await self._read_anonymously()
        else:
            await self._stay_signed_in()

    def counters(self) -> dict[str, dict[str, float]]:
        """Return what her EventSub connections have counted, by their lights (see ``Listening.counters``)."""
        return self._listening.counters() if self._listening is not None else {}

    # ------------------------------------------------------------------ what became of it

    def said(self, cue: Cue, spoken: Spoken) -> None:
        """A reply is over, and what it answers does not wait any more."""
        if self._talk_back is not None:
            self._talk_back.said(cue, spoken)
        for heard in cue.heard:
            self._done(heard.id, spoken=bool(spoken.text) and spoken.cut not in SILENCED)

    def dropped(self, heard_id: str) -> None:
        """This will not be answered."""
        self._done(heard_id, spoken=False)

    def withdrawn(self, heard_ids: Collection[str]) -> None:
        """A moderator took these back, and with a chat line what was redeemed by it."""
        if self._talk_back is not None:
            self._talk_back.withdraw(heard_ids)
        if self.rewards is not None:
            for redeemed in [one for heard_id in heard_ids for one in self.rewards.withdraw(heard_id)]:
                self._moderation.withdraw(redeemed)

    def _done(self, heard_id: str, *, spoken: bool) -> None:
        if self.rewards is not None:
            self.rewards.done(heard_id, spoken)

    # ------------------------------------------------------------------ what viewers and moderators do

    def withdraw_message(self, heard_id: str) -> None:
        """A moderator deleted a message."""
        self._moderation.withdraw(heard_id)

    def withdraw_person(self, person_id: str, name: str, for_s: float) -> None:
        """A moderator removed a person."""
        self._moderation.withdraw_person(person_id, name, for_s)

    def allow_person(self, person_id: str) -> None:
        """A moderator lets a person back in."""
        self._moderation.allow_person(person_id)

    def withdraw_all(self) -> None:
        """A moderator cleared the chat."""
        if self._talk_back is not None:
            self._talk_back.cleared()
        self._moderation.withdraw_all()

    def ask(self, heard: Heard) -> None:
        """A viewer asks by command."""
        if self._talk_back is not None:
            self._talk_back.asked(heard.id)
        self._house.hear(heard)

    def mute(self) -> None:
        """A moderator silences her."""
        self._house.control("mute")

    def unmute(self) -> None:
        """A moderator lets her speak again."""
        self._house.control("unmute")

    def skip(self) -> None:
        """A moderator ends what she is saying."""
        self._house.control("skip")

    def mood(self, expression: str) -> None:
        """A moderator sets her mood."""
        self._house.feel(expression)

    def forget(self, person: Person) -> None:
        """A viewer wants to be forgotten."""
        self.regulars.forget(person.id)
        self._moderation.withdraw_person(person.id, person.name, 0.0)
        self.on_forget(person)

    def _hear(self, heard: Heard, unfit: str | None, original: str) -> None:
        if unfit is None and heard.kind == "chat":
            ignored = heard.person is not None and self._house.ignores(heard.person)
            if self._commands.take(heard, original, self._now(), ignored=ignored) == "asked":
                return
        self._house.hear(heard, unfit)

    # ------------------------------------------------------------------ without an account

    async def _read_anonymously(self) -> None:
        chosen = self._settings.twitch
        channel = Channel(self._hear, self, self._policy, hears_redemptions=lambda: False)
        name = self._settings.persona.name
        reader = AnonymousReader(
            chosen.irc_url, chosen.channel.lower(), channel, name=name, on_health=self._report, now=self._now
        )
        await reader.run()

    # ------------------------------------------------------------------ signed in

    async def _stay_signed_in(self) -> None:
        chosen = self._settings.twitch
        helix = TwitchHelix(chosen, TokenStore(self._data / "secrets"), self._report, self._now)
        self.rewards = Rewards(
            helix,
            offers(chosen.rewards, self._settings.persona.name),
            self._data / "redemptions.json",
            hear=self._house.hear,
            mood=self._house.feel,
            ignores=self._house.ignores,
            on_trouble=lambda why: self._report(Health("twitch_rewards", "degraded" if why else "ok", why)),
            now=self._now,
            unix_s=time.time,
        )
        self._listening = Listening(
            chosen.eventsub_url, helix, self._report, self.rewards.look_back, self._now, time.time
        )
        if chosen.talk_back != "off":
            self._talk_back = TalkBack(helix, chosen.talk_back, self._unsent, self._now)
        wait_s = 0.0
        try:
            while True:
                await asyncio.sleep(wait_s)
                began_s = self._now()
                await self._try(helix, self.rewards, self._listening)
                went_well = self._now() - began_s >= AGAIN_MOST_S
                wait_s = AGAIN_S if went_well else min(max(2 * wait_s, AGAIN_S), AGAIN_MOST_S)
        finally:
            await self.rewards.close(CLOSE_S)
            await self._save_regulars()
            await helix.close()

    async def _try(self, helix: TwitchHelix, rewards: Rewards, listening: Listening) -> None:
        """Sign in and stay for as long as it works; then show why it does not."""
        try:
            await helix.start()
            await self._session(helix, rewards, listening)
        except LoginLost as lost:
            self._report(Health("twitch", "down", lost.reason, text("twitch.sign_in")))
            await helix.login_again()
        except TwitchBusy as busy:
            self._report(Health("twitch", "down", busy.reason, text("twitch.comes_back")))
        except TwitchRefused as refused:
            self._report(Health("twitch", "down", refused.reason, text("twitch.check_channel")))
        except Exception:
            log.exception("the channel begins anew")
            self._report(Health("twitch", "down", text("twitch.stumbled"), text("twitch.begins_anew")))

    async def _session(self, helix: TwitchHelix, rewards: Rewards, listening: Listening) -> None:
        """Everything that runs while the login is valid. Raises ``LoginLost`` or ``TwitchRefused`` when it is not."""
        channel = Channel(
            self._hear,
            self,
            self._policy,
            bot=helix.bot,
            owner=helix.channel,
            wrote=self._talk_back.wrote if self._talk_back else lambda original: False,
            is_newcomer=self.regulars.is_newcomer,
            takes_reward=rewards.line,
            hears_redemptions=lambda: any(helix.may("channel", scope) for scope in REDEMPTION_SCOPES),
            on_own=self._own_line,
        )
        events = ChannelEvents(channel, self._settings.persona.name, redeemed=rewards.redeemed)
        work = [helix.run(), rewards.run(), listening.run(events.deliver), self._save()]
        if self._talk_back is not None:
            work.append(self._talk_back.run())
        await until_one_fails(*work)

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            await self._save_regulars()

    async def _save_regulars(self) -> None:
        try:
            await asyncio.to_thread(self.regulars.save)
        except OSError as error:
            log.warning("cannot write the book of regulars: %s", error.strerror)

    # ------------------------------------------------------------------ what is shown

    def _own_line(self, line: Line) -> None:
        if self._talk_back is not None and line.person is not None:
            self._talk_back.own_roles(line.person.roles)

    def _unsent(self, reason: str, why: str) -> None:
        self._tell({"type": "unsent", "reason": reason, "why": why})
