"""Any common audio file as what the recognisers hear: 16 kHz, mono, 16 bits.

WAV is read here. Everything else is decoded by FFmpeg's libraries (PyAV) in a child process of its own that lives for
one file: what a hostile file does to a decoder stays in there.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Literal

import numpy as np
import numpy.typing as npt
import soxr

from bot.vocabulary import Pcm
from bot.worker_process import FramedProcess

RATE_HZ = 16_000
CHILD_S = 15.0
SLOWEST_HZ, FASTEST_HZ = 4_000, 384_000
MOST_CHANNELS = 32
INTEGERS, FLOATS, EXTENSIBLE = 1, 3, 0xFFFE
"""``wFormatTag`` of what is read here (Microsoft, "WAVEFORMATEX structure")."""

Kind = Literal["empty", "broken", "too_long"]
Floats = npt.NDArray[np.float32]


class BadAudio(Exception):
    """It cannot be heard; ``kind`` says why."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.kind = kind


async def decode(data: bytes, longest_s: float) -> Pcm:
    """Return the sound of a file of at most so many seconds. Raises ``BadAudio``."""
    if not data:
        raise BadAudio("empty")
    if (wav := await asyncio.to_thread(_wav, data, longest_s)) is not None:
        return wav
    container = container_of(data)
    if container is None:
        raise BadAudio("broken")
    return await _by_child(data, container, longest_s)


def container_of(data: bytes) -> str | None:
    """Return FFmpeg's name of the container that the first bytes announce; None: none that we read.

    FFmpeg's own guess would also find playlists, which make it open other files and addresses.
    """
    if data[4:8] == b"ftyp":
        return "mp4"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        return "aac" if data[1] & 0x06 == 0 else "mp3"
    signs = {b"RIFF": "wav", b"\x1aE\xdf\xa3": "matroska", b"OggS": "ogg", b"fLaC": "flac", b"ID3": "mp3"}
    return next((name for sign, name in signs.items() if data.startswith(sign)), None)


async def _by_child(data: bytes, container: str, longest_s: float) -> Pcm:
    child = await FramedProcess.spawn("decoding", "-m", "bot.hearing.decoding_child")
    try:
        child.write({"container": container, "longest_s": longest_s}, data)
        async with asyncio.timeout(CHILD_S):
            async for header, payload in child.frames():
                if header["kind"]:
                    raise BadAudio(header["kind"])
                return np.frombuffer(payload, "<i2").astype(np.int16)
    except (TimeoutError, ValueError):
        pass
    finally:
        child.kill()
        await child.bury()
    raise BadAudio("broken")


def _wav(data: bytes, longest_s: float) -> Pcm | None:
    """Return the sound of a WAV file of plain samples; None: it is something else."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    at, layout = 12, None
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            tag, channels, rate_hz, _, frame, bits = struct.unpack_from("<HHIIHH", body)
            if tag == EXTENSIBLE and len(body) >= 26:
                tag = struct.unpack_from("<H", body, 24)[0]
            if tag not in (INTEGERS, FLOATS):
                return None
            layout = (tag, channels, rate_hz, frame, bits)
        elif name == b"data" and layout is not None:
            return _samples(body, *layout, longest_s)
        at += 8 + size + size % 2
    raise BadAudio("broken")


def _samples(body: bytes, tag: int, channels: int, rate_hz: int, frame: int, bits: int, longest_s: float) -> Pcm:
    wide = bits // 8
    sound_bits = bits in ((8, 16, 24, 32) if tag == INTEGERS else (32, 64))
    if not (sound_bits and 0 < channels <= MOST_CHANNELS and frame == wide * channels):
        raise BadAudio("broken")
    if not SLOWEST_HZ <= rate_hz <= FASTEST_HZ:
        raise BadAudio("broken")
    frames = len(body) // frame
    if frames == 0:
        raise BadAudio("empty")
    if frames / rate_hz > longest_s:
        raise BadAudio("too_long")
    body = body[: frames * frame]
    mono: Floats = _floats(body, tag, bits).reshape(-1, channels).mean(axis=1, dtype=np.float32)
    if rate_hz != RATE_HZ:
        mono = soxr.resample(mono, rate_hz, RATE_HZ).astype(np.float32)
    return np.rint(np.clip(np.nan_to_num(mono), -1.0, 1.0) * 32767).astype(np.int16)


def _floats(body: bytes, tag: int, bits: int) -> Floats:
    """Return samples between -1 and 1."""
    if tag == FLOATS:
        return np.frombuffer(body, f"<f{bits // 8}").astype(np.float32)
    if bits == 24:
        thirds = np.frombuffer(body, np.uint8).reshape(-1, 3)
        body, bits = np.pad(thirds, ((0, 0), (1, 0))).tobytes(), 32
    whole = np.frombuffer(body, np.uint8 if bits == 8 else f"<i{bits // 8}").astype(np.float32)
    return (whole - (128 if bits == 8 else 0)) / np.float32(2 ** (bits - 1))
