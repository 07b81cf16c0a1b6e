"""How long she can be heard after a skip while Azure speaks: ``python -m tests.bench.azure_stop [--times N]``.

The whole program with the real SDK; the service is the local one, in the middle of sending the phrase that is skipped.
Milliseconds from just before the request is sent, three ways: until the last audible sample by the output's own clock
(the turn's marks), until the last sound at a sound card's sink (``tests.bench.panic``, which has the presses that meet
silence and the stalls of the machine), and until the service is rid of the request.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bot.timing import percentile
from tests.bench.panic import MEETS_SILENCE_S, Ear, Stalls
from tests.bench.program import Program, running
from tests.local_azure.tts import Synthesis
from tests.local_azure.usp import KEY, LocalAzure
from tests.virtual_sink import Sink

SAID = " ".join(["mananaluneramarina"] * 10)
"""No pauses, and one request, which takes the service 7 s."""
SETTLE_S = 0.5


def skip(program: Program, sink: Sink, tts: Synthesis, dice: random.Random) -> tuple[float, float, float] | None:
    """Return the three times in seconds; ``None``: it met silence, or the machine stood still."""
    ear, stalls, left = Ear(sink), Stalls(), tts.abandoned
    try:
        heard = program.ask("POST", "/api/say", {"text": SAID})["id"]
        ear.wait_for_sound()
        time.sleep(dice.uniform(0.05, 1.5))
        pressed = time.monotonic()
        program.ask("POST", "/api/control/skip")
        while tts.abandoned == left:
            time.sleep(0.001)
        rid_s = time.monotonic() - pressed
        time.sleep(SETTLE_S)
        turn = program.turn_of(heard)
        if stalls.since(pressed - 0.1) or not ear.heard(pressed - MEETS_SILENCE_S, pressed):
            return None
        marks = turn["marks_ms"]
        silent = turn["audible_at_s"] + (marks["last_audible"] - marks["first_audible"]) / 1000
        return silent - pressed, max(0.0, ear.last - pressed), rid_s
    finally:
        ear.close()


def figures(found: Sequence[float]) -> dict[str, float]:
    ranked = {f"p{p}_ms": round(1000 * percentile(list(found), p / 100), 1) for p in (50, 95)}
    return {**ranked, "max_ms": round(1000 * max(found), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=40)
    times = parser.parse_args().times
    tts, dice, found = Synthesis(first_s=0.1, speed=1.5), random.Random(1), list[tuple[float, float, float]]()
    with ExitStack() as stack:
        sink = Sink(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        stack.callback(sink.close)
        server = stack.enter_context(LocalAzure(tts))
        azure = {"ANEEKA_TTS__ENGINE": "azure", "ANEEKA_AZURE__KEY": KEY, "ANEEKA_AZURE__ENDPOINT": server.endpoint}
        card = {"ANEEKA_STAGE__SOUND": "sound_card", "ANEEKA_AUDIO__OUTPUT_DEVICE": "pulse"}
        program = stack.enter_context(running(ANEEKA_AUDIO__MODE="off", **azure, **card, **sink.environment))
        while len(found) < times:
            took = skip(program, sink, tts, dice)
            if took is not None:
                found.append(took)
    kinds = ("output's clock", "sound card's sink", "service is rid")
    rows = {kind: figures(each) for kind, each in zip(kinds, zip(*found, strict=True), strict=True)}
    print(json.dumps({"skips": len(found), **rows}))


if __name__ == "__main__":
    main()
