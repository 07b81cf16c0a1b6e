"""How long she can be heard after panic: at the sound card's sink, or of a page in a browser that plays there.

A null sink of PulseAudio is what is heard (``tests.virtual_sink``); its monitor is read in pieces of 5 ms, and the
time from just before the request is sent until the last piece with sound is measured, by the sink's own samples. Half
of the text's letters are vowels and none is a plosive, so that her voice itself makes no pauses; a press that meets
silence is done again, and so is one during which the machine itself stood still (a thread that only sleeps 5 ms at a
time overslept by more than 50 ms); these are counted as ``stalls``.

Cases: ``studio`` (the ordinary route) and ``guard`` while all is well, ``hang`` (the event loop sleeps 5 s from before
the press), ``gil`` (the same in a C call that lets no other thread run), ``voice`` and ``brain`` (that child has got
SIGSTOP; the brain's words are random), ``program`` (the program itself has; for a page alone, since the card falls
silent by itself when nobody feeds it, as it does in ``gil``: there a press that meets silence counts as 0).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from bot.timing import percentile
from tests import tiny_gguf
from tests.bench.program import Program
from tests.browser import OPTIONS
from tests.virtual_sink import RATE, Sink

SHARES = {"studio": 100, "guard": 150, "hang": 60, "gil": 35, "voice": 60, "brain": 60, "program": 35}
TEXT = "Una mañana lunera ilumina mi alma y el mar anima la luna llena en un año mío y nuevo. " * 2
ASKED = "Cuéntame algo largo de ti, por favor."
LOUD = 0.001
PIECE = RATE // 200
HANG_S = 5.0
MEETS_SILENCE_S = 0.03
STALL_S = 0.05
LATE_S = 0.2


class Ear:
    """Listens at the sink's monitor and remembers when it last heard something."""

    def __init__(self, sink: Sink) -> None:
        words = ["parec", "-d", "speakers.monitor", "--format=float32le", f"--rate={RATE}", "--channels=1"]
        self._process = subprocess.Popen(
            [*words, "--latency-msec=5"], env=os.environ | sink.environment, stdout=subprocess.PIPE
        )
        self.loud: deque[float] = deque(maxlen=4000)
        self._delays: deque[float] = deque(maxlen=2000)
        self._told = 0.0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        samples_s = 0.0
        while len(piece := self._process.stdout.read(PIECE * 4)) == PIECE * 4:
            samples_s += PIECE / RATE
            self._delays.append(time.monotonic() - samples_s)
            if np.abs(np.frombuffer(piece, "<f4")).max() > LOUD:
                self.loud.append(samples_s + min(self._delays))  # pieces come late, never early
                self._told = time.monotonic()

    @property
    def last(self) -> float:
        return self.loud[-1] if self.loud else 0.0

    @property
    def late_s(self) -> float:
        """How much later than ever pieces come now."""
        return self._delays[-1] - min(self._delays)

    def heard(self, start: float, end: float) -> bool:
        """Whether there was sound between these times."""
        return any(start <= at <= end for at in list(self.loud))

    def wait_for_sound(self, timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() - self._told > MEETS_SILENCE_S:
            if time.monotonic() > deadline:
                raise TimeoutError("nothing is heard")
            time.sleep(0.002)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Stalls:
    """Notices when the machine stands still."""

    def __init__(self) -> None:
        self._gaps: deque[tuple[float, float]] = deque(maxlen=4000)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(0.005)
            now = time.monotonic()
            self._gaps.append((now, now - before - 0.005))
            before = now

    def since(self, then: float) -> bool:
        """Whether it has overslept since then."""
        return any(gap > STALL_S for at, gap in list(self._gaps) if at >= then)


class Bench:
    def __init__(self, program: Program, sink: Sink, place: str, seed: int) -> None:
        self.program, self.sink, self.place = program, sink, place
        self.dice = random.Random(seed)
        self.turns: list[dict[str, Any]] = []
        self._stalls = Stalls()
        self.stalled = 0
        self.panic_address: str = program.ask("GET", "/api/state")["panic"]

    def press(self, case: str) -> None:
        address = self.program.base + "/api/control/panic" if case == "studio" else self.panic_address
        headers = {"Authorization": f"Bearer {self.program.token}"}
        urllib.request.urlopen(urllib.request.Request(address, method="POST", headers=headers), timeout=20).close()

    def trial(self, case: str) -> float | None:
        """Return the milliseconds from the press to the last sound; ``None``: it met silence, or the machine stood."""
        self.ear = Ear(self.sink)  # a fresh one: what a stall has delayed stays late
        try:
            return self._trial(case)
        finally:
            self.ear.close()

    def _trial(self, case: str) -> float | None:
        path, said = ("/api/operator", ASKED) if case == "brain" else ("/api/say", TEXT)
        heard = self.program.ask("POST", path, {"text": said})["id"]
        self.ear.wait_for_sound()
        time.sleep(self.dice.uniform(0.05, 0.9))
        undo = self.break_it(case)
        time.sleep(self.dice.uniform(0.02, 0.5))
        pressed = time.monotonic()
        self.press(case)
        time.sleep(0.5)
        silent_after_s = self.ear.last - pressed
        met_sound = self.ear.heard(pressed - MEETS_SILENCE_S, pressed)
        stalled = self._stalls.since(pressed - 0.1) or self.ear.late_s > LATE_S
        undo()
        self.program.until(lambda state: state["paused"] and state["doing"] == "paused")
        time.sleep(0.1)
        if stalled:
            self.stalled += 1
        elif self.ear.last - pressed > max(silent_after_s, 0.0) + 0.001:
            raise AssertionError(f"{case}: sound came back after panic")
        self.turns.append(self.program.turn_of(heard))
        self.program.ask("POST", "/api/control/resume")
        counts = met_sound or (case == "gil" and self.place == "card")
        return 1000 * max(0.0, silent_after_s) if counts and not stalled else None

    def break_it(self, case: str) -> Callable[[], None]:
        main = self.program.process.pid
        if case in ("hang", "gil"):
            os.kill(main, signal.SIGUSR1 if case == "hang" else signal.SIGUSR2)
            over = time.monotonic() + HANG_S
            return lambda: time.sleep(max(0.0, over - time.monotonic()))
        if case in ("voice", "brain", "program"):
            state = self.program.ask("GET", "/api/state")["health"]
            pid = main if case == "program" else state[case]["pid"]
            os.kill(pid, signal.SIGSTOP)

            def undo() -> None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

            return undo
        return lambda: None

    def run(self, case: str, times: int) -> list[float]:
        found: list[float] = []
        while len(found) < times:
            took = self.trial(case)
            if took is not None:
                found.append(took)
        return found


@contextmanager
def hosted(sink: Sink, place: str, **environment: str) -> Iterator[Program]:
    with tempfile.TemporaryDirectory() as folder:
        chosen = {
            "ANEEKA_DATA_DIR": folder,
            "ANEEKA_STUDIO__PORT": "0",
            "ANEEKA_CHAT__IDLE_AFTER_S": "0",
            "ANEEKA_STAGE__SOUND": "sound_card" if place == "card" else "browser",
            "ANEEKA_AUDIO__OUTPUT_DEVICE": "pulse" if place == "card" else "",
            "HANG_S": str(HANG_S),
            "ANEEKA_LLM__MODEL": str(tiny_gguf.write(Path(folder) / "tiny.gguf")),
            "ANEEKA_LLM__THREADS": "1",
            "ANEEKA_LLM__MAX_TOKENS": "400",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.panic_host"],
            env=os.environ | sink.environment | chosen | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            program = Program(process, process.stdout.readline().strip())
            for part in ("voice", "brain"):
                program.until(lambda state, part=part: state["health"][part]["state"] == "ok")
            yield program
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", choices=("card", "page"), default="card")
    parser.add_argument("--times", type=int, default=500, help="in all; the cases have their shares of it")
    parser.add_argument("--only", nargs="*", choices=tuple(SHARES), default=tuple(SHARES))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with ExitStack() as stack:
        sink = Sink(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        stack.callback(sink.close)
        program = stack.enter_context(hosted(sink, args.place))
        if args.place == "page":
            browser = stack.enter_context(sync_playwright()).chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
                args=OPTIONS,
                ignore_default_args=["--mute-audio"],
                env=os.environ | sink.environment,
            )
            stack.callback(browser.close)
            browser.new_page().goto(program.ask("GET", "/api/state")["obs"]["stage"])
            program.until(lambda state: state["sound"]["output"] == "browser")
        bench = Bench(program, sink, args.place, args.seed)
        every: list[float] = []
        cases = [case for case in args.only if case != "program" or args.place == "page"]
        shares = sum(SHARES[case] for case in cases)
        for case in cases:
            bench.stalled = 0
            found = bench.run(case, max(1, round(SHARES[case] * args.times / shares)))
            every += found
            print(
                json.dumps({"place": args.place, "case": case, **figures(found), "stalls": bench.stalled}), flush=True
            )
        print(json.dumps({"place": args.place, "case": "all", **figures(every)}), flush=True)


def figures(found: list[float]) -> dict[str, float]:
    ranked = {f"p{p}_ms": round(percentile(found, p / 100), 1) for p in (50, 99)}
    return {"presses": len(found), **ranked, "max_ms": round(max(found), 1)}


if __name__ == "__main__":
    main()
