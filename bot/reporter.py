"""The way out to those who watch: pages, studio, bodies and the flight recorder learn what she does."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING, Any

from bot.reply import Outcome
from bot.stage.silent import RATE_HZ
from bot.texts import text
from bot.turn_record import blank, blank_words, turn_record
from bot.vocabulary import Reply
from bot.withdrawal import Withdrawal

if TYPE_CHECKING:
    from bot.app import Aneeka


class Reporter:
    """Tells what happens, and counts it."""

    def __init__(self, aneeka: Aneeka) -> None:
        self._aneeka = aneeka
        self.turns = self.turns_cut = self.phrases_blocked = 0
        self.turns_by_mode: Counter[str] = Counter()
        self.cue_to_audible_ms = array("d")
        self._doing = "idle"

    @property
    def doing(self) -> str:
        """What she does now: ``muted``, ``paused``, ``idle``, ``listening``, ``thinking`` or ``speaking``."""
        a = self._aneeka
        if a.reply is not None:
            return self._doing
        return a.director.held or ("listening" if a.listening.ear.hearing else "idle")

    def does(self, doing: str) -> None:
        """She does something else now."""
        self._doing = doing
        self.tell_state()

    def tell_state(self) -> None:
        """Show every page, and her face, what she does now."""
        a = self._aneeka
        a.performer.set_state(self.doing, a.now())
        a.live.tell({"type": "state", **a.desk.state_line()})
        a.pages.show({"type": "state", "state": self.doing})
        for body in a.bodies.values():
            body.does(self.doing)

    def announce(self, reply: Reply, *, aloud: bool) -> None:
        """She begins to answer; not ``aloud``: the audience learns nothing of it."""
        a, cue = self._aneeka, reply.cue
        shown = {"mode": cue.mode, "heard": [h.id for h in cue.heard], "why": text(f"app.why_{cue.why}")}
        a.live.tell({"type": "cue", "reply": reply.id, **shown})
        if aloud and cue.mode in ("chat_one", "chat_many") and cue.heard[0].person:
            first = cue.heard[0]
            names = ", ".join(h.person.name for h in cue.heard if h.person)
            said = first.text if len(cue.heard) == 1 else ""
            a.pages.show({"type": "card", "user": names, "text": said, "mode": cue.mode})
        a.performer.answers(cue.mode, sum(len(h.text) for h in cue.heard), a.now())
        self.does("thinking")

    def on_stage(self, message: dict[str, Any]) -> None:
        """A phrase or a word has become audible."""
        a = self._aneeka
        if a.reply is not None and a.reply.cut == "withdrawn":
            return
        if message["type"] == "phrase":
            a.listening.ear.she_says(message["text"])
            if self._doing != "speaking":
                self.does("speaking")
            for body in a.bodies.values():
                body.says(message["text"])
        elif message["type"] == "word":
            a.performer.says(message["end"] - message["start"], a.now())
        a.live.tell(message)

    def over(self) -> None:
        """She has finished."""
        self.does("idle")
        self._aneeka.pages.show({"type": "card"})

    def record(self, reply: Reply, outcome: Outcome) -> None:
        """Write the turn down, without what a moderator took back."""
        a, cue, spoken = self._aneeka, reply.cue, outcome.spoken
        brain = a.engines.brain.served if "prompt_ready" in reply.marks else None
        voice = a.engines.voice.served if "first_sound" in reply.marks else None
        engines = {"stt": a.listening.served_for(cue), "llm": brain, "tts": voice}
        record = turn_record(reply, spoken, outcome.generated, outcome.expression, engines)
        blank(record, Withdrawal(frozenset(h.id for h in cue.heard if h.id in a.inbox.unwanted)))
        if spoken.cut == "withdrawn":
            blank_words(record)
        if "withdrawn" in outcome.blocked:
            record["generated"] = spoken.text
        path = a.recorder.wav_path(reply.id)
        if path is not None and "withdrawn" not in record:
            record["wav"] = str(path)
        a.recorder.write(record, outcome.sound, RATE_HZ)
        self.turns += 1
        self.turns_by_mode[cue.mode] += 1
        if (audible_s := reply.marks.get("first_audible")) is not None:
            self.cue_to_audible_ms.append((audible_s - reply.marks["cue"]) * 1000)
        self.turns_cut += spoken.cut is not None
        a.live.tell({"type": "turn", **record})
