"""The microphone by PortAudio: a virtual one at every rate, unplugged and plugged in; and which name means which."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from bot.config.speech import Audio
from bot.hearing import microphone as microphone_module
from bot.hearing.blocks import Arrivals, Blocks
from bot.hearing.input_devices import InputDevice, list_now, names_of, ways_to
from bot.hearing.meter import MUTE_S, Meter
from bot.hearing.microphone import Microphone
from bot.hearing.microphone_choice import Choice, recall, remember
from bot.hearing.silero import BLOCK, RATE_HZ
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Pcm
from tests.conftest import HANGS_S, REAL_TIME
from tests.virtual_microphone import VirtualMicrophone, virtual_microphone

pytestmark = REAL_TIME

SAID_S = 0.7


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualMicrophone]:
    with virtual_microphone(tmp_path, monkeypatch) as microphone:
        yield microphone


def warble(rate_hz: int, length_s: float = SAID_S) -> Pcm:
    """Return a tone that glides through the range of speech, swelling and fading: no two moments of it are alike."""
    t = np.arange(int(rate_hz * length_s)) / rate_hz
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3.1 * t)
    return (8000 * swell * np.sin(2 * np.pi * (200 * t + 700 * t * t))).astype(np.int16)


def likeness(heard: Pcm, meant: Pcm) -> float:
    """Return the correlation of what was meant with the best fitting stretch of what was heard; 1.0 is the same."""
    far = np.fft.irfft(np.fft.rfft(heard, 2**18) * np.conj(np.fft.rfft(meant, 2**18)))[: len(heard) - len(meant)]
    begins = int(far.argmax())
    return float(np.corrcoef(heard[begins : begins + len(meant)], meant)[0, 1])


class Recording:
    """What a microphone delivers, and every light it shows."""

    def __init__(self) -> None:
        self.blocks: list[Pcm] = []
        self.times: list[float] = []
        self.late_s: list[float] = []
        self.lights: list[Health] = []
        self._news = asyncio.Event()

    def block(self, pcm: Pcm, at_s: float) -> None:
        self.blocks.append(pcm)
        self.times.append(at_s)
        self.late_s.append(time.monotonic() - at_s)
        self._news.set()

    def light(self, health: Health) -> None:
        self.lights.append(health)
        self._news.set()

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(HANGS_S):
            while not done():
                self._news.clear()
                await self._news.wait()

    async def more(self, blocks: int) -> None:
        wanted = len(self.blocks) + blocks
        await self.until(lambda: len(self.blocks) >= wanted)


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (44_100, 2), (48_000, 1)])
async def test_every_sample_arrives_whatever_the_device_knows(
    plugged: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch, rate_hz: int, channels: int
) -> None:
    monkeypatch.setenv("STRICT_MICROPHONE", f"{rate_hz},{channels}")
    monkeypatch.setattr(microphone_module, "ENGINE", "tests.strict_microphone:StrictMicrophone")
    heard = Recording()
    microphone = Microphone("pulse", heard.block, heard.light)
    await microphone.start()
    await heard.more(8)
    said = warble(48_000)
    player = plugged.hears(said, 48_000)
    await heard.more(int((SAID_S + 0.6) * RATE_HZ / BLOCK))
    await microphone.close()
    player.wait()
    assert {len(block) for block in heard.blocks} == {BLOCK}
    sound = np.concatenate(heard.blocks)
    assert likeness(sound, soxr.resample(said, 48_000, RATE_HZ)) > 0.98, "nothing lost, nothing twice"
    assert all(light.state != "down" for light in heard.lights)
    steps = np.diff(heard.times)
    assert np.median(steps) == pytest.approx(BLOCK / RATE_HZ, abs=0.004)
    assert heard.times[-1] - heard.times[0] == pytest.approx((len(steps)) * BLOCK / RATE_HZ, abs=0.06)
    assert min(heard.late_s) >= 0, "no sound of the future"


async def test_unplugged_it_is_told_and_plugged_in_again_it_is_found(plugged: VirtualMicrophone) -> None:
    heard = Recording()
    microphone = Microphone("", heard.block, heard.light)
    await microphone.start()
    await heard.more(3)
    assert heard.lights[-1].state == "ok"
    pid = microphone.pid
    plugged.unplug()
    await heard.until(lambda: heard.lights[-1].state == "down")
    assert heard.lights[-1].reason
    assert heard.lights[-1].repair
    plugged.plug()
    await heard.until(lambda: heard.lights[-1].state == "ok")
    player = plugged.hears(warble(48_000), 48_000)
    before = len(heard.blocks)
    await heard.more(int((SAID_S + 0.6) * RATE_HZ / BLOCK))
    player.wait()
    assert likeness(np.concatenate(heard.blocks[before:]), soxr.resample(warble(48_000), 48_000, RATE_HZ)) > 0.98
    assert microphone.pid == pid, "no process has to die for it"
    await microphone.close()


async def test_a_microphone_that_is_not_there_is_told_with_those_that_are(plugged: VirtualMicrophone) -> None:
    heard = Recording()
    microphone = Microphone("micro de Marte", heard.block, heard.light)
    await microphone.start()
    await heard.until(lambda: heard.lights[-1].state == "down")
    await microphone.close()
    down = heard.lights[-2]
    assert (down.part, down.reason) == ("microphone", text("microphone.missing", wanted="micro de Marte"))
    assert "pulse" in down.repair
    assert "pulse" in await list_now()


async def test_without_portaudio_the_light_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    heard = Recording()
    microphone = Microphone("", heard.block, heard.light)
    await microphone.start()
    await heard.until(lambda: heard.lights[-1].state == "down")
    down = heard.lights[-1]
    assert (down.reason, down.repair) == (text("microphone.no_portaudio"), text("microphone.no_portaudio_repair"))
    with pytest.raises(EngineDown):
        await list_now()
    await microphone.close()


# ------------------------------------------------------------------ which name means which


def windows(index: int, name: str, host: str, default: bool = False) -> InputDevice:
    return InputDevice(index, name, host, 2, 48_000, default)


WINDOWS = [
    windows(0, "Microsoft Sound Mapper - Input", "MME"),
    windows(1, "Microphone (Yeti Stereo Microph", "MME", default=True),
    windows(2, "Headset (WH-1000XM4)", "MME"),
    windows(5, "Primary Sound Capture Driver", "Windows DirectSound", default=True),
    windows(6, "Microphone (Yeti Stereo Microphone)", "Windows DirectSound"),
    windows(9, "Speakers (Yeti Stereo Microphone) [Loopback]", "Windows WASAPI"),
    windows(10, "Headset (WH-1000XM4)", "Windows WASAPI"),
    windows(11, "Microphone (Yeti Stereo Microphone)", "Windows WASAPI", default=True),
    windows(14, "Microphone (Yeti Stereo Microphone)", "Windows WDM-KS", default=True),
]


def test_on_windows_one_microphone_is_one_name_and_the_best_way_to_it_comes_first() -> None:
    assert names_of(WINDOWS) == ["Headset (WH-1000XM4)", "Microphone (Yeti Stereo Microphone)"]
    assert [way.index for way in ways_to("yeti", WINDOWS)] == [11, 6, 1, 14, 9]
    assert [way.index for way in ways_to("Microphone (Yeti Stereo Microphone)", WINDOWS)] == [11, 6, 14, 1]
    assert [way.index for way in ways_to("", WINDOWS)] == [11, 5, 1, 14]
    assert ways_to("wh-1000", WINDOWS)[0].index == 10
    assert ways_to("[loopback]", WINDOWS)[0].index == 9


def test_what_cannot_be_found_is_told() -> None:
    with pytest.raises(EngineDown) as missing:
        ways_to("Rode", WINDOWS)
    assert "Headset (WH-1000XM4), Microphone (Yeti Stereo Microphone)" in missing.value.repair
    with pytest.raises(EngineDown) as nothing:
        ways_to("", [])
    assert nothing.value.reason == text("microphone.none")


# ------------------------------------------------------------------ blocks and level


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("piece", [1, 160, 441, 5000])
def test_blocks_say_when_their_last_sample_was_there(rate_hz: int, piece: int) -> None:
    """A click at second 1 of the sound is at second 1 of the blocks' times, however it is cut."""
    sound = np.zeros(2 * rate_hz, np.int16)
    sound[rate_hz] = 20_000
    blocks = Blocks(rate_hz)
    found = []
    for start in range(0, len(sound), piece):
        end = min(start + piece, len(sound))
        for block, at_s in blocks.feed(sound[start:end], 100.0 + end / rate_hz):
            assert len(block) == BLOCK
            peak = int(np.abs(block.astype(np.int32)).argmax())
            found.append((abs(int(block[peak])), at_s - (BLOCK - 1 - peak) / RATE_HZ))
        if end > 1.3 * rate_hz:
            break
    assert max(found)[1] == pytest.approx(101.0, abs=0.002)


def test_sound_that_was_held_up_keeps_the_time_at_which_it_was_spoken() -> None:
    block_s, arrivals = BLOCK / RATE_HZ, Arrivals(RATE_HZ)
    for n in range(1, 51):
        assert arrivals.add(BLOCK, 100 + n * block_s + 0.001 * (n % 3)) == pytest.approx(100 + n * block_s, abs=0.003)
    spoken = [100 + n * block_s for n in range(51, 81)]
    stalled_s = spoken[-1] + 0.01
    assert [arrivals.add(BLOCK, stalled_s) for _ in spoken] == pytest.approx(spoken, abs=0.003)
    back_s = stalled_s + 60
    assert arrivals.add(BLOCK, back_s) == pytest.approx(back_s), "a page that slept speaks of now"


def test_a_clock_that_ticks_seldom_does_no_harm() -> None:
    arrivals, tick_s, piece_s = Arrivals(RATE_HZ), 1 / 64, 0.01
    dated = [arrivals.add(160, int((5 + n * piece_s) / tick_s) * tick_s) for n in range(1, 301)]
    assert np.diff(dated[100:]) == pytest.approx(piece_s, abs=1e-6)
    assert dated[-1] == pytest.approx(8.0, abs=tick_s)


def test_the_meter_tells_levels_a_few_times_a_second_and_knows_a_switched_off_microphone() -> None:
    told: list[dict[str, Any]] = []
    meter = Meter(told.append, lambda: len(told) % 2 == 1)
    block_s = BLOCK / RATE_HZ
    loud = np.full(BLOCK, 16_384, np.int16)
    quiet = np.full(BLOCK, 164, np.int16)
    for n in range(round(2 / block_s)):
        meter.feed(loud if n % 3 == 1 else quiet, n * block_s)
    assert 20 <= len(told) <= 30, "at most 15 a second"
    assert told[5] == {"type": "hearing", "level_db": -6.0, "speech": True}, "the loudest block counts"
    assert told[6]["speech"] is False
    for n in range(int(MUTE_S / block_s) + 1):
        assert not meter.is_mute
        meter.feed(np.zeros(BLOCK, np.int16), 10 + n * block_s)
    assert meter.is_mute
    meter.feed(quiet, 20.0)
    assert not meter.is_mute


# ------------------------------------------------------------------ what was chosen


def test_a_choice_outlives_the_program_until_the_config_is_changed(tmp_path: Path) -> None:
    file, config = tmp_path / "data" / "microphone.json", Audio(input_device="Yeti")
    assert recall(config, file) == Choice("sound_card", "Yeti", "open")
    chosen = Choice("browser", "Rode", "push_to_talk")
    remember(chosen, config, file)
    assert recall(config, file) == chosen
    edited = config.model_copy(update={"mode": "off"})
    assert recall(edited, file) == Choice("browser", "Rode", "off"), "the newer word counts"


@pytest.mark.parametrize(
    "kept", ["", "[]", "{", '{"chosen": 3}', "[" * 100_000, '{"chosen": {"mode": "loud"}, "config": {"mode": "open"}}']
)
def test_a_broken_memory_is_the_config(tmp_path: Path, kept: str) -> None:
    file = tmp_path / "microphone.json"
    file.write_text(kept)
    assert recall(Audio(), file) == Choice("sound_card", "", "open")


def test_a_value_that_nobody_could_choose_is_not_recalled(tmp_path: Path) -> None:
    file = tmp_path / "microphone.json"
    remember(Choice("sound_card", "Yeti", "off"), Audio(), file)
    kept = json.loads(file.read_text())
    kept["chosen"]["mode"] = "loud"
    file.write_text(json.dumps(kept))
    assert recall(Audio(), file) == Choice("sound_card", "Yeti", "open")
