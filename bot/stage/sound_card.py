"""Sound on a sound card by PortAudio: one stream that stays open, and its DAC times as the clock."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import soxr

from bot.sound_systems import DIRECT_SOUND, MME, settings
from bot.stage.output_devices import names_of, output_devices, ways_to
from bot.stage.silent import RATE_HZ, SilentOutput
from bot.texts import text
from bot.vocabulary import EngineDown, Pcm

log = logging.getLogger(__name__)

BLOCK_S = 0.01
LATENCY_S = 0.03
"""Three blocks: with two (PortAudio's "low") a stall of 20 ms is heard, and with more she falls silent too late.

MME and DirectSound crackle below what they call low themselves, and get that."""
FADE_S = 0.005
_THREAD = ThreadPoolExecutor(1, "sound card")
"""Where PortAudio is started and devices are opened: WASAPI opens them in no other thread than it was started in."""


class _Line:
    """One reply's sound on its way to the device; the callback owns ``played`` and ``stamps``."""

    def __init__(self) -> None:
        self.chunks: deque[Pcm] = deque()
        self.written = 0
        self.frames = 0
        """Frames at the device's rate that all of ``written`` makes."""
        self.ended = False
        self.played = 0
        self.shown = 0
        self.fading = False
        self.faded = False
        self.stamps: deque[tuple[int, float]] = deque([(0, 0.0)], maxlen=64)
        """(frames before the block, time at which its first frame leaves the DAC)."""


class NoPortAudio(EngineDown):
    """No device can be opened, whatever is plugged in."""


def _portaudio() -> Any:
    try:
        import sounddevice
    except Exception as error:  # missing (on Linux the wheel brings none), or it cannot start: its own error type
        raise NoPortAudio(text("stage.no_portaudio"), text("stage.no_portaudio_repair")) from error
    return sounddevice


async def list_devices() -> list[str]:
    """Return the names of devices that can play. Raises ``EngineDown`` when PortAudio is missing."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, lambda: names_of(output_devices(_portaudio())))


async def open_card(
    device: str, silenced: Callable[[], bool] = lambda: False, *, anew: bool = False
) -> SoundCardOutput:
    """Open a device (see ``SoundCardOutput``), without blocking the event loop. Raises ``EngineDown``.

    ``anew``: it may have been plugged in since PortAudio was started; no stream may be open then.
    """

    def open_it() -> SoundCardOutput:
        if anew:
            _start_anew(_portaudio())
        return SoundCardOutput(device, silenced)

    return await asyncio.get_running_loop().run_in_executor(_THREAD, open_it)


def _start_anew(sounddevice: Any) -> None:
    try:
        if sounddevice._initialized:
            sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise EngineDown(text("stage.no_card"), text("stage.no_card_repair")) from error


class SoundCardOutput:
    """One device, opened once at its own rate and fed silence between replies (see ``vocabulary.Output``).

    While ``silenced()`` (asked at every block, in the device's own thread) nothing is let out, and the reply in
    progress is over. Raises ``EngineDown`` when the device does not exist or cannot be opened.
    """

    name = "sound_card"
    rate_hz = RATE_HZ

    def __init__(self, device: str, silenced: Callable[[], bool] = lambda: False) -> None:
        self._silenced = silenced
        self._line = _Line()
        self._resampler: Any = None
        self._after_loss: SilentOutput | None = None
        sounddevice = _portaudio()
        problem = ""
        for index in ways_to(device, output_devices(sounddevice)):
            try:
                self._open(sounddevice, index)
            except sounddevice.PortAudioError as error:
                problem = problem or str(error)
            else:
                return
        reason = text("stage.card_refused", name=device or "default", error=problem)
        raise EngineDown(reason, text("stage.card_refused_repair"))

    def _open(self, sounddevice: Any, index: int | None) -> None:
        info = sounddevice.query_devices(index, "output")
        host = str(sounddevice.query_hostapis(info["hostapi"])["name"])
        least_s = float(info["default_low_output_latency"]) if host in (MME, DIRECT_SOUND) else 0.0
        self.device_name = str(info["name"])
        self._device_hz = int(info["default_samplerate"])
        self._channels = min(2, int(info["max_output_channels"]))
        self._stream = sounddevice.OutputStream(
            device=index,
            samplerate=self._device_hz,
            channels=self._channels,
            dtype="int16",
            blocksize=int(self._device_hz * BLOCK_S),
            latency=max(LATENCY_S, least_s),
            extra_settings=settings(sounddevice, host),
            callback=self._callback,
        )
        try:
            self._stream.start()
        except sounddevice.PortAudioError:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether the device still plays (unplugged devices stop)."""
        return bool(self._stream.active)

    def begin(self, serial: int) -> None:
        """Start a reply; the one before is dropped by identity."""
        self._line = _Line()
        self._after_loss = None
        ratio_needed = self._device_hz != RATE_HZ
        self._resampler = soxr.ResampleStream(RATE_HZ, self._device_hz, 1, dtype="int16") if ratio_needed else None

    def write(self, pcm: Pcm) -> None:
        """Append sound for the callback."""
        line = self._line
        line.written += len(pcm)
        if self._after_loss is not None:
            self._after_loss.write(pcm)
        self._hand_over(line, self._resampler.resample_chunk(pcm) if self._resampler else pcm)

    def end(self) -> None:
        """Let out what the rate conversion holds back."""
        line = self._line
        if self._resampler is not None:
            self._hand_over(line, self._resampler.resample_chunk(np.zeros(0, np.int16), last=True))
        line.ended = True

    @staticmethod
    def _hand_over(line: _Line, pcm: Pcm) -> None:
        line.frames += len(pcm)
        line.chunks.append(pcm)

    def played(self) -> int:
        """Return the audible position by the DAC times of the blocks; a lost device goes on by the clock."""
        line = self._line
        if not self.alive:
            return self._played_after_loss(line)
        now = self._stream.time
        frames = 0
        stamps = list(line.stamps)
        for (before, dac_s), (after, _) in zip(stamps, [*stamps[1:], (line.played, 0.0)], strict=True):
            if dac_s and dac_s <= now:
                frames = min(after, before + int((now - dac_s) * self._device_hz))
        all_of_it = line.ended and frames >= line.frames  # a converted reply need not count back to the same number
        position = line.written if all_of_it else int(frames * RATE_HZ / self._device_hz)
        line.shown = max(line.shown, min(line.written, position))
        return line.shown

    def _played_after_loss(self, line: _Line) -> int:
        if self._after_loss is None:
            log.warning("sound card %s stopped", self.device_name)
            self._after_loss = SilentOutput(time.monotonic)
            self._after_loss.begin(0)
            self._lost_at = line.shown
            self._after_loss.write(np.zeros(line.written - line.shown, np.int16))
        line.shown = max(line.shown, min(line.written, self._lost_at + self._after_loss.played()))
        return line.shown

    def cut(self) -> int:
        """Fade to silence within 5 ms of the next block and drop the rest."""
        final = self.played()
        self._line.fading = True
        return final

    def close(self) -> None:
        """Close the stream."""
        self._stream.close(ignore_errors=True)

    def _callback(self, out: Any, frames: int, times: Any, status: Any) -> None:
        line = self._line
        filled = 0
        line.stamps.append((line.played, times.outputBufferDacTime))
        if self._silenced():
            line.fading = True
            line.faded |= line.played == 0
        limit = min(frames, int(FADE_S * self._device_hz)) if line.fading else frames
        if line.faded:
            limit = 0  # what is written after a cut is not even faded out
        while filled < limit and line.chunks:
            chunk = line.chunks[0]
            piece = chunk[: limit - filled]
            out[filled : filled + len(piece)] = piece[:, None]
            filled += len(piece)
            if len(piece) == len(chunk):
                line.chunks.popleft()
            else:
                line.chunks[0] = chunk[len(piece) :]
        out[filled:] = 0
        if line.fading:
            out[:filled] = (out[:filled] * np.linspace(1.0, 0.0, filled)[:, None]).astype(np.int16)
            line.chunks.clear()
            line.faded = True
        line.played += filled
