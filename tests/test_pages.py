"""The pages in a real browser: a message goes in, and she is heard, seen and read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser, Page, async_playwright

from bot.app import Aneeka
from bot.config.settings import Settings
from tests.conftest import AT_EASE, House, needs

GoLive = Callable[..., Awaitable[House]]
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
OPTIONS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", *QUIET]
WATCH = """() => {
  window.seen = [];
  const look = () => {
    const { played, rms, mouth, caption, speaking } = window.aneeka;
    window.seen.push([performance.now(), played, rms, mouth.open, caption.length, speaking ? 1 : 0]);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    path = needs("chromium", "chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        await browser.close()


async def becomes(page: Page, expression: str, timeout_s: float = 15.0) -> None:
    """Wait until an expression is true in the page (whose policy forbids the usual way, an eval inside it)."""
    async with asyncio.timeout(timeout_s):
        while not await page.evaluate(f"Boolean({expression})"):
            await asyncio.sleep(0.02)


async def open_page(browser: Browser, address: str, problems: list[str]) -> Page:
    page = await browser.new_page(viewport={"width": 1280, "height": 720})
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.goto(address)
    await becomes(page, "window.aneeka && window.aneeka.connected && window.aneeka.drawn && window.aneeka.sounding")
    return page


def lag_ms(seen: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return how late the mouth is against the page's own sound level, and how alike they are."""
    times = np.arange(seen[0, 0], seen[-1, 0], 5.0)
    level = np.interp(times, seen[:, 0], np.sqrt(seen[:, 2]))
    mouth = np.interp(times, seen[:, 0], seen[:, 3])
    best = (0.0, -1.0)
    for shift in range(-40, 41):
        moved = np.roll(mouth, -shift)[60:-60]
        likeness = float(np.corrcoef(moved, level[60:-60])[0, 1])
        best = max(best, (shift * 5.0, likeness), key=lambda found: found[1])
    return best


async def test_a_typed_message_is_answered_aloud_in_the_studio(go_live: GoLive, browser: Browser) -> None:
    house = await go_live(stage={"sound": "auto"}, tts=AT_EASE)
    problems: list[str] = []
    page = await open_page(browser, house.aneeka.server.address(), problems)
    assert "token" not in page.url
    await page.evaluate(WATCH)
    await page.fill("#viewer-name", "Marta <b>")
    await page.fill("#viewer-text", "hola Aneeka, <img src=x onerror=alert(1)> ¿qué tal?")
    await page.press("#viewer-text", "Enter")
    await becomes(page, "window.aneeka.speaking && window.aneeka.rms > 0.01")
    await becomes(page, "!window.aneeka.speaking && window.aneeka.caption.length > 5", 30)
    await page.wait_for_timeout(300)
    turn = house.aneeka.desk.turns(1)[0]
    assert turn["cut"] is None
    assert await page.evaluate("window.aneeka.caption") == turn["spoken"]
    seen = np.array(await page.evaluate("window.seen"))
    speaking = seen[seen[:, 5] == 1]
    assert speaking[:, 2].max() > 0.05, "sound in the page's audio graph"
    assert speaking[:, 3].max() > 0.3
    assert seen[-1, 3] == 0.0, "the mouth rests when she is silent"
    late_ms, likeness = lag_ms(speaking)
    assert likeness > 0.4
    assert -60 <= late_ms <= 60
    assert (np.diff(seen[:, 1]) >= 0).all()
    written = (turn["marks_ms"]["last_audible"] - turn["marks_ms"]["first_audible"]) / 1000
    assert speaking[-1, 1] / 48_000 == pytest.approx(written, abs=0.25)
    assert "<img src=x" in await page.inner_text("#chat-rows")
    assert "Marta <b>" in await page.inner_text("#chat-rows")
    assert turn["spoken"] in await page.inner_text("#answers")
    assert problems == []


async def test_skip_in_the_page_is_silence(go_live: GoLive, browser: Browser) -> None:
    house = await go_live(stage={"sound": "auto"})
    page = await open_page(browser, house.aneeka.server.address(), [])
    await page.evaluate(WATCH)
    text = "Una frase bastante larga para cortarla por la mitad, sin que nadie oiga el final de la historia."
    await page.fill("#say-text", text)
    await page.press("#say-text", "Enter")
    await becomes(page, "window.aneeka.played > 48000")
    await page.evaluate("window.pressed = performance.now(); document.querySelector('#control-skip').click()")
    await becomes(page, "!window.aneeka.speaking && window.aneeka.rms < 0.001")
    await page.wait_for_timeout(2000)
    turn = house.aneeka.desk.turns(1)[0]
    assert turn["cut"] == "skip"
    assert text.startswith(turn["spoken"])
    caption = await page.evaluate("window.aneeka.caption")
    assert abs(len(caption.split()) - len(turn["spoken"].split())) <= 1
    seen = np.array(await page.evaluate("window.seen"))
    after = seen[seen[:, 0] > await page.evaluate("window.pressed") + 1500]
    assert len(after) > 5
    assert after[:, 2].max() < 0.001
    assert after[-1, 3] == 0.0


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
    page = await open_page(browser, address, [])
    size = await page.evaluate("[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]")
    assert size == [1280, 720], "no scroll bars"
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
    await first.close()
    await becomes(page, "!window.aneeka.connected")
    second = Aneeka(settings(port), tmp_path)
    await second.start()
    try:
        assert second.server.address("/stage", watch=True) == address
        await becomes(page, "window.aneeka.connected && window.aneeka.sounding")
        assert await second.engines.parts["voice"].ready(30)
        second.desk.say("Ya he vuelto, y sigo hablando un buen rato para que se note en la página.")
        await becomes(page, "window.aneeka.speaking && window.aneeka.rms > 0.01")
        await page.reload()
        await becomes(page, "window.aneeka && window.aneeka.speaking && window.aneeka.rms > 0.01")
        await becomes(page, "!window.aneeka.speaking && window.aneeka.caption.endsWith('página.')", 20)
        async with asyncio.timeout(5):
            await second.rest(5)
        assert second.desk.turns(1)[0]["cut"] is None
    finally:
        await second.close()


async def test_captions_alone_show_the_words(go_live: GoLive, browser: Browser) -> None:
    house = await go_live()
    page = await browser.new_page(viewport={"width": 800, "height": 200})
    await page.goto(house.aneeka.server.address("/captions", watch=True))
    await becomes(page, "window.aneeka && window.aneeka.connected")
    house.aneeka.desk.say("Solo se leen las palabras.")
    await becomes(page, "window.aneeka.caption === 'Solo se leen las palabras.'", 10)
    assert "Solo se leen" in await page.inner_text(".aneeka-captions")


async def test_panic_by_keyboard_and_both_languages(go_live: GoLive, browser: Browser) -> None:
    house = await go_live(stage={"sound": "auto"})
    page = await open_page(browser, house.aneeka.server.address(), [])
    spanish = await page.inner_text("body")
    await page.click("#languages button:has-text('English')")
    english = await page.inner_text("body")
    assert "Silenciar" in spanish
    assert "Silenciar" not in english
    await page.click("#her-name", force=True)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    async with asyncio.timeout(5):
        while not house.aneeka.director.paused:
            await page.wait_for_timeout(20)
    await page.wait_for_selector("#control-resume:visible")
    await page.click("#control-resume")
    async with asyncio.timeout(5):
        while house.aneeka.director.paused:
            await page.wait_for_timeout(20)
