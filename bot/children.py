"""What child processes are given of our environment, and what is kept from them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
SETTINGS = "ANEEKA_"
"""What the config's variables begin with."""


def environment() -> dict[str, str]:
    """Return our environment, with this program to import from, and without the config's variables.

    Keys and tokens may stand there, and a child reads what it needs from its pipe.
    """
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(SETTINGS)}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))}


def leave_the_end_to_the_parent() -> None:
    """Ignore Ctrl-C and Ctrl-Break, which reach the whole group: when this child ends is its parent's choice."""
    for name in ("SIGINT", "SIGBREAK"):
        if hasattr(signal, name):  # the latter is known to Windows alone
            signal.signal(getattr(signal, name), signal.SIG_IGN)
