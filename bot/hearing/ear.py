"""The ear: microphone blocks become turns, turns become text, and talking over her holds her, then cuts her or not.

microphone ──▶ echo gate ──▶ Silero ──▶ turns ──▶ recogniser ──▶ murmur? hers? for her? ──▶ ``Listener``

Everything happens in the event loop's thread; a block costs about 0.2 ms.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np

from bot.config.settings import Settings
from bot.hearing.addressed import Addressing
from bot.hearing.barge_in import BargeIn
from bot.hearing.echo import LOUD_DB, Echo
from bot.hearing.endings import sounds_finished
from bot.hearing.held_key import HeldKey
from bot.hearing.joining import Joining, Said
from bot.hearing.judgement import Judgement
from bot.hearing.listener import Listener
from bot.hearing.silero import BLOCK, BLOCK_S, RATE_HZ, Silero, level_db
from bot.hearing.take import Ladder, Take
from bot.hearing.turns import TurnEvent, TurnRules, Turns
from bot.vocabulary import Pcm

Mode = Literal["open", "push_to_talk", "off"]

PRE_ROLL_BLOCKS = round(0.5 / BLOCK_S)
"""Sound from before speech was noticed, so that no first syllable is lost."""
PRESS_BLOCKS = round(0.3 / BLOCK_S)
"""The same for a key, which people press a little late."""
GAP_BLOCKS = round(0.13 / BLOCK_S)
"""The same after a turn that had become too long: the gap in which it was ended, and no word that it has."""
LATER_BLOCKS = round(10.0 / BLOCK_S)
"""What is said on while the text of a turn that had become too long is awaited; what is older is lost."""


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
        self._barge_in = BargeIn(listener, busy, enabled=interrupt)
        self._turns = Turns(rules or TurnRules())
        self._echo = Echo()
        self._judgement = Judgement(addressing, self._echo, murmurs)
        self._joining = Joining()
        self._silero = silero
        self._rest: Pcm = np.zeros(0, np.int16)
        self._recent: deque[Pcm] = deque(maxlen=PRE_ROLL_BLOCKS)
        self._unfed = 0
        """How many of the newest blocks the turn in progress did not get."""
        self._later: deque[tuple[Pcm, float, float]] | None = None
        """What is for the next turn, while the text of one that had become too long is awaited."""
        self._heard_s = 0.0
        """When the newest sound was spoken."""
        self._take: Take | None = None
        self._key = HeldKey(clock, lambda: self._happen(self._turns.release()))

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

    def she_begins(self) -> None:
        """Another reply of hers begins: who speaks already talks over that one too."""
        if self._take is not None:
            self._take.taken_over = False
            self._turns.she_begins()

    def she_says(self, text: str) -> None:
        """A phrase of hers begins to sound: these words are not the operator's."""
        self._echo.she_says(text, self._clock())

    # ------------------------------------------------------------------ what comes in

    def feed(self, pcm: Pcm, at_s: float) -> None:
        """Take sound at 16 kHz; its last sample was spoken at ``at_s``."""
        if self._mode == "off":
            return
        self._rest = np.concatenate((self._rest, pcm))
        while len(self._rest) >= BLOCK:
            block, self._rest = self._rest[:BLOCK], self._rest[BLOCK:]
            self._block(block, at_s - len(self._rest) / RATE_HZ, self._hers_db())

    def press(self) -> None:
        """What is said from now on is for her, until ``release``; in every mode but ``off``."""
        self._key.hold()
        if self._mode == "off" or self._turns.held_open:
            return
        now = self._clock()
        if (take := self._take) is None:
            take = self._begin(now, PRESS_BLOCKS)
        else:
            self._resumed(take)
            self._feed_recent(take, min(PRESS_BLOCKS, self._unfed))
        self._turns.press(now)
        take.deliberate = True
        if self._busy():
            self._barge_in.begins(take, self._turns.voiced_s)
            self._barge_in.words(take)
        self._catch_up()

    def release(self) -> None:
        """The turn that ``press`` began is over, as soon as all that was said until now is here."""
        if self._turns.held_open:
            self._key.release()

    def _block(self, block: Pcm, ends_s: float, hers_db: float) -> None:
        if self._later is not None:
            self._later.append((block, ends_s, hers_db))
            return
        self._recent.append(block)
        self._unfed += 1
        self._heard_s = ends_s
        level = level_db(block)
        if hers_db > LOUD_DB:
            self._joining.she_sounds(ends_s)
        if self._mode == "push_to_talk" and not self._turns.held_open:
            return
        if self._take is not None:
            self._take.feed(block)
            self._unfed = 0
        echo = self._echo.explains(level, hers_db)
        likely = self._silero.probability(block) if self._silero is not None else float(self._turns.held_open)
        self._happen(self._turns.block(0.0 if echo else likely, level, ends_s, over_her=self._busy()))
        if self._take is not None:
            self._barge_in.lasts(self._take, self._turns.voiced_s)
        self._key.heard(ends_s)

    def _catch_up(self) -> None:
        """Hear what was said while the text of a turn that had become too long was awaited."""
        later, self._later = self._later, None
        for heard in later or ():
            self._block(*heard)

    def _feed_recent(self, take: Take, blocks: int) -> None:
        for block in list(self._recent)[max(0, len(self._recent) - blocks) :]:
            take.feed(block)

    # ------------------------------------------------------------------ a turn's life

    def _happen(self, events: Iterable[TurnEvent]) -> None:
        for event in events:
            self._on(event)

    def _on(self, event: TurnEvent) -> None:
        if event.kind == "began":
            self._begin(event.at_s, PRE_ROLL_BLOCKS)
        elif (take := self._take) is None:
            self._turns.settled()  # it could not be begun
        elif event.kind == "over_her":
            self._barge_in.begins(take, self._turns.voiced_s)
        elif event.kind == "probably_ended":
            take.ask()
        elif event.kind == "resumed":
            self._resumed(take)
        else:
            take.ended = (event.at_s, self._key.released_s or self._clock())
            if self._turns.too_long:
                self._later = deque(maxlen=LATER_BLOCKS)
                self._recent = deque(list(self._recent)[-GAP_BLOCKS:], PRE_ROLL_BLOCKS)
            if not self._turns.voiced_s:  # a key was pressed, and nothing said
                take.was_nothing()
            take.ask()
            self._settle(take)

    def _begin(self, onset_s: float, pre_roll: int) -> Take:
        take = self._take = Take(self._recogniser, onset_s, self._clock, self._partial, self._read, self._gone)
        take.maybe_echo = self._echo.possible
        self._feed_recent(take, pre_roll)
        take.before = self._joining.before(onset_s)
        if take.before is not None:
            self._listener.goes_on()
        self._listener.speech_began()
        return take

    def _gone(self) -> None:
        self._happen(self._turns.stop())

    def _partial(self, text: str) -> None:
        take = self._take
        if take is None or not text.strip():
            return
        self._listener.partial(text)
        if take.held and self._judgement.already_says(take, text):
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
        nothing = self._judgement.is_nothing(take, said)
        whole = take.whole(said)
        if not nothing:
            self._barge_in.words(take)
            if self._judgement.is_for_her(take, whole):
                take.told_probable = True
                self._listener.probably_said(whole)
        self._happen(self._turns.judged(self._heard_s, finished=nothing or sounds_finished(whole)))

    def _settle(self, take: Take) -> None:
        """Hand the turn on if it is over and its text is there."""
        if take.ended is None or take.reading is None:
            return
        reading, (speech_ended, turn_ended) = take.reading, take.ended
        self._take = None
        self._turns.settled()
        take.close()
        if self._judgement.is_nothing(take, reading.text):
            self._judgement.learn(take, reading.text)
            self._was_nothing(take)
            self._catch_up()
            return
        self._barge_in.words(take)
        marks = {"speech_ended": speech_ended, "turn_ended": turn_ended, "transcript_ready": reading.at_s}
        whole = take.whole(reading.text)
        said = Said(whole, speech_ended, marks, reading.served)
        self._tell(said, addressed=self._judgement.is_for_her(take, whole))
        self._catch_up()

    def _was_nothing(self, take: Take) -> None:
        """Undo what was begun for it."""
        if take.told_probable:
            self._listener.goes_on()
        self._barge_in.nothing(take)
        if take.before is not None:
            self._tell(take.before, addressed=True)

    def _tell(self, said: Said, *, addressed: bool) -> None:
        self._joining.told(said, addressed=addressed)
        self._listener.said(said.text, addressed=addressed, marks=said.marks, served=said.served)

    def _drop(self) -> None:
        take, self._take = self._take, None
        self._key.hold()
        self._turns.reset()
        self._rest = np.zeros(0, np.int16)
        self._recent.clear()
        self._later = None
        if self._silero is not None:
            self._silero.reset()
        if take is not None:
            take.close()
            self._was_nothing(take)


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
