"""The one place that builds things: what flows where is told here, and nowhere else.

chat ──▶ inbox ────┬─▶ director ──▶ prompt ──▶ brain ──▶ phrases ──▶ gate ──▶ voice ──▶ stage ──▶ sound, mouth, captions
mic ──▶ listening ─┘      ▲                                                       │
                          └───────────────── memory ◀──────── Spoken ◀────────────┘
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from avatar.lipsync import MouthTrack
from avatar.performer import Performer
from bot.bodies import build_bodies, own_layers
from bot.chat.event_policy import EventPolicy
from bot.chat_choice import ChatRules
from bot.config.settings import Settings
from bot.desk import Desk
from bot.director import Director, DirectorRules
from bot.engines import PROMPTS, build_engines
from bot.friend import Friend
from bot.guard import Guard
from bot.hand import Hand
from bot.inbox import Inbox
from bot.intake import Intake
from bot.listening import Listening
from bot.mind.memory import Memory
from bot.mind.prompts import PromptBook
from bot.models.shelf import Shelf
from bot.moderation import Moderation
from bot.performing import Performing
from bot.privacy import Privacy
from bot.pulse import Pulse
from bot.recorder import FOLDER, Recorder
from bot.reporter import Reporter
from bot.safety import canary
from bot.safety.gate import Gate
from bot.safety.second_opinion import second_opinion
from bot.stage.browser import BrowserOutput
from bot.stage.outputs import Outputs
from bot.stage.playback import Stage
from bot.stage.silent import RATE_HZ
from bot.studio.live import Live
from bot.studio.pages import Pages
from bot.studio.server import Server
from bot.studio.tokens import load_tokens
from bot.supervisor import Board, Keeper, for_ever
from bot.texts import text
from bot.thinking import Thinking
from bot.vocabulary import Cue, Health, Reply, Spoken
from bot.voice.picker import VoicePicker
from bot.voices import take_over

if TYPE_CHECKING:
    from bot.chat.twitch import TwitchChannel

log = logging.getLogger(__name__)

MAX_PORT = 65_535


class Aneeka:
    """Everything that lives while she is on."""

    def __init__(self, settings: Settings, data: Path) -> None:
        self.settings = settings
        language, name, chat = settings.persona.language, settings.persona.name, settings.chat
        self.now = asyncio.get_running_loop().time
        now = self.now()

        self.session = time.strftime("%Y%m%d-%H%M%S")
        self.intake, self.reporter = Intake(self), Reporter(self)
        self.performing, self.pulse = Performing(self), Pulse(self)
        self.desk = Desk(self)
        self.hand = Hand(self, data)
        self.moderation = Moderation(self)
        self.live = Live(self.desk.state)
        self.board = Board(self.live.tell)
        rules = ChatRules(
            names=(name,),
            max_age_s=chat.max_age_s,
            viewer_cooldown_s=chat.viewer_cooldown_s,
            busy_per_min=chat.busy_per_min,
            max_waiting=chat.max_waiting,
            reply_chance=chat.reply_chance,
            repeat_window_s=chat.repeat_window_s,
            ignored_users=frozenset(chat.ignored_users),
        )
        events = settings.twitch.events.model_dump()
        self.policy = EventPolicy(PROMPTS, language, name, events, seed=int(time.time()))
        self.inbox = Inbox(rules, self._dropped, events=self.policy.rules())
        patience = DirectorRules(chat.window_s, chat.max_many, chat.idle_after_s, chat.idle_max_s)
        self.director = Director(self.inbox, patience, now)
        self.director.next_approved = self.hand.next_approved
        self.director.chat_full = lambda: self.hand.approvals.full
        word = canary.new_word()
        self.prompts = PromptBook(PROMPTS, language, name, canary.line(word, language))
        self.gate = Gate(
            settings.safety.strictness,
            own_words=settings.safety.blocked_words,
            ignored_users=chat.ignored_users,
            secrets=(self.prompts.persona,),
            canary=word,
            streamer=(settings.twitch.channel,) if settings.twitch.channel else (),
        )
        self.second_opinion = second_opinion(settings, self.board.report)
        self.memory = Memory()
        self.engines = build_engines(settings, self.board, data)
        self.bodies = build_bodies(settings, self.board, data, self.now)
        self.engines.parts.update({name: body.part for name, body in self.bodies.items()})
        self.shelf = Shelf(settings, data, self.engines.local, self._between_replies, self.live.tell)
        self.pages = Pages(
            self.desk.page_hello, lambda: self.stage.snapshot(), sound=settings.stage.sound in ("auto", "browser")
        )
        tokens = load_tokens(data, settings.studio.token.get_secret_value())
        panic_key = settings.safety.panic_hotkey
        self.guard = Guard(settings.studio.host, tokens, self.board.report, self.now, panic_key)
        self.browser = BrowserOutput(self.pages, self.guard.clock)
        self.outputs = Outputs(
            settings.stage.sound,
            settings.audio.output_device,
            self.browser,
            lambda: self.pages.sounding is not None,
            self.board.report,
            self.guard.clock,
            self.guard.silenced,
        )
        self.stage = Stage(
            self.outputs.choose(),
            lambda: MouthTrack(RATE_HZ),
            self.pages.show,
            self.reporter.on_stage,
            self.guard.clock,
        )
        self.engines.voice.ahead_s = self.stage.ahead_s
        self.performer = Performer(seed=int(time.time()), reduced_motion=settings.avatar.reduced_motion)
        sounds = Path(settings.stage.record).expanduser() if settings.stage.record else None
        self.recorder = Recorder(data / FOLDER, sounds, self.board.report)
        self.server = Server(
            self.desk,
            self.hand,
            self.live,
            self.pages,
            tokens,
            host=settings.studio.host,
            port=settings.studio.port,
            guard_port=lambda: self.guard.port,
            layers=own_layers(settings, self.board),
        )

        ladder, parts = self.engines.voice, self.engines.parts
        self.voices = VoicePicker(
            settings,
            data,
            lambda: parts["voice"],
            self._between_replies,
            lambda voice: take_over(voice, ladder, parts),
            ladder.on_health,
            self.live.tell,
        )
        self.server.offer_voices(self.voices)
        self.twitch: TwitchChannel | None = None
        if settings.twitch.mode != "off":
            from bot.chat.twitch import TwitchChannel  # brings TwitchIO, which nobody else needs in memory

            self.twitch = TwitchChannel(
                settings, data, self.policy, self.desk, self.moderation, self.board.report, self.live.tell, self.now
            )
            self.moderation.on_withdrawn = self.twitch.withdrawn
        self.privacy = Privacy(self, data, self._between_replies)
        self.server.offer_viewers(self.privacy)
        if self.twitch is not None:
            self.twitch.on_forget = self.privacy.forget_soon

        self.reply: Reply | None = None
        self._reply_ids = count(1)
        self._something = asyncio.Event()
        self._silent = asyncio.Event()
        self._silent.set()
        self._afterwards: list[Callable[[], None]] = []
        self._keeper = Keeper()
        self.thinking = Thinking(self, self._keeper)
        self.listening = Listening(self, data)
        if self.listening.on:
            self.server.offer(self.listening.microphones)
        done = self.thinking.warm
        self.friend = Friend(
            self,
            self.listening.ears,
            gate=self.performing.gate_out,
            stage=self.performing.desk_stage,
            rate_hz=RATE_HZ,
            done=done,
        )
        self.server.talk(self.friend)
        self.stage.on_expression = lambda shown: self.performer.set_expression(shown, self.now())
        self.pages.on_played = self._page_played
        self.pages.on_sounding = self._page_sounds
        self.guard.on_panic = self.desk.panicked
        self.guard.on_moved = lambda: self.pages.show(self.guard.news())

    # ------------------------------------------------------------------ life

    async def start(self) -> None:
        """Go live. Raises ``PortTaken``."""
        await self.server.start()
        self.recorder.begin()
        beside = self.settings.studio.port + 1
        self.guard.start(self.server.port, beside if 1 < beside <= MAX_PORT else 0)
        for part in self.engines.parts.values():
            await part.start()
        if self.twitch is None:
            self.board.report(Health("twitch", "off", text("engines.twitch_off")))
        else:
            self._keeper.keep(self.twitch.run())
        await self.outputs.open()
        self.engines.brain.on_ready = self.thinking.warm
        self.thinking.warm()
        self._keeper.keep(self.listening.run())
        for step in (self._converse, *self.pulse.beats, self.privacy.expire):
            self._keeper.keep(for_ever(step))
        await self.guard.ready()  # a page's policy names the guard's port, so no page may be opened before

    async def close(self) -> None:
        """End: silence, records on disk, children gone."""
        self.director.paused = True
        self.cut("closing")
        await self.shelf.close()
        await self.voices.close()
        await self.rest(1.0)
        await self._keeper.close()
        await self.privacy.close()
        await self.recorder.flush()
        await self.listening.close()
        await asyncio.gather(*(part.close() for part in self.engines.parts.values()))
        self.outputs.close()
        await self.server.close()
        await self.guard.close()
        if self.second_opinion:
            await self.second_opinion.close()
        self.hand.close()

    async def rest(self, timeout_s: float) -> None:
        """Wait until she has finished what she is saying."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._silent.wait(), timeout_s)

    async def _converse(self) -> None:
        """Decide and answer, or wait for a reason to decide again."""
        self._something.clear()
        now = self.now()
        cue = self.director.decide(now)
        if cue is not None:
            await self._answer(cue)
            return
        again = self.director.next_at(now)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._something.wait(), None if again is None else max(0.0, again - now))

    async def _answer(self, cue: Cue) -> None:
        """One reply from cue to record, or to the operator who must approve it."""
        self.friend.make_way()
        draft = self.hand.approved_for(cue)
        aloud = draft is not None or not self.hand.approvals.holds(cue)
        waits = False
        reply = self.reply = Reply(f"{self.session}-{next(self._reply_ids)}", cue)
        self._silent.clear()
        heard_at = cue.heard[0].at_s if cue.heard else cue.at_s
        reply.marks |= {"heard": heard_at, "cue": cue.at_s, **self.listening.marks_of(cue)}
        spoken = Spoken(reply.id, "", "failed")
        self.listening.answers(cue)
        try:
            self.reporter.announce(reply, aloud=aloud)
            outcome = await self.performing.perform(reply, draft.tagged if draft else None, aloud=aloud)
            if not aloud:
                waits = self.hand.hold(reply, outcome)
                outcome = replace(outcome, spoken=replace(outcome.spoken, text=""), sound=outcome.sound[:0])
            spoken = outcome.spoken
            if not waits and spoken.cut != "goes_on":
                self.memory.remember(cue, self.prompts.heard_lines(cue), spoken, outcome.expression)
                self.reporter.record(reply, outcome)
            self.memory.fit(self.engines.brain.prompt_tokens, self.settings.llm.context)
        except Exception:
            log.exception("reply %s failed", reply.id)
        finally:
            self.reply = None
            self._silent.set()
            if waits:
                self.director.set_aside(self.now())
            else:
                waits = self.director.finished(cue, spoken, self.now())
            if self.twitch is not None and not waits:
                self.twitch.said(cue, spoken)
            self.intake.last_s = self.now()
            self.listening.answered(cue, spoken.text)
            self.reporter.over()
        while self._afterwards:
            self._afterwards.pop(0)()
        self.thinking.warm()

    def _between_replies(self, act: Callable[[], None]) -> None:
        """Run this now, or as soon as the reply in progress has ended."""
        if self.reply is None:
            act()
        else:
            self._afterwards.append(act)

    # ------------------------------------------------------------------ between the rooms

    def cut(self, why: str) -> None:
        """Silence now; the current reply ends."""
        if self.reply is not None:
            self.reply.stop(why)
            self.stage.cut(self.reply)
            for body in self.bodies.values():
                body.says("")

    def look(self) -> None:
        """Let the director decide again."""
        self._something.set()

    def wake(self) -> None:
        """She is held no longer, or from now on: let the director decide again, and everybody know."""
        self.look()
        self.reporter.tell_state()

    def _dropped(self, heard_id: str, reason: str) -> None:
        if self.twitch is not None:
            self.twitch.dropped(heard_id)
        self.live.tell({"type": "dropped", "id": heard_id, "reason": reason})

    def _page_played(self, serial: int, samples: int, age_s: float) -> None:
        self.browser.reported(serial, samples, age_s)
        self.stage.nudge()

    def _page_sounds(self, some: bool) -> None:
        if self.stage.output is self.browser:
            self.browser.joined() if some else self.browser.lost()
        self.outputs.light()
