"""Tiny engines that behave well or badly in the worker's child."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.texts import text
from bot.vocabulary import EngineDown, PromptTooLong

Items = Iterator[tuple[dict[str, Any], bytes]]


class Obedient:
    """Does what the request's ``do`` says."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.stop = threading.Event()

    def run(self, request: dict[str, Any], payload: bytes) -> Items:
        self.stop.clear()
        yield from getattr(self, request["do"])(request, payload)

    def cancel(self) -> None:
        self.stop.set()

    def echo(self, request: dict[str, Any], payload: bytes) -> Items:
        yield {"request": request, "options": self.options}, payload

    def count(self, request: dict[str, Any], payload: bytes) -> Items:
        for i in range(request["to"]):
            yield {"i": i, "of": request.get("name", "")}, b""

    def tick(self, request: dict[str, Any], payload: bytes) -> Items:
        """Never ends unless it is cancelled."""
        i = 0
        while not self.stop.wait(0.005):
            yield {"i": i}, b""
            i += 1

    def deaf(self, request: dict[str, Any], payload: bytes) -> Items:
        """One item, then a native call that no cancelling reaches."""
        yield {}, b""
        time.sleep(3600)

    def slow(self, request: dict[str, Any], payload: bytes) -> Items:
        """Silent until it is cancelled."""
        self.stop.wait(3600)
        yield from ()

    def frozen(self, request: dict[str, Any], payload: bytes) -> Items:
        """One item, then a native call that keeps the interpreter's lock."""
        yield {}, b""
        ctypes.PyDLL(None).sleep(3600)

    def noisy(self, request: dict[str, Any], payload: bytes) -> Items:
        print("a stray print", flush=True)
        os.write(1, b"\x00\x00\x00\x04 a native print")
        subprocess.run([sys.executable, "-c", "print('a grandchild prints')"], check=True)
        yield {"stdin": sys.stdin.read()}, b"\x00" * 100_000
        print("and another", flush=True)

    def down(self, request: dict[str, Any], payload: bytes) -> Items:
        yield {}, b""
        raise EngineDown(text("worker.closed"), "Mend it.")

    def too_long(self, request: dict[str, Any], payload: bytes) -> Items:
        raise PromptTooLong("9000 > 8192")
        yield {}, b""

    def fault(self, request: dict[str, Any], payload: bytes) -> Items:
        yield {"n": 1 // request["zero"]}, b""

    def die(self, request: dict[str, Any], payload: bytes) -> Items:
        os._exit(7)
        yield {}, b""


class Broken:
    """Cannot load before somebody repairs it: the file named by the options must exist."""

    def __init__(self, options: dict[str, Any]) -> None:
        with Path(options["log"]).open("a") as log:
            log.write("try\n")
        if not Path(options["file"]).exists():
            raise EngineDown("There is no such file.", "Choose another.")

    def run(self, request: dict[str, Any], payload: bytes) -> Items:
        yield {}, b""

    def cancel(self) -> None: ...


class DiesLoading(Broken):
    def __init__(self, options: dict[str, Any]) -> None:
        os._exit(9)


class LoadsForever(Broken):
    def __init__(self, options: dict[str, Any]) -> None:
        time.sleep(3600)
