"""Sound on the pipe between a voice and its engine in a child process (``bot.worker``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.vocabulary import Shape, Sound, Word

Item = tuple[dict[str, Any], bytes]


def as_item(sound: Sound) -> Item:
    """Return a header with ``rate_hz``, ``shapes`` [at, viseme], ``words`` [at, start, end], ``last``, and int16."""
    header = {
        "rate_hz": sound.rate_hz,
        "shapes": [[shape.at, shape.viseme] for shape in sound.shapes],
        "words": [[word.at, word.start, word.end] for word in sound.words],
        "last": sound.last,
    }
    return header, sound.pcm.astype("<i2").tobytes()


def as_sound(header: dict[str, Any], payload: bytes) -> Sound:
    """Return what ``as_item`` was given."""
    return Sound(
        np.frombuffer(payload, np.dtype("<i2")),
        header["rate_hz"],
        tuple(Shape(at, viseme) for at, viseme in header["shapes"]),
        tuple(Word(at, start, end) for at, start, end in header["words"]),
        header["last"],
    )
