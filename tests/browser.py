"""Pages in a real browser. One Chromium serves all page tests of a worker, so these run in one event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.conftest import HANGS_S, House, living

GoLive = Callable[..., Awaitable[House]]
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
OPTIONS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", *QUIET]
AT_ONCE = {"idle_after_s": 0.0, "window_s": 0.0, "viewer_cooldown_s": 0.0}
"""Chat that is answered as soon as it comes."""
SOUNDS = "window.aneeka && window.aneeka.connected && window.aneeka.drawn && window.aneeka.sounding"
RESTORED = "document.getElementById('version').textContent"
"""Ready signs: of a page that plays her sound, and of a studio that has got her state."""
WATCH = """() => {
  window.seen = [];
  const look = () => {
    const { played, rms, mouth, caption, speaking } = window.aneeka;
    window.seen.push([performance.now(), played, rms, mouth.open, caption.length, speaking ? 1 : 0]);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
UNTIL = """new Promise((done, fail) => {
  const begun = performance.now();
  const look = () => {
    try {
      if (%(expression)s) done(true);
      else if (performance.now() - begun > %(timeout_ms)d) done(false);
      else setTimeout(look, 15);
    } catch (error) {
      fail(error);
    }
  };
  look();
})"""
NO_PICTURE = "export const mountStage = () => ({ takeSound() {}, panic() {} });"

pages = pytest.mark.asyncio(loop_scope="session")
"""Marks tests that use ``browser``: it lives in the session's loop."""


@pytest_asyncio.fixture(loop_scope="session")
async def go_live(tmp_path: Path) -> AsyncIterator[GoLive]:
    """The same as everywhere, in the browser's loop."""
    async with living(tmp_path / "data") as start:
        yield start


async def becomes(page: Page, expression: str, timeout_s: float = HANGS_S / 2) -> None:
    """Wait until an expression is true in the page (whose policy forbids Playwright's own way, an eval inside it)."""
    asked = UNTIL % {"expression": expression, "timeout_ms": timeout_s * 1000}
    async with asyncio.timeout(timeout_s + 5):
        assert await page.evaluate(asked), f"never: {expression}"


async def reads(page: Page, selector: str, words: str) -> None:
    """Wait until an element shows these words."""
    shown = f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(words)})"
    await becomes(page, shown)


async def without_picture(page: Page) -> None:
    """Leave out her picture and her sound, for pages whose subject they are not: drawing costs half a processor."""
    body = {"content_type": "text/javascript", "body": NO_PICTURE}
    await page.route("**/static/page/stage-view.js", lambda route: route.fulfill(**body))


async def open_page(
    browser: Browser, address: str, problems: list[str], *, ready: str = SOUNDS, picture: bool = True, **context: Any
) -> Page:
    """Open a page and wait until it is ready."""
    page = await browser.new_page(**{"viewport": {"width": 800, "height": 600}, **context})
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    if not picture:
        await without_picture(page)
    await page.goto(address)
    await becomes(page, ready)
    return page
