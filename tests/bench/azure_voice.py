"""How quick the Azure voice is, on the SDK's own account: ``python -m tests.bench.azure_voice``.

The service is the local one on loopback, its first sound after 100 ms and its handshake of known length, so what comes
on top is the SDK, the bridge and the polishing. Figures are medians and 95th percentiles in ms.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import numpy as np

from bot.config.settings import Settings
from bot.vocabulary import Phrase, Shape
from bot.voice.azure import AzureVoice, build
from tests.local_azure.tts import LEADING_S, Synthesis, tone_hz
from tests.local_azure.usp import KEY, LocalAzure

TURNS = 40
FIRST_S = 0.1
HANDSHAKE_S = 0.15
SPEED = 10.0
HOLA = "¡Hola, Ana! Mi mamá y mi papá quieren mucho al bebé."
CTRL_CS = 20


def show(what: str, values_s: Sequence[float]) -> None:
    ordered = sorted(value * 1000 for value in values_s)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    print(f"{what:58} {statistics.median(ordered):8.1f} {p95:8.1f}   ({len(ordered)})", flush=True)


async def connected(server: LocalAzure, folder: str) -> AzureVoice:
    settings = Settings(tts={"engine": "azure"}, azure={"key": KEY, "endpoint": server.endpoint})
    voice = build(settings, Path(folder), lambda health: None)
    await voice.start()
    assert await voice.ready(20)
    return voice


async def first_sound(voice: AzureVoice) -> float:
    """Return seconds from the call to the first piece of sound, over the service's own."""
    now = asyncio.get_running_loop().time
    began = now()
    async with aclosing(voice.speak(Phrase("r", 0, HOLA))) as sounds:
        async for sound in sounds:
            if len(sound.pcm):
                return now() - began - FIRST_S - LEADING_S / SPEED
    raise AssertionError("no sound")


async def lateness(stop: asyncio.Event) -> list[float]:
    """Return how late the loop was, every 5 ms."""
    now = asyncio.get_running_loop().time
    late = []
    while not stop.is_set():
        due = now() + 0.005
        await asyncio.sleep(0.005)
        late.append(now() - due)
    return late


def offsets(pcm: np.ndarray, shapes: list[Shape], rate_hz: int) -> list[float]:
    """Return by how much each change of tone is later than the shape that announces it, in seconds."""
    found = []
    window, step = round(0.01 * rate_hz), round(0.0005 * rate_hz)
    for before, shape in itertools.pairwise(shapes):
        if before.viseme and shape.viseme:
            waves = [
                np.exp(2j * np.pi * tone_hz(viseme) * np.arange(window) / rate_hz)
                for viseme in (before.viseme, shape.viseme)
            ]

            def fit(at: int, waves: list[np.ndarray] = waves) -> float:
                return float(np.abs(pcm[at - window : at] @ waves[0]) + np.abs(pcm[at : at + window] @ waves[1]))

            around = range(shape.at - 40 * step, shape.at + 40 * step, step)
            found.append((max(around, key=fit) - shape.at) / rate_hz)
    return found


async def measure(folder: str) -> None:
    tts = Synthesis(first_s=FIRST_S, speed=SPEED)
    with LocalAzure(tts) as server:
        voice = await connected(server, folder)
        stop = asyncio.Event()
        watching = asyncio.ensure_future(lateness(stop))
        print(f"{'':58} {'median':>8} {'p95':>8}")

        warm, late_by = [], []
        for _ in range(TURNS):
            began, made, waits = asyncio.get_running_loop().time(), [], []
            shapes: list[Shape] = []
            async with aclosing(voice.speak(Phrase("r", 0, HOLA))) as sounds:
                async for sound in sounds:
                    if len(sound.pcm) and not made:
                        warm.append(asyncio.get_running_loop().time() - began - FIRST_S - LEADING_S / SPEED)
                    waits += [shape for shape in sound.shapes if shape.at < sum(map(len, made))]
                    made.append(sound.pcm)
                    shapes += sound.shapes
            late_by.append(len(waits))
            spread = offsets(np.concatenate(made).astype(float), shapes, 24_000)
        show("first sound, over the service's own, connection open", warm)
        show("shape against the tone that it belongs to", [abs(value) for value in spread])
        print(f"shapes that came after their sound: {sum(late_by)}")

        cut = []
        for _ in range(TURNS // 2):
            left = tts.abandoned
            async with aclosing(voice.speak(Phrase("r", 0, HOLA))) as sounds:
                await anext(sounds)
                began = asyncio.get_running_loop().time()
            while tts.abandoned == left:
                await asyncio.sleep(0.001)
            cut.append(asyncio.get_running_loop().time() - began)
            await asyncio.sleep(0.2)
        show("cut until the service is rid of the request", cut)
        await voice.close()

        server.handshake_s = HANDSHAKE_S
        print(f"a handshake takes {HANDSHAKE_S * 1000:.0f} ms now")
        colds, warms, soons = [], [], []
        for _ in range(TURNS // 2):
            voice = await connected(server, folder)
            warms.append(await first_sound(voice))
            soons.append(await first_sound(voice))
            await asyncio.sleep(HANDSHAKE_S + 0.2)
            server.at_handshake = iter([503])
            server.drop_all()
            await asyncio.sleep(HANDSHAKE_S + 0.9)  # what was made ahead has failed: this request connects by itself
            colds.append(await first_sound(voice))
            await voice.close()
        show("first sound, connection made ahead", warms)
        show("first sound, right after a cut", soons)
        show("first sound, no connection", colds)
        stop.set()
        show("lateness of the loop", await watching)


def ctrl_c(folder: str) -> None:
    """End a program in mid-speech, time and again."""
    codes = []
    with LocalAzure(Synthesis(speed=2.0)) as server:
        for _ in range(CTRL_CS):
            command = [sys.executable, "-m", "tests.azure_speaker", server.endpoint, folder]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
                assert program.stdout is not None
                program.stdout.readline()
                program.send_signal(signal.SIGINT)
                codes.append(program.wait(20))
    print(f"exit codes of {CTRL_CS} programs ended with Ctrl-C in mid-speech: {codes}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(folder))
        ctrl_c(folder)
