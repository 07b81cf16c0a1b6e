"""What the ear makes out becomes what she does: she is held, goes on, gives way, thinks ahead, and is spoken to."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from bot.likeness import remember
from bot.vocabulary import Cue, Heard
from bot.withdrawal import Withdrawal

if TYPE_CHECKING:
    from bot.app import Aneeka

KEPT = 20
"""Spoken lines whose marks are kept until they are answered."""


class Listening:
    """Implements ``bot.hearing.listener.Listener`` for the whole program."""

    def __init__(self, aneeka: Aneeka) -> None:
        self._aneeka = aneeka
        self._spoken: OrderedDict[str, tuple[dict[str, float], str]] = OrderedDict()
        self._newest: Heard | None = None

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
        """It was: her reply is over."""
        self._aneeka.cut("barge_in")

    # ------------------------------------------------------------------ understanding

    def partial(self, text: str) -> None:
        """Show it, and let the brain read ahead."""
        self._aneeka.live.tell({"type": "heard_partial", "text": text})
        self._aneeka.thinking.read_ahead(self._cue(text))

    def probably_said(self, text: str) -> None:
        """Begin to think, where nothing else is being said."""
        self._aneeka.thinking.think_ahead(self._cue(text))

    def goes_on(self) -> None:
        """That was not all: forget what was thought, and an answer that nobody has heard yet."""
        a, newest = self._aneeka, self._newest
        a.thinking.think_again()
        if newest is None:
            return
        a.inbox.take_back(Withdrawal(frozenset((newest.id,))))
        reply = a.reply
        if reply is not None and newest in reply.cue.heard and "first_audible" not in reply.marks:
            a.cut("withdrawn")

    def said(self, text: str, *, addressed: bool, marks: dict[str, float], served: str) -> None:
        """Hear the operator, and answer what is said to her."""
        a = self._aneeka
        heard = self._newest = a.intake.heard("operator", text)
        remember(self._spoken, heard.id, (marks, served), KEPT)
        a.live.tell({"type": "heard_final", "text": text, "answered": addressed})
        a.intake.hear(heard, None if addressed else "not_addressed")
        a.reporter.tell_state()

    # ------------------------------------------------------------------ for the reply

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
