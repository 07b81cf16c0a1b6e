"""espeak-ng's C library through ctypes. Only ever loaded in the child process of ``bot.voice.espeak``.

It is GPL-3.0-or-later and a global singleton that is not re-entrant: apart from our process it is a separate program
that we talk to over a pipe, its crashes are its own, and one phrase at a time is all it is asked for.
"""

from __future__ import annotations

import ctypes as c
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader

_SYNCHRONOUS = 2
_BUFFER_MS = 100
_PHONEME_EVENTS_IN_IPA = 3
_DONT_EXIT = 0x8000
_UTF8 = 1
_RATE, _PITCH = 1, 3
_WORD, _PHONEME = 1, 7


class _EventId(c.Union):
    _fields_ = (("number", c.c_int), ("name", c.c_char_p), ("string", c.c_char * 8))


class _Event(c.Structure):
    _fields_ = (
        ("type", c.c_int),
        ("unique_identifier", c.c_uint),
        ("text_position", c.c_int),
        ("length", c.c_int),
        ("audio_position_ms", c.c_int),
        ("sample", c.c_int),
        ("user_data", c.c_void_p),
        ("id", _EventId),
    )


class _Voice(c.Structure):
    _fields_ = (
        ("name", c.c_char_p),
        ("languages", c.c_char_p),
        ("identifier", c.c_char_p),
        ("gender", c.c_ubyte),
        ("age", c.c_ubyte),
        ("variant", c.c_ubyte),
        ("unused", c.c_ubyte),
        ("score", c.c_int),
        ("spare", c.c_void_p),
    )


_Callback = c.CFUNCTYPE(c.c_int, c.POINTER(c.c_short), c.c_int, c.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that begins at a sample of the clip: a word (``start``, its first character) or a phoneme."""

    sample: int
    start: int = 0
    ipa: str | None = None
    """The phoneme, empty for a pause; None for a word."""


OnChunk = Callable[[bytes, list[Event]], bool]
"""Takes int16 samples and the events that begin in them; returns whether to go on."""


class Library:
    """The one espeak-ng of this process. Raises ``OSError`` where it cannot be loaded."""

    def __init__(self) -> None:
        data = espeakng_loader.get_data_path()
        if not data.isascii():
            # The C library opens files by narrow names, which on Windows cannot spell every user's folder.
            os.chdir(Path(data).parent)
            data = "."
        self._lib = c.CDLL(espeakng_loader.get_library_path())
        self.rate_hz: int = self._lib.espeak_Initialize(
            _SYNCHRONOUS, _BUFFER_MS, data.encode(), _PHONEME_EVENTS_IN_IPA | _DONT_EXIT
        )
        if self.rate_hz <= 0:
            raise OSError(f"espeak_Initialize: {self.rate_hz}")
        self._lib.espeak_ListVoices.restype = c.POINTER(c.POINTER(_Voice))
        self._on_chunk: OnChunk = lambda pcm, events: False
        self._callback = _Callback(self._called)
        self._lib.espeak_SetSynthCallback(self._callback)

    def voices(self) -> list[str]:
        """Return the names of all voices, such as ``es-419``."""
        return sorted({voice.languages[1:].decode() for voice in self._listed(None)})

    def variants(self) -> list[str]:
        """Return the speakers that may follow a voice's name and a plus sign, such as ``f3``."""
        wanted = _Voice(languages=b"variant")
        return sorted({voice.identifier.decode().rpartition("/")[2] for voice in self._listed(c.byref(wanted))})

    def _listed(self, wanted: object) -> list[_Voice]:
        found = self._lib.espeak_ListVoices(wanted)
        voices: list[_Voice] = []
        while found[len(voices)]:
            voices.append(found[len(voices)].contents)
        return voices

    def choose(self, voice: str, *, words_per_minute: int, pitch: int) -> None:
        """Speak with this voice from now on (of a known name: a miss keeps the one before). ``pitch``: 0 to 99."""
        self._lib.espeak_SetVoiceByName(voice.encode())
        self._lib.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._lib.espeak_SetParameter(_PITCH, pitch, 0)

    def speak(self, text: str, on_chunk: OnChunk) -> None:
        """Synthesise; blocks, calling ``on_chunk`` in this thread. Text is text: markup in it has no meaning."""
        self._on_chunk = on_chunk
        data = as_data(text).encode() + b"\0"
        self._lib.espeak_Synth(data, len(data), 0, 1, 0, _UTF8, None, None)

    def _called(self, wav: c._Pointer[c.c_short], count: int, listed: c._Pointer[_Event]) -> int:
        events: list[Event] = []
        index = 0
        while kind := listed[index].type:
            event = listed[index]
            index += 1
            if kind == _WORD:
                events.append(Event(event.sample, start=event.text_position - 1))
            elif kind == _PHONEME:
                events.append(Event(event.sample, ipa=bytes(event.id.string).decode("utf-8", "ignore")))
        pcm = c.string_at(wav, count * 2) if wav and count > 0 else b""
        return 0 if self._on_chunk(pcm, events) else 1


def as_data(text: str) -> str:
    """Return the text without what espeak-ng takes for a command, every character in its place."""
    return re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff\\[\\]]", " ", text)
