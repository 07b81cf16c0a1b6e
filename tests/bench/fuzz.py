"""Rubbish of every kind for the studio's server: by HTTP from its own description, and over its WebSockets.

Prints how many requests and frames there were; ends with an error at the first answer that is a fault of ours (5xx, or
not as described), at the first request without a key that changes something, and when the program has ended.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from bot.studio.openapi import description
from tests.bench.program import running
from tests.web_attacks.wire import Door, Wire, frame, status_of

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
SOCKETS = ("/api/live", "/api/stage", "/api/microphone")
NUMBERS = st.integers() | st.floats() | st.sampled_from([1e308, 2**63, 10**300, -1])
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=20)
FIELDS = ("type", "kind", "can_sound", "serial", "samples", "at_ms", "label", "reply")
KNOWN = ("ready", "take_sound", "played", "stopped", "panic", "stage", "studio", "captions")
MESSAGES = st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(KNOWN) | LEAVES, max_size=6)
PLAYED = st.fixed_dictionaries(
    {"type": st.sampled_from(("played", "stopped")), "serial": LEAVES, "samples": LEAVES, "at_ms": LEAVES}
)
READY = frame(b'{"type": "ready", "kind": "stage", "can_sound": true}')
TEXTS = (
    PLAYED.map(json.dumps)
    | MESSAGES.map(json.dumps)
    | st.text(max_size=200)
    | st.recursive(LEAVES, st.lists, max_leaves=9).map(json.dumps)
)
GOOD = st.builds(
    frame,
    TEXTS.map(lambda said: said.encode("utf-8", "surrogatepass")) | st.binary(max_size=600),
    st.sampled_from((1, 2)),
)
WILD = st.builds(
    frame,
    st.binary(max_size=200),
    st.integers(0, 15),
    fin=st.booleans(),
    rsv=st.integers(0, 7),
    mask=st.booleans(),
    says=st.none() | st.integers(0, 2**64 - 1),
)
BYE = frame(b"\x03\xe8", 8)


def narrowed(address: str) -> dict[str, Any]:
    """Return the description, but for engines that would load gigabytes or ask a service."""
    told = json.loads(json.dumps(description(address)))
    for schema in ("Voice", "VoiceInCharge"):
        told["components"]["schemas"][schema]["properties"]["engine"]["enum"] = ["espeak"]
    told["paths"]["/api/voices"]["get"]["parameters"][0]["schema"]["enum"] = ["espeak"]
    for path in SOCKETS[:2]:
        del told["paths"][path]
    return told


def over_http(door: Door, examples: int, skip: tuple[str, ...] = ()) -> Counter[str]:
    """Send ``examples`` fitting and as many unfitting requests to every route; return how many answers of each kind.

    Raises what Schemathesis raises at the first answer that is not as described.
    """
    answers: Counter[str] = Counter()
    base = f"http://{door.host}"
    for found in schemathesis.openapi.from_dict(narrowed(base)).get_all_operations():
        operation = found.ok()
        if operation.path not in skip:
            for mode in MODES:
                with suppress(Unsatisfiable):  # some routes take nothing that could be unfit
                    patient(examples)(given(operation.as_strategy(mode))(_asker(door, base, operation, answers)))()
    return answers


def _asker(door: Door, base: str, operation: Any, answers: Counter[str]) -> Callable[[Any], None]:
    session, locked = requests.Session(), "security" in operation.definition.raw

    def ask(case: Any) -> None:
        answer = case.call(base, session, headers={"Authorization": f"Bearer {door.full}"}, timeout=60)
        answers[f"{answer.status_code // 100}xx"] += 1
        case.validate_response(answer, checks=CHECKS)
        if locked:
            stranger = case.call(base, session, headers={"Authorization": "Bearer wrong"}, timeout=60)
            assert stranger.status_code in (400, 401, 403, 404, 405), (case.method, case.path, stranger.status_code)
            answers["without a key"] += 1

    return ask


def over_sockets(door: Door, examples: int, alive: Callable[[], None]) -> Counter[str]:
    """Send ``examples`` bursts of frames to each WebSocket; ``alive`` raises when the program does not live."""
    frames: Counter[str] = Counter()
    for path in SOCKETS:
        burst = _burst(door, path, frames, alive)
        patient(examples)(given(st.lists(GOOD, max_size=20), st.lists(WILD, max_size=3))(burst))()
    return frames


def _burst(
    door: Door, path: str, frames: Counter[str], alive: Callable[[], None]
) -> Callable[[list[bytes], list[bytes]], None]:
    def burst(good: list[bytes], wild: list[bytes]) -> None:
        with Wire(door.port) as wire:
            wire.send(door.knock(path, key=door.full))
            assert status_of(wire.head()) == 101
            wire.send(b"".join([READY, *good, *wild, BYE]))
        frames[path] += len(good) + len(wild)
        alive()

    return burst


def patient(examples: int) -> settings:
    """Return settings that try the same examples each time, however long one takes."""
    every = list(HealthCheck)
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=every,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="a route and kind; as many bursts a WebSocket")
    wanted = parser.parse_args().examples
    browser_microphone = {"ANEEKA_AUDIO__INPUT": "browser", "ANEEKA_STT__ENGINE": "whisper"}
    with running("run", "--no-open", ANEEKA_LLM__ENGINE="understudy", **browser_microphone) as program:
        door = Door(int(program.base.rpartition(":")[2]), program.token, "", "")
        began = time.monotonic()

        def alive() -> None:
            assert program.process.poll() is None
            assert program.ask("GET", "/health") == {"status": "ok"}

        told = {"http": over_http(door, wanted), "frames": over_sockets(door, wanted, alive)}
        alive()
        print(json.dumps({**told, "seconds": round(time.monotonic() - began, 1), "program_alive": True}))


if __name__ == "__main__":
    main()
