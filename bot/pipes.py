"""Frames on the pipes between the program and its child processes.

A frame is two big-endian 32-bit numbers (bytes of header and payload together, bytes of the header), a JSON header and
a raw payload.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import IO, Any

FRAME = struct.Struct(">II")
FRAME_MAX = 64 * 2**20
"""Bytes of the biggest frame that is believed; more means that the stream is corrupt."""


def pack(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """Return one frame."""
    head = json.dumps(header, separators=(",", ":")).encode()
    return FRAME.pack(len(head) + len(payload), len(head)) + head + payload


def unpack(body: bytes, header_bytes: int) -> tuple[dict[str, Any], bytes]:
    """Return header and payload of a frame's body."""
    return json.loads(body[:header_bytes]), body[header_bytes:]


def private_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take stdin and stdout away from the engine, so that a native library's prints cannot enter the stream.

    Its stdout becomes stderr and its stdin is empty. On Windows a library that merely asks about handle 0 would
    otherwise wait for our blocked read.
    """
    source, sink = os.dup(0), os.dup(1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(source, os.O_BINARY)
        msvcrt.setmode(sink, os.O_BINARY)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")
