"""kill -9 of the brain's and of the voice's process in mid-reply, again and again.

Prints for each: replies that ended (uncut, or finished by the fallback), how long until the engine was back, which
lights were seen, and that the program itself never ended.
"""

from __future__ import annotations

import argparse
import json
import random
import time

import psutil

from bot.timing import percentile
from tests.bench.program import Program, running

TEXT = "Uno dos tres cuatro cinco seis siete ocho nueve diez. Once doce trece catorce quince dieciséis."


def kill_once(program: Program, part: str, dice: random.Random) -> dict[str, object]:
    pid = program.until(lambda state: state["health"][part]["state"] == "ok")["health"][part]["pid"]
    path = "/api/say" if part == "voice" else "/api/operator"
    heard = program.ask("POST", path, {"text": TEXT})["id"]
    program.until(lambda state: state["doing"] == "speaking")
    time.sleep(dice.uniform(0.0, 1.5))
    psutil.Process(pid).kill()
    killed = time.monotonic()
    lost = program.until(lambda state: state["health"][part].get("pid") != pid, 10)
    program.until(lambda state: state["health"][part]["state"] == "ok" and state["health"][part].get("pid"), 30)
    back_s = time.monotonic() - killed
    if part == "brain":
        program.ask("POST", "/api/control/skip")
    turn = program.turn_of(heard)
    following = program.ask("POST", "/api/say" if part == "voice" else "/api/operator", {"text": "Sigo aquí."})["id"]
    program.until(lambda state: state["doing"] == "speaking")
    if part == "brain":
        program.ask("POST", "/api/control/skip")
    after = program.turn_of(following)
    engine = after["engines"]["tts" if part == "voice" else "llm"]
    whole = turn["spoken"] == TEXT if part == "voice" else turn["cut"] in (None, "skip")
    return {"back_s": back_s, "whole": whole, "next_by": engine, "light": lost["health"][part]["state"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    dice = random.Random(1)
    with running("run", "--no-open", llama=True) as program:
        for part in ("voice", "brain"):
            results = [kill_once(program, part, dice) for _ in range(times)]
            back = [float(str(r["back_s"])) for r in results]
            print(
                json.dumps(
                    {
                        "part": part,
                        "kills": times,
                        "whole_replies": sum(bool(r["whole"]) for r in results),
                        "next_by": sorted({str(r["next_by"]) for r in results}),
                        "lights_seen": sorted({str(r["light"]) for r in results}),
                        "back_s": {f"p{p}": round(percentile(back, p / 100), 2) for p in (50, 95)},
                        "program_alive": program.process.poll() is None,
                    }
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
