"""The child's half of ``bot.hearing.microphone``: one PortAudio stream at a time, as blocks at 16 kHz.

In a process of its own because a device that was plugged in is seen only when PortAudio starts anew, which ends all
streams of its process, her own sound too; and because a driver that hangs or crashes then takes nothing along.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from typing import Any

import numpy as np

from bot.hearing.blocks import Arrivals, Blocks
from bot.hearing.input_devices import InputDevice, input_devices, portaudio, ways_to
from bot.hearing.silero import RATE_HZ
from bot.sound_systems import settings
from bot.texts import text
from bot.vocabulary import EngineDown, Pcm

PIECE_S = 0.01
LATENCY_S = 0.03
"""Three pieces: with more PortAudio hands them over in bursts (measured)."""
PIECES_AHEAD = 200
"""Two seconds wait for a program that stands still; what comes after is lost, and counted."""
LOST_S = 1.0
"""A device that delivers nothing for so long is gone: some are, without a word."""
CANCEL_S = 0.1


class MicrophoneEngine:
    """Options: none. Raises ``EngineDown`` when PortAudio cannot be used."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._sounddevice = portaudio()
        self._cancelled = threading.Event()

    def run(self, request: dict[str, Any], payload: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Record from ``request["device"]``, part of a name, until cancelled.

        The first item tells ``device`` and ``rate_hz``. Each of the others carries a block as int16 sound, ``at_s``,
        the ``time.monotonic()`` of its last sample, and ``lost``, how many pieces of sound were lost so far.

        Raises ``EngineDown`` when there is no such device, it cannot be opened, or it is gone.
        """
        self._cancelled.clear()
        self._sounddevice._terminate()
        self._sounddevice._initialize()
        with closing(_open(self._sounddevice, ways_to(request["device"], input_devices()))) as capture:
            yield {"device": capture.name, "rate_hz": capture.rate_hz}, b""
            blocks = Blocks(capture.rate_hz)
            while not self._cancelled.is_set():
                piece = capture.next(CANCEL_S)
                if piece is None:
                    continue
                for block, at_s in blocks.feed(*piece):
                    yield {"at_s": at_s, "lost": capture.lost}, block.astype("<i2").tobytes()

    def cancel(self) -> None:
        """Make the ``run`` in progress end within a tenth of a second."""
        self._cancelled.set()


def _open(sounddevice: Any, devices: list[InputDevice]) -> _Capture:
    """Open the first that can be, at our rate if the system converts. Raises ``EngineDown`` when none can."""
    problem = ""
    for device in devices:
        rates, channels = (RATE_HZ, device.rate_hz), (1, min(2, device.channels))
        for rate_hz, some in dict.fromkeys(product(rates, channels)):
            try:
                return _Capture(sounddevice, device, rate_hz, some)
            except (sounddevice.PortAudioError, ValueError) as error:
                problem = str(error)
    reason = text("microphone.refused", name=devices[0].name, error=problem)
    raise EngineDown(reason, text("microphone.refused_repair"))


class _Capture:
    """An open stream; the callback owns ``lost``."""

    def __init__(self, sounddevice: Any, device: InputDevice, rate_hz: int, channels: int) -> None:
        self.name = device.name
        self.rate_hz = rate_hz
        self.lost = 0
        self._channels = channels
        self._pieces: queue.SimpleQueue[tuple[bytes, float]] = queue.SimpleQueue()
        self._arrivals = Arrivals(rate_hz)
        self._heard_s = time.monotonic()
        self._stream = sounddevice.RawInputStream(
            device=device.index,
            samplerate=rate_hz,
            channels=channels,
            dtype="int16",
            blocksize=int(rate_hz * PIECE_S),
            latency=LATENCY_S,
            extra_settings=settings(sounddevice, device.host),
            callback=self._callback,
        )
        try:
            self._stream.start()
        except sounddevice.PortAudioError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the device."""
        self._stream.close(ignore_errors=True)

    def next(self, timeout_s: float) -> tuple[Pcm, float] | None:
        """Return a piece of mono sound with the time of its last sample, ``None`` when none came in time.

        Raises ``EngineDown`` when the device is gone.
        """
        try:
            raw, at_s = self._pieces.get(timeout=timeout_s)
        except queue.Empty:
            if not self._stream.active or time.monotonic() - self._heard_s >= LOST_S:
                reason = text("microphone.lost", name=self.name)
                raise EngineDown(reason, text("microphone.lost_repair")) from None
            return None
        self._heard_s = time.monotonic()
        sound = np.frombuffer(raw, np.int16).reshape(-1, self._channels)
        mono: Pcm = sound[:, 0] if self._channels == 1 else sound.mean(axis=1).astype(np.int16)
        return mono, self._arrivals.add(len(mono), at_s)

    def _callback(self, raw: Any, frames: int, times: Any, status: Any) -> None:
        now_s, length_s = time.monotonic(), frames / self.rate_hz
        age_s = times.currentTime - times.inputBufferAdcTime - length_s
        if not 0 <= age_s <= LOST_S:  # some drivers give no time, or one of another clock
            age_s = 0.0
        self.lost += bool(status.input_overflow)
        if self._pieces.qsize() < PIECES_AHEAD:
            self._pieces.put((bytes(raw), now_s - age_s))
        else:
            self.lost += 1
