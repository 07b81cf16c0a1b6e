"""The child's half of ``bot.worker``: one engine, told what to do over stdin, answering over stdout.

Frames (see ``bot.pipes``) to the child: ``load`` (options), ``run`` (a numbered request), ``cancel`` (its
number); the end of stdin means: end now. From the child: ``ready`` or ``failed``, then ``item`` and ``end`` with the
request's number, and ``beat`` twice a second.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import IO, Any, Protocol

from bot import texts
from bot.children import leave_the_end_to_the_parent
from bot.pipes import FRAME, pack, private_pipes, unpack
from bot.vocabulary import EngineDown, PromptTooLong

BEAT_S = 0.5
INSIST_S = 0.02


class Engine(Protocol):
    """What lives in the child. Built there, once, with the worker's options."""

    def __init__(self, options: dict[str, Any]) -> None:
        """Load. Raises ``EngineDown`` when loading again cannot help before somebody repairs something."""
        ...

    def run(self, request: dict[str, Any], payload: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Do one request, yielding ``(header, payload)`` items; blocks. What an earlier ``cancel`` set is reset first.

        Raises ``EngineDown`` or ``PromptTooLong``.
        """
        ...

    def cancel(self) -> None:
        """Make the ``run`` in progress end soon. Called from another thread, perhaps repeatedly; returns at once."""
        ...


class _Child:
    def __init__(self, source: IO[bytes], sink: IO[bytes]) -> None:
        self._source = source
        self._sink = sink
        self._writing = threading.Lock()
        self._jobs: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
        self._engine: Engine | None = None
        self._running = threading.Lock()  # guards the two numbers below
        self._current = 0
        self._cancelled = 0

    def live(self, engine: str) -> None:
        """Load the engine and serve until the parent's end of the pipe closes."""
        threading.Thread(target=self._read, daemon=True).start()
        options, _ = self._jobs.get()
        texts.use(options["language"])
        threading.Thread(target=self._beat, daemon=True).start()
        try:
            module, _, name = engine.partition(":")
            self._engine = getattr(importlib.import_module(module), name)(options["options"])
        except EngineDown as down:
            self._send({"op": "failed", "error": down.reason, "repair": down.repair, "permanent": True})
            return
        except Exception as fault:
            traceback.print_exc()
            self._send({"op": "failed", "error": f"{type(fault).__name__}: {fault}", "permanent": False})
            return
        self._send({"op": "ready"})
        while True:
            self._serve(*self._jobs.get())

    def _serve(self, frame: dict[str, Any], payload: bytes) -> None:
        assert self._engine is not None
        number: int = frame["n"]
        with self._running:
            self._current = number
        end: dict[str, Any] = {"op": "end", "n": number}
        try:
            if self._cancelled != number:
                for header, data in self._engine.run(frame["request"], payload):
                    if self._cancelled == number:
                        break
                    self._send({"op": "item", "n": number, "item": header}, data)
        except EngineDown as down:
            end |= {"kind": "EngineDown", "error": down.reason, "repair": down.repair}
        except PromptTooLong as too_long:
            end |= {"kind": "PromptTooLong", "error": str(too_long)}
        except Exception as fault:
            traceback.print_exc()
            end |= {"kind": "fault", "error": f"{type(fault).__name__}: {fault}"}
        with self._running:
            self._current = 0
        self._send(end)

    def _insist(self, number: int) -> None:
        """Cancel until the job has ended: the engine may only just be resetting its flag for this very job."""
        while True:
            with self._running:
                if self._current != number or self._engine is None:
                    return
                self._engine.cancel()
            time.sleep(INSIST_S)

    def _read(self) -> None:
        try:
            while True:
                size, header_bytes = FRAME.unpack(self._exactly(FRAME.size))
                frame, payload = unpack(self._exactly(size), header_bytes)
                if frame["op"] == "cancel":
                    self._cancelled = frame["n"]
                    threading.Thread(target=self._insist, args=(frame["n"],), daemon=True).start()
                else:
                    self._jobs.put((frame, payload))
        finally:
            os._exit(0)  # the parent is gone or wants us gone; an engine that hangs must not keep the process

    def _exactly(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def _beat(self) -> None:
        while True:
            self._send({"op": "beat"})
            time.sleep(BEAT_S)

    def _send(self, header: dict[str, Any], payload: bytes = b"") -> None:
        frame = pack(header, payload)
        with self._writing:
            self._sink.write(frame)
            self._sink.flush()


def main() -> None:
    """Run the engine named by the first argument, such as ``bot.voice.espeak_engine:EspeakEngine``."""
    leave_the_end_to_the_parent()
    faulthandler.enable()
    _Child(*private_pipes()).live(sys.argv[1])
    os._exit(1)  # a normal exit would wait for locks that the reading thread holds
