"""A sound card for tests: a PulseAudio server of our own with a null sink, whose monitor tells what was audible."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

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
