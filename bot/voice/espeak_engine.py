"""The child's half of ``bot.voice.espeak``: speech with mouth shapes and word times, streamed as it is made."""

from __future__ import annotations

import contextlib
import difflib
import queue
import re
import sys
import threading
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import numpy as np

from bot.texts import text
from bot.vocabulary import EngineDown, Language, Shape, Sound, Word
from bot.voice.clip import PolishedClip
from bot.voice.ipa import visemes
from bot.voice.polish import gain_for
from bot.voice.wire import Item, as_item

try:
    from bot.voice.espeak_library import Event, Library
except ImportError as missing:
    raise EngineDown(text("voice.espeak_missing"), text("voice.espeak_missing_repair")) from missing

DEFAULT_VOICES: dict[Language, str] = {"es": "es-419+f3", "en": "en-us+f3"}
YOUNG_PITCH = 60
"""Raises the default voices' median from 215 to about 235 Hz (measured), a young woman's."""
NORMAL_PITCH = 50
PITCH_PER_SEMITONE, HIGHEST_PITCH = 6.5, 99
"""Right within 1 semitone from 6 below to 6 above the default voice (measured)."""
WORDS_PER_MINUTE = 175
SLOWEST, FASTEST = 80, 450
_SAMPLES_OF_SPEECH: dict[Language, str] = {
    "es": "Hola a todos, muchas gracias por venir. ¡Qué alegría verte por aquí!",
    "en": "Hello everybody, thank you so much for coming. I am so happy to see you here!",
}
_GLIDE_S = 0.06
"""The second vowel of a diphthong begins so long after the first, or halfway where the whole is shorter."""
_CHUNKS_AHEAD = 64


class EspeakEngine:
    """Options: ``voice`` (None: a young woman's), ``language``, ``speed`` (1.0 is normal), ``pitch`` (semitones;
    none where it is missing).

    Raises ``EngineDown`` when the library cannot be loaded or the voice does not exist.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        try:
            self._library = Library()
        except OSError as fault:
            reason = text("voice.espeak_broken", error=str(fault))
            raise EngineDown(reason, text("voice.espeak_broken_repair")) from fault
        language: Language = options["language"]
        voice: str = options["voice"] or DEFAULT_VOICES[language]
        self._insist_known(voice, DEFAULT_VOICES[language])
        self._ipa_language: Language = "es" if voice.lower().startswith("es") else "en"
        wpm = round(min(max(WORDS_PER_MINUTE * options["speed"], SLOWEST), FASTEST))
        pitch = (NORMAL_PITCH if options["voice"] else YOUNG_PITCH) + round(
            PITCH_PER_SEMITONE * options.get("pitch", 0.0)
        )
        self._library.choose(voice, words_per_minute=wpm, pitch=min(max(pitch, 0), HIGHEST_PITCH))
        self._cancelled = threading.Event()
        self._gain = self._measure_gain(_SAMPLES_OF_SPEECH[self._ipa_language])

    def run(self, request: dict[str, Any], payload: bytes) -> Iterator[Item]:
        """Speak ``request["text"]`` (see ``bot.voice.wire``), or list all voices."""
        self._cancelled.clear()
        if request.get("list"):
            yield {"voices": self._library.voices(), "variants": self._library.variants()}, b""
            return
        clip = _Clip(request["text"], self._library.rate_hz, self._gain, self._ipa_language)
        for pcm, events in self._chunks(request["text"]):
            sound = clip.add_chunk(pcm, events)
            if len(sound.pcm):
                yield as_item(sound)
        yield as_item(clip.add(np.zeros(0, np.int16), last=True))

    def cancel(self) -> None:
        """Make the ``run`` in progress end within one buffer, under a millisecond."""
        self._cancelled.set()

    def _chunks(self, spoken: str) -> Iterator[tuple[bytes, list[Event]]]:
        """Synthesise in a thread, so that the first sound leaves before the last one is made."""
        chunks: queue.Queue[tuple[bytes, list[Event]] | None] = queue.Queue(_CHUNKS_AHEAD)

        def put(chunk: tuple[bytes, list[Event]] | None) -> bool:
            while not self._cancelled.is_set():
                with contextlib.suppress(queue.Full):
                    chunks.put(chunk, timeout=0.1)
                    return True
            return False

        def synthesise() -> None:
            self._library.speak(spoken, lambda pcm, events: put((pcm, events)))
            if not put(None):
                with contextlib.suppress(queue.Full):
                    chunks.put_nowait(None)  # a reader that waits must see the end of a cancelled phrase too

        thread = threading.Thread(target=synthesise, daemon=True)
        thread.start()
        try:
            while not self._cancelled.is_set():
                with contextlib.suppress(queue.Empty):
                    chunk = chunks.get(timeout=0.1)
                    if chunk is None:
                        return
                    yield chunk
        finally:
            self._cancelled.set()
            while thread.is_alive():
                with contextlib.suppress(queue.Empty):
                    chunks.get_nowait()
                thread.join(0.001)

    def _measure_gain(self, sample: str) -> float:
        sound = b"".join(pcm for pcm, _ in self._chunks(sample))
        return gain_for(np.frombuffer(sound, np.int16), self._library.rate_hz)

    def _insist_known(self, voice: str, default: str) -> None:
        name, plus, variant = voice.partition("+")
        voices, variants = self._library.voices(), self._library.variants()
        if name.lower() not in voices:
            near = [*difflib.get_close_matches(name.lower(), voices, 3, 0.5), default]
        elif plus and variant not in variants:
            near = [*(f"{name}+{v}" for v in difflib.get_close_matches(variant, variants, 3, 0.5)), default]
        else:
            return
        repair = text("voice.espeak_unknown_voice_repair", near=", ".join(near))
        raise EngineDown(text("voice.espeak_unknown_voice", voice=voice), repair)


class _Clip(PolishedClip):
    """One phrase on its way from espeak-ng's samples to ours."""

    def __init__(self, spoken: str, rate_hz: int, gain: float, language: Language) -> None:
        super().__init__(spoken, rate_hz, gain)
        self._language = language
        self._tokens = [match.span() for match in re.finditer(r"\S+", spoken)]
        self._ends = [end for _, end in self._tokens]
        self._token = -1
        self._onset = sys.maxsize
        """First sample of speech; before it there are echoes of the clip before, left in the library's filters."""
        self._glide: tuple[int, int, int] | None = None

    def add_chunk(self, pcm: bytes, events: list[Event]) -> Sound:
        """Take one buffer and what begins in it."""
        for event in events:
            if event.ipa is None:
                self._word(event)
            else:
                self._phoneme(event.sample, event.ipa)
        sound = np.frombuffer(pcm, np.int16).copy()
        self._glide_until(self.made + len(sound))
        sound[: max(self._onset - self.made, 0)] = 0
        return self.add(sound)

    def _word(self, event: Event) -> None:
        """Note a word of ours, which is what stands between two spaces.

        espeak-ng's may be parts of it, and may begin at the space before it.
        """
        token = bisect_right(self._ends, event.start)
        if self._token < token < len(self._tokens):
            self._token = token
            self.note(words=(Word(event.sample, *self._tokens[token]),))

    def _phoneme(self, at: int, ipa: str) -> None:
        if self._glide is not None:
            start, _, _ = self._glide
            self._glide_until(at, max((start + at) // 2, self.made))
        shapes = visemes(ipa, self._language)
        if any(shapes):
            self._onset = min(self._onset, at)
        for shape in shapes[:1]:
            self.note((Shape(at, shape),))
        if len(shapes) > 1:
            self._glide = (at, at + round(_GLIDE_S * self.rate_hz), shapes[-1])

    def _glide_until(self, limit: int, latest: int | None = None) -> None:
        """Begin the second vowel of a diphthong if it is due before ``limit``, at ``latest`` if that is earlier."""
        if self._glide is None:
            return
        _, due, viseme = self._glide
        at = due if latest is None else min(due, latest)
        if at < limit:
            self._glide = None
            self.note((Shape(at, viseme),))
