"""Panic cuts the private conversation off too, through the guard, while the program itself hangs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser

from tests.browser import GoLive, becomes, go_live, pages
from tests.containers import wav
from tests.spoken_english import RATE_HZ, spoken
from tests.test_friend_page import QUESTION, open_friend, transcriber, turn
from tests.transcription_server import KEY

pytest.importorskip("pocketsphinx", reason="needs the package pocketsphinx")

__all__ = ["go_live", "transcriber"]
pytestmark = pages


async def test_a_panic_of_which_the_program_knows_nothing_cuts_the_private_answer_off(
    go_live: GoLive, browser: Browser, microphone_file: Path, transcriber: str
) -> None:
    async def long_answer(prompt: Any) -> AsyncIterator[str]:
        yield "[happy] " + "Había una vez una historia muy larga que no se acababa nunca. " * 8

    before, after = np.zeros(RATE_HZ // 2, np.int16), np.zeros(60 * RATE_HZ, np.int16)
    microphone_file.write_bytes(wav(np.concatenate((before, spoken(QUESTION), after)), RATE_HZ))
    problems: list[str] = []
    house = await go_live(stt={"engine": "openai", "openai": {"base_url": transcriber, "api_key": KEY}})
    house.aneeka.engines.brain.think = long_answer
    house.aneeka.guard.on_panic = lambda: None
    page = await open_friend(house, browser, problems, permissions=["microphone"])
    await page.click("#friend-press")
    await becomes(page, turn("speaking"), 30)
    async with house.client.post(house.aneeka.server.panic_address(), headers=house.headers) as answer:
        assert answer.status == 200
    await becomes(page, turn("idle"))
    assert "silencio" in await page.inner_text("#friend-status")
    assert house.aneeka.director.paused is False, "the program knows nothing"
    assert problems == []
