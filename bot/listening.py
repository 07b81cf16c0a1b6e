"""What the ear makes out becomes what she does: she is held, goes on, gives way, thinks ahead, and is spoken to."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bot.ears import build_ears
from bot.hearing.ear import build as build_ear
from bot.hearing.hotkey import Hotkey
from bot.hearing.microphones import Microphones
from bot.likeness import remember
from bot.vocabulary import Cue, EngineDown, Health, Heard
from bot.withdrawal import Withdrawal

if TYPE_CHECKING:
    from bot.app import Aneeka

KEPT = 20
"""Spoken lines whose marks are kept until they are answered."""
NAMES = 100
"""Viewers' names that a recogniser may learn."""
READY_S, AGAIN_S = 60.0, 5.0
"""How long a recogniser is waited for, and the pause until it is waited for again."""


@runtime_checkable
class LearnsNames(Protocol):
    """A recogniser that understands names better when it knows them."""

    def set_names(self, names: Iterable[str]) -> None:
        """Expect these names, the most important first."""
        ...


class Listening:
    """The microphone, the ear and who turns speech into text; implements ``bot.hearing.listener.Listener``.

    The microphone stays closed until somebody can understand what comes from it.
    """

    def __init__(self, aneeka: Aneeka, data: Path) -> None:
        a = self._aneeka = aneeka
        self._spoken: OrderedDict[str, tuple[dict[str, float], str]] = OrderedDict()
        self._newest: Heard | None = None
        self._probable = False
        """Something was probably said, and neither said nor gone on with since."""
        self.ears, recognisers = build_ears(a.settings, a.board, data)
        a.engines.parts.update(recognisers)
        self._learners = [each for each in recognisers.values() if isinstance(each, LearnsNames)]
        self._names: OrderedDict[str, None] = OrderedDict()
        self.ear = build_ear(
            a.settings, self.ears, self, clock=a.now, hers_db=a.stage.level_db, busy=lambda: a.stage.busy
        )
        audio = a.settings.audio
        self.microphones = Microphones(
            audio, data, self.ear, a.live.tell, a.board.report, a.now, lambda: self.ear.hearing
        )
        key, press, release = audio.push_to_talk_key, self.microphones.press, self.microphones.release
        self._hotkey = Hotkey(key, press, release, a.board.report) if key else None

    @property
    def on(self) -> bool:
        """Whether she is to hear at all."""
        return self._aneeka.settings.stt.engine != "off"

    async def run(self) -> None:
        """Open the microphone as soon as somebody can understand what comes from it."""
        if not self.on:
            return
        while not await self.ears.ready(READY_S):  # noqa: ASYNC110 (it may become ready in hours: a model is pulled)
            await asyncio.sleep(AGAIN_S)
        try:
            await self.ear.start()
        except EngineDown as down:
            self._aneeka.board.report(Health("voice_activity", "down", down.reason, down.repair))
        await self.microphones.start()
        if self._hotkey is not None:
            await self._hotkey.start()

    async def close(self) -> None:
        """Let go of everything."""
        if self._hotkey is not None:
            await self._hotkey.close()
        await self.microphones.close()
        self.ear.close()
        await self.ears.close()

    def meets(self, name: str) -> None:
        """Somebody is here whose name the operator may say; it has passed the gate."""
        if self._learners and name not in self._names:
            remember(self._names, name, None, NAMES)
            for each in self._learners:
                each.set_names(tuple(reversed(self._names)))

    # ------------------------------------------------------------------ talking over her

    def speech_began(self) -> None:
        """Show that she listens."""
        self._aneeka.reporter.tell_state()

    def interrupts(self) -> None:
        """Hold her, until it is known whether it was words."""
        if (reply := self._aneeka.reply) is not None:
            self._aneeka.stage.hold(reply)

    def murmured(self) -> None:
        """It was not: she goes on."""
        if (reply := self._aneeka.reply) is not None:
            self._aneeka.stage.resume(reply)

    def takes_over(self) -> None:
        """It was: what she was saying is over; what nobody has heard yet waits for what they say."""
        if (reply := self._aneeka.reply) is not None and "first_audible" in reply.marks:
            self._aneeka.cut("barge_in")

    # ------------------------------------------------------------------ understanding

    def partial(self, text: str) -> None:
        """Show it, and let the brain read ahead."""
        self._aneeka.live.tell({"type": "heard_partial", "text": text})
        self._aneeka.thinking.read_ahead(self._cue(text))

    def probably_said(self, text: str) -> None:
        """Begin to think, where nothing else is being said."""
        self._probable = True
        self._aneeka.thinking.think_ahead(self._cue(text))

    def goes_on(self) -> None:
        """That was not all: forget what was thought, or what was said already if she has not been heard to answer."""
        a, newest = self._aneeka, self._newest
        a.thinking.think_again()
        probable, self._probable = self._probable, False
        if probable or newest is None:
            return
        reply = a.reply if a.reply is not None and newest in a.reply.cue.heard else None
        if reply is not None and "first_audible" in reply.marks:
            return
        a.inbox.take_back(Withdrawal(frozenset((newest.id,))))
        if reply is not None:
            a.cut("goes_on")

    def said(self, text: str, *, addressed: bool, marks: dict[str, float], served: str) -> None:
        """Hear the operator, and answer what is said to her."""
        a = self._aneeka
        self._probable = False
        heard = self._newest = a.intake.heard("operator", text)
        if not addressed:
            a.memory.overhear(heard)
        remember(self._spoken, heard.id, (marks, served), KEPT)
        a.live.tell({"type": "heard_final", "text": text, "answered": addressed})
        a.intake.hear(heard, None if addressed else "not_addressed")
        if a.reply is not None:
            a.stage.resume(a.reply)
        a.reporter.tell_state()

    # ------------------------------------------------------------------ for the reply

    def answers(self, cue: Cue) -> None:
        """She begins to answer: what the operator says meanwhile is for her."""
        self.ear.she_begins()
        if cue.mode == "operator":
            self.ear.addressing.answers()

    def answered(self, cue: Cue, said: str) -> None:
        """She has answered; what the operator says next may be for her too."""
        if cue.mode == "operator":
            self.ear.addressing.answered(said, self._aneeka.now())

    def marks_of(self, cue: Cue) -> dict[str, float]:
        """Return when what is answered was spoken and understood; nothing for what was not spoken."""
        return self._of(cue)[0]

    def served_for(self, cue: Cue) -> str | None:
        """Return who turned into text what is answered."""
        return self._of(cue)[1]

    def _of(self, cue: Cue) -> tuple[dict[str, float], str | None]:
        return self._spoken.get(cue.heard[0].id, ({}, None)) if cue.heard else ({}, None)

    def _cue(self, text: str) -> Cue:
        now = self._aneeka.now()
        return Cue("operator", (Heard("", "operator", text, now),), now, "operator")
