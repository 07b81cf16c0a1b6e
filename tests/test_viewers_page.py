"""The operator sees in a real browser what is kept of a viewer, by keyboard alone, and deletes it on purpose."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from playwright.async_api import Browser

from bot.vocabulary import Person
from tests.browser import RESTORED, GoLive, becomes, go_live, open_page, pages
from tests.test_privacy import line, turn

__all__ = ["go_live"]
pytestmark = pages

EVIL = "<img src=x onerror=document.body.remove()>"


async def test_what_is_kept_is_found_shown_and_deleted_after_a_question(
    go_live: GoLive, browser: Browser, tmp_path: Path
) -> None:
    house = await go_live(with_voice=False)
    zoe = Person("studio:zoé/1", "Zoé/1")
    house.aneeka.recorder.write(turn("r1", time.time(), line(zoe, f"hola {EVIL}")), np.zeros(0, np.int16), 48_000)
    problems: list[str] = []
    page = await open_page(
        browser, house.aneeka.server.address(), problems, ready=RESTORED, picture=False, locale="es-ES"
    )
    await page.focus("#known summary")
    await page.keyboard.press("Enter")
    await page.fill("#known-name", "zoe")
    await page.keyboard.press("Enter")
    await page.focus("#known-rows button")
    await page.keyboard.press("Enter")
    await becomes(page, "document.activeElement.id === 'known-title'")
    facts = await page.inner_text("#known-facts")
    assert "studio:zoé/1" in facts
    assert "14 días" in facts
    assert await page.locator("#known-lines li").first.is_hidden(), "what viewers wrote is not shown unasked"
    await page.focus("#known-written summary")
    await page.keyboard.press("Enter")
    assert EVIL in await page.inner_text("#known-lines")
    assert await page.locator("#known img").count() == 0
    await page.click("[data-language=en]")
    assert "14 days" in await page.inner_text("#known-facts")

    await page.focus("#known-delete")
    await page.keyboard.press("Enter")
    await becomes(page, "document.activeElement.id === 'known-no'")
    assert "Zoé/1" in await page.inner_text("#known-question")
    await page.keyboard.press("Escape")
    await page.wait_for_selector("#known-question", state="hidden")
    assert (await house.ask("GET", "/api/viewers?name=zoe"))[1]["viewers"], "nothing went without a yes"

    await page.click("#known-delete")
    await page.click("#control-panic")
    await page.wait_for_selector("#control-resume:visible")  # the question is in nobody's way
    await page.focus("#known-no")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#known-viewer", state="hidden")
    await page.wait_for_selector(".toast[data-kind=done]")
    assert await page.locator("#known-rows li").count() == 0
    assert (await house.ask("GET", "/api/viewers?name=zoe"))[1] == {"viewers": [], "more": 0}
    assert (await house.ask("GET", "/api/viewers/studio:zo%C3%A9%2F1"))[0] == 404
    kept = "".join(file.read_text("utf-8") for file in (tmp_path / "data/recordings").iterdir())
    assert json.loads(kept)["heard"] == [line(Person("", ""), "")]
    assert problems == []
