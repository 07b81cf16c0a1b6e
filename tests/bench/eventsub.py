"""The EventSub client measured: seeded schedules of faults in virtual time, and a flood over a real socket.

Prints one JSON object a part. ``schedules``: every message delivered on a subscribed socket must be handled exactly
once, and she must hear again within 5 s (p99) after a fault ends. ``over_sockets``: the same with real sockets, against
the local Twitch. ``flood``: a Twitch in a process of its own sends as
fast as it is told to; the loop's lateness, memory and order are hers.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
from aiohttp import web

from bot.chat.eventsub import EventSub
from bot.chat.twitch_words import Notification, Subscription
from bot.timing import percentile
from tests.eventsub_campaign import Verdict, judge
from tests.memory_twitch import CHAT
from tests.test_eventsub_live import TROUBLES, listening
from tests.virtual_time import play

TICK_S = 0.005
BURST_S = 0.02


def quiet_judge(task: tuple[int, int, int]) -> Verdict:
    logging.disable(logging.CRITICAL)
    return judge(*task)


def schedules(count: int, faults: int, messages: int, first_seed: int, workers: int) -> bool:
    tasks = [(seed, faults, messages) for seed in range(first_seed, first_seed + count)]
    verdicts: list[Verdict] = []
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for verdict in pool.map(quiet_judge, tasks):
            verdicts.append(verdict)
            if not verdict.is_good:
                print(f"seed {verdict.seed} is bad: {verdict}", file=sys.stderr, flush=True)
    deaf = [figure for one in verdicts for figure in one.deaf_s]
    incomplete = [figure for one in verdicts for figure in one.incomplete_s]
    kinds: Counter[str] = Counter()
    for one in verdicts:
        kinds += one.faults
    told = {
        "part": "schedules",
        "schedules": count,
        "faults": sum(kinds.values()),
        "kinds": dict(sorted(kinds.items())),
        "messages_delivered": sum(one.sent for one in verdicts),
        "lost": sum(len(one.lost) for one in verdicts),
        "handled_twice": sum(len(one.handled_twice) for one in verdicts),
        "bad_schedules": [one.seed for one in verdicts if not one.is_good],
        "times_deaf_after_a_fault": len(deaf),
        "deaf_s": {f"p{p}": round(percentile(deaf, p / 100), 2) for p in (50, 95, 99, 100)},
        "all_back_s": {f"p{p}": round(percentile(incomplete, p / 100), 2) for p in (50, 95, 99, 100)},
    }
    print(json.dumps(told), flush=True)
    return not told["bad_schedules"] and percentile(deaf, 0.99) <= 5.0


async def over_sockets(seed: int, faults: int, messages: int, folder: Path) -> dict[str, Any]:
    """One schedule with real sockets and her real Helix against the local Twitch; its clock is virtual."""
    dice = random.Random(seed)
    kinds = [name for name in TROUBLES if name != "revocation"]
    async with listening(folder) as live:
        done = asyncio.Event()

        async def trouble() -> None:
            for _ in range(faults):
                if (fault := TROUBLES[dice.choice(kinds)](live.twitch)) is not None:
                    await fault
                await asyncio.sleep(dice.choice([dice.uniform(0, 2), dice.uniform(5, 20)]))
            live.twitch.fail_subscribes([])
            live.twitch.orphans(0)
            done.set()

        troubles = asyncio.create_task(trouble())
        written = 0
        while written < messages or not done.is_set():
            await live.twitch.chat(live.viewer, f"mensaje {written}")
            written += 1
            await asyncio.sleep(dice.expovariate(messages / (8.0 * faults)))
        await troubles
        await asyncio.sleep(120)
        await live.twitch.chat(live.viewer, "¿sigues ahí?")
        await asyncio.sleep(1)
        times = Counter(live.handled)
        delivered = live.twitch.delivered_chat
        return {
            "part": "over_sockets",
            "seed": seed,
            "faults": faults,
            "written": written + 1,
            "delivered": len(delivered),
            "lost": len([one for one in delivered if one not in times]),
            "handled_twice": len([one for one, count in times.items() if count > 1]),
            "ended": live.states[-1].state,
            "open": sum(session.open for session in live.twitch.sockets.all),
        }


def sockets(count: int, faults: int, messages: int) -> bool:
    logging.disable(logging.CRITICAL)
    good = True
    for seed in range(count):
        with tempfile.TemporaryDirectory() as folder:
            told = play(over_sockets(seed, faults, messages, Path(folder)))
        print(json.dumps(told), flush=True)
        good &= (told["lost"], told["handled_twice"], told["ended"], told["open"]) == (0, 0, "live", 1)
    return good


# ---------------------------------------------------------------------- flood


def frame(number: int) -> str:
    """A chat message as large as Twitch's are."""
    person = {
        "broadcaster_user_id": "5001",
        "broadcaster_user_login": "mika_live",
        "broadcaster_user_name": "Mika_Live",
    }
    chatter = {"chatter_user_id": f"{number % 977}", "chatter_user_login": "noor", "chatter_user_name": "Noor"}
    said = f"mensaje número {number} con algo de texto"
    fragments = [{"type": "text", "text": said, "cheermote": None, "emote": None, "mention": None}]
    badges = [{"set_id": "subscriber", "id": "6", "info": "8"}, {"set_id": "premium", "id": "1", "info": ""}]
    event = {
        **person,
        **chatter,
        "message_id": f"cc106a89-1814-919d-454c-{number:012d}",
        "message": {"text": said, "fragments": fragments},
        "color": "#00FF7F",
        "badges": badges,
        "message_type": "text",
        "cheer": None,
        "reply": None,
        "channel_points_custom_reward_id": None,
        "source_broadcaster_user_id": None,
        "source_message_id": None,
        "source_badges": None,
    }
    transport = {"method": "websocket", "session_id": "session"}
    kind = {"id": "sub-1", "type": CHAT.type, "version": "1", "status": "enabled", "cost": 0}
    subscription = {
        **kind,
        "condition": dict(CHAT.condition),
        "transport": transport,
        "created_at": "2026-11-22T10:00:01Z",
    }
    return message(
        "notification", {"subscription": subscription, "event": event}, f"n-{number}", subscription_type=CHAT.type
    )


def message(kind: str, payload: Any, number: str, **more: str) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime())
    metadata = {"message_id": number, "message_type": kind, "message_timestamp": stamp, **more}
    return json.dumps({"metadata": metadata, "payload": payload})


def serve(pipe: Connection) -> None:
    """A Twitch that welcomes, then sends ``(count, per second)`` for each such pair that comes through the pipe."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        session = {"session": {"id": "session", "keepalive_timeout_seconds": 600}}
        await socket.send_str(message("session_welcome", session, "welcome"))
        loop, sent = asyncio.get_running_loop(), 0
        while asked := await loop.run_in_executor(None, pipe.recv):
            count, rate = asked
            begun, first = time.monotonic(), sent
            while sent - first < count:
                due = min(count, int((time.monotonic() - begun) * rate)) if rate else count
                while sent - first < due:
                    await socket.send_str(frame(sent))
                    sent += 1
                await asyncio.sleep(BURST_S)
            pipe.send(round(count / (time.monotonic() - begun)))
        return socket

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/ws", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


class OneHelix:
    async def subscribe(self, *_: object) -> str:
        return "sub-1"

    async def subscriptions(self, *_: object) -> list[Subscription]:
        return [Subscription("sub-1", CHAT, "enabled", "session")]


class Lateness:
    """How late a timer of 5 ms comes, and how much of it her own work explains (the rest is other programs')."""

    def __init__(self) -> None:
        self.late_s: list[float] = []
        self.own_s: list[float] = []

    async def run(self) -> None:
        while True:
            due_s, cpu_s = time.monotonic() + TICK_S, time.process_time()
            await asyncio.sleep(TICK_S)
            self.late_s.append(time.monotonic() - due_s)
            self.own_s.append(min(self.late_s[-1], time.process_time() - cpu_s))

    def take(self) -> tuple[dict[str, float], dict[str, float]]:
        late, own = self.late_s, self.own_s
        self.late_s, self.own_s = [], []
        return _ms(late), _ms(own)


def _ms(figures: list[float]) -> dict[str, float]:
    return {f"p{p}": round(percentile(figures, p / 100) * 1000, 2) for p in (50, 99, 100)}


async def flood(pipe: Connection, count: int, rate: int) -> bool:
    port = pipe.recv()
    numbers: list[int] = []
    heard = 0

    def deliver(notification: Notification) -> None:
        nonlocal heard
        numbers.append(int(notification.event["message_id"][-12:]))
        heard += 1

    client = EventSub(
        f"ws://127.0.0.1:{port}/ws",
        [CHAT],
        OneHelix(),
        deliver,
        lambda state: None,
        time.monotonic,  # type: ignore[arg-type]
    )
    lateness = Lateness()
    run, ticking = asyncio.create_task(client.run()), asyncio.create_task(lateness.run())
    await asyncio.sleep(5)
    idle_ms, _ = lateness.take()
    own = psutil.Process()
    memory_mb, in_order, cpu_s, begun = [], True, time.process_time(), time.monotonic()
    rates, wanted = [], 0
    late_s: list[float] = []
    own_s: list[float] = []
    for _ in range(10):
        wanted += count // 10
        pipe.send((count // 10, rate))
        while heard < wanted:
            await asyncio.sleep(0.05)
        late_s += lateness.late_s
        own_s += lateness.own_s
        rates.append(pipe.recv())
        in_order &= numbers == list(range(wanted - count // 10, wanted))
        numbers.clear()
        gc.collect()
        memory_mb.append(round(own.memory_info().rss / 2**20, 1))
        await asyncio.sleep(4 * TICK_S)
        lateness.late_s.clear()
        lateness.own_s.clear()
    took_s = time.monotonic() - begun
    told = {
        "part": "flood",
        "asked_per_s": rate or "as fast as it goes",
        "messages": heard,
        "per_s": round(heard / took_s),
        "sent_per_s": rates,
        "in_order": in_order,
        "counts": dict(client.counts),
        "cpu_us_per_message": round((time.process_time() - cpu_s) / heard * 1e6, 1),
        "late_ms": {"idle": idle_ms, "flood": _ms(late_s), "flood_by_own_work": _ms(own_s)},
        "memory_mb": memory_mb,
    }
    print(json.dumps(told), flush=True)
    ticking.cancel()
    run.cancel()
    await asyncio.wait([run, ticking])
    return in_order and heard == count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=300)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--over-sockets", type=int, default=3, help="schedules with real sockets")
    parser.add_argument("--flood", type=int, default=200_000, help="messages, once paced and once as fast as it goes")
    options = parser.parse_args()
    good = True
    context = multiprocessing.get_context("spawn")
    for rate in (2500, 0) if options.flood else ():
        pipe, other = context.Pipe()
        twitch = context.Process(target=serve, args=(other,), daemon=True)
        twitch.start()
        good &= asyncio.run(flood(pipe, options.flood, rate))
        twitch.terminate()
        twitch.join(5)
    if options.schedules:
        good &= schedules(options.schedules, options.faults, options.messages, options.first_seed, options.workers)
    good &= sockets(options.over_sockets, options.faults, options.messages)
    raise SystemExit(not good)


if __name__ == "__main__":
    main()
