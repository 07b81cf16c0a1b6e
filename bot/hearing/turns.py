"""When the operator speaks and when they have finished: a state machine over 32 ms blocks, with the time passed in.

A pause first only *may* be the end; what was said until then decides how long it must last. Speech goes on being the
same turn until its text has been handed on (``settled``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bot.hearing.silero import BLOCK_S, SILENCE_DB

ENTER, STAY = 0.5, 0.35
"""Probability from which speech begins, and below which a block is none (Silero's own pair)."""
USUAL_BLOCKS = 47
"""The voice's usual level is taken over so many blocks of speech, 1.5 s."""
QUIET_DB = 30.0
"""What is so far below the usual level is a pause, even while the model lingers; it is late by some 60 ms."""
FALLEN_DB = 3.0
"""A voice that ends has fallen at least so far below its usual level; one that hesitates is held."""
TAIL_BLOCKS = 4
SHORT_S = 0.5
"""A word or two are over before a fall can be seen."""

Kind = Literal["began", "over_her", "probably_ended", "resumed", "ended"]


class TurnEvent(NamedTuple):
    """What happened; ``at_s`` is the onset of ``began`` and ``over_her``, else the end of the last sound spoken."""

    kind: Kind
    at_s: float


@dataclass(frozen=True, slots=True)
class TurnRules:
    """Times in seconds; the ``audio.turns`` section of the config says what the first two mean."""

    quick_s: float = 0.25
    patient_s: float = 0.6
    begins_s: float = 0.09
    """Shorter sounds are no speech."""
    over_her_s: float = 0.12
    """So much speech while she speaks is somebody talking over her."""
    probable_s: float = 0.12
    """A pause of this length may be the end."""
    longest_s: float = 45.0
    """A turn ends here at the latest: it is music, or a monologue for others."""
    breath_s: float = 5.0
    """So long before that it ends in any gap, so that no word is torn."""


class Turns:
    """Follows one speaker. ``block`` takes what the microphone heard, ``judged`` what the text says."""

    def __init__(self, rules: TurnRules) -> None:
        self.rules = rules
        self.reset()

    def reset(self) -> None:
        """Forget the turn in progress."""
        self.held_open = False
        """While true (a key is held) no pause ends the turn."""
        self.voiced_s = 0.0
        """Speech in this turn, pauses not counted."""
        self._state: Literal["quiet", "speaking", "pausing", "ended"] = "quiet"
        self._finished = False
        self.too_long = False
        """It ended while somebody may still have been speaking."""
        self._told_over_her = False
        self._began_s = self._spoken_s = 0.0
        self._run: list[tuple[float, float]] = []
        """Speech that may be a beginning: start of each block and its probability."""
        self._gap = 0
        self._levels: deque[float] = deque(maxlen=USUAL_BLOCKS)

    def block(self, probability: float, level_db: float, ends_s: float, *, over_her: bool) -> list[TurnEvent]:
        """Take one block that ended at ``ends_s``; ``over_her``: she is speaking, or about to."""
        voiced = self._voiced(probability, level_db)
        self._follow_run(voiced, probability, ends_s)
        events: list[TurnEvent] = []
        if self._state == "speaking":
            if voiced:
                self._spoken_s = ends_s
                self.voiced_s += BLOCK_S
        elif self._run_s >= self.rules.begins_s and not self.too_long:
            events.append(self._begin())
        if self._state == "speaking" and over_her and self._run_s >= self.rules.over_her_s and not self._told_over_her:
            self._told_over_her = True
            events.append(TurnEvent("over_her", self._run[0][0]))
        if self._state in ("speaking", "pausing"):
            events += self._silence(ends_s, voiced=voiced)
        return events

    def judged(self, now_s: float, *, finished: bool) -> list[TurnEvent]:
        """Take the word of the text for the pause in progress; late words for another one are to be left out."""
        self._finished = finished
        goes_on = bool(self._run)
        if self._state == "pausing" and not (goes_on or self.held_open) and self._waited(now_s - self._spoken_s):
            return [self._end()]
        return []

    def she_begins(self) -> None:
        """She begins anew: speech that goes on is to be told as talking over her once more."""
        self._told_over_her = False

    def settled(self) -> None:
        """What was said has been handed on: the next speech is another turn, also one that has just begun."""
        run, gap, levels = self._run, self._gap, self._levels
        self.reset()
        self._run, self._gap, self._levels = run, gap, levels

    def press(self, now_s: float) -> None:
        """Begin a turn, or keep the one in progress open, until ``release``."""
        if self._state == "quiet":
            self._began_s = self._spoken_s = now_s
        self._state = "speaking"
        self.held_open = True

    def release(self) -> list[TurnEvent]:
        """End it now."""
        self.held_open = False
        return self.stop()

    def stop(self) -> list[TurnEvent]:
        """No sound comes any more: what was said by then is all, unless a key is held."""
        return [self._end()] if self._state in ("speaking", "pausing") and not self.held_open else []

    # ------------------------------------------------------------------ inside

    def _voiced(self, probability: float, level_db: float) -> bool:
        if probability < STAY:
            return False
        if probability >= ENTER:
            self._levels.append(level_db)
        return level_db > self._usual_db - QUIET_DB

    @property
    def _usual_db(self) -> float:
        """The level that the louder part of the speech reaches."""
        ranked = sorted(self._levels)
        return ranked[len(ranked) * 3 // 4] if ranked else SILENCE_DB

    @property
    def _fallen(self) -> bool:
        tail = list(self._levels)[-TAIL_BLOCKS:]
        return self.voiced_s < SHORT_S or sum(tail) / len(tail) <= self._usual_db - FALLEN_DB

    def _follow_run(self, voiced: bool, probability: float, ends_s: float) -> None:
        """Keep the newest stretch of speech; one block of doubt does not break it."""
        self._gap = 0 if voiced else self._gap + 1
        if self._gap > 1:
            self._run = []
        elif voiced:
            self._run.append((ends_s - BLOCK_S, probability))
            del self._run[:-USUAL_BLOCKS]

    @property
    def _run_s(self) -> float:
        sure = any(probability >= ENTER for _, probability in self._run)
        return len(self._run) * BLOCK_S if sure else 0.0

    def _begin(self) -> TurnEvent:
        onset_s = self._run[0][0]
        kind: Kind = "began" if self._state == "quiet" else "resumed"
        if kind == "began":
            self._began_s = onset_s
        self._state, self._spoken_s = "speaking", self._run[-1][0] + BLOCK_S
        self._told_over_her = False
        self.voiced_s += self._run_s
        return TurnEvent(kind, onset_s)

    def _silence(self, now_s: float, *, voiced: bool) -> list[TurnEvent]:
        pause_s = now_s - self._spoken_s
        events = []
        if self._state == "speaking" and self.voiced_s and pause_s + BLOCK_S > self.rules.probable_s:
            self._state, self._finished = "pausing", False
            events.append(TurnEvent("probably_ended", self._spoken_s))
        if self.held_open:
            return events
        left_s = self._began_s + self.rules.longest_s - now_s
        self.too_long = left_s <= 0.0 or (left_s <= self.rules.breath_s and not self._run)
        if self.too_long or (self._state == "pausing" and not voiced and self._waited(pause_s)):
            events.append(self._end())
        return events

    def _waited(self, pause_s: float) -> bool:
        quick = self._finished and self._fallen
        # The block in which the time passes decides, so that the limit is a limit.
        return pause_s + BLOCK_S > (self.rules.quick_s if quick else self.rules.patient_s)

    def _end(self) -> TurnEvent:
        self._state = "ended"
        self._run = []
        return TurnEvent("ended", self._spoken_s)
