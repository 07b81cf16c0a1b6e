"""What her connection to Twitch has counted is in the state, the metrics and the studio, and follows what happens."""

from __future__ import annotations

from playwright.async_api import Browser

from bot.vocabulary import Health
from tests.browser import AT_ONCE, RESTORED, GoLive, becomes, go_live, open_page, pages
from tests.local_twitch import LocalTwitch
from tests.test_twitch_live import section

__all__ = ["go_live"]
pytestmark = pages

LINE = "document.querySelector('[data-part=twitch] [data-counted]')?.textContent"


async def test_the_studio_shows_what_the_connection_has_counted(go_live: GoLive, browser: Browser) -> None:
    async with LocalTwitch() as twitch:
        house = await go_live(twitch=section(twitch), chat=AT_ONCE, stage={"sound": "none"})
        studio = await open_page(browser, house.aneeka.server.address(), [], ready=RESTORED, picture=False)
        house.aneeka.board.report(Health("twitch_bot", "ok", serving="luna_plays"))
        await becomes(studio, "document.querySelector('[data-part=twitch_bot]')?.textContent.includes('luna_plays')")
        await becomes(studio, f"/^Avisos: 0; .*Nada perdido desde las \\d/.test({LINE})")
        await twitch.chat(twitch.user("noor", "Noor"), "hola")
        await twitch.duplicate()
        await becomes(studio, f"{LINE}.startsWith('Avisos: 1; repetidos: 1; reconexiones: 0; huecos: 0 (0 s).')")
        await twitch.drop()
        await becomes(studio, f"{LINE}.includes('reconexiones: 1; huecos: 1 (')")
        _, state = await house.ask("GET", "/api/state")
        counted = state["counters"]["twitch"]["twitch"]
        assert (counted["received"], counted["duplicates"], counted["gaps"]) == (1, 1, 1)
        _, metrics = await house.ask("GET", "/metrics")
        assert 'aneeka_twitch_received_total{part="twitch"} 1' in metrics
        assert f'aneeka_twitch_since_timestamp_seconds{{part="twitch"}} {counted["since"]}' in metrics
        house.aneeka.live.tell({"type": "unsent", "reason": "left", "why": "Bórralo a mano."})
        await becomes(studio, "document.querySelector('.toast[data-kind=error]')?.textContent.includes('a mano')")
