"""Fetching models from a hub that speaks huggingface.co's file protocol: every byte once, nothing half, plain words."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import psutil
import pytest

from bot.mind.llama_engine import physical_cores
from bot.models import fetch as fetching
from bot.models import wheels
from bot.models.catalogue import CATALOGUE, find
from bot.models.machine import CUDA_WHEELS, Machine, _cuda, _nvidia_cards, this_machine
from bot.models.words import amount, duration, memory
from bot.vocabulary import EngineDown
from tests import tiny_gguf
from tests.conftest import HANGS_S, REAL_TIME
from tests.model_hub import Hub
from tests.test_cli import Shell, sentence

pytestmark = REAL_TIME

NAME = "llama-3.2-1b"
MODEL = find(NAME)
MIB = 2**20


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return tiny_gguf.write(tmp_path / "tiny.gguf").read_bytes()


@pytest.fixture
def hub(content: bytes) -> Iterator[Hub]:
    hub = Hub()
    hub.offer(MODEL, content)
    yield hub
    hub.close()
    assert hub.problems == []


@pytest.fixture
def shell(tmp_path: Path, hub: Hub) -> Shell:
    shell = Shell(tmp_path)
    shell.environment |= {"HF_ENDPOINT": hub.url, "ANEEKA_PERSONA__LANGUAGE": "en"}
    return shell


def soon(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def files(shell: Shell) -> dict[str, int]:
    """Return what is in the models folder, without hidden files."""
    folder = shell.folder / "data" / "models"
    return {file.name: file.stat().st_size for file in folder.glob("[!.]*")} if folder.exists() else {}


def held(shell: Shell, hub: Hub, at: int) -> subprocess.Popen[str]:
    """Start a download that the hub holds after so many bytes, all of which have reached the disk."""
    hub.hold_after = at
    process = shell.start("models", "pull", NAME)
    assert hub.holding.wait(30)
    soon(lambda: at in files(shell).values())
    return process


def spans(hub: Hub) -> list[tuple[int, int]]:
    return [(answer.start, answer.start + answer.sent) for answer in hub.answers]


def test_a_model_is_fetched_whole_checked_and_listed(shell: Shell, hub: Hub, content: bytes) -> None:
    done = shell.run("models", "pull", NAME, HF_TOKEN="hf_for_the_hub_alone")
    assert done.returncode == 0, done.stderr
    path = shell.folder / "data" / "models" / MODEL.file
    assert str(path) in done.stdout
    assert path.read_bytes() == content
    assert set(files(shell)) == {MODEL.file, "in_use"}
    assert spans(hub) == [(0, len(content))]
    listed = json.loads(shell.run("models", "list", "--json").stdout)
    row = next(model for model in listed["models"] if model["name"] == NAME)
    assert (row["state"], row["licence"]) == ("in_use", MODEL.licence)
    assert {model["fit"] for model in listed["models"]} <= {"card", "memory", "too_big"}
    assert sum(model["recommended"] for model in listed["models"]) == 1
    assert shell.run("models", "pull", NAME).returncode == 0
    assert len(hub.answers) == 1, "what is here is not fetched again"
    assert "llama-3.1-8b" in shell.run("models", "list").stdout


def test_after_cuts_it_goes_on_where_it_was(shell: Shell, hub: Hub, content: bytes) -> None:
    hub.cut_after = [100_000, 1, 50_000]
    assert shell.run("models", "pull", NAME).returncode == 0
    assert spans(hub) == [(0, 100_000), (100_000, 100_001), (100_001, 150_001), (150_001, len(content))]


@pytest.mark.skipif(sys.platform == "win32", reason="killed by signal")
def test_after_a_kill_it_goes_on_where_it_was(shell: Shell, hub: Hub, content: bytes) -> None:
    process = held(shell, hub, 120_000)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    psutil.wait_procs(children, timeout=10)
    assert not any(child.is_running() for child in children), "a download never outlives who asked for it"
    assert MODEL.file not in files(shell)
    assert json.loads(shell.run("models", "list", "--json").stdout)["models"][0]["state"] == "partial"
    hub.go.set()
    assert shell.run("models", "pull", NAME).returncode == 0
    assert spans(hub)[-1] == (120_000, len(content))
    assert len(hub.answers) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent by signal")
def test_ctrl_c_stops_at_once_and_keeps_what_is_here(shell: Shell, hub: Hub, content: bytes) -> None:
    process = held(shell, hub, 90_000)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=fetching.SILENT_S / 2)  # the hub sends nothing now
    assert process.returncode == 1
    assert "kept" in err
    assert "Traceback" not in err
    assert 90_000 in files(shell).values()
    hub.go.set()
    assert shell.run("models", "pull", NAME).returncode == 0
    assert spans(hub)[-1] == (90_000, len(content))


def test_two_downloads_of_one_model_do_not_mix(shell: Shell, hub: Hub, content: bytes) -> None:
    first = held(shell, hub, 50_000)
    assert "already" in sentence(shell.run("models", "pull", NAME), 1)
    hub.go.set()
    _, err = first.communicate(timeout=HANGS_S)
    assert first.returncode == 0, err
    assert spans(hub) == [(0, len(content))]


def test_a_wrong_hash_leaves_nothing_behind(shell: Shell, hub: Hub) -> None:
    hub.hashes[MODEL.file] = hashlib.sha256(b"another file").hexdigest()
    assert "hash" in sentence(shell.run("models", "pull", NAME), 1)
    assert files(shell) == {}


def test_a_hub_elsewhere_must_offer_the_very_file_of_the_catalogue(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fetching, "hf_hub_url", lambda repo, file, revision: f"{hub.url}/{repo}/resolve/{revision}/{file}"
    )
    with pytest.raises(EngineDown) as refused:
        list(fetching.fetch(MODEL, tmp_path))
    assert MODEL.title in refused.value.reason
    assert hub.answers == [], "refused before a byte was fetched"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda hub: hub.closed.add(MODEL.repo), ("conditions", "HF_TOKEN", f"/{MODEL.repo}")),
        (lambda hub: hub.files.clear(), ("404",)),
        (lambda hub: hub.files.update({(MODEL.repo, "other"): hub.files.pop((MODEL.repo, MODEL.file))}), ("404",)),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(
    shell: Shell, hub: Hub, spoil: Callable[[Hub], Any], words: tuple[str, ...]
) -> None:
    spoil(hub)
    said = sentence(shell.run("models", "pull", NAME), 1)
    assert all(word in said for word in words), said
    assert files(shell) == {}


def test_without_a_network_or_a_known_name_it_says_so(shell: Shell) -> None:
    said = sentence(shell.run("models", "pull", NAME, HF_ENDPOINT="http://127.0.0.1:9"), 1)
    assert "cannot be reached" in said
    assert "HF_HUB_OFFLINE" in sentence(shell.run("models", "pull", NAME, HF_HUB_OFFLINE="1"), 1)
    assert "llama-3.1-8b" in sentence(shell.run("models", "pull", "lama-3.1-8b"), 2)


@pytest.fixture
def small_disk(shell: Shell) -> Iterator[Callable[[int], Path]]:
    """Put the models folder onto a file system of so many bytes."""
    folder = shell.folder / "data" / "models"
    folder.mkdir(parents=True)

    def mount(size: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("may not mount a small file system")
        return folder

    yield mount
    with suppress(OSError):
        subprocess.run(["umount", str(folder)], check=False, capture_output=True)


def test_a_disk_that_is_too_small_is_told_before_the_download(
    shell: Shell, hub: Hub, small_disk: Callable[[int], Path]
) -> None:
    small_disk(MIB)
    assert "room" in sentence(shell.run("models", "pull", NAME), 1)
    assert hub.answers == []


def test_a_disk_that_fills_up_keeps_the_part_and_goes_on_later(
    shell: Shell, hub: Hub, content: bytes, small_disk: Callable[[int], Path]
) -> None:
    folder = small_disk(66 * MIB)
    process = held(shell, hub, 80_000)
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    hub.go.set()
    _, err = process.communicate(timeout=HANGS_S)
    assert process.returncode == 1
    assert "disk filled up" in err
    filler.unlink()
    part = next(size for name, size in files(shell).items() if name.endswith(".part"))
    assert part >= 80_000
    assert shell.run("models", "pull", NAME).returncode == 0
    assert spans(hub)[-1] == (part, len(content))
    assert (folder / MODEL.file).read_bytes() == content


def test_every_entry_is_pinned() -> None:
    assert len({model.name for model in CATALOGUE}) == len(CATALOGUE)
    for model in CATALOGUE:
        assert (len(model.revision), len(model.sha256)) == (40, 64)
        int(model.revision + model.sha256, 16)
        assert {"es", "en"} <= set(model.languages)
        assert model.memory_bytes > model.size_bytes > 500 * MIB
    assert {"llama-3.1-8b", "llama-3.2-3b", "llama-3.2-1b"} <= {model.name for model in CATALOGUE}
    assert any(model.licence == "Apache-2.0" for model in CATALOGUE)


@pytest.mark.parametrize(
    ("machine", "recommended", "fits"),
    [
        (Machine(32 * 2**30, 8, "RTX", 12 * 2**30), "llama-3.1-8b", "card"),
        (Machine(16 * 2**30, 8), "llama-3.1-8b", "memory"),
        (Machine(16 * 2**30, 4), "qwen3-4b", "memory"),
        (Machine(8 * 2**30, 2), "qwen2.5-1.5b", "memory"),
        (Machine(4 * 2**30, 4), "qwen2.5-1.5b", "memory"),
        (Machine(8 * 2**30, 4, "GTX", 6 * 2**30), "qwen3-4b", "card"),
        (Machine(2 * 2**30, 2), "llama-3.2-1b", "too_big"),
        (Machine(None, 8), "llama-3.1-8b", "memory"),
    ],
)
def test_what_a_machine_can_bear(machine: Machine, recommended: str, fits: str) -> None:
    best = machine.recommended()
    assert (best.name, machine.fit(best)) == (recommended, fits)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_card_is_read_as_its_driver_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "nvidia-smi"
    script.write_text('#!/bin/sh\n[ -n "$1" ] && echo "NVIDIA GeForce RTX 4070, 12282" || exit 1\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert list(_nvidia_cards()) == [("NVIDIA GeForce RTX 4070", 12282 * MIB)]
    script.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'; exit 9\n")
    assert list(_nvidia_cards()) == []


class WindowsKernel:
    """kernel32 as it lists the cores: six, of which two have a second thread and so a longer record here."""

    records = b"".join(struct.pack("<II", 0, size).ljust(size, b"\1") for size in (48, 48, 48, 48, 64, 64))

    def GetLogicalProcessorInformationEx(self, kind: int, buffer: Any, length: Any) -> bool:
        given, length._obj.value = length._obj.value, len(self.records)
        if kind != 0 or buffer is None or given < len(self.records):
            return False
        ctypes.memmove(buffer, self.records, len(self.records))
        return True


def test_windows_tells_cores_from_their_second_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as windows:
        windows.setattr("sys.platform", "win32")
        windows.setattr("ctypes.CDLL", lambda name: {"kernel32": WindowsKernel()}[name])
        windows.setattr("os.cpu_count", lambda: 8)
        cores = physical_cores()
    assert cores == 6


class WindowsRegistry(ModuleType):
    """The display drivers that Windows knows: processor graphics, a card, what draws without one, and a locked key."""

    HKEY_LOCAL_MACHINE, REG_QWORD, REG_BINARY = "HKLM", 11, 3
    drivers: ClassVar[dict[str, Any]] = {
        "0000": {
            "DriverDesc": ("Intel(R) UHD Graphics 630", 1),
            "HardwareInformation.qwMemorySize": (1 * 2**30, 11),
        },
        "0001": {
            "DriverDesc": ("AMD Radeon RX 6700 XT", 1),
            "HardwareInformation.qwMemorySize": (12 * 2**30, 11),
        },
        "0002": {"DriverDesc": ("Microsoft Remote Display Adapter", 1)},
        "0003": {"DriverDesc": ("Odd", 1), "HardwareInformation.qwMemorySize": (b"\0\0\0\0\1\0\0\0", 3)},
        "Properties": None,
    }

    def OpenKey(self, key: Any, name: str) -> Any:
        if key == "HKLM":
            assert name.endswith(r"\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}")
            return nullcontext(self.drivers)
        if key[name] is None:
            raise PermissionError(name)
        return nullcontext(key[name])

    def QueryInfoKey(self, key: Any) -> tuple[int, int, int]:
        return len(key), 0, 0

    def EnumKey(self, key: Any, number: int) -> str:
        return list(key)[number]

    def QueryValueEx(self, key: Any, name: str) -> Any:
        if name not in key:
            raise FileNotFoundError(name)
        return key[name]


def test_windows_names_a_card_that_is_not_nvidias_and_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as windows:
        windows.setitem(sys.modules, "winreg", WindowsRegistry("winreg"))
        windows.setattr("sys.platform", "win32")
        windows.setattr("bot.models.machine.physical_cores", lambda: 6)
        windows.setattr("bot.models.machine._ram_bytes", lambda: 32 * 2**30)
        windows.setenv("PATH", "")
        machine = this_machine.__wrapped__()
        wheels = machine.wheels
    assert (machine.card, machine.card_bytes, wheels) == ("AMD Radeon RX 6700 XT", 12 * 2**30, "vulkan")
    assert machine.recommended().name == "llama-3.1-8b"


@pytest.mark.skipif(sys.platform == "darwin", reason="Metal there")
def test_the_ready_made_engine_suits_the_driver() -> None:
    header = "| NVIDIA-SMI 550.54   Driver Version: 550.54   CUDA Version: 12.4     |"
    assert _cuda(header) == (12, 4)
    wheels = [Machine(None, 4, "x", 1, cuda).wheels for cuda in ((12, 4), (12, 9), (13, 1), (11, 8))]
    assert wheels == ["cu124", "cu125", "cu130", "vulkan"]
    assert Machine(None, 4, "AMD", 1).wheels == "vulkan"
    assert Machine(None, 4).wheels == "cpu"
    assert len(CUDA_WHEELS) == 6


def test_the_doctor_names_the_engine_that_suits_and_warns_of_a_missing_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(None, 4, "GeForce", 12 * 2**30, (12, 4))
    monkeypatch.setattr(wheels, "_asked", lambda: 3)
    idle = wheels.engine_health(machine, wanted=True)
    assert (idle.state, "GeForce" in idle.reason) == ("degraded", True)
    assert idle.repair.startswith("uv pip install llama-cpp-python")
    assert f"/whl/{machine.wheels} " in idle.repair
    assert wheels.engine_health(Machine(None, 4), wanted=True).state == "ok"
    monkeypatch.setattr(wheels, "_asked", lambda: -11)
    assert wheels.engine_health(machine, wanted=True).state == "down"
    monkeypatch.setattr(wheels, "PACKAGE", "no-such-package")
    monkeypatch.setenv("PATH", "")
    missing = wheels.engine_health(machine, wanted=True)
    assert (missing.state, "cmake" in missing.reason) == ("down", True)
    assert wheels.engine_health(machine, wanted=False).state == "off"


def test_amounts_are_written_as_people_read_them() -> None:
    assert [amount(size) for size in (12, 4_500, 808e6, 4_920_739_232)] == ["12 B", "4 kB", "808 MB", "4,9 GB"]
    assert memory(16 * 2**30) == "16,0 GB"
    assert [duration(seconds) for seconds in (44.6, 89, 600, 7500)] == ["45 s", "89 s", "10 min", "2 h 5 min"]


def test_setup_shows_what_there_is_and_fetches_what_is_chosen(shell: Shell, content: bytes) -> None:
    nobody = shell.run("setup", "models")
    assert (nobody.returncode, "llama-3.1-8b" in nobody.stdout) == (0, True)
    assert not (shell.folder / "data" / "models" / MODEL.file).exists()
    somebody = shell.run("setup", "models", typed=f"{NAME}\n")
    assert somebody.returncode == 0, somebody.stderr
    assert (shell.folder / "data" / "models" / MODEL.file).read_bytes() == content
