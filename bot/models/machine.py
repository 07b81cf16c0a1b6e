"""What this machine has, and which models it can bear."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from bot.children import environment
from bot.mind.llama_engine import physical_cores
from bot.models.bundles import Bundle
from bot.models.catalogue import CATALOGUE, Model

Fit = Literal["card", "memory", "too_big"]
"""``card``: runs on the graphics card; ``memory``: by the processor, slowly; ``too_big``: neither."""

OTHERS_BYTES = 2 * 2**30
"""What the system, OBS and a browser need beside the brain."""

CARD_SHARE = 0.92
"""How much of a graphics card's memory one program may hope for."""

APPLE_SHARE = 0.7
"""How much of the shared memory Metal gives to one program."""

BORROWED_BYTES = 2 * 2**30
"""As much as a processor's own graphics may call theirs under Windows; in truth it is the system's memory."""

DISPLAY_DRIVERS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
WAIT_S = 10.0
BEARABLE_BYTES = ((8, 5 * 10**9), (4, 3 * 10**9), (1, 1.2 * 10**9))
"""Processor cores, and the biggest file that so many still read quickly enough for a conversation."""


@dataclass(frozen=True, slots=True)
class Machine:
    """``ram_bytes`` and ``card_bytes`` are totals, ``None`` where unknown; ``cuda`` is what the driver can do."""

    ram_bytes: int | None
    cores: int
    card: str = ""
    card_bytes: int | None = None
    cuda: tuple[int, int] | None = None

    def fit(self, model: Model | Bundle) -> Fit:
        """Return where a model can run."""
        if self.card_bytes is not None and model.memory_bytes <= self.card_bytes * CARD_SHARE:
            return "card"
        if self.ram_bytes is None or model.memory_bytes + OTHERS_BYTES <= self.ram_bytes:
            return "memory"
        return "too_big"

    def recommended(self) -> Model:
        """Return the best model that is quick enough here; the smallest where none is.

        Eight bits a weight are hardly better than four and half as quick, so those files are only for who asks.
        """
        quick = [model for model in CATALOGUE if not model.name.endswith("-q8")]
        limit = next(size for cores, size in BEARABLE_BYTES if self.cores >= cores)
        for model in quick:
            fit = self.fit(model)
            if fit == "card" or (fit == "memory" and model.size_bytes <= limit):
                return model
        return min(quick, key=lambda model: model.size_bytes)

    @property
    def wheels(self) -> str:
        """Name the folder of ready-made llama.cpp packages that suits this machine."""
        if sys.platform == "darwin":
            return "metal" if platform.machine() == "arm64" else "cpu"
        if self.cuda is not None:
            known = [version for version in CUDA_WHEELS if version <= self.cuda]
            return "cu{}{}".format(*known[-1]) if known else "vulkan"
        return "vulkan" if self.card else "cpu"


CUDA_WHEELS = ((12, 1), (12, 2), (12, 3), (12, 4), (12, 5), (13, 0))
"""CUDA versions that there are ready-made packages for; a driver runs those up to its own."""


@cache
def this_machine() -> Machine:
    """Look at this machine, once; takes up to some seconds where a graphics driver is slow to answer."""
    ram, cores = _ram_bytes(), physical_cores()
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Machine(ram, cores, "Apple", int(ram * APPLE_SHARE) if ram else None)
    name, card_bytes = max(_nvidia_cards(), key=lambda card: card[1], default=("", None))
    if name:
        return Machine(ram, cores, name, card_bytes, _cuda(_said("nvidia-smi")))
    others = _windows_cards() if sys.platform == "win32" else _amd_cards()
    name, card_bytes = max(others, key=lambda card: card[1], default=("", None))
    return Machine(ram, cores, name, card_bytes)


def _ram_bytes() -> int | None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if sys.platform == "win32":
            return _windows_ram_bytes()
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        with contextlib.suppress(OSError, ValueError):  # a container may have less than its machine
            return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
        return total
    return None


def _windows_ram_bytes() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "b", "c", "d", "e", "f", "g")),
        )

    status = Status(length=ctypes.sizeof(Status))
    kernel = ctypes.CDLL("kernel32")
    return int(status.total) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def _nvidia_cards() -> Iterable[tuple[str, int]]:
    """Return name and memory in bytes of each card."""
    for line in _said("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits").splitlines():
        name, _, mebibytes = line.rpartition(",")
        if mebibytes.strip().isdigit():
            yield name.strip(), int(mebibytes) * 2**20


def _cuda(said: str) -> tuple[int, int] | None:
    found = re.search(r"CUDA[^:|]*Version\s*:\s*(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else None


def _amd_cards() -> Iterable[tuple[str, int]]:
    for file in Path("/sys/class/drm").glob("card*/device/mem_info_vram_total"):
        with contextlib.suppress(OSError, ValueError):
            if size := int(file.read_text()):
                yield "AMD", size


def _windows_cards() -> Iterable[tuple[str, int]]:
    """Return name and memory in bytes of each card that has a driver, not counting what borrows the system's memory."""
    winreg: Any = import_module("winreg")
    with contextlib.suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, DISPLAY_DRIVERS) as drivers:
        for number in range(winreg.QueryInfoKey(drivers)[0]):
            with contextlib.suppress(OSError), winreg.OpenKey(drivers, winreg.EnumKey(drivers, number)) as driver:
                size, kind = winreg.QueryValueEx(driver, "HardwareInformation.qwMemorySize")
                if kind == winreg.REG_QWORD and size > BORROWED_BYTES:
                    yield str(winreg.QueryValueEx(driver, "DriverDesc")[0]), size


def _said(*command: str) -> str:
    """Return what a program prints; nothing where it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command,
            env=environment(),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=WAIT_S,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
