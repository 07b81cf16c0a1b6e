"""The key for stream decks: copied in the studio, never shown, good for the controls alone."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.async_api import Browser

from tests.browser import RESTORED, GoLive, becomes, go_live, open_page, pages

__all__ = ["go_live"]
pytestmark = pages


async def test_the_studio_copies_the_key_and_does_not_show_it(
    go_live: GoLive, browser: Browser, tmp_path: Path
) -> None:
    house = await go_live(with_voice=False, stt={"engine": "off"})
    kept = json.loads((tmp_path / "data" / "studio_tokens.json").read_text())
    problems: list[str] = []
    page = await open_page(
        browser,
        house.aneeka.server.address(),
        problems,
        ready=RESTORED,
        picture=False,
        permissions=["clipboard-read", "clipboard-write"],
    )
    await page.click("#deck-copy")
    await becomes(page, "document.querySelector('#toasts .toast')")
    assert "LLAVE" in await page.inner_text("#toasts")
    key = await page.evaluate("navigator.clipboard.readText()")
    assert key == kept["deck"]
    assert key not in await page.content()
    deck = {"Authorization": f"Bearer {key}"}
    assert (await house.ask("POST", "/api/control/mute", headers=deck))[0] == 200
    for headers in ({}, deck, {"Authorization": f"Bearer {house.watch_token}"}):
        status, body = await house.ask("GET", "/api/deck-key", headers=headers)
        assert status == 401
        assert key not in str(body)
    assert problems == []
