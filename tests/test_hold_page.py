"""A reply that is held and goes on, as a page shows and sounds it."""

from __future__ import annotations

import numpy as np
from playwright.async_api import Browser

from tests.test_pages import WATCH, GoLive, becomes, browser, open_page  # noqa: F401

TEXT = "Una frase bastante larga para pararla por la mitad, y para que luego siga hasta el final de la historia."


async def test_held_she_is_silent_and_then_says_the_rest(go_live: GoLive, browser: Browser) -> None:  # noqa: F811
    house = await go_live(stage={"sound": "auto"})
    problems: list[str] = []
    page = await open_page(browser, house.aneeka.server.address("/stage", watch=True), problems)
    await page.evaluate(WATCH)
    await house.ask("POST", "/api/say", {"text": TEXT})
    await becomes(page, "window.aneeka.played > 72000")
    stage, reply = house.aneeka.stage, house.aneeka.reply
    assert reply is not None
    stage.hold(reply)
    await becomes(page, "!window.aneeka.speaking && window.aneeka.rms < 0.001")
    silent = await page.evaluate("performance.now()")
    before = await page.evaluate("window.aneeka.caption")
    assert TEXT.startswith(before)
    await page.wait_for_timeout(400)
    assert await page.evaluate("window.aneeka.mouth.open") == 0.0
    resumed = await page.evaluate("performance.now()")
    stage.resume(reply)
    await becomes(page, "window.aneeka.speaking && window.aneeka.rms > 0.01 && window.aneeka.mouth.open > 0.1")
    assert (await page.evaluate("window.aneeka.caption")).startswith(before.rsplit(" ", 1)[0]), "the text stays whole"
    await becomes(page, "!window.aneeka.speaking && window.aneeka.caption.endsWith('historia.')", 30)
    await page.wait_for_timeout(300)
    turn = house.aneeka.desk.turns(1)[0]
    assert (turn["spoken"], turn["cut"]) == (TEXT, None)
    assert await page.evaluate("window.aneeka.caption") == TEXT
    seen = np.array(await page.evaluate("window.seen"))
    held = seen[(seen[:, 0] > silent) & (seen[:, 0] < resumed)]
    assert held[:, 2].max() < 0.001, "nothing of her in the page's audio graph"
    assert problems == []
