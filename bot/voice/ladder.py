"""The voices in their order: one that fails, stalls or drips is left in mid-reply, and taken back when it is well."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

import numpy as np

from bot.supervisor import Board
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Language, Phrase, Sound, Voice
from bot.voice.captions_only import RATE_HZ as CAPTIONS_RATE_HZ
from bot.voice.pull import Pull
from bot.voice.rung import Rung, guarded
from bot.voice.speakable import speakable
from bot.voice.take import Progress, Take

log = logging.getLogger(__name__)

BACK_S = 3.0
"""How long a phrase waits for the last voice to come back before it is shown without sound."""
NEXT_S = 0.7
"""Patience with a voice that has begun a phrase."""
TAKE_OVER_S = 0.25
"""What the next voice needs to begin: a voice that stalls is left so long before the sound runs out."""
COMFORT_S = 0.6
"""With more than this to play, a phrase is held back until it is whole: if its voice fails, the next one says all."""
URGENT_S = 0.12
"""With less than this to play, a word goes out before it is whole, if its voice keeps up."""
FRESH_S = 0.2
"""A voice keeps up while its newest sound is not older."""
GAP_S = 0.02
DRIP_GAPS, DRIP_S = 2, 0.25
"""A voice that is slower than real time is left after so many gaps within a phrase that last so long together."""
TICK_S = 0.001
CLEAN_UP_S = 1.0
LONG_S = 6.0
"""Patience where nobody waits for the sound, and with the last voice: behind it there is silence."""
LATE_S = 0.25
"""An alarm of ours this late means that our own loop stood still: no voice is blamed for it."""


class VoiceLadder:
    """All voices in their order, at least one, and captions alone behind them (``vocabulary.Voice``).

    No word is lost or said twice where a voice gives the times of its words. ``ahead_s`` tells how much sound waits
    to be heard; while it is None nobody waits (the sound goes to a file), and slowness is no failure.
    """

    def __init__(self, voices: Sequence[Voice], captions: Voice, board: Board, language: Language) -> None:
        self.ahead_s: Callable[[], float] | None = None
        self._language = language
        self._rungs = [self._rung(voice) for voice in voices]
        self._captions = captions
        self._board = board
        self._leaving: set[asyncio.Task[None]] = set()
        self._reply = ""
        self._served: list[str] = []
        self._sounded = ""
        """Whose sound went out last, be it half a word."""
        self._gaps: list[float] = []

    @property
    def name(self) -> str:
        """Who speaks when all is well."""
        return self._rungs[0].voice.name

    @property
    def served(self) -> str:
        """Who really spoke in the newest reply, such as ``azure`` or ``azure, espeak``."""
        return ", ".join(self._served) or self._sounded or self.name

    @property
    def voices(self) -> list[Voice]:
        """All voices in their order."""
        return [rung.voice for rung in self._rungs]

    @property
    def packs(self) -> bool:
        """Whether who would speak now should be asked for whole sentences and not for clauses: its requests are few."""
        now = next((rung.voice for rung in self._rungs if rung.well), None)
        return bool(getattr(now, "packs", False))

    pid = None

    async def start(self) -> None:
        """Let every voice rehearse, so that it is known before it is needed which work and how quick they are."""
        for rung in self._rungs:
            rung.rehearse()

    async def ready(self, timeout_s: float) -> bool:
        """Wait until every voice has rehearsed; return ``True``: captions always work."""
        work = [rung.work for rung in self._rungs if rung.work is not None and rung.well]
        if work:
            await asyncio.wait(work, timeout=timeout_s)
        return True

    async def close(self) -> None:
        """End what goes on in the background."""
        for rung in self._rungs:
            rung.stop()
        work = [rung.work for rung in self._rungs if rung.work is not None]
        if work or self._leaving:
            await asyncio.wait([*work, *self._leaving], timeout=CLEAN_UP_S)

    def swap(self, voice: Voice) -> list[Voice]:
        """Put a voice in charge, in place of the first one and of any other of its engine; return those, to be closed.

        The last voice stays. Belongs between two replies.
        """
        gone = [rung for rung in self._rungs if rung is self._rungs[0] or rung.voice.name == voice.name]
        if len(gone) == len(self._rungs) and gone[-1].voice.name != voice.name:
            del gone[-1]
        for rung in gone:
            rung.stop()
        self._rungs = [self._rung(voice), *(rung for rung in self._rungs if rung not in gone)]
        self._rungs[0].rehearse()
        for name in {rung.voice.name for rung in gone} - {rung.voice.name for rung in self._rungs}:
            self._board.report(Health(f"voice_{name}", "off"))
        self.light()
        return [rung.voice for rung in gone]

    def on_health(self, voice: Voice, health: Health) -> None:
        """Take what a voice says about itself; one that is not on the ladder says nothing."""
        for rung in self._rungs:
            if rung.voice is voice:
                rung.on_health(health)

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Stream one phrase's sound, by as many voices as it takes."""
        if phrase.reply != self._reply:
            self._reply, self._served, self._sounded, self._gaps = phrase.reply, [], "", []
        progress = Progress(phrase, speakable(phrase.text, self._language))
        last = self._rungs[-1:]
        for rung in [*(rung for rung in self._rungs if rung.well), *last]:
            if progress.done:
                break
            if not rung.well and not await rung.voice.ready(BACK_S):
                continue
            take = Take(progress, rung.letters_per_s)
            try:
                async with aclosing(self._stream(rung, take, progress.rest())) as sounds:
                    async for sound in sounds:
                        yield sound
            except EngineDown as down:
                log.warning("voice %s failed: %s", rung.voice.name, down.reason)
                self._gaps = []
                rung.failed(down)
                if (rest := take.broken_off()) is not None:
                    self._serves(rung.voice.name, take)
                    yield rest
            else:
                rung.served()
                return
        take = Take(progress, 0.0)
        if progress.done:
            take.add(Sound(np.zeros(0, np.int16), CAPTIONS_RATE_HZ, last=True))
        else:
            async for sound in self._captions.speak(progress.rest()):
                take.add(sound)
        if (end := take.release(take.come)) is not None:
            self._serves(self._captions.name, take)
            yield end

    async def _stream(self, rung: Rung, take: Take, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Let one voice speak. Raises ``EngineDown`` where it fails, or is to be left."""
        if rung.well:
            rung.stop()  # a rehearsal
        is_last = rung is self._rungs[-1]
        pull = Pull(guarded(rung.voice, phrase))
        asked_s = came_s = began_s = dry_s = _now()
        given_up = slow = False
        try:
            while not take.complete:
                now = _now()
                ahead_s = self.ahead_s() if self.ahead_s else None
                until = _until(take, ahead_s, now - came_s, torn=slow or bool(self._gaps))
                if (sound := take.release(until)) is not None:
                    self._serves(rung.voice.name, take)
                    yield sound
                    continue
                if ahead_s:
                    dry_s = now + ahead_s
                patience_s = NEXT_S if take.come else rung.patience_s
                if ahead_s is None or is_last:
                    patience_s = LONG_S
                left_s = ahead_s or 0.0
                deadline_s = max(came_s + patience_s, now + left_s + take.held_s - TAKE_OVER_S)
                needed = (now + left_s - limit_s for limit_s in (COMFORT_S, URGENT_S) if left_s > limit_s)
                alarms = [deadline_s, *needed]
                arrived = await pull.next(min(alarms) - now + TICK_S)
                now = _now()
                if arrived is not None:
                    if not take.come:
                        rung.answered(now - asked_s)
                        began_s = now
                    elif take.gone and ahead_s is not None and now - dry_s > GAP_S:
                        self._gaps.append(now - dry_s)
                    slow = take.come > 0 and now - came_s > len(arrived.pcm) / arrived.rate_hz
                    came_s = now
                    take.add(arrived)
                    given_up = not is_last and self._drips(take, now - began_s)
                    if given_up:
                        raise EngineDown(text("voices.too_slow"), text("voices.too_slow_repair"))
                elif now >= deadline_s + LATE_S:
                    came_s = now
                elif now >= deadline_s:
                    given_up = True
                    raise EngineDown(text("voices.silent"))
            if not take.audible and not is_last:
                raise EngineDown(text("voices.empty"))
            if (sound := take.release(take.come)) is not None:
                self._serves(rung.voice.name, take)
                yield sound
            await pull.finish()
            rung.spoke(len(phrase.text), take.come_s)
        finally:
            leaving = asyncio.create_task(pull.leave())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            if not given_up:
                await asyncio.wait([leaving], timeout=CLEAN_UP_S)

    def _drips(self, take: Take, since_s: float) -> bool:
        """Tell whether a voice that took so long for what has come makes her stutter, and can be left after a word."""
        if len(self._gaps) < DRIP_GAPS or sum(self._gaps) < DRIP_S or take.come_s >= since_s:
            return False
        return take.whole_words() >= take.gone or sum(self._gaps) >= 2 * DRIP_S

    def _serves(self, name: str, take: Take) -> None:
        self._sounded = name
        if name not in self._served and take.speaks:
            self._served.append(name)

    def _rung(self, voice: Voice) -> Rung:
        return Rung(voice, self._language, self.light)

    def light(self) -> None:
        """Show who speaks, and how every voice is."""
        if len(self._rungs) > 1:
            for rung in self._rungs:
                self._board.report(replace(rung.health, part=f"voice_{rung.voice.name}"))
        first = self._rungs[0].health
        able = (rung.voice.name for rung in self._rungs if rung.well and rung.own.state == "ok")
        serving = next(able, self._captions.name)
        state = first.state if serving in (self.name, self._captions.name) else "degraded"
        self._board.report(replace(first, part="voice", state=state, serving=serving))


def _until(take: Take, ahead_s: float | None, age_s: float, *, torn: bool) -> int:
    """Return up to which sample a voice's sound may go out now; ``age_s``: how old the newest of it is.

    Whole words go out when they are needed; a word that is not whole only while its voice keeps up.
    """
    if ahead_s is None or (ahead_s <= URGENT_S and (not take.tells_words or (age_s < FRESH_S and not torn))):
        return take.come
    return take.whole_words() if ahead_s <= COMFORT_S else take.gone


def _now() -> float:
    return asyncio.get_running_loop().time()
