"""A whole sound as a WAV file in memory."""

from __future__ import annotations

import io
import wave

from bot.vocabulary import Pcm


def wav_of(pcm: Pcm, rate_hz: int) -> bytes:
    """Return the file: mono, 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, rate_hz, 0, "NONE", ""))
        out.writeframes(pcm.astype("<i2").tobytes())
    return file.getvalue()
