"""The child's half of ``bot.voice.speller``: espeak-ng reads a phrase, and its sound and phonemes become a script."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import numpy as np

from bot.texts import text
from bot.vocabulary import EngineDown, Language
from bot.voice.aligner import STEP_S, Features, Rows, Script
from bot.voice.ipa import visemes

try:
    from bot.voice.espeak_library import Event, Library
except ImportError as missing:
    raise EngineDown(text("voice.espeak_missing"), text("voice.espeak_missing_repair")) from missing

_READERS = {"en": "en-us", "es": "es-419", "pt": "pt-br"}
"""espeak-ng's names of readers where they are not the language's own code."""
_WORDS_PER_MINUTE = 175
_PITCH = 60


class SpellerEngine:
    """Options: ``language``, such as ``es``. Raises ``EngineDown`` when espeak-ng cannot be loaded."""

    def __init__(self, options: dict[str, Any]) -> None:
        try:
            self._speller = ScriptReader(options["language"])
        except OSError as fault:
            reason = text("voice.espeak_broken", error=str(fault))
            raise EngineDown(reason, text("voice.espeak_broken_repair")) from fault

    def run(self, request: dict[str, Any], payload: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield the script of ``request["text"]`` as one item; the payload holds its rows."""
        script = self._speller.script(request["text"])
        header = {"pauses": script.pauses, "shapes": script.shapes, "words": script.words}
        yield header, script.rows.astype("<f4").tobytes()

    def cancel(self) -> None:
        """Do nothing: a script is made in milliseconds."""


class ScriptReader:
    """espeak-ng as a reader of one language. The only one in its process. Raises ``OSError``."""

    def __init__(self, language: str) -> None:
        self._library = Library()
        reader = _READERS.get(language, language)
        self._library.choose(reader, words_per_minute=_WORDS_PER_MINUTE, pitch=_PITCH)
        self._language: Language = "en" if language == "en" else "es"

    def script(self, spoken: str) -> Script:
        """Read a phrase. What cannot be pronounced has an empty script."""
        pcm: list[bytes] = []
        events: list[Event] = []

        def take(sound: bytes, heard: list[Event]) -> bool:
            pcm.append(sound)
            events.extend(heard)
            return True

        self._library.speak(spoken, take)
        rate_hz = self._library.rate_hz
        sound = np.frombuffer(b"".join(pcm), np.int16)
        rows = Features(rate_hz).feed(np.concatenate((sound, np.zeros(rate_hz // 20, np.int16))))
        draft = _Draft(spoken, self._language, rate_hz)
        ends = [event.sample for event in events[1:]] + [len(sound)]
        for event, end in zip(events, ends, strict=True):
            draft.add(event, end)
        return draft.script(rows)


class _Draft:
    """The reading's rows that make the script. A voice may pause before any word: there is a row for it."""

    def __init__(self, spoken: str, language: Language, rate_hz: int) -> None:
        self._language = language
        self._step = rate_hz * STEP_S
        self._tokens = [match.span() for match in re.finditer(r"\S+", spoken)]
        self._ends = [end for _, end in self._tokens]
        self._token = -1
        self._rows = [0]
        self._pauses = [0]
        self._shapes: list[tuple[int, int]] = []
        self._words: list[tuple[int, int, int]] = []

    def add(self, event: Event, end: int) -> None:
        """Take what begins with an event and ends at a sample of the reading."""
        if event.ipa is None:
            token = bisect_right(self._ends, event.start)  # espeak-ng's word may begin at the space before it
            if self._token < token < len(self._tokens):
                self._token = token
                self._pause()
                self._words.append((len(self._rows), *self._tokens[token]))
            return
        shapes = visemes(event.ipa, self._language)
        if shapes == [0]:
            self._pause()
            return
        begin, first = len(self._rows), round(event.sample / self._step)
        self._rows.extend(range(first, max(round(end / self._step), first + 1)))
        spread = len(self._rows) - begin
        self._shapes.extend((begin + spread * index // len(shapes), shape) for index, shape in enumerate(shapes))

    def script(self, rows: Rows) -> Script:
        """Return all of it; an empty one where nothing is said."""
        self._pause()
        if not self._shapes:
            return Script(rows[:0], (), (), ())
        last = len(self._rows) - 1
        words = tuple((min(row, last), start, end) for row, start, end in self._words)
        chosen = rows[np.minimum(self._rows, len(rows) - 1)]
        return Script(chosen, tuple(self._pauses), tuple(self._shapes), words)

    def _pause(self) -> None:
        if self._pauses[-1] != len(self._rows) - 1:
            self._pauses.append(len(self._rows))
            self._rows.append(0)
