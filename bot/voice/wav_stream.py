"""Sound out of the bytes of a speech server, piece by piece: WAV, which tells its own rate, or bare samples."""

from __future__ import annotations

import re
import struct

import numpy as np

from bot.vocabulary import Pcm

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
ENDLESS = 0x7FFF0000
"""Servers that stream write a length like this, or 0: they do not know it yet."""
HEADER_MAX = 64 * 1024
RATES_HZ = range(8_000, 96_001)
BARE = ("audio/pcm", "audio/x-pcm", "audio/raw", "application/octet-stream")
BARE_HZ = 24_000
"""The rate of bare samples where none is stated. Source: OpenAI API reference, "Create speech"."""


class BadSound(Exception):
    """These bytes are no sound that can be read."""


class OtherSound(BadSound):
    """They are sound of a kind, which it names, that cannot be read as it streams."""


class Samples:
    """Bare samples: 16 bits, mono, the lowest byte first."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._odd = b""

    def feed(self, data: bytes) -> Pcm:
        """Return the samples that have become complete."""
        data = self._odd + data
        whole = len(data) // 2 * 2
        self._odd = data[whole:]
        return np.frombuffer(data[:whole], np.dtype("<i2")).astype(np.int16)


class Wav:
    """A WAV file of 16-bit or float samples; several channels become one. ``rate_hz``: 0 until its header has come.

    Source: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" and its later formats.
    """

    def __init__(self) -> None:
        self.rate_hz = 0
        self._held = b""
        self._left: int | None = None
        self._kind = ""
        self._channels = 1

    def feed(self, data: bytes) -> Pcm:
        """Return the samples that have become complete. Raises ``BadSound``."""
        self._held += data
        if not self._kind and not self._read_header():
            if len(self._held) > HEADER_MAX:
                raise BadSound("no data chunk")
            return np.zeros(0, np.int16)
        width = np.dtype(self._kind).itemsize * self._channels
        end = len(self._held) if self._left is None else min(len(self._held), self._left)
        whole = end // width * width
        ready, self._held = self._held[:whole], self._held[whole:]
        if self._left is not None:
            self._left -= whole
            self._held = self._held[: self._left]
        sound = np.frombuffer(ready, self._kind).reshape(-1, self._channels).astype(np.float32).mean(axis=1)
        if self._kind == "<f4":
            sound = np.clip(np.nan_to_num(sound), -1, 1) * 32767
        samples: Pcm = np.rint(sound).astype(np.int16)
        return samples

    def _read_header(self) -> bool:
        """Read up to the first sample, if all of that is here. Raises ``BadSound``."""
        if len(self._held) < 12:
            return False
        if self._held[:4] != b"RIFF" or self._held[8:12] != b"WAVE":
            raise BadSound("no WAV")
        at, layout = 12, None
        while at + 8 <= len(self._held):
            name, size = struct.unpack_from("<4sI", self._held, at)
            if name == b"data":
                if layout is None:
                    raise BadSound("no format before the data")
                self._take(layout)
                self._left = size if 0 < size < ENDLESS else None
                self._held = self._held[at + 8 :]
                return True
            if name == b"fmt " and at + 8 + size <= len(self._held):
                layout = self._held[at + 8 : at + 8 + size]
            at += 8 + size + size % 2
        return False

    def _take(self, layout: bytes) -> None:
        if len(layout) < 16:
            raise BadSound("a format that is too short")
        kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", layout)
        if kind == EXTENSIBLE and len(layout) >= 26:
            (kind,) = struct.unpack_from("<H", layout, 24)
        known = {(PCM, 16): "<i2", (FLOAT, 32): "<f4"}.get((kind, bits))
        if known is None or not 1 <= channels <= 8 or rate_hz not in RATES_HZ:
            raise BadSound(f"format {kind} of {bits} bits, {channels} channels, {rate_hz} Hz")
        self._kind, self._channels, self.rate_hz = known, channels, rate_hz


def decoder_for(content_type: str, beginning: bytes) -> Wav | Samples:
    """Return who reads an answer, by what it is and not by what was asked for. Raises ``BadSound``."""
    kind = content_type.partition(";")[0].strip().lower()
    if beginning.startswith(b"RIFF"[: len(beginning)]):
        return Wav()
    if kind in BARE:
        stated = re.search(r"rate\s*=\s*(\d{4,6})", content_type)
        rate_hz = int(stated[1]) if stated else BARE_HZ
        if rate_hz in RATES_HZ:
            return Samples(rate_hz)
    if kind.startswith("audio/"):
        raise OtherSound(kind[:40])
    raise BadSound("no sound")
