"""Decodes one file and ends: a frame with the file comes in, a frame with the sound goes out (``bot.pipes``).

Run as ``python -m bot.hearing.decoding_child``; its answer's ``kind`` is empty, or why there is no sound.
"""

from __future__ import annotations

import io
import sys
from contextlib import suppress

import av

from bot.pipes import FRAME, pack, private_pipes, unpack

RATE_HZ = 16_000
MEMORY_BYTES = 2 * 2**30
CPU_S = 10


def decoded(data: bytes, container: str, longest_s: float) -> tuple[str, bytes]:
    """Return why there is no sound, or the sound: 16 kHz, mono, 16 bits."""
    most = int(longest_s * RATE_HZ) * 2
    sound = bytearray()
    try:
        with av.open(io.BytesIO(data), "r", container, options={"protocol_whitelist": ""}) as file:
            if not file.streams.audio:
                return "broken", b""
            to_ours = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
            for frame in file.decode(file.streams.audio[0]):
                for piece in to_ours.resample(frame):
                    sound += piece.to_ndarray().astype("<i2").tobytes()
                if len(sound) > most:
                    return "too_long", b""
            for piece in to_ours.resample(None):
                sound += piece.to_ndarray().astype("<i2").tobytes()
    except (av.FFmpegError, ValueError, MemoryError, OverflowError):
        return "broken", b""
    return ("", bytes(sound)) if sound else ("empty", b"")


def main() -> None:
    """Serve the one request."""
    with suppress(ImportError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    source, sink = private_pipes()
    size, header_bytes = FRAME.unpack(source.read(FRAME.size))
    request, data = unpack(source.read(size), header_bytes)
    kind, sound = decoded(data, request["container"], request["longest_s"])
    sink.write(pack({"kind": kind}, sound))
    sink.flush()


if __name__ == "__main__":
    main()
    sys.exit()
