"""The whole program as a child process, driven over its HTTP interface, for the benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests import tiny_gguf


class Program:
    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.base, _, self.token = address.partition("/?token=")
        self.address = address

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.base + path, method=method, headers={"Authorization": f"Bearer {self.token}"}
        )
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=20) as answer:
            return json.load(answer)

    def turns(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", "/api/turns?limit=500")
        return found

    def turn_of(self, heard_id: str, timeout_s: float = 60.0) -> dict[str, Any]:
        """Wait for the record of the turn that answered a message."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for turn in self.turns():
                if any(heard["id"] == heard_id for heard in turn["heard"]):
                    return turn
            time.sleep(0.05)
        raise TimeoutError(heard_id)

    def until(self, what: Any, timeout_s: float = 30.0) -> dict[str, Any]:
        """Wait until ``what(state)`` is true."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            state: dict[str, Any] = self.ask("GET", "/api/state")
            if what(state):
                return state
            time.sleep(0.02)
        raise TimeoutError(state)

    def family(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]


@contextmanager
def running(*words: str, llama: bool = False, **environment: str) -> Iterator[Program]:
    """Start ``aneeka`` with these words on a free port; end it by a polite kill."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = {"ANEEKA_DATA_DIR": folder, "ANEEKA_STAGE__SOUND": "none", "ANEEKA_CHAT__IDLE_AFTER_S": "0"}
        if llama:
            model = tiny_gguf.write(Path(folder) / "tiny.gguf")
            chosen |= {"ANEEKA_LLM__MODEL": str(model), "ANEEKA_LLM__THREADS": "1", "ANEEKA_LLM__MAX_TOKENS": "400"}
        command = [sys.executable, "-m", "bot", *words, "--port", "0"]
        process = subprocess.Popen(
            command,
            env=os.environ | chosen | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            program = Program(process, process.stdout.readline().split()[-1])
            program.until(lambda state: state["health"]["voice"]["state"] == "ok")
            if llama:
                program.until(lambda state: state["health"]["brain"]["state"] == "ok")
            yield program
        finally:
            process.terminate()
            process.wait(10)
