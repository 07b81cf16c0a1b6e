"""Speech to test hearing with: espeak-ng's, at 16 kHz, with silence around it."""

from __future__ import annotations

from functools import cache

import numpy as np
import soxr

from bot.vocabulary import Pcm
from bot.voice.espeak_engine import EspeakEngine

RATE_HZ = 16_000


@cache
def spoken(words: str) -> Pcm:
    engine = EspeakEngine({"voice": "en-us+m3", "language": "en", "speed": 0.9})
    sound = np.concatenate([np.frombuffer(data, "<i2") for _, data in engine.run({"text": words}, b"")])
    quiet = np.zeros(RATE_HZ // 4, np.int16)
    return np.concatenate((quiet, soxr.resample(sound, 22_050, RATE_HZ), quiet))
