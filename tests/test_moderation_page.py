"""What a moderator took back leaves every page in a real browser, also one that was away meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from playwright.async_api import Browser, Page

from tests.conftest import House
from tests.test_pages import becomes, browser, open_page

__all__ = ["browser"]

GoLive = Callable[..., Awaitable[House]]
SECRET = "zarigüeya púrpura"
WORDS = "document.documentElement.textContent"
CAPTION = "document.querySelector('.aneeka-captions').textContent"
ANNOUNCED = "document.querySelector('.aneeka-announced').textContent"


async def captions_of(house: House, browser: Browser) -> Page:
    page = await browser.new_page(viewport={"width": 800, "height": 200})
    await page.goto(house.aneeka.server.address("/captions", watch=True))
    await becomes(page, "window.aneeka && window.aneeka.connected")
    return page


async def test_who_is_banned_in_mid_answer_is_gone_from_every_page(go_live: GoLive, browser: Browser) -> None:
    house = await go_live(stage={"sound": "auto"})
    problems: list[str] = []
    studio = await open_page(browser, house.aneeka.server.address(), problems)
    captions = await captions_of(house, browser)
    house.aneeka.desk.hear_viewer("Trolazo", f"{SECRET}, Aneeka, ¿qué te parece?", "t1", frozenset())
    await becomes(studio, f"window.aneeka.rms > 0.01 && {WORDS}.includes('{SECRET}') && {ANNOUNCED}")
    await becomes(captions, f"window.aneeka.caption && {CAPTION}")
    await becomes(studio, "!document.querySelector('.aneeka-card').hidden")
    said = await captions.evaluate(CAPTION)
    assert (await house.ask("DELETE", "/api/chat?user_id=t1"))[1]["was"] == "speaking"
    await becomes(captions, f"window.aneeka.caption === '' && {CAPTION} === ''")
    await becomes(studio, f"window.aneeka.rms < 0.001 && {CAPTION} === '' && {ANNOUNCED} === ''")
    await becomes(studio, "document.querySelector('.aneeka-card').hidden")
    await becomes(studio, "document.querySelector('#answers .gone')")
    late = await browser.new_page()
    await late.goto(house.aneeka.server.address())
    await becomes(late, "document.querySelector('#answers .gone')")
    for page in (studio, captions, late):
        whole = await page.evaluate(WORDS)
        assert SECRET not in whole
        assert said not in whole
    assert await studio.locator("#chat-rows [data-fate=withdrawn]").count() == 1
    house.aneeka.desk.hear_viewer("Trolazo", f"{SECRET} otra vez", "t1", frozenset())
    await becomes(studio, "document.querySelectorAll('#chat-rows [data-fate=withdrawn]').length === 2")
    assert SECRET not in await studio.evaluate(WORDS)
    assert problems == []


async def test_what_is_deleted_after_she_spoke_or_while_the_page_was_away(go_live: GoLive, browser: Browser) -> None:
    house = await go_live(stage={"sound": "auto"})
    studio = await open_page(browser, house.aneeka.server.address(), [])
    captions = await captions_of(house, browser)
    first = house.aneeka.desk.hear_viewer("Ana", f"{SECRET}, Aneeka, hola", "a1", frozenset())
    await becomes(studio, "document.querySelector('#answers li')", 30)
    said = house.aneeka.desk.turns(1)[0]["spoken"]
    await becomes(captions, f"window.aneeka.caption && {CAPTION}")
    await becomes(studio, f"{WORDS}.includes('{SECRET}') && {WORDS}.includes({said!r})")
    house.aneeka.desk.withdraw(first)
    await becomes(captions, f"window.aneeka.caption === '' && {CAPTION} === ''")
    await becomes(studio, f"!{WORDS}.includes('{SECRET}') && !{WORDS}.includes({said!r})")

    house.aneeka.desk.control("pause")
    house.aneeka.desk.hear_viewer("Leo", f"otra {SECRET} más", "l1", frozenset())
    await becomes(studio, f"{WORDS}.includes('{SECRET}')")
    for socket in list(house.aneeka.live._pages.values()):
        await socket.close()
    house.aneeka.desk.withdraw_all()
    await becomes(studio, f"!{WORDS}.includes('{SECRET}')")

    house.aneeka.pages.show({"type": "card", "user": "Leo", "text": SECRET})
    await becomes(studio, f"{WORDS}.includes('{SECRET}')")
    for socket in list(house.aneeka.pages._pages.values()):
        await socket.close()
    await becomes(studio, "document.querySelector('.aneeka-card').hidden")
