"""The real sound card path: PortAudio plays on a virtual sink, whose monitor tells what was really audible."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bench.program import running
from tests.conftest import needs

RATE = 48_000
Samples = np.ndarray[Any, np.dtype[np.float32]]


class Sink:
    """A PulseAudio server of our own with a null sink; everything played there is written to a file."""

    def __init__(self, folder: Path) -> None:
        socket = folder / "pulse.sock"
        (folder / "pa.conf").write_text(
            f"load-module module-native-protocol-unix auth-anonymous=1 socket={socket}\n"
            # Without norewinds the sink works with buffers of two seconds.
            "load-module module-null-sink sink_name=speakers rate=48000 norewinds=1\n"
            "set-default-sink speakers\n"
        )
        self.environment = {"XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": f"unix:{socket}", "HOME": str(folder)}
        options = ["--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--realtime=no", "--high-priority=no"]
        self.server = subprocess.Popen(
            ["pulseaudio", "-n", "-F", str(folder / "pa.conf"), *options],
            env=os.environ | self.environment,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not socket.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.file = folder / "heard.raw"
        listen = [
            "parec",
            "-d",
            "speakers.monitor",
            "--format=float32le",
            f"--rate={RATE}",
            "--channels=1",
            "--latency-msec=5",
        ]
        with self.file.open("wb") as file:
            self.listener = subprocess.Popen(listen, env=os.environ | self.environment, stdout=file)
        while not self.file.stat().st_size and time.monotonic() < deadline:
            time.sleep(0.02)

    def heard(self) -> Samples:
        time.sleep(0.3)
        raw = self.file.read_bytes()
        return np.frombuffer(raw[: len(raw) // 4 * 4], "<f4")

    def close(self) -> None:
        for process in (self.listener, self.server):
            process.kill()
            process.wait()


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


def read_wav(file: Path) -> Samples:
    with wave.open(str(file)) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float32) / 32768


def test_what_the_card_plays_is_what_she_says(sink: Sink, tmp_path: Path) -> None:
    environment = os.environ | sink.environment | {"ANEEKA_AUDIO__OUTPUT_DEVICE": "pulse"}
    words = [sys.executable, "-m", "bot", "say", "Mamá, papá y bebé van al parque."]
    subprocess.run([*words, "--out", str(tmp_path / "said.wav")], env=environment, check=True, timeout=60)
    subprocess.run(words, env=environment, check=True, timeout=60)
    meant, heard = voiced(read_wav(tmp_path / "said.wav")), voiced(sink.heard())
    assert len(heard) / RATE == pytest.approx(len(meant) / RATE, abs=0.03), "nothing lost and nothing twice"
    loudness = [np.abs(sound[: len(sound) // 480 * 480]).reshape(-1, 480).mean(axis=1) for sound in (heard, meant)]
    shortest = min(map(len, loudness))
    assert np.corrcoef(loudness[0][:shortest], loudness[1][:shortest])[0, 1] > 0.9


@pytest.mark.parametrize("text", ["Hola.", "Vale, gracias.", "Qué bien.", "No."])
def test_every_reply_ends_whatever_its_length(sink: Sink, text: str) -> None:
    environment = os.environ | sink.environment | {"ANEEKA_AUDIO__OUTPUT_DEVICE": "pulse"}
    subprocess.run([sys.executable, "-m", "bot", "say", text], env=environment, check=True, timeout=30)
    assert len(voiced(sink.heard())) > RATE // 10


def test_skip_is_silence_and_the_record_holds_what_was_audible(sink: Sink, tmp_path: Path) -> None:
    settings = {
        "ANEEKA_STAGE__SOUND": "sound_card",
        "ANEEKA_AUDIO__OUTPUT_DEVICE": "pulse",
        "ANEEKA_STAGE__RECORD": str(tmp_path / "wav"),
    }
    with running("run", "--no-open", **settings, **sink.environment) as program:
        heard = program.ask("POST", "/api/say", {"text": "Uno dos tres cuatro cinco seis siete ocho nueve diez once."})
        program.until(lambda state: state["doing"] == "speaking")
        time.sleep(1.5)
        program.ask("POST", "/api/control/skip")
        turn = program.turn_of(heard["id"])
        assert (turn["cut"], program.ask("GET", "/api/state")["sound"]["output"]) == ("skip", "sound_card")
    played, recorded = voiced(sink.heard()), voiced(read_wav(Path(turn["wav"])))
    assert len(played) / RATE == pytest.approx(len(recorded) / RATE, abs=0.06)
    assert 1 <= len(turn["spoken"].split()) <= 9


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
