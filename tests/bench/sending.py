"""Her body sent at 60 Hz over VMC to the strict receiver of the tests, in a process of its own.

Prints how even the frames arrive, what sending costs, and whether memory grows. The frames are the performer's, made in
the same loop as live; their cost is measured alone as well.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import multiprocessing
import time
from contextlib import suppress
from multiprocessing.connection import Connection

import numpy as np
import psutil

from avatar.lipsync import MouthShape
from avatar.performer import FaceFrame, Performer
from avatar.vmc import Vmc
from avatar.vmc_face import Body, Names
from tests.osc_sink import Message, OscSink

FRAME_S = 1 / 60


class Receiver(OscSink):
    """Notes when each frame arrived, and keeps nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: list[float] = []
        self.largest = 0

    def take(self, data: bytes) -> list[Message]:
        faces = len(self.faces)
        found = super().take(data)
        if len(self.faces) > faces:
            self.arrived.append(time.monotonic())
        self.largest = max(self.largest, len(data))
        del self.faces[:-2], self.messages[:], self.packets[:]
        return found


def receive(pipe: Connection) -> None:
    """Judge every datagram until told to stop."""
    sink = Receiver()
    pipe.send(sink.port)
    while not pipe.poll():
        with suppress(TimeoutError):
            sink.until(pipe.poll, 0.2)
    sink.settled()
    pipe.send((sink.arrived, sink.largest))


def frame_at(performer: Performer, now: float) -> FaceFrame:
    opened = max(0.0, math.sin(now * 9.0))
    return performer.frame(now, MouthShape(opened, 0.0, (opened, 0.0, 0.0, 0.0, 0.0)))


async def perform(port: int, seconds: float, names: Names, body: Body) -> dict[str, object]:
    vmc = Vmc("127.0.0.1", port, names, lambda health: None, time.monotonic, body=body)
    performer = Performer(1)
    performer.set_state("speaking", time.monotonic())
    await vmc.start()
    if not await vmc.ready(10):
        raise SystemExit("nobody receives")
    own = psutil.Process()
    gc.collect()
    before, cpu_s, begun = own.memory_info().rss, time.process_time(), time.monotonic()
    due, wanted = begun, 0
    while (now := time.monotonic()) < begun + seconds:
        vmc.send(frame_at(performer, now), now)
        wanted += 1
        due = max(due + FRAME_S, now)
        await asyncio.sleep(due - now)
    took = time.monotonic() - begun
    share = (time.process_time() - cpu_s) / took
    grown = own.memory_info().rss - before
    dropped = vmc.dropped
    await vmc.close()
    return {
        "seconds": round(took, 1),
        "frames": wanted,
        "dropped": dropped,
        "cpu_share": round(share, 4),
        "memory_growth_kb": grown // 1024,
    }


def cost_us(names: Names, body: Body) -> dict[str, float]:
    """Return the processor time of making one frame and of sending it."""
    sink = OscSink()
    performer = Performer(1)

    async def measure() -> dict[str, float]:
        vmc = Vmc("127.0.0.1", sink.port, names, lambda health: None, time.monotonic, body=body)
        await vmc.start()
        await vmc.ready(10)
        frames = [frame_at(performer, at * FRAME_S) for at in range(3000)]
        started = time.process_time()
        for at in range(3000):
            frame_at(performer, 100.0 + at * FRAME_S)
        made = time.process_time() - started
        spent = 0.0
        for frame in frames:
            started = time.process_time()
            vmc.send(frame, time.monotonic())
            spent += time.process_time() - started
            sink.drain()
        await vmc.close()
        return {"frame_us": round(made / 3000 * 1e6, 1), "send_us": round(spent / 3000 * 1e6, 1)}

    return asyncio.run(measure())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--names", choices=["vrm0", "vrm1"], default="vrm0")
    parser.add_argument("--body", choices=["face", "upper", "arms"], default="upper")
    options = parser.parse_args()
    cost = cost_us(options.names, options.body)
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    receiver = context.Process(target=receive, args=(other,), daemon=True)
    receiver.start()
    result = asyncio.run(perform(pipe.recv(), options.seconds, options.names, options.body))
    pipe.send("enough")
    arrived, largest = pipe.recv()
    receiver.join(5)
    gaps_ms = np.diff(arrived[20:-10]) * 1000
    p50, p99 = np.percentile(gaps_ms, [50, 99])
    interval = {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "max": round(float(gaps_ms.max()), 2)}
    print(json.dumps({**result, **cost, "arrived": len(arrived), "largest_packet": largest, "interval_ms": interval}))


if __name__ == "__main__":
    main()
