"""Files that are written anew: what is there is the old one or the new one, whole."""

from __future__ import annotations

import sys
import time
from pathlib import Path

HELD_S = 2.0
"""How long to try on Windows, where a virus scanner, an indexer or a cloud folder can hold a file."""
AGAIN_S = 0.05


def take_place(fresh: Path, file: Path) -> None:
    """Let ``fresh`` become ``file``, in place of the one that is there. Blocks for up to ``HELD_S``.

    Raises ``OSError``: then ``file`` is as it was.
    """
    ends_s = time.monotonic() + HELD_S
    while True:
        try:
            fresh.replace(file)
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() >= ends_s:
                raise
            time.sleep(AGAIN_S)
        else:
            return
