"""A child process that speaks in frames: spawn, write, read, see out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
from collections.abc import AsyncGenerator
from typing import Any

from bot.children import environment
from bot.pipes import FRAME, FRAME_MAX, pack, unpack

END_S = 1.0
"""How long a child may take to go after its stdin has been closed."""
LAST_WORDS_S = 0.1
"""How long its stderr is read on after its end; a grandchild may hold it open for ever."""

_log = logging.getLogger(__name__)


class FramedProcess:
    """One life of a child. Its stderr goes to the debug log, a bounded piece of each line."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.pid = process.pid
        self._process = process
        assert process.stdin
        assert process.stdout
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._stderr = asyncio.create_task(self._log_stderr(name))

    @classmethod
    async def spawn(cls, name: str, *arguments: str) -> FramedProcess:
        """Start this Python with ``arguments``; on Windows without a console window. Raises ``OSError``."""
        process = await asyncio.create_subprocess_exec(
            # Not the current folder, which may hold modules of any name, but this very program.
            *(sys.executable, "-P", *arguments),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        return cls(process, name)

    def write(self, header: dict[str, Any], payload: bytes = b"") -> None:
        """Send one frame; to a child that is gone it is dropped."""
        if not self._stdin.is_closing():
            self._stdin.write(pack(header, payload))

    async def frames(self) -> AsyncGenerator[tuple[dict[str, Any], bytes], None]:
        """Yield the child's frames until it closes its end. Raises ``ValueError`` when they are unreadable."""
        while True:
            try:
                size, header_bytes = FRAME.unpack(await self._stdout.readexactly(FRAME.size))
                if size > FRAME_MAX or header_bytes > size:
                    raise ValueError(size)
                body = await self._stdout.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            yield unpack(body, header_bytes)

    def kill(self) -> None:
        """End it without asking."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def bury(self) -> str:
        """See it out: a healthy child ends when its stdin does, another is killed. Return how it ended."""
        self._stdin.close()
        try:
            code = await asyncio.wait_for(self._process.wait(), END_S)
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        await asyncio.wait([self._stderr], timeout=LAST_WORDS_S)
        self._stderr.cancel()
        return f"signal {-code}" if code < 0 else f"code {code}"

    @property
    def buried(self) -> bool:
        """Whether it has ended and nothing of it is left to the system."""
        return self._process.returncode is not None

    async def _log_stderr(self, name: str) -> None:
        assert self._process.stderr
        while chunk := await self._process.stderr.read(4096):
            for line in chunk.decode("utf-8", "replace").splitlines():
                _log.debug("%s: %r", name, line[:300])
