"""The conversation page in a real browser with a microphone that plays a file: a spoken question, a spoken answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser import GoLive, becomes, go_live, open_page, pages
from tests.conftest import House
from tests.containers import wav
from tests.spoken_english import RATE_HZ, spoken
from tests.transcription_server import KEY, Sphinx, Transcriptions

pytest.importorskip("pocketsphinx", reason="needs the package pocketsphinx")

__all__ = ["go_live"]
pytestmark = pages

READY = "document.body.dataset.ready && document.getElementById('connection').hidden"
QUESTION = "tell me a story please"
AWAY_ONCE = """() => {
  const real = AudioWorklet.prototype.addModule;
  AudioWorklet.prototype.addModule = () => {
    AudioWorklet.prototype.addModule = real;
    return Promise.reject(new DOMException("Unable to load a worklet's module.", "AbortError"));
  };
}"""
"""What a browser does while the program is away."""
HEAR = """() => {
  window.levels = [];
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (this instanceof AudioBufferSourceNode) {
      const samples = this.buffer.getChannelData(0);
      window.levels.push([this.buffer.duration, Math.max(...samples.slice(0, 96000).map(Math.abs))]);
    }
    return connect.call(this, target, ...rest);
  };
}"""


TURN = """async (stretches) => {
  const { Turn } = await import("/static/studio/friend-listener.js");
  const turn = new Turn();
  const tone = (db) => Int16Array.from({ length: 512 }, (_, n) => 32768 * 10 ** (db / 20) * Math.SQRT2 * Math.sin(n));
  let blocks = 0;
  for (const [db, seconds] of stretches) {
    for (let i = 0; i < seconds * 31.25 && !turn.isOver(); i += 1, blocks += 1) {
      turn.add(tone(db));
    }
  }
  return [blocks / 31.25, turn.sound()?.size ?? null];
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def transcriber() -> AsyncIterator[str]:
    server = Transcriptions(Sphinx())
    yield await server.start()
    await server.close()


def turn(state: str) -> str:
    return f"document.body.dataset.turn === '{state}'"


async def said(page: Page) -> list[tuple[str, str]]:
    rows = "[...document.querySelectorAll('#friend-log li')].map((row) => [row.dataset.role, row.textContent])"
    return [tuple(row) for row in await page.evaluate(rows)]


async def open_friend(house: House, browser: Browser, problems: list[str], **context: Any) -> Page:
    return await open_page(
        browser,
        house.aneeka.server.address("/friend"),
        problems,
        ready=READY,
        **context,
    )


async def long_answer(prompt: Any) -> AsyncIterator[str]:
    yield "[happy] " + "Había una vez una historia muy larga que no se acababa nunca. " * 8


async def house_that_hears(go_live: GoLive, transcriber: str, microphone_file: Path) -> House:
    before, after = np.zeros(RATE_HZ * 3 // 2, np.int16), np.zeros(60 * RATE_HZ, np.int16)
    microphone_file.write_bytes(wav(np.concatenate((before, spoken(QUESTION), after)), RATE_HZ))
    return await go_live(stt={"engine": "openai", "openai": {"base_url": transcriber, "api_key": KEY}})


async def ask_aloud(page: Page) -> list[tuple[str, str]]:
    """Press and ask until it is understood, and return what was said; she is answering then.

    A machine that stands still loses sound, and people say it again then.
    """
    for _ in range(5):
        await page.click("#friend-press")
        await becomes(page, f"{turn('speaking')} || {turn('idle')}")
        rows = await said(page)
        if await page.evaluate(turn("speaking")) and rows[-2] == ("user", QUESTION):
            return rows
    raise AssertionError(f"not understood: {rows}, {await page.inner_text('#friend-status')}")


async def test_a_spoken_question_is_answered_aloud_the_history_stays_and_a_press_interrupts(
    go_live: GoLive, browser: Browser, microphone_file: Path, transcriber: str
) -> None:
    problems: list[str] = []
    house = await house_that_hears(go_live, transcriber, microphone_file)
    page = await open_friend(house, browser, problems, permissions=["microphone"])
    assert "token" not in page.url
    assert page.url.endswith("/friend")
    await page.evaluate(HEAR)
    await page.evaluate(AWAY_ONCE)
    await page.click("#friend-press")
    await becomes(page, "document.querySelector('.toast[data-kind=error]')")
    await becomes(page, turn("idle"))
    rows = await ask_aloud(page)
    assert rows[-1][0] == "assistant"
    assert rows[-1][1]
    *_, (lasts, loudest) = await page.evaluate("window.levels")
    assert lasts > 0.5
    assert loudest > 0.1
    await becomes(page, turn("idle"))
    assert house.aneeka.memory.messages() == ()
    assert problems == []
    await page.reload()
    await becomes(page, READY)
    assert await said(page) == rows
    await page.click("#friend-again")
    assert await said(page) == []

    house.aneeka.engines.brain.think = long_answer
    rows = await ask_aloud(page)
    await page.click("#friend-press")
    await becomes(page, turn("listening"))
    assert await said(page) == rows
    await house.ask("POST", "/api/control/panic")
    await becomes(page, turn("idle"))
    assert "silencio" in await page.inner_text("#friend-status")
    await page.click("#languages button:has-text('English')")
    assert "silent until" in await page.inner_text("#friend-status")


async def test_a_panic_of_which_the_program_knows_nothing_cuts_the_private_answer_off(
    go_live: GoLive, browser: Browser, microphone_file: Path, transcriber: str
) -> None:
    problems: list[str] = []
    house = await house_that_hears(go_live, transcriber, microphone_file)
    house.aneeka.engines.brain.think = long_answer
    house.aneeka.guard.on_panic = lambda: None
    page = await open_friend(house, browser, problems, permissions=["microphone"])
    await ask_aloud(page)
    async with house.client.post(house.aneeka.server.panic_address(), headers=house.headers) as answer:
        assert answer.status == 200
    await becomes(page, turn("idle"))
    assert "silencio" in await page.inner_text("#friend-status")
    assert house.aneeka.director.paused is False, "the program knows nothing"
    assert problems == []


async def test_strangers_find_the_door_closed_and_without_permission_it_says_what_to_do(
    go_live: GoLive, browser: Browser
) -> None:
    house = await go_live(with_voice=False, stt={"engine": "off"})
    for token, status in (("", 401), (f"?token={house.watch_token}", 401), (f"?token={house.token}", 303)):
        path = f"{house.url}/friend{token}"
        async with house.client.get(path, allow_redirects=False) as answer:
            assert answer.status == status
            assert answer.headers.get("Location") == ("/friend" if status == 303 else None)

    page = await open_friend(house, browser, [], permissions=["geolocation"])
    await page.click("#friend-press")
    await becomes(page, "document.querySelector('#toasts .toast')")
    assert "micrófono" in await page.inner_text("#toasts")
    assert await page.evaluate(turn("idle"))

    # When a turn begins and ends: level in dBFS and seconds of each stretch, told to the page's own rules.
    async def heard(*stretches: tuple[float, float]) -> tuple[float, float | None]:
        ended_s, bytes_kept = await page.evaluate(TURN, [list(stretch) for stretch in stretches])
        return ended_s, bytes_kept and (bytes_kept - 44) / 2 / RATE_HZ

    assert await heard((-90, 20)) == (pytest.approx(8, abs=0.1), None)
    assert await heard((-42, 20)) == (pytest.approx(8, abs=0.1), None), "a fan asks nothing"
    ended_s, kept_s = await heard((-60, 1), (-25, 1), (-60, 0.6), (-25, 1), (-60, 5))
    assert ended_s == pytest.approx(3.6 + 0.9, abs=0.1), "a pause to breathe does not end it"
    assert kept_s == pytest.approx(0.4 + 2.6 + 0.9, abs=0.15), "and what was before the first word is not sent"
    ended_s, _ = await heard((-60, 1), *[(-25, 1), (-60, 0.5)] * 60)
    assert ended_s == pytest.approx(55, abs=0.1)
