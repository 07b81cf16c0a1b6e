"""The panel of real brains in a real browser: who thinks, what there is, a download with its cuts, and the change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from bot import engines
from bot.models.catalogue import CATALOGUE, find
from tests import tiny_gguf
from tests.browser import RESTORED, GoLive, becomes, go_live, open_page, pages, reads
from tests.conftest import HANGS_S
from tests.model_hub import Hub

__all__ = ["go_live"]
pytestmark = pages

MODEL = find("llama-3.1-8b-q8")
ROW = f"#models [data-model='{MODEL.name}']"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    hub.offer(MODEL, tiny_gguf.write(tmp_path / "real.gguf", says="Mundo feliz.").read_bytes())
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setattr(engines, "DEMO_MODEL", tiny_gguf.write(tmp_path / "demo.gguf", says="Soy."))
    yield hub
    hub.close()


async def test_a_real_brain_is_downloaded_and_used_from_the_studio(go_live: GoLive, browser: Browser, hub: Hub) -> None:
    hub.hold_after = 100_000
    house = await go_live(with_voice=False, llm={"engine": "llama", "threads": 1, "gpu_layers": 0})
    assert await house.aneeka.engines.parts["brain"].ready(HANGS_S)
    problems: list[str] = []
    page = await open_page(
        browser, house.aneeka.server.address(), problems, ready=RESTORED, picture=False, locale="es-ES"
    )
    await reads(page, "#engines", "cerebro de demostración")
    await reads(page, "#models-now", "cerebro de demostración")
    assert await page.locator("#models .model").count() == len(CATALOGUE)
    assert await page.locator("#models-best .model").count() == 1
    await page.click("#models-more summary")
    row = await page.inner_text(ROW)
    assert "8,5 GB" in row
    assert MODEL.licence in row
    assert "memoria" in row or "tarjeta" in row or "grande" in row
    await page.click("#languages button:has-text('English')")
    await reads(page, "#engines", "demo brain")
    await reads(page, "#models-now", "demo brain")
    await page.click(f"{ROW} [data-do=pull]")
    await becomes(page, f"document.querySelector(\"{ROW}\").dataset.state === 'downloading'")
    cancel = f"{ROW} [data-do=cancel]"
    await page.focus(cancel)
    async with asyncio.timeout(HANGS_S):
        while not hub.holding.is_set():
            await asyncio.sleep(0.02)
    assert await page.evaluate("document.activeElement.dataset.do") == "cancel", "news leave a focused button alone"
    await page.keyboard.press("Enter")
    await reads(page, f"{ROW} [data-do=pull]", "Resume")
    assert await page.evaluate(f'document.querySelector("{ROW} progress").value') > 0
    hub.go.set()
    hub.closed.add(MODEL.repo)
    await page.click(f"{ROW} [data-do=pull]")
    await reads(page, f"{ROW} .error", "HF_TOKEN")
    hub.closed.clear()
    await page.click(f"{ROW} [data-do=pull]")
    await reads(page, "#models-now", MODEL.title)
    await reads(page, ROW, "In use")
    await reads(page, "#engines", "local model")
    assert not await page.is_visible(f"{ROW} .error")
    assert problems == []
