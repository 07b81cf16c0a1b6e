"""The ear: microphone blocks become turns, turns become text, and talking over her holds her, then cuts her or not.

microphone ──▶ echo gate ──▶ Silero ──▶ turns ──▶ recogniser ──▶ murmur? hers? for her? ──▶ ``Listener``

Everything happens in the event loop's thread; a block costs about 0.2 ms.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bot.config.settings import Settings
from bot.hearing.addressed import Addressing
from bot.hearing.barge_in import BargeIn
from bot.hearing.echo import LOUD_DB, Echo
from bot.hearing.endings import sounds_finished
from bot.hearing.listener import Listener
from bot.hearing.murmurs import is_murmur
from bot.hearing.silero import BLOCK, BLOCK_S, RATE_HZ, Silero, level_db
from bot.hearing.take import Ladder, Take
from bot.hearing.turns import TurnEvent, TurnRules, Turns
from bot.hearing.words import plain_words
from bot.vocabulary import Pcm

Mode = Literal["open", "push_to_talk", "off"]

PRE_ROLL_BLOCKS = round(0.5 / BLOCK_S)
"""Sound from before speech was noticed, so that no first syllable is lost."""
PRESS_BLOCKS = round(0.3 / BLOCK_S)
"""The same for a key, which people press a little late."""
WORD_LETTERS = 3
"""A partial text of fewer letters may become a murmur yet."""
JOIN_S = 1.5
"""Who goes on after a shorter pause, before she is heard to answer, has not been understood whole yet."""


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    ended_s: float
    marks: dict[str, float]
    served: str


class Ear:
    """Hears one operator. Times are the loop's; ``hers_db`` is her level now, ``busy`` whether a reply is under way."""

    def __init__(
        self,
        recogniser: Ladder,
        listener: Listener,
        addressing: Addressing,
        *,
        clock: Callable[[], float],
        hers_db: Callable[[], float],
        busy: Callable[[], bool],
        mode: Mode = "open",
        rules: TurnRules | None = None,
        interrupt: bool = True,
        murmurs: Iterable[str] = (),
        silero: Silero | None = None,
    ) -> None:
        """``silero``: loaded by ``start`` unless given."""
        self.addressing = addressing
        self._recogniser = recogniser
        self._listener = listener
        self._clock = clock
        self._hers_db = hers_db
        self._busy = busy
        self._mode = mode
        self._barge_in = BargeIn(listener, enabled=interrupt)
        self._murmurs = tuple(murmurs)
        self._turns = Turns(rules or TurnRules())
        self._echo = Echo()
        self._silero = silero
        self._rest: Pcm = np.zeros(0, np.int16)
        self._recent: deque[Pcm] = deque(maxlen=PRE_ROLL_BLOCKS)
        self._take: Take | None = None
        self._last = _Said("", -JOIN_S, {}, "")
        self._she_sounded_s = -JOIN_S

    async def start(self) -> None:
        """Load the voice activity model. Raises ``EngineDown``; then only push-to-talk hears."""
        if self._silero is None:
            self._silero = await asyncio.to_thread(Silero)

    def close(self) -> None:
        """Stop listening."""
        self._drop()
        self._silero = None

    @property
    def mode(self) -> Mode:
        """How it listens; a new mode drops the turn in progress."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        if mode != self._mode:
            self._mode = mode
            self._drop()

    @property
    def hearing(self) -> bool:
        """Whether somebody speaks, or what they said is being turned into text."""
        return self._take is not None

    def she_says(self, text: str) -> None:
        """A phrase of hers begins to sound: these words are not the operator's."""
        self._echo.she_says(text, self._clock())

    # ------------------------------------------------------------------ what comes in

    def feed(self, pcm: Pcm, at_s: float) -> None:
        """Take sound at 16 kHz, any number of samples, the last of which was spoken at ``at_s``."""
        if self._mode == "off":
            return
        self._rest = np.concatenate((self._rest, pcm))
        while len(self._rest) >= BLOCK:
            block, self._rest = self._rest[:BLOCK], self._rest[BLOCK:]
            self._block(block, at_s - len(self._rest) / RATE_HZ)

    def press(self) -> None:
        """What is said from now on is for her, until ``release``; in every mode but ``off``."""
        if self._mode == "off" or self._turns.held_open:
            return
        now = self._clock()
        if self._take is None:
            self._begin(now, PRESS_BLOCKS)
        else:
            self._resumed(self._take)
        self._turns.press(now)
        if (take := self._take) is not None:
            take.deliberate = True
            if self._busy():
                self._barge_in.begins(take, self._turns.voiced_s)
                self._barge_in.words(take)

    def release(self) -> None:
        """The turn that ``press`` began is over."""
        if self._turns.held_open:
            for event in self._turns.release():
                self._on(event)

    def _block(self, block: Pcm, ends_s: float) -> None:
        self._recent.append(block)
        level, hers_db = level_db(block), self._hers_db()
        if hers_db > LOUD_DB:
            self._she_sounded_s = ends_s
        if self._take is not None:
            self._take.feed(block)
        elif self._mode == "push_to_talk":
            return
        echo = self._echo.explains(level, hers_db)
        likely = self._silero.probability(block) if self._silero is not None else float(self._turns.held_open)
        events = self._turns.block(0.0 if echo else likely, level, ends_s, over_her=self._busy())
        for event in events:
            self._on(event)
        if self._take is not None:
            self._barge_in.lasts(self._take, self._turns.voiced_s)

    # ------------------------------------------------------------------ a turn's life

    def _on(self, event: TurnEvent) -> None:
        if event.kind == "began":
            self._begin(event.at_s, PRE_ROLL_BLOCKS)
        elif (take := self._take) is None:
            return
        elif event.kind == "over_her":
            self._barge_in.begins(take, self._turns.voiced_s)
        elif event.kind == "probably_ended":
            take.ask()
        elif event.kind == "resumed":
            self._resumed(take)
        else:
            take.ended = (event.at_s, self._clock())
            if not self._turns.voiced_s:  # a key was pressed, and nothing said
                take.was_nothing()
            take.ask()
            self._settle(take)

    def _begin(self, onset_s: float, pre_roll: int) -> None:
        take = Take(self._recogniser, onset_s, self._clock, self._partial, self._read)
        take.maybe_echo = self._echo.possible
        for block in list(self._recent)[-pre_roll:]:
            take.feed(block)
        self._take = take
        last = self._last
        if last.text and onset_s - last.ended_s <= JOIN_S and self._she_sounded_s < last.ended_s:
            take.before = last.text
            self._listener.goes_on()
        self._listener.speech_began()

    def _partial(self, text: str) -> None:
        take = self._take
        if take is None or not text.strip():
            return
        self._listener.partial(text)
        letters = sum(len(word) for word in plain_words(text))
        if take.held and letters >= WORD_LETTERS and not self._is_nothing(take, text):
            self._barge_in.words(take)

    def _resumed(self, take: Take) -> None:
        take.goes_on()
        if take.told_probable:
            take.told_probable = False
            self._listener.goes_on()

    def _read(self) -> None:
        """The text of all that was said until the pause is there."""
        take = self._take
        if take is None or take.reading is None:
            return
        if take.ended is not None:
            self._settle(take)
            return
        said = take.reading.text
        nothing = self._is_nothing(take, said)
        whole = take.whole(said)
        if not nothing:
            self._barge_in.words(take)
            if self._addressed(take, whole):
                take.told_probable = True
                self._listener.probably_said(whole)
        for event in self._turns.judged(self._clock(), finished=nothing or sounds_finished(whole)):
            self._on(event)

    def _settle(self, take: Take) -> None:
        """Hand the turn on if it is over and its text is there."""
        if take.ended is None or take.reading is None:
            return
        reading, (speech_ended, turn_ended) = take.reading, take.ended
        self._take = None
        self._turns.settled()
        take.close()
        if self._is_nothing(take, reading.text):
            if take.maybe_echo and self._echo.is_hers(reading.text, take.began_s):
                self._echo.mistaken()
            if take.told_probable:
                self._listener.goes_on()
            self._barge_in.nothing(take)
            if take.before:
                self._tell(self._last, addressed=True)
            return
        self._barge_in.words(take)
        marks = {"speech_ended": speech_ended, "turn_ended": turn_ended, "transcript_ready": reading.at_s}
        whole = take.whole(reading.text)
        self._tell(_Said(whole, speech_ended, marks, reading.served), addressed=self._addressed(take, whole))

    def _tell(self, said: _Said, *, addressed: bool) -> None:
        self._last = said if addressed else replace(said, text="")
        self._listener.said(said.text, addressed=addressed, marks=said.marks, served=said.served)

    def _is_nothing(self, take: Take, text: str) -> bool:
        """Whether a text says nothing: no words, her own, or a murmur while she spoke."""
        if not plain_words(text):
            return True
        if take.deliberate:
            return False
        if take.maybe_echo and self._echo.is_hers(text, take.began_s):
            return True
        return take.over_her and is_murmur(text, self._murmurs)

    def _addressed(self, take: Take, text: str) -> bool:
        return take.deliberate or self.addressing.to_her(text, take.began_s)

    def _drop(self) -> None:
        take, self._take = self._take, None
        self._turns.reset()
        self._rest = np.zeros(0, np.int16)
        self._recent.clear()
        if self._silero is not None:
            self._silero.reset()
        if take is None:
            return
        take.close()
        if take.told_probable:
            self._listener.goes_on()
        self._barge_in.nothing(take)
        if take.before:
            self._tell(self._last, addressed=True)


def build(
    settings: Settings,
    recogniser: Ladder,
    listener: Listener,
    *,
    clock: Callable[[], float],
    hers_db: Callable[[], float],
    busy: Callable[[], bool],
) -> Ear:
    """Make the ear that the settings ask for."""
    audio = settings.audio
    everything = audio.answer == "everything" or (audio.answer == "auto" and settings.twitch.mode == "off")
    return Ear(
        recogniser,
        listener,
        Addressing((settings.persona.name,), everything=everything),
        clock=clock,
        hers_db=hers_db,
        busy=busy,
        mode=audio.mode,
        rules=TurnRules(quick_s=audio.turns.quick_s, patient_s=audio.turns.patient_s),
        interrupt=audio.turns.interrupt,
        murmurs=audio.turns.murmurs,
    )
