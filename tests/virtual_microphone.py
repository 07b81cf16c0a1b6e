"""A microphone for tests: a PulseAudio server of our own with a source that plays what the test says, and can be
unplugged."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.vocabulary import Pcm
from tests.conftest import needs

OPTIONS = ["--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--realtime=no", "--high-priority=no"]
MODULES = (
    # Without norewinds the sink works with buffers of two seconds.
    ("module-null-sink", "sink_name=vmic", "rate=48000", "norewinds=1"),
    ("module-remap-source", "source_name=mic", "master=vmic.monitor"),
)


class VirtualMicrophone:
    """Two channels at 48 kHz, plugged in at first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        socket = folder / "pulse.sock"
        (folder / "pa.conf").write_text(f"load-module module-native-protocol-unix auth-anonymous=1 socket={socket}\n")
        self.environment = {
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{socket}",
            "PULSE_SOURCE": "mic",
            "HOME": str(folder),
        }
        self._server = subprocess.Popen(
            ["pulseaudio", "-n", "-F", str(folder / "pa.conf"), *OPTIONS],
            env=os.environ | self.environment,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not socket.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._modules: list[str] = []
        self.plug()

    def plug(self) -> None:
        self._modules = [self._pactl("load-module", *module).strip() for module in MODULES]

    def unplug(self) -> None:
        for module in reversed(self._modules):
            self._pactl("unload-module", module)

    def hears(self, pcm: Pcm, rate_hz: int, channels: int = 1) -> subprocess.Popen[bytes]:
        """Play it in real time; with two channels the samples alternate."""
        shape = [f"--rate={rate_hz}", f"--channels={channels}", "--format=s16le", "--latency-msec=500"]
        said = self._folder / "said.raw"
        said.write_bytes(pcm.astype("<i2").tobytes())
        with said.open("rb") as file:
            return subprocess.Popen(
                ["pacat", "-p", "-d", "vmic", *shape], env=os.environ | self.environment, stdin=file
            )

    def _pactl(self, *words: str) -> str:
        environment = os.environ | self.environment
        return subprocess.run(["pactl", *words], env=environment, check=True, capture_output=True, text=True).stdout

    def close(self) -> None:
        self._server.kill()
        self._server.wait()


@contextmanager
def virtual_microphone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualMicrophone]:
    """Plug one in for this process and its children."""
    needs("pulseaudio", "pulseaudio")
    needs("pacat", "pulseaudio-utils")
    folder = tmp_path / "pulse"
    folder.mkdir(mode=0o700)
    microphone = VirtualMicrophone(folder)
    for name, value in microphone.environment.items():
        monkeypatch.setenv(name, value)
    sounddevice = pytest.importorskip("sounddevice", reason="PortAudio", exc_type=OSError)
    sounddevice._terminate()  # it may have looked round before, when there was nothing to find
    sounddevice._initialize()
    yield microphone
    microphone.close()
