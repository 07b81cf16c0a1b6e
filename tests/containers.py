"""The same sound in the containers that browsers, phones and programs send, made by FFmpeg's libraries."""

from __future__ import annotations

import io
import struct
from typing import Any

import av
import numpy as np

KINDS = {
    "webm/opus": ("webm", "libopus", 48_000),
    "ogg/opus": ("ogg", "libopus", 48_000),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "flac": ("flac", "flac", 44_100),
    "m4a/aac": ("mp4", "aac", 44_100),
    "aac": ("adts", "aac", 44_100),
    "wav/a-law": ("wav", "pcm_alaw", 8_000),
}


def pack(pcm: np.ndarray[Any, Any], rate_hz: int, kind: str, *, stereo: bool = False) -> bytes:
    """Return mono int16 sound in one of ``KINDS``."""
    container, codec, own_hz = KINDS[kind]
    file = io.BytesIO()
    layout = "stereo" if stereo else "mono"
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=own_hz)
        stream.codec_context.layout = layout
        sound = np.tile(pcm, (2, 1)).T.reshape(1, -1) if stereo else pcm.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="s16", layout=layout)
        frame.sample_rate = rate_hz
        to_own = av.AudioResampler(
            format=stream.codec_context.format, layout=layout, rate=own_hz, frame_size=stream.codec_context.frame_size
        )
        for piece in [*to_own.resample(frame), *to_own.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return file.getvalue()


def wav(samples: np.ndarray[Any, Any], rate_hz: int, *, extensible: bool = False, claimed: int | None = None) -> bytes:
    """Return samples (frames, channels) of any width as a WAV file; ``claimed``: what its length field says."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    wide = samples.dtype.itemsize
    tag = 3 if samples.dtype.kind == "f" else 1
    head = struct.pack(
        "<HHIIHH",
        0xFFFE if extensible else tag,
        channels,
        rate_hz,
        rate_hz * wide * channels,
        wide * channels,
        wide * 8,
    )
    if extensible:
        head += struct.pack("<HHIH", 22, wide * 8, 0, tag) + bytes(14)
    body = samples.tobytes()
    size = len(body) if claimed is None else claimed
    chunks = b"fmt " + struct.pack("<I", len(head)) + head + b"LIST" + struct.pack("<I", 3) + b"odd\0"
    return b"RIFF" + struct.pack("<I", 36 + len(body)) + b"WAVE" + chunks + b"data" + struct.pack("<I", size) + body
