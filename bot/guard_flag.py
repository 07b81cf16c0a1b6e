"""What the guard process and the program both see at once: whether all sound is silenced, and since when.

A small file, mapped by both: 32-bit counts of panics (written by the guard alone) and of those that the operator has
resumed from (written by the program alone), and the time of the panic. She is silenced while the two counts differ, so
no press is lost, however late the program learns of it.
"""

from __future__ import annotations

import mmap
from pathlib import Path

SIZE = 16


class Flag:
    """One process's view of the file; the sound card's callback reads it."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)
        whole = memoryview(self._map)
        self._counts, self._since = whole[:8].cast("I"), whole[8:].cast("d")
        whole.release()

    @staticmethod
    def make(path: Path) -> None:
        """Make the file: nobody has pressed panic yet."""
        path.write_bytes(bytes(SIZE))

    @property
    def panics(self) -> int:
        """How many times panic was pressed."""
        return self._counts[0]

    @property
    def resumed(self) -> int:
        """The newest panic that was resumed from."""
        return self._counts[1]

    @property
    def since_s(self) -> float:
        """``time.monotonic()`` of the panic that silenced her (one clock for all processes of a machine)."""
        return self._since[0]

    def silent(self) -> bool:
        """Whether all sound is silenced."""
        return self._counts[0] != self._counts[1]

    def panic(self, now_s: float) -> None:
        """Silence her; the guard's part."""
        if not self.silent():
            self._since[0] = now_s
        self._counts[0] += 1

    def resume(self, panic: int) -> None:
        """Let her sound again, unless a later panic than this one was pressed; the program's part."""
        self._counts[1] = panic

    def close(self) -> None:
        """Let go of the file."""
        self._counts.release()
        self._since.release()
        self._map.close()
