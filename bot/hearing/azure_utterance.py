"""One stretch of speech that Azure recognises while it is being said."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from bot.hearing.azure_stream import RATE_HZ, SEGMENT_MS, Said
from bot.hearing.azure_voiced import Voiced
from bot.vocabulary import EngineDown, Pcm, Transcript

END: Pcm = np.zeros((SEGMENT_MS + 200) * RATE_HZ // 1000, np.int16)
"""Silence that makes the service end its phrase: what it waits for, and 0.2 s more."""
NUDGE: Pcm = np.zeros(RATE_HZ // 10, np.int16)
PATIENCE_S = 1.0
"""How long the last words may take, after the silence was sent or the service's last sign of life."""
FRESH_PATIENCE_S = 2.0
"""The same over a connection that has just been made."""
STALL_S = 5.0
"""So much speech without any answer, and the service has stalled."""
MUCH_S = 1.0
"""So much speech that is not understood, with no answer, is no cough: the service has stalled."""
TAIL_S = 0.3
"""Speech whose words are known up to here is known whole: the service ends a phrase with its last word."""


class Line(Protocol):
    """What an utterance is recognised by."""

    @property
    def down(self) -> EngineDown | None:
        """Why nothing can be recognised now."""
        ...

    @property
    def due_s(self) -> float:
        """When the connection that is being made must be there; no limit while there is one."""
        ...

    @property
    def trusted(self) -> bool:
        """Whether the service showed a sign of life lately."""
        ...

    def hears(self, utterance: AzureUtterance) -> bool:
        """Whether the utterance is the one that is heard; another may have been begun before it was closed."""
        ...

    def push(self, utterance: AzureUtterance, pcm: Pcm) -> None:
        """Send sound of the utterance, if it is the one that is heard."""
        ...

    def doubt(self) -> None:
        """Trust the service no more until its next sign of life: it left something without an answer."""
        ...

    def stalled(self, *, again: bool = False) -> None:
        """Send what is not understood once more, over another connection; or be down if that was no cure."""
        ...

    def leave(self, utterance: AzureUtterance) -> None:
        """It is heard no more."""
        ...


class AzureUtterance:
    """Implements ``vocabulary.Utterance``. Positions are samples from its first; silence that was added counts.

    ``origin``: the position of the utterance's first sample in the stream that it is sent over.
    """

    def __init__(self, line: Line, on_partial: Callable[[str], None]) -> None:
        self.origin = 0
        self._line = line
        self._on_partial = on_partial
        self._sound: list[Pcm] = []
        self._length = 0
        self._voiced = Voiced(RATE_HZ)
        self._finals: list[Said] = []
        self._guess: Said | None = None
        self._sign_s = _now()
        """When the service last showed that it lives."""
        self._final_s = -math.inf
        self._sign_at = 0
        """What had been sent by then."""
        self._ended_at = 0
        """Up to where the service was made to end its phrase."""
        self._ended_s = -math.inf
        self._changed = asyncio.Event()
        self._closed = False

    # ------------------------------------------------------------------ sound

    def feed(self, pcm: Pcm) -> None:
        """Append sound; never blocks."""
        self._voiced.add(pcm)
        self._send(pcm)
        if self._unanswered:
            self._line.stalled()

    def close(self) -> None:
        """Drop it; the service is made to end its phrase, so that the next utterance begins a new one."""
        if not self._closed:
            self._end()
            self._closed = True
            self._line.leave(self)
            self._sound = []

    def _send(self, pcm: Pcm) -> None:
        self._sound.append(pcm)
        self._length += len(pcm)
        self._line.push(self, pcm)

    def wait(self) -> None:
        """Another one is heard from now on, until ``not_final`` is asked for: end the phrase, for the service alone."""
        if self._voiced.end > self._ended_at:
            self._line.push(self, END)
        self._changed.set()

    def _end(self) -> None:
        """Send silence after what has been said, unless that was done."""
        if self._voiced.end > self._ended_at:
            self._voiced.skip(len(END))
            self._send(END)
            self._ended_at, self._ended_s = self._length, _now()

    def nudge(self) -> None:
        """Over a connection made again, the SDK sends what is not final after new sound only: send a little silence."""
        if 0 < self._voiced.end <= self._ended_at:
            self._voiced.skip(len(NUDGE))
            self._send(NUDGE)

    def not_final(self, at: int) -> Pcm:
        """Return the sound that a stream must go on with at this position: all that is not understood for good."""
        sound = np.concatenate(self._sound) if self._sound else np.zeros(0, np.int16)
        self._sound = [sound]
        self.origin = at - self._final_end
        self._ended_s = _now()
        self.sign()
        return sound[self._final_end :]

    # ------------------------------------------------------------------ text

    def understand(self, said: Said) -> None:
        """Take what the service has understood; what belongs to an earlier utterance is left out."""
        start, end = said.start - self.origin, said.end - self.origin
        if start + end < 0 or end <= self._final_end:
            return
        before = self._text
        said = Said(said.text, start, end, said.final, said.language)
        if said.final:
            self._finals.append(said)
            self._guess, self._final_s = None, _now()
        elif self._guess is None or end >= self._guess.end:  # after a new connection guesses begin anew
            self._guess = said
        if self._text != before:
            self._on_partial(self._text)

    def sign(self) -> None:
        """Something has happened, and most likely the service lives."""
        self._sign_s, self._sign_at = _now(), self._length
        self._changed.set()

    async def text_so_far(self) -> Transcript:
        """Return what was said in all that has been fed; cancelling costs nothing. Raises ``EngineDown``."""
        if self._voiced.end:
            self._end()
            fresh = False
            while not await self._answered(fresh=fresh):
                self._line.stalled(again=fresh)
                fresh = True
        language = next((said.language for said in reversed(self._finals) if said.language), "")
        return Transcript(self._text, language.partition("-")[0])

    async def _answered(self, *, fresh: bool) -> bool:
        """Wait for the last words; return whether what there is by then is all. Raises ``EngineDown``.

        ``fresh``: over a connection that was made for it.
        """
        patience_s = FRESH_PATIENCE_S if fresh else PATIENCE_S
        while not self._is_final:
            if self._line.down:
                raise self._line.down.with_traceback(None)
            linked = self._line.due_s == math.inf
            due_s = (max(self._ended_s, self._sign_s) if linked else self._line.due_s) + patience_s
            self._changed.clear()
            try:
                async with asyncio.timeout_at(due_s if self._line.hears(self) else None):
                    await self._changed.wait()
            except TimeoutError:
                break
        else:
            return True
        missing_s = self._voiced.seconds_after(self._known_end)
        ended = self._final_s >= self._ended_s
        if missing_s >= MUCH_S:
            return ended and fresh
        if missing_s and not ended and (self._guess is not None or not self._line.trusted):
            return False
        if not ended:
            self._line.doubt()
        return True

    @property
    def _unanswered(self) -> bool:
        """Whether speech goes out, and for long nothing has come back."""
        if _now() - self._sign_s < STALL_S or self._line.due_s < math.inf or not self._line.hears(self):
            return False
        since_s = (self._length - self._sign_at) / RATE_HZ
        return since_s >= STALL_S and self._voiced.seconds_after(self._sign_at) >= STALL_S

    @property
    def _text(self) -> str:
        said = [*self._finals, self._guess] if self._guess else self._finals
        return " ".join(piece.text for piece in said if piece.text)

    @property
    def _final_end(self) -> int:
        return self._finals[-1].end if self._finals else 0

    @property
    def _known_end(self) -> int:
        """Up to where the words are known."""
        return (self._guess.end if self._guess else self._final_end) + round(TAIL_S * RATE_HZ)

    @property
    def _is_final(self) -> bool:
        return self._guess is None and bool(self._finals) and self._known_end >= self._voiced.end


def _now() -> float:
    return asyncio.get_running_loop().time()
