"""A strip of pictures of the page's avatar over a little scene: at rest, new chat, she reads it, thinks, answers.

Time is made: every picture is drawn by the page's own code from the performer's faces and the voice's own mouth, sixty
steps a second, however slow the machine is. Look at it: would a person call her alive?
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from html import escape
from pathlib import Path

import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, async_playwright

import avatar
from avatar.lipsync import REST, MouthTrack
from avatar.performer import Performer
from bot.vocabulary import Language, Phrase, Shape, Word
from bot.voice.espeak import EspeakVoice

STEP_S = 1 / 60
START_S = 5000.0
PATIENCE_MS = 180_000
ASKED = {"es": "¿Aneeka, te gusta la lluvia en primavera?", "en": "Aneeka, do you like the rain in spring?"}
ANSWERS: dict[str, tuple[tuple[str, str], ...]] = {
    "es": (
        ("happy", "¡Me encanta! Siempre busco un paraguas amarillo."),
        ("surprised", "¡Oh! Y ayer vi un arcoíris enorme."),
    ),
    "en": (
        ("happy", "I love it! I always look for a yellow umbrella."),
        ("surprised", "Oh! And I saw a huge rainbow."),
    ),
}
PAGE = """<!doctype html><meta charset="utf-8"><body style="margin:0;background:#2a2440"><div id="stage"
 style="width:360px;height:360px;position:relative;overflow:hidden"></div><script type="module">
import { Avatar } from "/page/avatar.js";
import { Face } from "/page/face.js";
const face = new Face();
const avatar = await Avatar.load(document.getElementById("stage"));
avatar.root.setAttribute("style", "position:absolute;inset:0;width:100%;height:100%");
window.step = (steps) => {
  for (const { ms, message, row, state } of steps) {
    face.take(message, ms);
    face.advance(ms, 1 / 60, "neutral");
    avatar.draw(face, row, { state, seconds: ms / 1000, dt: 1 / 60 });
  }
};
window.ready = true;
</script>"""


@dataclass
class Said:
    """The answer's sound on its own clock, in seconds: where words, phrases and mouths are."""

    track: MouthTrack
    rate_hz: int
    ends_s: float = 0.0
    phrases: list[tuple[float, str]] = field(default_factory=list)
    words: list[tuple[float, str]] = field(default_factory=list)


async def speak(language: Language) -> Said:
    voice = EspeakVoice(None, language, on_health=lambda health: None)
    await voice.start()
    await voice.ready(60)
    said: Said | None = None
    samples = 0
    for index, (expression, text) in enumerate(ANSWERS[language]):
        at = samples
        pcm, shapes, words = [], list[Shape](), list[Word]()
        async for sound in voice.speak(Phrase("strip", index, text)):
            said = said or Said(MouthTrack(sound.rate_hz // 100 * 100), sound.rate_hz)
            pcm.append(sound.pcm)
            shapes += [Shape(at + shape.at, shape.viseme) for shape in sound.shapes]
            words += sound.words
        assert said
        whole = np.concatenate(pcm)
        samples += len(whole)
        said.track.add(at, shapes, whole, True)
        said.phrases.append((at / said.rate_hz, expression))
        said.words += [((at + word.at) / said.rate_hz, text[word.start : word.end]) for word in words]
    await voice.close()
    assert said
    said.ends_s = samples / said.rate_hz
    return said


async def pictures(page: Page, said: Said, asked: str, every: int, seed: int) -> list[tuple[str, bytes]]:
    """Play the scene and return a picture of every so many steps, with what goes on in it."""
    performer = Performer(seed)
    speaks_s = START_S + 3.6
    ends_s = speaks_s + said.ends_s
    happens: list[tuple[float, Callable[[float], None]]] = [
        (START_S + 1.0, partial(performer.notices, "chat", "")),
        (START_S + 1.5, partial(performer.answers, "chat_one", len(asked))),
        (START_S + 1.5, partial(performer.set_state, "thinking")),
        (speaks_s, partial(performer.set_state, "speaking")),
        *((speaks_s + at_s, partial(performer.set_expression, name)) for at_s, name in said.phrases),
        *((speaks_s + at_s, partial(performer.says, len(word))) for at_s, word in said.words),
        (ends_s, partial(performer.set_state, "idle")),
    ]
    happens.sort(key=lambda one: one[0])
    taken: list[tuple[str, bytes]] = []
    steps: list[dict[str, object]] = []
    for index in range(int((ends_s + 1.2 - START_S) / STEP_S)):
        now = START_S + index * STEP_S
        while happens and happens[0][0] <= now:
            happens.pop(0)[1](now)
        mouth = said.track.at((now - speaks_s) * said.rate_hz) if speaks_s <= now < ends_s else REST
        state = "idle" if now < START_S + 1.5 or now >= ends_s else "thinking" if now < speaks_s else "speaking"
        row = [mouth.open, mouth.form, *mouth.vowels]
        message = performer.frame(now, mouth).message()
        steps.append({"ms": now * 1000, "message": message, "row": row, "state": state})
        if index % every == every - 1:
            await page.evaluate("(steps) => window.step(steps)", steps)
            steps = []
            word = next((w for at, w in reversed(said.words) if speaks_s + at <= now < ends_s), "")
            shot = await page.screenshot(clip={"x": 0, "y": 0, "width": 360, "height": 360}, type="jpeg", quality=80)
            taken.append((f"{now - START_S:.2f} s · {state} · {word}", shot))
    return taken


def sheet(taken: list[tuple[str, bytes]], columns: int) -> str:
    cells = "".join(
        f'<figure style="margin:0"><img src="data:image/jpeg;base64,{base64.b64encode(shot).decode()}" width="240">'
        f'<figcaption style="font:13px sans-serif;color:#fff">{escape(said)}</figcaption></figure>'
        for said, shot in taken
    )
    style = f"margin:0;background:#111;display:grid;gap:2px;grid-template-columns:repeat({columns},240px)"
    return f'<!doctype html><meta charset="utf-8"><body style="{style}">{cells}'


async def record(language: Language, out: Path, every: int, columns: int, seed: int) -> int:
    async def index(request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", index), web.static("/page", Path(avatar.__file__).parent / "page")])
    said = await speak(language)
    async with TestServer(app) as server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page(viewport={"width": 360, "height": 360})
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(str(server.make_url("/")))
        await page.wait_for_function("window.ready")
        taken = await pictures(page, said, ASKED[language], every, seed)
        rows = -(-len(taken) // columns)
        await page.set_viewport_size({"width": columns * 242, "height": rows * 262})
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "sheet.html"
            file.write_text(sheet(taken, columns), encoding="utf-8")
            await page.goto(file.as_uri())
            await page.screenshot(path=str(out), full_page=True)
        await browser.close()
    return len(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--language", choices=["es", "en"], default="es")
    parser.add_argument("--out", type=Path, default=Path("strip.png"))
    parser.add_argument("--every", type=int, default=10, help="steps of a sixtieth of a second from picture to picture")
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--seed", type=int, default=4)
    options = parser.parse_args()
    count = asyncio.run(record(options.language, options.out, options.every, options.columns, options.seed))
    print(f"{count} pictures in {options.out}")


if __name__ == "__main__":
    main()
