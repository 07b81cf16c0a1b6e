"""Operator replies with and without a flood of recorded chat, and her memory meanwhile.

``python -m tests.bench.flood RECORDING.jsonl --seconds 300 [--paced]``: plays the recording through the whole program
and sends the operator's words every few seconds; then the same with one calm viewer whom she is answering when the
operator speaks, and with nobody. ``--paced``: she thinks with a brain as slow as a real one, not with the understudy,
whose whole reply takes 5 ms. Prints latencies from heard to audible, the resident memory by the minute, and whether
every message is accounted for.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import psutil

from bot.timing import percentile
from tests.bench.paced_brain import paced_brain
from tests.bench.program import Program, running

EVERY_S = 6.0
ANSWERING_S = 1.5
"""How long she has been answering the calm viewer when the operator speaks."""


def measure(program: Program, seconds: float, *, viewer: bool = False) -> dict[str, object]:
    process = psutil.Process(program.process.pid)
    start, asked, memory = time.monotonic(), [], []
    cpu = process.cpu_times()
    while time.monotonic() - start < seconds:
        if viewer:
            said = {"user": f"viewer{len(asked)}", "text": f"Aneeka, cuéntame un chiste, el {len(asked)}"}
            program.ask("POST", "/api/chat", said)
            time.sleep(ANSWERING_S)
        asked.append(program.ask("POST", "/api/operator", {"text": f"¿Qué tal va la número {len(asked)}?"})["id"])
        memory.append(process.memory_info().rss / 2**20)
        time.sleep(EVERY_S)
    spent = process.cpu_times()
    turns = {heard["id"]: turn for turn in program.turns() for heard in turn["heard"]}
    waits = [
        turns[i]["marks_ms"]["first_audible"] for i in asked if i in turns and "first_audible" in turns[i]["marks_ms"]
    ]
    minute = max(1, round(60 / EVERY_S))
    return {
        "operator_replies": len(waits),
        "heard_to_audible_ms": {f"p{p}": round(percentile(waits, p / 100), 2) for p in (50, 95)},
        "rss_mb_by_minute": [round(mb, 1) for mb in memory[::minute]],
        "rss_growth_after_first_minute_mb": round(memory[-1] - memory[min(minute, len(memory) - 1)], 1),
        "cpu_share": round((spent.user + spent.system - cpu.user - cpu.system) / (time.monotonic() - start), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--speed", default="1")
    parser.add_argument("--paced", action="store_true")
    args = parser.parse_args()
    with paced_brain() if args.paced else nullcontext({}) as brain:
        compare(args, brain)


def compare(args: argparse.Namespace, brain: dict[str, str]) -> None:
    with running("replay", str(args.recording), "--speed", args.speed, **brain) as program:
        flooded = measure(program, args.seconds)
        state = program.ask("GET", "/api/state")
        counters = state["counters"]
        print(json.dumps({"with_chat": flooded, "counters": counters}), flush=True)
        open_ones = counters["chat_received"] - counters["chat_answered"] - sum(counters["chat_dropped"].values())
        print(
            json.dumps({"not_yet_answered_nor_dropped": open_ones, "waiting_shown": len(state["waiting"])}), flush=True
        )
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as silence:
        silence.write('{"at_s": 0, "user": "a", "text": "!x"}\n{"at_s": 100000, "user": "a", "text": "!x"}\n')
        silence.flush()
        for name, viewer in (("calm_chat", True), ("without_chat", False)):
            with running("replay", silence.name, **brain) as program:
                print(json.dumps({name: measure(program, min(args.seconds, 90), viewer=viewer)}), flush=True)


if __name__ == "__main__":
    main()
