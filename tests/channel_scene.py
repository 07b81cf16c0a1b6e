"""A stream in virtual time: Twitch's notifications through the real reader, gate, inbox and director.

Only the brain and the voice are simulated: an answer takes as long as it would be spoken.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.chat.channel import Channel
from bot.chat.event_policy import EventPolicy
from bot.chat.events import ChannelEvents
from bot.chat.twitch_words import Notification, TwitchUser
from bot.chat_choice import ChatRules
from bot.director import Director, DirectorRules
from bot.inbox import Inbox
from bot.safety.gate import Gate
from bot.vocabulary import Heard, Language, Mode, Spoken
from tests.local_twitch import LocalTwitch

PROMPTS = Path(__file__).parent.parent / "prompts"
LETTERS_PER_S = 15.0
BRAIN = "x" * 90


@dataclass(frozen=True)
class Said:
    """One thing she said: when she began, after how long a wait, to what, and the line if it was a written one."""

    at_s: float
    waited_s: float
    mode: Mode
    heard: tuple[Heard, ...]
    line: str | None

    def __str__(self) -> str:
        first = self.heard[0]
        what = f"{first.event} {first.text}".strip() if self.mode == "event" else first.text
        who = ", ".join(h.person.name for h in self.heard if h.person)
        return f"{self.at_s:6.1f}s (+{self.waited_s:4.1f}) {self.mode:9} {who}: {what} -> {self.line or '(brain)'}"


class Withdrawn:
    def __init__(self) -> None:
        self.acts: list[tuple[str, str]] = []
        self.silences: list[tuple[str, float]] = []
        self.allowed: list[str] = []

    def withdraw_message(self, heard_id: str) -> None:
        self.acts.append(("message", heard_id))

    def withdraw_person(self, person_id: str, name: str, for_s: float) -> None:
        self.acts.append(("person", person_id))
        self.silences.append((name, for_s))

    def allow_person(self, person_id: str) -> None:
        self.allowed.append(person_id)

    def withdraw_all(self) -> None:
        self.acts.append(("all", ""))


class ChannelScene(LocalTwitch):
    """The local Twitch, with its notifications handed over at once instead of being sent."""

    async def begin(self, language: Language = "es", choices: dict[str, str] | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time
        self.began = self.now()
        self.policy = EventPolicy(PROMPTS, language, "Aneeka", choices, seed=1)
        self.drops: dict[str, str] = {}
        self.inbox = Inbox(ChatRules(), self.drops.__setitem__, seed=1, events=self.policy.rules())
        self.director = Director(self.inbox, DirectorRules(), self.now())
        self.gate = Gate()
        self.withdrawn = Withdrawn()
        self.heard: list[Heard] = []
        self.said: list[Said] = []
        self._something = asyncio.Event()
        self.channel_room = Channel(
            self._hear, self.withdrawn, self.policy, bot=self.user("aneeka", "Aneeka", "5002"), owner=self.channel
        )
        self.events = ChannelEvents(self.channel_room, "Aneeka")
        self._talking = asyncio.create_task(self._talk())

    async def end(self) -> None:
        self._talking.cancel()
        with suppress(asyncio.CancelledError):
            await self._talking

    async def emit(self, type: str, event: dict[str, Any], *, message_id: str | None = None) -> int:
        self.events.deliver(Notification(message_id or self._id("n"), type, self.now(), event))
        return 1

    def viewer(self, number: int) -> TwitchUser:
        return self.user(f"viewer{number}", f"Viewer{number}")

    def _hear(self, heard: Heard, blocked: str | None, original: str) -> None:
        self.heard.append(heard)
        if self.inbox.add(heard, self.now(), blocked or self.gate.comes_in(heard)) is None:
            self.director.noticed(heard, self.now())
            self._something.set()

    async def _talk(self) -> None:
        """Decide and speak, as the program does."""
        while True:
            self._something.clear()
            now = self.now()
            cue = self.director.decide(now)
            if cue is None:
                again = self.director.next_at(now)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._something.wait(), None if again is None else max(0.0, again - now))
                continue
            line = self.policy.line(cue.heard[0]) if cue.mode == "event" else None
            self.said.append(Said(now - self.began, now - cue.heard[0].at_s, cue.mode, cue.heard, line))
            await asyncio.sleep(len(line or BRAIN) / LETTERS_PER_S)
            self.director.finished(cue, Spoken("r", line or BRAIN, None), self.now())

    def answered(self) -> list[str]:
        """The events that she spoke about, in order."""
        return [said.heard[0].event for said in self.said if said.mode == "event"]

    def about(self, event: str) -> list[Said]:
        """What she said about one kind of event."""
        return [said for said in self.said if said.mode == "event" and said.heard[0].event == event]
