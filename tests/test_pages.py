"""The pages in a real browser: a message goes in, and she is heard, seen and read."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from playwright.async_api import Browser

from bot.app import Aneeka
from bot.config.settings import Settings
from tests.browser import AT_ONCE, RESTORED, SOUNDS, WATCH, GoLive, becomes, go_live, open_page, pages, reads
from tests.conftest import AT_EASE, HANGS_S, until

__all__ = ["go_live"]
pytestmark = pages

SILENT = "!window.aneeka.speaking && window.aneeka.rms < 0.001 && window.aneeka.mouth.open === 0"
TEXT = "Una frase para pararla por la mitad, y que luego siga hasta el final de la historia."
LONG = "Otra frase, y esta es bastante larga, para que nadie oiga el final de la historia que yo cuento de noche."


Curve = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]


def shift_ms(values: np.ndarray[Any, Any], at: np.ndarray[Any, Any], curve: Curve) -> tuple[float, float]:
    """Return how much later on a curve of samples these values fit best, and how well (gaps do not matter)."""
    alike = [float(np.corrcoef(values, curve(at + shift * 240))[0, 1]) for shift in range(-40, 41)]
    return (int(np.argmax(alike)) - 40) * 5.0, max(alike)


def level_of(file: Path) -> Curve:
    """Return the level of a recording as the page's meter shows it: of the last 1024 samples."""
    with wave.open(str(file)) as recording:
        sound = np.frombuffer(recording.readframes(recording.getnframes()), "<i2") / 32_768
    power = np.concatenate((np.zeros(1), np.cumsum(sound**2)))

    def level(at: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        end = np.clip(at, 0, len(sound)).astype(int)
        return np.sqrt(np.sqrt((power[end] - power[np.maximum(end - 1024, 0)]) / 1024))

    return level


async def mouth_told(line: aiohttp.ClientWebSocketResponse) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return what pages were told of the mouth in one reply: samples, and how far it is open at each."""
    rows: list[tuple[int, float]] = []
    async for message in line:
        told = message.json()
        if told["type"] == "mouth":
            rows += [(told["at"] + i * told["step"], row[0] / 100) for i, row in enumerate(told["frames"])]
        elif told["type"] == "end":
            break
    at, opened = np.array(rows).T
    return at, opened


async def test_a_typed_message_is_answered_aloud_in_the_studio(
    go_live: GoLive, browser: Browser, tmp_path: Path
) -> None:
    house = await go_live(stage={"sound": "auto", "record": str(tmp_path / "wav")}, tts=AT_EASE, chat=AT_ONCE)
    line = await house.stage()
    problems: list[str] = []
    page = await open_page(browser, house.aneeka.server.address(), problems)
    assert "token" not in page.url
    await page.evaluate(WATCH)
    await page.fill("#viewer-name", "Marta <b>")
    await page.fill("#viewer-text", "hola Aneeka, <img src=x onerror=alert(1)> ¿qué tal?")
    await page.press("#viewer-text", "Enter")
    await becomes(page, "window.aneeka.speaking && window.aneeka.rms > 0.01")
    await becomes(page, "document.querySelector('#answers li')")
    turn = house.aneeka.desk.turns(1)[0]
    assert turn["cut"] is None
    await becomes(page, f"{SILENT} && window.aneeka.caption === {json.dumps(turn['spoken'])}")
    seen = np.array(await page.evaluate("window.seen"))
    speaking = seen[seen[:, 5] == 1]
    assert speaking[:, 2].max() > 0.05, "sound in the page's audio graph"
    assert speaking[:, 3].max() > 0.3
    assert seen[-1, 3] == 0.0, "the mouth rests when she is silent"
    at, opened = await mouth_told(line)
    level = level_of(tmp_path / "wav" / f"{turn['id']}.wav")
    sound_ms, sound_fits = shift_ms(np.sqrt(speaking[:, 2]), speaking[:, 1], level)
    mouth_ms, mouth_fits = shift_ms(speaking[:, 3], speaking[:, 1], lambda when: np.interp(when, at, opened))
    told_ms, alike = shift_ms(opened, at, level)
    assert min(sound_fits, mouth_fits) > 0.8
    assert alike > 0.4
    drawn_ms = float(np.percentile(np.diff(speaking[:, 1]), 90)) / 48
    assert abs(sound_ms - mouth_ms - told_ms) <= 40 + drawn_ms, "as exact as the page is drawn"
    assert (np.diff(seen[:, 1]) >= 0).all()
    with wave.open(str(tmp_path / "wav" / f"{turn['id']}.wav")) as recording:
        assert seen[-1, 1] == pytest.approx(recording.getnframes(), abs=12_000), "all of it was played"
    assert "<img src=x" in await page.inner_text("#chat-rows")
    assert "Marta <b>" in await page.inner_text("#chat-rows")
    await reads(page, "#answers", turn["spoken"])
    assert problems == []


async def test_held_she_goes_on_with_the_rest_and_skipped_she_is_silent(go_live: GoLive, browser: Browser) -> None:
    house = await go_live(stage={"sound": "auto"})
    live, problems = await house.live(), []
    page = await open_page(browser, house.aneeka.server.address(), problems)
    await page.evaluate(WATCH)
    await page.fill("#say-text", TEXT)
    await page.press("#say-text", "Enter")
    await becomes(page, "window.aneeka.played > 24000")
    stage, reply = house.aneeka.stage, house.aneeka.reply
    assert reply is not None
    stage.hold(reply)
    await becomes(page, SILENT)
    silent, before = await page.evaluate("[performance.now(), window.aneeka.caption]")
    assert TEXT.startswith(before)
    await page.wait_for_timeout(300)
    resumed = await page.evaluate("performance.now()")
    stage.resume(reply)
    await becomes(page, "window.aneeka.speaking && window.aneeka.rms > 0.01 && window.aneeka.mouth.open > 0.1")
    assert (await page.evaluate("window.aneeka.caption")).startswith(before.rsplit(" ", 1)[0]), "the text stays whole"
    await becomes(page, f"{SILENT} && window.aneeka.caption.endsWith('historia.')")
    turn = await until(live, "turn")
    assert (turn["spoken"], turn["cut"]) == (TEXT, None)
    assert await page.evaluate("window.aneeka.caption") == TEXT
    seen = np.array(await page.evaluate("window.seen"))
    held = seen[(seen[:, 0] > silent) & (seen[:, 0] < resumed)]
    assert len(held) > 2
    assert held[:, 2].max() < 0.001, "nothing of her in the page's audio graph"
    assert held[:, 3].max() == 0.0

    await page.fill("#say-text", LONG)
    await page.press("#say-text", "Enter")
    await becomes(page, "window.aneeka.speaking && window.aneeka.played > 24000")
    await page.evaluate("document.querySelector('#control-skip').click()")
    await becomes(page, SILENT)
    silent = await page.evaluate("performance.now()")
    turn = await until(live, "turn")
    assert turn["cut"] == "skip"
    assert LONG.startswith(turn["spoken"])
    caption = await page.evaluate("window.aneeka.caption")
    assert abs(len(caption.split()) - len(turn["spoken"].split())) <= 1
    await page.wait_for_timeout(500)
    seen = np.array(await page.evaluate("window.seen"))
    after = seen[seen[:, 0] > silent]
    assert len(after) > 5
    assert after[:, 2].max() < 0.001
    assert after[-1, 3] == 0.0
    assert problems == []


async def test_the_obs_page_comes_back_by_itself_and_is_brought_to_the_present(
    browser: Browser, tmp_path: Path
) -> None:
    def settings(port: int) -> Settings:
        return Settings(
            studio={"port": port}, llm={"engine": "understudy"}, chat={"idle_after_s": 0.0}, stage={"sound": "auto"}
        )

    first = Aneeka(settings(0), tmp_path)
    await first.start()
    address, port = first.server.address("/stage", watch=True), first.server.port
    page = await open_page(browser, address, [], viewport={"width": 1280, "height": 720})
    size = await page.evaluate("[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]")
    assert size == [1280, 720], "no scroll bars"
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
    await first.close()
    await becomes(page, "!window.aneeka.connected")
    second = Aneeka(settings(port), tmp_path)
    await second.start()
    try:
        assert second.server.address("/stage", watch=True) == address
        await becomes(page, SOUNDS)
        assert await second.engines.parts["voice"].ready(HANGS_S)
        second.desk.say("Ya he vuelto, y sigo hablando un buen rato para que se note en la página.")
        await becomes(page, "window.aneeka.speaking && window.aneeka.rms > 0.01")
        await page.reload()
        await becomes(page, "window.aneeka && window.aneeka.speaking && window.aneeka.rms > 0.01")
        await becomes(page, "!window.aneeka.speaking && window.aneeka.caption.endsWith('página.')")
        async with asyncio.timeout(HANGS_S):
            await second.rest(5)
        assert second.desk.turns(1)[0]["cut"] is None
    finally:
        await second.close()


async def test_captions_alone_both_languages_and_panic_by_keyboard(go_live: GoLive, browser: Browser) -> None:
    house = await go_live()
    address = house.aneeka.server.address("/captions", watch=True)
    words = await open_page(browser, address, [], ready="window.aneeka && window.aneeka.connected")
    house.aneeka.desk.say("Solo se leen las palabras.")
    await becomes(words, "window.aneeka.caption === 'Solo se leen las palabras.'")
    assert "Solo se leen" in await words.inner_text(".aneeka-captions")

    page = await open_page(browser, house.aneeka.server.address(), [], ready=RESTORED, picture=False)
    spanish = await page.inner_text("body")
    await page.click("#languages button:has-text('English')")
    english = await page.inner_text("body")
    assert "Silenciar" in spanish
    assert "Silenciar" not in english
    await page.click("#her-name", force=True)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await page.wait_for_selector("#control-resume:visible")
    assert house.aneeka.director.paused
    await page.click("#control-resume")
    await page.wait_for_selector("#control-resume", state="hidden")
    assert not house.aneeka.director.paused
