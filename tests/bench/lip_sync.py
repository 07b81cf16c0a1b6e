"""When the mouth moves at the receivers, against the sample clock of the sound, in the living program with espeak-ng.

Her voice sounds in the OBS page (a real browser); beside it a strict VTube Studio and a strict VMC receiver note when
each value arrives. The same phrases are synthesised once more here: that gives the sample at which every sound begins.
For every sound that moves the mouth clearly, the lag is the time at which half of the movement has arrived, minus the
time at which the sound is audible (page: by the browser's own audio clock). Below zero the mouth is early. ATSC IS-191
asks for +15 … -45 ms. For lips that shut (p, b, m, f, v) it is counted from the sound's beginning as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import tempfile
import time
import wave
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import numpy.typing as npt
from playwright.async_api import Page, async_playwright

from avatar.lipsync import MouthShape, MouthTrack
from bot.stage.silent import RATE_HZ
from bot.vocabulary import Language, Phrase, Shape
from bot.voice.espeak import EspeakVoice
from tests.bench.program import Program, running
from tests.browser import OPTIONS, WATCH, becomes
from tests.osc_sink import OscSink
from tests.vtube_studio_server import ModelFile, VTubeStudioServer

Floats = npt.NDArray[np.float64]

LINES: dict[Language, str] = {
    "es": "Mamá, mañana vamos a la playa. ¡Buenas noches a todo el mundo! El bebé bebe leche tibia. Papá come pan con"
    " mermelada. Me parece una idea maravillosa. ¡Bienvenido al canal, amigo mío! Hoy probamos un juego nuevo. Mi gato"
    " duerme encima del teclado. Nunca había visto tantas nubes. La bomba explota en un momento. ¿Puedes repetir la"
    " pregunta? Pobre piloto, perdió el barco. Abre la puerta, por favor. Ella baila muy bien la bamba. Un kilo de"
    " papas y medio de uvas.",
    "en": "My mum made a pumpkin pie. Welcome to the stream, everybody! A pepper on the bumper, my baby boy. We may"
    " have found a better map. Please open the window before lunch. I love your emote, by the way. The boss is much"
    " bigger than me. Maybe tomorrow will be brighter. Nobody believed the old pirate. Poor Tom lost his umbrella. You"
    " should buy more apples. Bring me a cup of coffee. What a beautiful boat! Keep going, you are almost there. Ping"
    " me when the bomb is planted.",
}
LEAST_MOVE = 0.18
"""A movement smaller than this has no clear half."""
BEFORE_S, AFTER_S = 0.06, 0.02
"""Where the movement towards a shape is measured on the planned track, about the sample at which its sound begins."""
SEARCH_S = 0.12
LEAST_PICTURES = 10
CLOSED = (18, 21)
SHUT = 0.05
OPEN_BEFORE_S = 0.07


Opening = Callable[[MouthShape], float]
"""What a receiver shows of a mouth, as one number."""


def _jaw(mouth: MouthShape) -> float:
    return mouth.open


def _vowels(mouth: MouthShape) -> float:
    return sum(mouth.vowels)


@dataclass
class Series:
    """Values and the seconds, since the first audible sample, at which they were there; each holds until the next."""

    times: Floats
    values: Floats

    def crossing(self, level: float, rising: bool, near_s: float) -> float | None:
        """Return the time, nearest to another, at which the series crosses a level in this direction."""
        above = self.values > level
        edges = np.flatnonzero(above[1:] != above[:-1]) + 1
        edges = edges[above[edges] == rising]
        if not len(edges):
            return None
        nearest = float(self.times[edges[np.argmin(np.abs(self.times[edges] - near_s))]])
        return nearest if abs(nearest - near_s) <= SEARCH_S else None


@dataclass
class Lags:
    """What was measured at one receiver; milliseconds."""

    moves: list[float] = field(default_factory=list)
    closures: list[float] = field(default_factory=list)
    missed: int = 0
    open_closures: int = 0

    def report(self) -> dict[str, Any]:
        return {
            "movements": _figures(self.moves),
            "closures": _figures(self.closures),
            "missed": self.missed,
            "closures_not_shut": self.open_closures,
        }


def _figures(found: Sequence[float]) -> dict[str, float]:
    """p50; the two ends of the middle 95 %; the worst early and late."""
    low, half, high = np.percentile(found, [2.5, 50, 97.5])
    late, early = np.percentile(found, [95, 5])
    figures = {"count": len(found), "p50": half, "p95_late": late, "p95_early": early}
    figures |= {"low_2_5": low, "high_97_5": high, "earliest": min(found), "latest": max(found)}
    return {name: round(float(value), 1) for name, value in figures.items()}


class Planned:
    """The shapes of a reply on its sample clock, and the track that they give."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []
        self._track = MouthTrack(RATE_HZ)

    async def speak(self, voice: EspeakVoice, text: str, at: int) -> None:
        pcm, shapes, rate = [], [], RATE_HZ
        async for sound in voice.speak(Phrase("bench", 0, text)):
            rate = sound.rate_hz
            pcm.append(sound.pcm)
            shapes += sound.shapes
        scale = RATE_HZ / rate
        whole = np.concatenate(pcm)
        places = np.arange(int(len(whole) * scale)) / scale
        heard = np.interp(places, np.arange(len(whole)), whole).astype(np.int16)
        here = [Shape(at + round(shape.at * scale), shape.viseme) for shape in shapes]
        self._track.add(at, here, heard, True)
        self.shapes += here

    def movements(self, opening: Opening) -> list[tuple[float, int, float, bool]]:
        """Return (seconds, viseme, level of the half, opens) of every clear movement."""
        found = []
        for before, shape, after in zip(self.shapes, self.shapes[1:], self.shapes[2:], strict=False):
            at_s = shape.at / RATE_HZ
            long_enough = (after.at - shape.at) / RATE_HZ >= 0.05 and at_s - before.at / RATE_HZ >= 0.05
            start, end = (opening(self._track.at(shape.at + shift * RATE_HZ)) for shift in (-BEFORE_S, AFTER_S))
            if long_enough and abs(end - start) >= LEAST_MOVE:
                found.append((at_s, shape.viseme, (start + end) / 2, end > start))
        return found

    def closures(self, opening: Opening) -> list[tuple[float, float]]:
        """Return the beginning and end in seconds of every p, b, m, f and v that shuts an open mouth."""
        return [
            (shape.at / RATE_HZ, after.at / RATE_HZ)
            for shape, after in zip(self.shapes, self.shapes[1:], strict=False)
            if shape.viseme in CLOSED and opening(self._track.at(shape.at - OPEN_BEFORE_S * RATE_HZ)) > 2 * SHUT
        ]


def judge(planned: Planned, seen: Series, opening: Opening, lags: Lags) -> None:
    for at_s, viseme, level, opens in planned.movements(opening):
        if viseme in CLOSED:
            continue
        crossed = seen.crossing(level, opens, at_s)
        if crossed is None:
            lags.missed += 1
        else:
            lags.moves.append((crossed - at_s) * 1000)
    for begin_s, end_s in planned.closures(opening):
        during = (seen.times > begin_s - 0.04) & (seen.times < end_s + 0.02)
        shuts = seen.crossing(SHUT, False, begin_s)
        if shuts is None or not (seen.values[during] <= SHUT).any():
            lags.open_closures += 1
        else:
            lags.closures.append((shuts - begin_s) * 1000)


def against_the_sound(seen: Series, wav: Path) -> tuple[float, float]:
    """Return the lag in ms at which the mouth is most like the loudness of the recorded sound, and how alike."""
    with wave.open(str(wav)) as source:
        rate, pcm = source.getframerate(), np.frombuffer(source.readframes(source.getnframes()), "<i2")
    grid = np.arange(0.0, len(pcm) / rate, 0.005)
    square = np.concatenate(([0.0], np.cumsum(pcm.astype(np.float64) ** 2)))
    edges = np.clip(((grid[:, None] + [-0.01, 0.01]) * rate).astype(int), 0, len(pcm))
    power = (square[edges[:, 1]] - square[edges[:, 0]]) / np.maximum(edges[:, 1] - edges[:, 0], 1)
    loud = np.clip((10 * np.log10(np.maximum(power / 32768**2, 1e-12)) + 45) / 33, 0, 1)
    best = (0.0, -1.0)
    for lag in np.arange(-0.3, 0.3, 0.005):
        index = np.searchsorted(seen.times, grid + lag, "right") - 1
        mouth = np.where(index >= 0, seen.values[np.maximum(index, 0)], 0.0)
        if mouth.std() and loud.std():
            best = max(best, (float(lag) * 1000, float(np.corrcoef(mouth, loud)[0, 1])), key=lambda found: found[1])
    return best


class Unheard(Exception):
    """Nobody heard or saw this utterance: a machine without time for its sound or its pictures."""


class Vmc(OscSink):
    """Notes when each face arrived and how far its vowels are open."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: list[tuple[float, float]] = []
        self._socket.setblocking(False)

    def ready(self) -> None:
        self.drain()
        for face in self.faces:
            self.arrived.append((time.monotonic(), sum(face.shapes[name] for name in "AIUEO")))
        del self.faces[:-1], self.messages[:], self.packets[:]
        self.faces.clear()


class Scene:
    """The program, its receivers, and what the pages were told."""

    def __init__(self, program: Program, studio: VTubeStudioServer, vmc: Vmc, page: Page | None) -> None:
        self.program, self.studio, self.vmc, self.page = program, studio, vmc, page
        self.phrases: dict[str, list[tuple[int, str]]] = {}
        self._serials: dict[int, str] = {}

    async def listen(self) -> None:
        address = f"{self.program.base}/api/stage?token={self.program.token}"
        async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
            await socket.send_json({"type": "ready", "kind": "captions", "can_sound": False})
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                told = message.json()
                if told["type"] == "begin":
                    self._serials[told["serial"]] = told["reply"]
                elif told["type"] == "phrase":
                    self.phrases.setdefault(self._serials[told["serial"]], []).append((told["at"], told["text"]))

    async def say(self, text: str) -> tuple[dict[str, Any], Series, Series, Series | None]:
        """Let her say it; return the turn and what the receivers saw of it."""
        self.studio.frames.clear()
        self.vmc.arrived.clear()
        if self.page:
            await self.page.evaluate("window.seen = []")
        heard = await asyncio.to_thread(self.program.ask, "POST", "/api/say", {"text": text})
        turn = await asyncio.to_thread(self.program.turn_of, heard["id"])
        await asyncio.sleep(0.3)
        jaw = [(at_s, face["MouthOpen"][0]) for at_s, face, _ in self.studio.frames if "MouthOpen" in face]
        begin = turn["audible_at_s"]
        if begin is None:
            raise Unheard(turn["cut"])
        clock, shown = np.array([[begin, 0.0], [begin + 1.0, 1.0]]), None
        if self.page:
            origin_s = await self.page.evaluate("performance.timeOrigin") / 1000 - (time.time() - time.monotonic())
            rows = np.array(await self.page.evaluate("window.seen"))
            rows = rows[rows[:, 5] == 1]
            if len(rows) < LEAST_PICTURES:
                raise Unheard("no pictures")
            clock = np.column_stack((origin_s + rows[:, 0] / 1000, rows[:, 1] / RATE_HZ))
            shown = Series(clock[:, 1], rows[:, 3])
        return turn, _series(jaw, clock), _series(self.vmc.arrived, clock), shown


def _series(found: Sequence[tuple[float, float]], clock: Floats) -> Series:
    """Put arrivals on the sound's clock: rows of (seconds of this machine, seconds of the sound)."""
    rows = np.array(found, dtype=float).reshape(-1, 2)
    times, heard = clock.T
    place = np.interp(rows[:, 0], times, heard)
    place += np.minimum(rows[:, 0] - times[0], 0.0) + np.maximum(rows[:, 0] - times[-1], 0.0)
    return Series(place, rows[:, 1])


async def measure(count: int, language: Language, with_page: bool) -> dict[str, Any]:
    studio = VTubeStudioServer(time.monotonic, ModelFile("Mira", "0" * 32))
    vmc, lags = Vmc(), {name: Lags() for name in ("vtube_studio", "vmc", "page")}
    likeness: list[tuple[float, float]] = []
    unheard: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = await stack.enter_async_context(studio.serving())
        asyncio.get_running_loop().add_reader(vmc._socket, vmc.ready)
        environment = {
            "ANEEKA_PERSONA__LANGUAGE": language,
            "ANEEKA_LLM__ENGINE": "understudy",
            "ANEEKA_AVATAR__OUTPUTS": "page,vtube_studio,vmc",
            "ANEEKA_AVATAR__VTUBE_STUDIO__URL": url,
            "ANEEKA_AVATAR__VMC__PORT": str(vmc.port),
            "ANEEKA_STAGE__RECORD": str(folder),
            "ANEEKA_STAGE__SOUND": "auto" if with_page else "none",
        }
        children = ExitStack()
        stack.push_async_callback(asyncio.to_thread, children.close)
        program = await asyncio.to_thread(children.enter_context, running("run", "--no-open", **environment))
        while studio.popup is None:
            await asyncio.sleep(0.05)
        studio.allow()
        voice = EspeakVoice(None, language, on_health=lambda health: None)
        await voice.start()
        stack.push_async_callback(voice.close)
        await voice.ready(30)
        page = await _page(stack, program) if with_page else None
        scene = Scene(program, studio, vmc, page)
        listening = asyncio.create_task(scene.listen())
        await asyncio.sleep(1.0)
        lines = [line.strip() for line in re.findall(r"[^.!?]+[.!?]", LINES[language])]
        for index in range(count):
            try:
                turn, jaw, vowels, shown = await scene.say(lines[index % len(lines)])
            except Unheard as why:
                unheard[str(why)] += 1
                continue
            planned = Planned()
            for at, text in scene.phrases[turn["id"]]:
                await planned.speak(voice, text, at)
            judge(planned, jaw, _jaw, lags["vtube_studio"])
            judge(planned, vowels, _vowels, lags["vmc"])
            if shown is not None:
                judge(planned, shown, _jaw, lags["page"])
            likeness.append(against_the_sound(jaw, Path(turn["wav"])))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        asyncio.get_running_loop().remove_reader(vmc._socket)
    report: dict[str, Any] = {name: found.report() for name, found in lags.items() if found.moves}
    lag, alike = (np.array(column) for column in zip(*likeness, strict=True))
    report["loudness"] = {"lag_ms_p50": float(np.median(lag)), "likeness_p50": round(float(np.median(alike)), 2)}
    report["unheard"] = dict(unheard)
    return {"utterances": count, "language": language, "sound": "page" if with_page else "none", **report}


async def _page(stack: AsyncExitStack, program: Program) -> Page:
    playwright = await stack.enter_async_context(async_playwright())
    chromium = shutil.which("chromium")
    browser = await playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
    stack.push_async_callback(browser.close)
    page = await browser.new_page(viewport={"width": 480, "height": 270})
    await page.goto(f"{program.base}/stage?token={program.token}")
    await becomes(page, "window.aneeka && window.aneeka.connected && window.aneeka.drawn && window.aneeka.sounding")
    await page.evaluate(WATCH)
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=100)
    parser.add_argument("--language", choices=["es", "en"], default="es")
    parser.add_argument("--no-page", action="store_true", help="no browser: the sound is discarded in real time")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(options.utterances, options.language, not options.no_page)), indent=1))


if __name__ == "__main__":
    main()
