"""The operator's hand in a real browser: panic while the program hangs, approval on purpose, nothing unfit in sight."""

from __future__ import annotations

import asyncio
import time

from playwright.async_api import Browser

from tests.browser import AT_ONCE, RESTORED, WATCH, GoLive, becomes, go_live, open_page, pages
from tests.conftest import HANGS_S, until

__all__ = ["go_live"]
pytestmark = pages

LONG = "Una frase bastante larga para cortarla por la mitad, sin que nadie oiga el final de la historia que cuento."
HANG_S = 4.0
PRESSED_S = 1.5


async def test_the_panic_button_silences_obs_while_the_program_hangs(go_live: GoLive, browser: Browser) -> None:
    house = await go_live(stage={"sound": "auto"})
    assert await house.aneeka.guard.ready()
    problems: list[str] = []
    obs = await open_page(browser, house.aneeka.server.address("/stage", watch=True), problems)
    ready = "window.aneeka && window.aneeka.connected && !document.querySelector('#control-panic').hidden"
    studio = await open_page(browser, house.aneeka.server.address(), problems, ready=ready)
    await obs.evaluate(WATCH)
    house.aneeka.desk.say(LONG)
    await becomes(obs, "window.aneeka.played > 24000")
    click = "setTimeout(() => document.querySelector('#control-panic').click(), %d)"
    await studio.evaluate(click % (PRESSED_S * 1000))
    clocks = await obs.evaluate("[performance.now(), Date.now()]")
    hung_at = time.time()
    time.sleep(HANG_S)  # noqa: ASYNC251  the program hangs: nothing of it can help
    assert house.aneeka.guard.silenced()
    assert house.aneeka.director.paused is False
    until_ms = (hung_at + HANG_S) * 1000 - clocks[1] + clocks[0]
    seen = [row for row in await obs.evaluate("window.seen") if row[0] < until_ms]
    loud = [row[0] for row in seen if row[2] > 0.001]
    assert loud[-1] < until_ms - 500, "silent long before the program was back"
    assert await obs.evaluate("window.aneeka.silenced")
    await studio.wait_for_selector("#control-resume:visible")
    live = await house.live()
    while not house.aneeka.desk.turns(1):
        await until(live, "turn")
    turn = house.aneeka.desk.turns(1)[0]
    caption = await obs.evaluate("window.aneeka.caption")
    assert turn["cut"] == "panic"
    assert LONG.startswith(turn["spoken"])
    assert turn["spoken"] != LONG
    assert abs(len(turn["spoken"].split()) - len(caption.split())) <= 1, "the record holds what was heard, no more"
    await obs.reload()
    await becomes(obs, "window.aneeka && window.aneeka.silenced")
    await studio.click("#control-resume")
    await becomes(obs, "window.aneeka.sounding && !window.aneeka.silenced")
    house.aneeka.desk.say("Ya he vuelto a hablar.")
    await becomes(obs, "window.aneeka.rms > 0.01")
    assert problems == []


async def test_approving_takes_a_purpose_and_rejecting_does_not(go_live: GoLive, browser: Browser) -> None:
    house = await go_live(safety={"hold": "chat"}, chat=AT_ONCE)
    live, desk = await house.live(), house.aneeka.desk
    page = await open_page(browser, house.aneeka.server.address(), [], ready=RESTORED, picture=False)

    async def held(words: str) -> dict[str, str]:
        desk.hear_viewer("Ana <b>", words, "", frozenset())
        item = await until(live, "held")
        await page.wait_for_selector(f"#held-{item['id']}")
        return item

    one = await held("hola Aneeka <img src=x>")
    assert "<img src=x>" in await page.inner_text("#held-rows")
    await page.eval_on_selector("[data-do=approve]", "button => [1, 2].forEach(() => button.click())")
    assert house.aneeka.hand.held()[0]["id"] == one["id"], "neither a press nor a double click is enough"
    await page.click("[data-do=reject]")
    await until(live, "decided", what="reject")
    await page.wait_for_selector("#held-panel", state="hidden")

    two = await held("¿cuál es tu juego favorito?")
    await page.fill("#held-rows textarea", "Buenas tardes.")
    await house.aneeka.live.close()
    live = await house.live()
    async with asyncio.timeout(HANGS_S):
        while len(house.aneeka.live._pages) < 2:
            await asyncio.sleep(0.01)
    house.aneeka.live.tell({"type": "unsent", "reason": "left", "why": "De vuelta."})
    await becomes(page, "document.querySelector('#toasts').textContent.includes('De vuelta.')")
    assert await page.input_value("#held-rows textarea") == "Buenas tardes.", "a lost connection takes no words back"
    await page.focus("[data-do=approve]")
    await page.keyboard.down("Enter")
    assert (await until(live, "decided"))["what"] == "edit"
    await page.keyboard.up("Enter")
    assert (await until(live, "turn"))["spoken"] == "Buenas tardes."

    three = await held("¿y tu comida favorita?")
    await page.focus("[data-do=approve]")
    await page.keyboard.press("Enter")
    await page.wait_for_timeout(500)
    await page.keyboard.press("Enter")
    assert (await until(live, "decided"))["what"] == "approve"
    assert (await until(live, "turn"))["spoken"] == three["text"]

    await held("¿te gusta el mar?")
    await page.focus("[data-do=approve]")
    await page.keyboard.press("Delete")
    assert (await until(live, "decided"))["what"] == "reject"
    assert two["id"] not in await page.inner_html("#held-rows")


async def test_what_is_unfit_is_blurred_until_asked_for_and_a_viewer_is_blocked(
    go_live: GoLive, browser: Browser
) -> None:
    house = await go_live(with_voice=False, safety={"blocked_words": ["Villarriba"]})
    page = await open_page(browser, house.aneeka.server.address(), [], ready=RESTORED, picture=False)
    desk = house.aneeka.desk
    bad = desk.hear_viewer("Villarriba", "vives en Villarriba", "7", frozenset())
    fine = desk.hear_viewer("Eva", "!dados", "8", frozenset())
    row, other = f".row[data-id='{bad}']", f".row[data-id='{fine}']"
    await page.wait_for_selector(other)
    blurred = f'[...document.querySelectorAll("{row} .blurred")].map((each) => getComputedStyle(each).filter)'
    assert await page.evaluate(blurred) == ["blur(6px)", "blur(6px)"], "name and text"
    assert await page.locator(f"{other} .blurred").count() == 0
    await page.focus(row)
    await page.click(f"{row} [data-do=reveal]")
    await page.wait_for_selector(f"{row} .blurred", state="detached")
    await page.click(f"{row} [data-do=block]")
    await page.wait_for_selector("#viewers:visible")
    assert house.aneeka.hand.blocked() == [{"user_id": "7", "name": "Villarriba"}]
    await page.reload()
    await page.click("#blocked-rows button")
    await page.wait_for_selector("#viewers", state="hidden")
    async with asyncio.timeout(HANGS_S):
        while house.aneeka.hand.blocked():
            await asyncio.sleep(0.01)
