"""One reply through brain, gate, voice and stage: aloud, or written for the operator alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avatar.lipsync import MouthTrack
from bot.reply import Outcome, Performance
from bot.safety.gate import filtered_line
from bot.stage.playback import Stage
from bot.stage.silent import RATE_HZ, FileOutput
from bot.vocabulary import Brain, Phrase, PromptTooLong, Reply, Voice
from bot.voice.captions_only import CaptionsOnly
from bot.voice.phrases import PhraseCutter

if TYPE_CHECKING:
    from bot.app import Aneeka


SOUNDED = ("first_sound", "first_audible", "last_audible")
"""The marks that an answer which nobody hears must not have."""


class Performing:
    """Brings replies to their end."""

    def __init__(self, aneeka: Aneeka) -> None:
        self._aneeka = aneeka

    async def perform(self, reply: Reply, approved: str | None, *, aloud: bool) -> Outcome:
        """Say it, or say ``approved`` in its place; not ``aloud``: only write it."""
        a = self._aneeka
        a.thinking.rest()
        brain: Brain = a.thinking.brain
        voice: Voice = a.engines.voice if aloud else CaptionsOnly()
        stage = a.stage if aloud else self.desk_stage()
        while True:
            if aloud:
                stage.output = a.outputs.choose()
            performance = Performance(
                reply,
                brain=brain,
                cutter=PhraseCutter(a.settings.persona.language, name=a.settings.persona.name),
                gate=self.gate_out,
                instead=lambda: filtered_line(a.reporter.phrases_blocked),
                second_opinion=a.second_opinion.on if a.second_opinion else None,
                voice=voice,
                stage=stage,
                tell=a.live.tell,
            )
            try:
                outcome = await performance.run(a.thinking.prompt(reply) if approved is None else approved)
            except PromptTooLong:
                if not a.memory.shrink():
                    brain = a.engines.brain.outgrown()
                continue
            if not aloud:
                for name in SOUNDED:
                    reply.marks.pop(name, None)
            return outcome

    def desk_stage(self) -> Stage:
        """Return a stage that nobody sees or hears, for an answer that must be approved first."""
        a = self._aneeka
        return Stage(FileOutput(a.now), lambda: MouthTrack(RATE_HZ), lambda _: None, lambda _: None, a.now)

    def gate_out(self, phrase: Phrase) -> str | None:
        """Return why this phrase must not be heard, or ``None``."""
        a = self._aneeka
        reason = a.gate.goes_out(phrase)
        if reason is None and a.moderation.refuses(phrase):
            reason = "withdrawn"
        a.reporter.phrases_blocked += reason is not None
        return reason
