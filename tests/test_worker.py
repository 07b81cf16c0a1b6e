"""The worker against engines that crash, hang, lie and print; the child is a real process throughout."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from healths import Healths

from bot import texts, worker
from bot.vocabulary import EngineDown, Health, PromptTooLong
from bot.worker import Worker
from tests.conftest import HANGS_S, REAL_TIME

pytestmark = REAL_TIME

HERE = Path(__file__).parent
posix = pytest.mark.skipif(sys.platform == "win32", reason="no such signal on Windows")


@pytest.fixture(autouse=True)
def _reach_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))


@pytest.fixture
def healths() -> Healths:
    return Healths()


@pytest.fixture
async def make(healths: Healths) -> AsyncIterator[Callable[..., Any]]:
    made: list[Worker] = []

    async def _make(engine: str = "Obedient", options: dict[str, Any] | None = None, **limits: float) -> Worker:
        made.append(Worker("test", f"engines_for_worker:{engine}", options or {}, on_health=healths.report, **limits))
        await made[-1].start()
        return made[-1]

    yield _make
    for each in made:
        await each.close()


async def items(worker: Worker, what: str, payload: bytes = b"", **request: Any) -> list[tuple[dict[str, Any], bytes]]:
    return [item async for item in worker.stream({"do": what, **request}, payload, first_s=10, next_s=10)]


async def exhaust(stream: AsyncGenerator[Any, None]) -> None:
    async for _ in stream:
        pass


async def alive_again(worker: Worker) -> None:
    assert await worker.ready(HANGS_S)
    assert len(await items(worker, "count", to=3)) == 3


async def test_request_options_and_payload_arrive_and_come_back(make: Any, healths: Healths) -> None:
    w = await make(options={"voz": "ñ"})
    assert await w.ready(HANGS_S)
    payload = os.urandom(3_000_000)
    ((header, data),) = await items(w, "echo", payload, text="¿qué tal?")
    assert header == {"request": {"do": "echo", "text": "¿qué tal?"}, "options": {"voz": "ñ"}}
    assert data == payload
    assert psutil.pid_exists(w.pid)
    assert [h.state for h in healths] == ["degraded", "ok"]
    assert psutil.Process(w.pid).cmdline()[-3:] == ["-m", "bot.worker", "engines_for_worker:Obedient"]


async def test_the_child_speaks_the_chosen_language(make: Any) -> None:
    texts.use("en")
    try:
        w = await make()
        assert await w.ready(HANGS_S)
        with pytest.raises(EngineDown) as down:
            await items(w, "down")
    finally:
        texts.use("es")
    assert (down.value.reason, down.value.repair) == ("It has been switched off.", "Mend it.")


async def test_requests_are_served_one_at_a_time_and_never_mixed(make: Any) -> None:
    w = await make()
    assert await w.ready(HANGS_S)
    answers = await asyncio.gather(*(items(w, "count", to=400, name=str(i)) for i in range(8)))
    for i, answer in enumerate(answers):
        assert [header for header, _ in answer] == [{"i": n, "of": str(i)} for n in range(400)]


async def test_engine_errors_keep_their_kind_and_the_child_lives_on(make: Any) -> None:
    w = await make()
    assert await w.ready(HANGS_S)
    pid = w.pid
    with pytest.raises(PromptTooLong):
        await items(w, "too_long")
    with pytest.raises(EngineDown, match="ZeroDivisionError"):
        await items(w, "fault", zero=0)
    with pytest.raises(EngineDown, match="AttributeError"):
        await items(w, "no_such_thing")
    await alive_again(w)
    assert w.pid == pid


async def test_stray_prints_do_not_enter_the_stream(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="bot")
    w = await make()
    assert await w.ready(HANGS_S)
    assert await items(w, "noisy") == [({"stdin": ""}, b"\x00" * 100_000)]
    await alive_again(w)
    assert "a grandchild prints" in caplog.text


async def test_closing_early_cancels_and_the_tail_reaches_nobody(make: Any) -> None:
    w = await make()
    assert await w.ready(HANGS_S)
    pid = w.pid
    for _ in range(20):
        ticks = w.stream({"do": "tick"}, first_s=10, next_s=10)
        assert (await anext(ticks))[0] == {"i": 0}
        await ticks.aclose()
        assert [h for h, _ in await items(w, "count", to=2, name="next")] == [{"i": n, "of": "next"} for n in range(2)]
    assert w.pid == pid


async def test_a_slow_listener_is_no_hang_and_loses_nothing(make: Any) -> None:
    w = await make(silent_s=1.2)
    assert await w.ready(HANGS_S)
    pid, seen = w.pid, 0
    async for header, _ in w.stream({"do": "count", "to": 15_000}, first_s=10, next_s=10):
        if seen == 0:
            await asyncio.sleep(1.5)  # longer than silent_s, with the pipe full
        assert header["i"] == seen
        seen += 1
    assert (seen, w.pid) == (15_000, pid)


async def test_a_blocked_loop_is_not_the_childs_fault(make: Any, healths: Healths) -> None:
    w = await make(silent_s=1.2)
    assert await w.ready(HANGS_S)
    pid = w.pid
    ticks = w.stream({"do": "tick"}, first_s=0.5, next_s=0.5)
    await anext(ticks)
    for _ in range(2):
        time.sleep(1.5)  # noqa: ASYNC251
        await anext(ticks)
    await ticks.aclose()
    await alive_again(w)
    assert w.pid == pid
    assert [h.state for h in healths] == ["degraded", "ok"]


async def test_a_missed_deadline_raises_and_spares_a_child_that_still_obeys(make: Any) -> None:
    w = await make()
    assert await w.ready(HANGS_S)
    pid = w.pid
    with pytest.raises(EngineDown):
        await anext(w.stream({"do": "slow"}, first_s=0.1, next_s=10))
    await alive_again(w)
    assert w.pid == pid


@pytest.mark.parametrize("what", ["deaf", pytest.param("frozen", marks=posix)])
async def test_a_hung_engine_is_killed_and_replaced(make: Any, healths: Healths, what: str) -> None:
    w = await make(silent_s=1.5)
    assert await w.ready(HANGS_S)
    pid = w.pid
    hung = w.stream({"do": what}, first_s=10, next_s=0.1 if what == "deaf" else 60)
    await anext(hung)
    with pytest.raises(EngineDown):
        await anext(hung)
    await healths.until("degraded")
    await alive_again(w)
    assert w.pid != pid
    assert not psutil.pid_exists(pid)


KILLS = [signal.SIGTERM] if sys.platform == "win32" else [signal.SIGKILL, signal.SIGSTOP]


async def test_killed_in_mid_stream_again_and_again_every_next_request_is_served(make: Any, healths: Healths) -> None:
    w = await make(silent_s=1.2)
    assert await w.ready(HANGS_S)
    for n in range(3):
        pid = w.pid
        ticks = w.stream({"do": "tick"}, first_s=10, next_s=10)
        await anext(ticks)
        os.kill(pid, KILLS[n % len(KILLS)])
        with pytest.raises(EngineDown):
            await exhaust(ticks)
        assert w.health.state == "degraded"
        with pytest.raises(EngineDown):
            await anext(w.stream({"do": "echo"}, first_s=10, next_s=10))
        await alive_again(w)
        assert not psutil.pid_exists(pid)
    assert [h.state for h in healths] == ["degraded", "ok"] * 4
    assert not [p for p in psutil.Process().children() if p.status() == psutil.STATUS_ZOMBIE]


async def test_a_child_that_dies_alone_says_how(make: Any, healths: Healths) -> None:
    w = await make()
    assert await w.ready(HANGS_S)
    with pytest.raises(EngineDown, match="code 7"):
        await items(w, "die")
    assert await w.ready(HANGS_S)
    assert any("code 7" in h.reason and h.state == "degraded" for h in healths)


async def test_what_only_people_can_repair_is_down_with_the_repair_and_not_tried_in_a_loop(
    make: Any, healths: Healths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = tmp_path / "tries"
    wanted = tmp_path / "wanted"
    w = await make("Broken", {"log": str(tries), "file": str(wanted)})
    assert await healths.until("down") == Health("test", "down", "There is no such file.", "Choose another.")
    assert not await w.ready(1)
    assert tries.read_text() == "try\n"
    with pytest.raises(EngineDown) as down:
        await items(w, "echo")
    assert down.value.repair == "Choose another."

    await w.close()
    monkeypatch.setattr(worker, "PERMANENT_RETRY_S", 0.1)
    again = await make("Broken", {"log": str(tries), "file": str(wanted)})
    assert not await again.ready(10)
    wanted.touch()
    await healths.until("ok")
    assert again.health.state == "ok"


async def test_crashing_while_loading_backs_off_and_ends_as_down(
    make: Any, healths: Healths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BACKOFF_S", (0.01, 0.02))
    await make("DiesLoading")
    assert "code 9" in (await healths.until("down")).reason
    assert [h.state for h in healths] == ["degraded", "degraded", "down"]


async def test_loading_for_ever_is_ended(make: Any, healths: Healths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BACKOFF_S", (0.01, 0.02))
    await make("LoadsForever", load_s=0.2)
    assert (await healths.until("down")).reason


@pytest.mark.parametrize("what", ["tick", "deaf", pytest.param("stopped", marks=posix), "loading"])
async def test_close_always_ends_within_a_moment_and_leaves_nothing(make: Any, what: str) -> None:
    w = await make()
    ticks = None
    if what != "loading":
        assert await w.ready(HANGS_S)
        ticks = w.stream({"do": "deaf" if what == "deaf" else "tick"}, first_s=10, next_s=10)
        await anext(ticks)
    if what == "stopped":
        os.kill(w.pid, signal.SIGSTOP)
    pid = w.pid
    await asyncio.wait_for(w.close(), HANGS_S)
    assert w.pid is None
    assert pid is None or not psutil.pid_exists(pid)
    if ticks:
        with pytest.raises(EngineDown):
            await exhaust(ticks)
    assert w.health.state == "off"
    assert [t for t in asyncio.all_tasks() if t is not asyncio.current_task()] == []


PARENT = """
import asyncio, sys
from bot.worker import Worker
async def main():
    w = Worker("x", "engines_for_worker:Obedient", {}, on_health=lambda h: None)
    await w.start()
    assert await w.ready(60)
    ticks = w.stream({"do": sys.argv[1]}, first_s=60, next_s=60)
    await anext(ticks)
    print(w.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_the_child_dies_with_its_parent() -> None:
    command = [sys.executable, "-c", PARENT]
    with ExitStack() as stack:
        parents = [
            stack.enter_context(subprocess.Popen([*command, what], stdout=subprocess.PIPE)) for what in ("tick", "deaf")
        ]
        for parent in parents:
            assert parent.stdout
            child = psutil.Process(int(parent.stdout.readline()))
            parent.kill()
            with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                child.wait(5)
            assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
