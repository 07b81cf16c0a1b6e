"""Her channel on Twitch: who reads it, what that means for her, and how she answers there.

``eventsub`` signs in and hears chat and events; ``anonymous`` reads chat alone. Whatever is lost comes back by itself:
a connection in seconds, a login as soon as somebody has signed in again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol

from bot.chat.channel import Channel, Line
from bot.chat.event_policy import EventPolicy
from bot.chat.events import ChannelEvents
from bot.chat.eventsub import EventSub, SocketState
from bot.chat.helix import TwitchHelix
from bot.chat.irc import AnonymousReader
from bot.chat.regulars import Regulars
from bot.chat.rewards import Rewards, offers
from bot.chat.talk_back import SILENCED, TalkBack
from bot.chat.token_store import TokenStore
from bot.chat.twitch_words import LoginLost, TwitchBusy, TwitchRefused, Wanted, Who
from bot.chat.viewer_commands import ViewerCommands
from bot.chat.wanted import not_heard, subscriptions
from bot.config.settings import Settings
from bot.inbox import KNOWN_BOTS
from bot.texts import text
from bot.vocabulary import Cue, Health, Heard, Person, Spoken, State, Tell

AGAIN_S, AGAIN_MOST_S = 2.0, 60.0
SAVE_S = 60.0
WHO: tuple[Who, ...] = ("bot", "channel")


class House(Protocol):
    """What a channel gives her."""

    def hear(self, heard: Heard, unfit: str | None = None) -> None:
        """Take in what was said or done; ``unfit``: why it is not to be answered."""
        ...

    def control(self, verb: str) -> None:
        """Obey a verb of the operator's desk."""
        ...

    def feel(self, expression: str) -> None:
        """Show a mood."""
        ...


class Moderation(Protocol):
    """What a channel takes back."""

    def withdraw(self, heard_id: str) -> object:
        """A message was deleted."""
        ...

    def withdraw_person(self, person_id: str, name: str = "", for_s: float = ...) -> object:
        """A person was banned, or wants to be forgotten (``for_s`` 0: what they write next is heard)."""
        ...

    def allow_person(self, person_id: str) -> object:
        """A ban was lifted."""
        ...

    def withdraw_all(self) -> object:
        """The chat was cleared."""
        ...


class TwitchChannel:
    """From the first login to the last message. ``start`` it, tell it what became of what was heard, ``close`` it."""

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
        self._missing = ""

    async def run(self) -> None:
        """Read the channel until cancelled."""
        if self._settings.twitch.mode == "anonymous":
            await self._read_anonymously()
        else:
            await self._stay_signed_in()

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

    def withdrawn(self, heard_ids: Iterable[str]) -> None:
        """A moderator took these back."""
        if self._talk_back is not None:
            self._talk_back.withdraw(heard_ids)

    def _done(self, heard_id: str, *, spoken: bool) -> None:
        if self.rewards is not None:
            self.rewards.done(heard_id, spoken)

    # ------------------------------------------------------------------ what viewers and moderators do

    def withdraw_message(self, heard_id: str) -> None:
        """A moderator deleted a message, and with it what was redeemed by it."""
        for one in (heard_id, *(self.rewards.withdraw(heard_id) if self.rewards is not None else ())):
            self._moderation.withdraw(one)

    def withdraw_person(self, person_id: str, name: str, for_s: float) -> None:
        """A moderator removed a person."""
        self._moderation.withdraw_person(person_id, name, for_s)

    def allow_person(self, person_id: str) -> None:
        """A moderator lets a person back in."""
        self._moderation.allow_person(person_id)

    def withdraw_all(self) -> None:
        """A moderator cleared the chat."""
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
        if unfit is None and heard.kind == "chat" and self._commands.take(heard, original, self._now()) == "asked":
            return
        self._house.hear(heard, unfit)

    # ------------------------------------------------------------------ without an account

    async def _read_anonymously(self) -> None:
        chosen = self._settings.twitch
        channel = Channel(self._hear, self, self._policy)
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
            on_trouble=lambda why: self._report(Health("twitch_rewards", "degraded", why)),
            now=self._now,
        )
        if chosen.talk_back != "off":
            self._talk_back = TalkBack(helix, chosen.talk_back, self._unsent, self._now)
        wait_s = 0.0
        try:
            while True:
                await asyncio.sleep(wait_s)
                wait_s = min(max(2 * wait_s, AGAIN_S), AGAIN_MOST_S)
                try:
                    await helix.start()
                    wait_s = 0.0
                    await self._session(helix, self.rewards)
                except LoginLost as lost:
                    self._report(Health("twitch", "down", lost.reason, text("twitch.sign_in")))
                    await helix.login_again()
                    wait_s = 0.0
                except TwitchBusy as busy:
                    self._report(Health("twitch", "down", busy.reason, text("twitch.comes_back")))
                except TwitchRefused as refused:
                    self._report(Health("twitch", "down", refused.reason, text("twitch.check_channel")))
        finally:
            await self.rewards.close()
            await asyncio.to_thread(self.regulars.save)
            await helix.close()

    async def _session(self, helix: TwitchHelix, rewards: Rewards) -> None:
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
            on_own=self._own_line,
        )
        events = ChannelEvents(channel, self._settings.persona.name, redeemed=rewards.redeemed)
        wanted, missing = subscriptions(helix.bot, helix.channel, helix.may)
        self._missing = not_heard(one for one in missing if one.is_basic)
        work: list[Coroutine[Any, Any, None]] = [helix.run(), rewards.run(), self._save()]
        if self._talk_back is not None:
            work.append(self._talk_back.run())
        for who in WHO:
            part = [one for one in wanted if one.who == who]
            if part:
                work.append(self._listen(who, part, helix, events))
        await _until_one_fails(work)

    async def _listen(self, who: Who, wanted: list[Wanted], helix: TwitchHelix, events: ChannelEvents) -> None:
        """Keep one login's connection; without the channel's own she goes on, without the bot's she does not."""
        states: list[SocketState] = []

        def on_state(state: SocketState) -> None:
            states[:] = [state]
            self._light(who, state)

        socket = EventSub(self._settings.twitch.eventsub_url, wanted, helix, events.deliver, on_state, self._now)
        await socket.run()
        last = states[0]
        if who == "bot":
            if last.state == "login_lost":
                raise LoginLost(who, last.reason)
            raise TwitchRefused(403, _listed(kind for kind, _ in last.refused))
        await asyncio.Event().wait()

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            await asyncio.to_thread(self.regulars.save)

    # ------------------------------------------------------------------ what is shown

    def _own_line(self, line: Line) -> None:
        if self._talk_back is not None and line.person is not None:
            self._talk_back.own_roles(line.person.roles)

    def _unsent(self, reason: str, why: str) -> None:
        self._tell({"type": "unsent", "reason": reason, "why": why})

    def _light(self, who: Who, state: SocketState) -> None:
        part = "twitch" if who == "bot" else "twitch_events"
        channel = self._settings.twitch.channel
        if state.state == "stopped":
            self._report(Health(part, "off"))
        elif state.state == "connecting":
            if state.reason:
                self._report(Health(part, "down", text(f"twitch.{state.reason}"), text("twitch.comes_back")))
            else:
                self._report(Health(part, "degraded", text("twitch.connecting")))
        elif state.state == "login_lost":
            self._report(Health(part, "down", state.reason, text("twitch.sign_in")))
        else:
            lacking = _listed([*state.missing, *(f"{kind} ({why})" for kind, why in state.refused)])
            said = [text("twitch.lacking", what=lacking)] if lacking else []
            said += [self._missing] if self._missing and who == "bot" else []
            if state.outage_s:
                said.append(text("twitch.outage", seconds=round(state.outage_s)))
            whole = state.state == "live" and not (self._missing and who == "bot")
            repair = "" if whole else text("twitch.sign_in")
            light: State = "ok" if whole else "down" if state.state == "refused" else "degraded"
            self._report(Health(part, light, " ".join(said), repair, channel))


def _listed(what: Iterable[str]) -> str:
    return ", ".join(what)


async def _until_one_fails(work: list[Coroutine[Any, Any, None]]) -> None:
    """Run all of it; when one raises, end the others and raise the same."""
    tasks: list[Awaitable[None] | asyncio.Task[None]] = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            if isinstance(task, asyncio.Task):
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
