"""What a moderator took back leaves every page in a real browser, also one that was away meanwhile."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Browser

from tests.browser import AT_ONCE, GoLive, becomes, go_live, open_page, pages

__all__ = ["go_live"]
pytestmark = pages

SECRET = "zarigüeya púrpura"
WORDS = "document.documentElement.textContent"
CAPTION = "document.querySelector('.aneeka-captions').textContent"
ANNOUNCED = "document.querySelector('.aneeka-announced').textContent"


async def test_what_a_moderator_takes_back_is_gone_from_every_page(go_live: GoLive, browser: Browser) -> None:
    async def long_answer(prompt: Any) -> AsyncIterator[str]:
        yield "Pues mira, de eso prefiero no hablar, que luego nunca acabo, y aquí hemos venido a reír. " * 3

    house = await go_live(stage={"sound": "auto"}, chat=AT_ONCE)
    desk, brain, problems = house.aneeka.desk, house.aneeka.engines.brain, []
    studio = await open_page(browser, house.aneeka.server.address(), problems)
    ready = "window.aneeka && window.aneeka.connected"
    captions = await open_page(browser, house.aneeka.server.address("/captions", watch=True), problems, ready=ready)

    # A viewer is banned while she answers him.
    think, brain.think = brain.think, long_answer
    desk.hear_viewer("Trolazo", f"{SECRET}, Aneeka, ¿qué te parece?", "t1", frozenset())
    await becomes(studio, f"window.aneeka.rms > 0.01 && {WORDS}.includes('{SECRET}') && {ANNOUNCED}")
    await becomes(captions, f"window.aneeka.caption && {CAPTION}")
    await becomes(studio, "!document.querySelector('.aneeka-card').hidden")
    said = await captions.evaluate(CAPTION)
    assert (await house.ask("DELETE", "/api/chat?user_id=t1"))[1]["was"] == "speaking"
    await becomes(captions, f"window.aneeka.caption === '' && {CAPTION} === ''")
    await becomes(studio, f"window.aneeka.rms < 0.001 && {CAPTION} === '' && {ANNOUNCED} === ''")
    await becomes(studio, "document.querySelector('.aneeka-card').hidden")
    await becomes(studio, "document.querySelector('#answers .gone')")
    late = await open_page(
        browser,
        house.aneeka.server.address(),
        problems,
        ready="document.querySelector('#answers .gone')",
        picture=False,
    )
    for page in (studio, captions, late):
        whole = await page.evaluate(WORDS)
        assert SECRET not in whole
        assert said not in whole
    await late.close()
    assert await studio.locator("#chat-rows [data-fate=withdrawn]").count() == 1
    desk.hear_viewer("Trolazo", f"{SECRET} otra vez", "t1", frozenset())
    await becomes(studio, "document.querySelectorAll('#chat-rows [data-fate=withdrawn]').length === 2")
    assert SECRET not in await studio.evaluate(WORDS)

    # A message is deleted after she has answered it.
    brain.think = think
    first = desk.hear_viewer("Ana", f"{SECRET}, Aneeka, hola", "a1", frozenset())
    await becomes(studio, "document.querySelectorAll('#answers li').length === 2")
    said = desk.turns(1)[0]["spoken"]
    await becomes(captions, f"window.aneeka.caption && {CAPTION}")
    await becomes(studio, f"{WORDS}.includes('{SECRET}') && {WORDS}.includes({json.dumps(said)})")
    desk.withdraw(first)
    await becomes(captions, f"window.aneeka.caption === '' && {CAPTION} === ''")
    await becomes(studio, f"!{WORDS}.includes('{SECRET}') && !{WORDS}.includes({json.dumps(said)})")

    # Chat is cleared while the page is away.
    desk.control("pause")
    desk.hear_viewer("Leo", f"otra {SECRET} más", "l1", frozenset())
    await becomes(studio, f"{WORDS}.includes('{SECRET}')")
    for socket in list(house.aneeka.live._pages.values()):
        await socket.close()
    desk.withdraw_all()
    await becomes(studio, f"!{WORDS}.includes('{SECRET}')")

    house.aneeka.pages.show({"type": "card", "user": "Leo", "text": SECRET})
    await becomes(studio, f"{WORDS}.includes('{SECRET}')")
    for socket in list(house.aneeka.pages._pages.values()):
        await socket.close()
    await becomes(studio, "document.querySelector('.aneeka-card').hidden")
    assert problems == []
