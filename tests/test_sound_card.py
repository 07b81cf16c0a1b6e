"""The real sound card path: PortAudio plays on a virtual sink, whose monitor tells what was really audible."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bot.stage.outputs import Outputs
from bot.stage.sound_card import SoundCardOutput, list_devices
from bot.vocabulary import EngineDown, Health
from tests.bench.panic import Bench, hosted
from tests.bench.program import running
from tests.conftest import HANGS_S, REAL_TIME, needs
from tests.virtual_sink import RATE, Samples, Sink

pytestmark = REAL_TIME

COUNTED = "Uno dos tres cuatro cinco seis siete ocho nueve diez."


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    needs("pulseaudio", "pulseaudio")
    needs("parec", "pulseaudio-utils")
    folder = tmp_path / "pulse"
    folder.mkdir(mode=0o700)
    sink = Sink(folder)
    yield sink
    sink.close()


def voiced(sound: Samples) -> Samples:
    """Return the sound without its silences: a machine that stalls stretches them, and that is not what is tested."""
    quiet = np.abs(sound) < 0.001
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    keep = np.ones(len(sound), bool)
    for first, last in edges.reshape(-1, 2):
        if last - first >= RATE // 400:
            keep[first:last] = False
    return sound[keep]


def likeness(one: Samples, other: Samples) -> float:
    """Return how alike the loudness of two sounds runs, in steps of 10 ms: 1 is the same."""
    step = RATE // 100
    loudness = [np.abs(sound[: len(sound) // step * step]).reshape(-1, step).mean(axis=1) for sound in (one, other)]
    shortest = min(map(len, loudness))
    return float(np.corrcoef(loudness[0][:shortest], loudness[1][:shortest])[0, 1])


def read_wav(file: Path) -> Samples:
    with wave.open(str(file)) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float32) / 32768


def test_what_the_card_plays_is_what_she_says(sink: Sink, tmp_path: Path) -> None:
    environment = os.environ | sink.environment | {"ANEEKA_AUDIO__OUTPUT_DEVICE": "pulse"}
    words = [sys.executable, "-m", "bot", "say", "Mamá, papá y bebé van al parque."]
    with subprocess.Popen(words, env=environment) as aloud:
        subprocess.run([*words, "--out", str(tmp_path / "said.wav")], env=environment, check=True, timeout=60)
        assert aloud.wait(60) == 0
    meant, heard = voiced(read_wav(tmp_path / "said.wav")), voiced(sink.heard())
    assert len(heard) / RATE == pytest.approx(len(meant) / RATE, abs=0.03), "nothing lost and nothing twice"
    shifts = range(0, RATE // 20, RATE // 200)
    assert max(max(likeness(heard[shift:], meant), likeness(heard, meant[shift:])) for shift in shifts) > 0.9


def test_every_reply_ends_whatever_its_length_and_skip_is_silence_and_the_record_holds_what_was_audible(
    sink: Sink, tmp_path: Path
) -> None:
    settings = {
        "ANEEKA_STAGE__SOUND": "sound_card",
        "ANEEKA_AUDIO__OUTPUT_DEVICE": "pulse",
        "ANEEKA_AUDIO__MODE": "off",
        "ANEEKA_STAGE__RECORD": str(tmp_path / "wav"),
        "ANEEKA_LLM__ENGINE": "understudy",
        "ANEEKA_TTS__SPEED": "2.0",
    }
    played = [0]
    with running("run", "--no-open", **settings, **sink.environment) as program:
        for text in ("Hola.", "Vale, gracias.", "Qué bien.", "No."):
            said = program.ask("POST", "/api/say", {"text": text})
            turn = program.turn_of(said["id"])
            assert (turn["cut"], turn["spoken"]) == (None, text)
            played.append(len(voiced(sink.heard())))
            assert played[-1] - played[-2] > RATE // 10, text
        said = program.ask("POST", "/api/say", {"text": f"{COUNTED} {COUNTED}"})
        program.until(lambda state: state["doing"] == "speaking")
        time.sleep(1.0)
        program.ask("POST", "/api/control/skip")
        turn = program.turn_of(said["id"])
        assert (turn["cut"], program.ask("GET", "/api/state")["sound"]["output"]) == ("skip", "sound_card")
    cut, recorded = len(voiced(sink.heard())) - played[-1], len(voiced(read_wav(Path(turn["wav"]))))
    assert cut / RATE == pytest.approx(recorded / RATE, abs=0.06)
    assert 1 <= len(turn["spoken"].split()) < 2 * len(COUNTED.split())


def test_a_device_that_does_not_exist_is_told_with_those_that_do(sink: Sink) -> None:
    missing = {"ANEEKA_AUDIO__OUTPUT_DEVICE": "casque de Marte", "ANEEKA_STAGE__SOUND": "sound_card"}
    words = [sys.executable, "-m", "bot", "say", "hola"]
    result = subprocess.run(
        words, env=os.environ | sink.environment | missing, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 1
    assert "casque de Marte" in result.stderr
    assert "pulse" in result.stderr
    assert "Traceback" not in result.stderr


def test_panic_silences_the_card_while_the_program_hangs(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.panic.HANG_S", 1.5)
    with hosted(sink, "card", ANEEKA_LLM__ENGINE="understudy", ANEEKA_AUDIO__MODE="off") as program:
        bench = Bench(program, sink, "card", seed=1)
        for case in ("hang", "guard", "studio"):
            bench.run(case, 1)
    assert {turn["cut"] for turn in bench.turns} == {"panic"}


class FakePortAudio:
    """A device without a machine: the test asks for its blocks."""

    PortAudioError = OSError
    _initialized = 1

    def _terminate(self) -> None: ...

    def _initialize(self) -> None: ...

    def query_devices(self, index: int | None = None, kind: str = "") -> Any:
        device = {"name": "fake", "hostapi": 0, "default_samplerate": RATE, "max_output_channels": 1}
        device["default_low_output_latency"] = 0.2
        return device if kind else [device]

    def query_hostapis(self, index: int | None = None) -> Any:
        host = {"name": "ALSA", "default_output_device": 0}
        return [host] if index is None else host

    def OutputStream(self, *, callback: Any, blocksize: int, **_: Any) -> Any:
        self.callback, self.blocksize, self.active, self.time = callback, blocksize, True, 0.0
        return self

    def start(self) -> None: ...

    def block(self) -> Samples:
        out = np.zeros((self.blocksize, 1), np.int16)
        self.callback(out, self.blocksize, SimpleNamespace(outputBufferDacTime=0.0), None)
        return out[:, 0].astype(np.float32)


def test_while_silenced_nothing_is_let_out_whatever_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    device, silenced = FakePortAudio(), [False]
    monkeypatch.setattr("bot.stage.sound_card._portaudio", lambda: device)
    output = SoundCardOutput("", lambda: silenced[0])
    second = np.full(RATE, 9000, np.int16)
    output.begin(1)
    output.write(second)
    assert device.block().min() == 9000
    silenced[0] = True
    fade = device.block()
    assert (fade[0], fade[RATE // 200 :].max()) == (9000, 0), "5 ms to silence, and no click"
    output.write(second)
    assert device.block().max() == 0, "the program did not know yet"
    output.begin(2)
    output.write(second)
    assert device.block().max() == 0
    silenced[0] = False
    output.write(second)
    assert device.block().max() == 0, "a reply that was silenced does not come back"
    output.begin(3)
    output.write(second)
    assert device.block().min() == 9000


# ------------------------------------------------------------------ Windows, where each loudspeaker is there many times

REALTEK = "Altavoces (Realtek High Definition Audio)"
WINDOWS_HOSTS = [("MME", 1), ("Windows DirectSound", 4), ("Windows WASAPI", 7), ("Windows WDM-KS", 9)]
"""Each with its own default device."""
WINDOWS = [
    (0, "Asignador de sonido Microsoft - Output", 2, 0.09),
    (0, "Altavoces (Realtek High Definit", 2, 0.09),
    (0, "Auriculares (WH-1000XM4)", 2, 0.09),
    (1, "Controlador primario de sonido", 2, 0.12),
    (1, REALTEK, 2, 0.12),
    (1, "Auriculares (WH-1000XM4)", 2, 0.12),
    (2, "Micrófono (Yeti)", 0, 0.0),
    (2, REALTEK, 2, 0.003),
    (2, "Auriculares (WH-1000XM4)", 2, 0.003),
    (3, "Speakers (Realtek HD Audio output)", 8, 0.01),
    (3, "Auriculares (WH-1000XM4)", 2, 0.01),
]
"""Sound system, name (MME's are cut at 31 letters), channels out, and what the system calls low in seconds."""


class Windows(FakePortAudio):
    """PortAudio as Windows shows it. WASAPI opens in the thread alone that PortAudio was started in."""

    def __init__(self, *refusing: int) -> None:
        self.refusing = refusing
        self.opened: dict[str, Any] = {}
        self.closed = 0
        self._thread: threading.Thread | None = None

    def started(self) -> Windows:
        self._thread = self._thread or threading.current_thread()
        return self

    def query_devices(self, index: int | None = None, kind: str = "") -> Any:
        devices = [
            {"name": name, "hostapi": host, "default_samplerate": float(RATE), "max_output_channels": channels}
            | {"default_low_output_latency": low_s}
            for host, name, channels, low_s in WINDOWS
        ]
        return devices[1 if index is None else index] if kind else devices

    def query_hostapis(self, index: int | None = None) -> Any:
        hosts = [{"name": name, "default_output_device": default} for name, default in WINDOWS_HOSTS]
        return hosts if index is None else hosts[index]

    def WasapiSettings(self, *, auto_convert: bool) -> tuple[str, bool]:
        return "Windows WASAPI", auto_convert

    def OutputStream(self, **asked: Any) -> Any:
        host = WINDOWS_HOSTS[WINDOWS[1 if asked["device"] is None else asked["device"]][0]][0]
        if asked["extra_settings"] and asked["extra_settings"][0] != host:
            raise self.PortAudioError("Incompatible host API specific stream info")
        if host == "Windows WASAPI" and threading.current_thread() is not self._thread:
            raise self.PortAudioError("CO_E_NOTINITIALIZED")
        self.opened = asked
        return super().OutputStream(**asked)

    def start(self) -> None:
        if self.opened["device"] in self.refusing:
            raise self.PortAudioError("Device unavailable")

    def close(self, ignore_errors: bool = True) -> None:
        self.closed += 1


def opened(monkeypatch: pytest.MonkeyPatch, wanted: str, *refusing: int) -> tuple[int, float, Any]:
    """Return which device was opened, with what latency in seconds and what settings."""
    windows = Windows(*refusing)
    monkeypatch.setattr("bot.stage.sound_card._portaudio", windows.started)
    SoundCardOutput(wanted)
    assert windows.closed == len(refusing), "what does not start is let go"
    return windows.opened["device"], windows.opened["latency"], windows.opened["extra_settings"]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ("", 7),
        ("realtek", 7),
        (REALTEK, 7),
        ("Altavoces (Realtek High Definit", 7),
        ("wh-1000", 8),
        ("Auriculares (WH-1000XM4)", 8),
    ],
)
def test_on_windows_she_plays_by_wasapi_whatever_name_was_kept(
    monkeypatch: pytest.MonkeyPatch, wanted: str, index: int
) -> None:
    assert opened(monkeypatch, wanted) == (index, 0.03, ("Windows WASAPI", True))


def test_where_wasapi_refuses_the_next_sound_system_plays_and_does_not_crackle(monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened(monkeypatch, "", 7) == (None, 0.09, None)
    assert opened(monkeypatch, REALTEK, 7) == (4, 0.12, None)
    assert opened(monkeypatch, "asignador") == (0, 0.09, None)
    with pytest.raises(EngineDown, match="Device unavailable"):
        opened(monkeypatch, REALTEK, 4, 7)


def test_elsewhere_the_system_chooses_and_she_is_as_quick_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    class Linux(FakePortAudio):
        def OutputStream(self, **given: Any) -> Any:
            asked.update(given)
            return super().OutputStream(**given)

    monkeypatch.setattr("bot.stage.sound_card._portaudio", Linux)
    SoundCardOutput("")
    assert (asked["device"], asked["latency"], asked["extra_settings"]) == (None, 0.03, None)


def test_on_windows_one_loudspeaker_is_one_name_and_a_lost_one_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = Windows()
    monkeypatch.setattr("bot.stage.sound_card._portaudio", windows.started)
    monkeypatch.setattr("bot.stage.outputs.REOPEN_S", 0.0)
    lights: list[Health] = []

    async def scene() -> None:
        outputs = Outputs("sound_card", "wh-1000", None, lambda: False, lights.append, lambda: 0.0)
        await outputs.open()
        assert outputs.choose().name == "sound_card", lights[-1]
        windows.active = False
        assert outputs.choose().name == "none"
        async with asyncio.timeout(HANGS_S):
            while lights[-1].state != "ok":
                await asyncio.sleep(0)
        assert windows.opened["device"] == 8
        outputs.close()

    assert asyncio.run(list_devices()) == [REALTEK, "Auriculares (WH-1000XM4)"]
    asyncio.run(scene())


def test_a_card_that_is_plugged_in_after_the_start_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unplugged(Windows):
        """PortAudio, which sees what is plugged in when it starts."""

        plugged = seen = False

        def _initialize(self) -> None:
            self.seen = self.plugged

        def query_devices(self, index: int | None = None, kind: str = "") -> Any:
            devices = super().query_devices(index, kind)
            return devices if kind or self.seen else [d for d in devices if "1000XM4" not in d["name"]]

    windows = Unplugged()
    monkeypatch.setattr("bot.stage.sound_card._portaudio", windows.started)
    monkeypatch.setattr("bot.stage.outputs.REOPEN_S", 0.0)
    lights: list[Health] = []

    async def scene() -> None:
        outputs = Outputs("sound_card", "wh-1000", None, lambda: False, lights.append, lambda: 0.0)
        await outputs.open()
        assert lights[-1].state == "down"
        windows.plugged = True
        async with asyncio.timeout(HANGS_S):
            while lights[-1].state != "ok":
                await asyncio.sleep(0)
        assert outputs.choose().name == "sound_card"
        outputs.close()

    asyncio.run(scene())


def test_a_card_that_is_lost_while_she_is_silent_is_told_and_opened_again_before_she_speaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    windows = Windows()
    monkeypatch.setattr("bot.stage.sound_card._portaudio", windows.started)
    monkeypatch.setattr("bot.stage.outputs.REOPEN_S", 0.0)
    lights: list[Health] = []

    async def scene() -> None:
        outputs = Outputs("sound_card", "wh-1000", None, lambda: False, lights.append, lambda: 0.0)
        await outputs.open()
        windows.active = False
        outputs.look()
        assert lights[-1].state == "down"
        async with asyncio.timeout(HANGS_S):
            while lights[-1].state != "ok":
                await asyncio.sleep(0)
        assert outputs.choose().name == "sound_card"
        outputs.close()

    asyncio.run(scene())
