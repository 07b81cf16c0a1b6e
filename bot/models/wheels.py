"""Which ready-made llama.cpp suits this machine, and whether the installed one uses its graphics card."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys

from bot.children import environment
from bot.models.machine import Machine
from bot.texts import text
from bot.vocabulary import Health

INDEX = "https://abetlen.github.io/llama-cpp-python/whl/"
PACKAGE = "llama-cpp-python"
IMPORT_S = 60.0
ASK = "import llama_cpp, sys; sys.exit(0 if llama_cpp.llama_supports_gpu_offload() else 3)"


def install_command(machine: Machine) -> str:
    """Return the command that installs a ready-made llama.cpp for this machine."""
    return (
        f"uv pip install llama-cpp-python --extra-index-url {INDEX}{machine.wheels}"
        " --only-binary llama-cpp-python --reinstall"
    )


def missing_compiler() -> list[str]:
    """Return what building llama.cpp here would need and does not find."""
    compilers = ("cl", "cc", "gcc", "clang") if sys.platform == "win32" else ("cc", "gcc", "clang")
    return [
        *([] if shutil.which("cmake") else ["cmake"]),
        *([] if any(map(shutil.which, compilers)) else [text("doctor.compiler")]),
    ]


def engine_health(machine: Machine, *, wanted: bool) -> Health:
    """Return how llama.cpp is installed; ``wanted``: the config's brain needs it. Imports it in another process."""
    command = install_command(machine)
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        lacking = missing_compiler()
        warning = text("doctor.no_compiler", tools=", ".join(lacking)) if lacking else ""
        reason = f"{text('mind.llama_missing')} {warning}".rstrip()
        return Health("llama.cpp", "down" if wanted else "off", reason, command)
    code = _asked()
    if code not in (0, 3):
        return Health("llama.cpp", "down" if wanted else "off", text("doctor.llama_broken", version=version), command)
    if code == 3 and machine.card:
        return Health("llama.cpp", "degraded", text("doctor.card_idle", version=version, card=machine.card), command)
    return Health("llama.cpp", "ok", version)


def _asked() -> int:
    try:
        return subprocess.run(
            [sys.executable, "-P", "-c", ASK],
            env=environment(),
            capture_output=True,
            timeout=IMPORT_S,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        return -1
