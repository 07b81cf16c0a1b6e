"""The microphone's engine on a device that knows one rate and one number of channels, as real ones do."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from bot.hearing import microphone_engine
from bot.hearing.microphone_engine import MicrophoneEngine

RATE_HZ, CHANNELS = (int(given) for given in os.environ.get("STRICT_MICROPHONE", "16000,1").split(","))


class StrictMicrophone(MicrophoneEngine):
    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        sounddevice, find = self._sounddevice, microphone_engine.input_devices
        real = sounddevice.RawInputStream

        def stream(*, samplerate: int, channels: int, **rest: Any) -> Any:
            if (samplerate, channels) != (RATE_HZ, CHANNELS):
                raise sounddevice.PortAudioError("Invalid sample rate or number of channels")
            return real(samplerate=samplerate, channels=channels, **rest)

        sounddevice.RawInputStream = stream
        microphone_engine.input_devices = lambda: [replace(one, rate_hz=RATE_HZ, channels=CHANNELS) for one in find()]
