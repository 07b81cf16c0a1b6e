"""The choice of a voice in the studio: over HTTP and in a real browser; previews that nobody else hears; the change."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, get_args

import aiohttp
import numpy as np
import psutil
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from bot.app import Aneeka
from bot.config.settings import Settings
from bot.config.speech import VoiceEngine
from bot.models.bundles import Bundle, find
from bot.voice.choice import VoiceChoice, chosen, configured, recall, remember
from bot.voice.picker import VoicePicker
from bot.voices import take_over
from tests.browser import RESTORED, becomes, open_page, pages, reads
from tests.conftest import HANGS_S, House, until
from tests.model_hub import Hub

SETTINGS: dict[str, Any] = {
    "stage": {"sound": "none"},
    "llm": {"engine": "understudy"},
    "studio": {"port": 0},
    "chat": {"idle_after_s": 0.0},
}


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        settings = Settings(**SETTINGS, tts={"speed": 2.0})
        aneeka = Aneeka(settings, tmp_path / "data")
        ladder, parts = aneeka.engines.voice, aneeka.engines.parts
        picker = VoicePicker(
            settings,
            tmp_path / "data",
            lambda: parts["voice"],
            aneeka._between_replies,
            lambda voice: take_over(voice, ladder, parts),
            ladder.on_health,
            aneeka.live.tell,
        )
        aneeka.server.offer_voices(picker)
        await aneeka.start()
        stack.push_async_callback(aneeka.close)
        stack.push_async_callback(picker.close)
        client = await stack.enter_async_context(aiohttp.ClientSession())
        assert await aneeka.engines.parts["voice"].ready(HANGS_S)
        yield House(aneeka, client)


async def preview(house: House, **body: Any) -> np.ndarray[Any, Any]:
    address = house.url + "/api/voices/preview"
    async with house.client.post(address, json=body, headers=house.headers) as answer:
        assert (answer.status, answer.content_type) == (200, "audio/wav"), await answer.text()
        with wave.open(io.BytesIO(await answer.read())) as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            return np.frombuffer(file.readframes(file.getnframes()), "<i2") / file.getframerate()


REFUSED: list[tuple[str, str, Any]] = [
    ("GET", "/api/voices?engine=siri", None),
    ("POST", "/api/voices/preview", {"engine": "siri", "voice": ""}),
    ("POST", "/api/voices/preview", {"engine": "espeak"}),
    ("POST", "/api/voices/preview", {"engine": "espeak", "voice": "es\n"}),
    ("POST", "/api/voices/preview", {"engine": "espeak", "voice": "x" * 301}),
    ("POST", "/api/voices/preview", {"engine": "espeak", "voice": "", "text": "x" * 301}),
    ("POST", "/api/voices/preview", {"engine": "espeak", "voice": "", "text": 3}),
    ("POST", "/api/voices/use", {"voice": 5}),
    ("POST", "/api/voices/use", []),
]


@pages
async def test_every_engines_voices_are_told_or_what_it_lacks_and_wrong_choices_are_refused(house: House) -> None:
    status, found = await house.ask("GET", "/api/voices")
    assert status == 200
    assert (found["engine"], found["voice"], found["listed"], found["coming"]) == ("espeak", "", "espeak", None)
    assert found["engines"] == list(get_args(VoiceEngine))
    assert {"name": "es-419+f3", "languages": ["es"], "about": found["voices"][0]["about"] or "voz de mujer"} in found[
        "voices"
    ]
    _, piper = await house.ask("GET", "/api/voices?engine=piper")
    assert "es_MX-claude-high" in [voice["name"] for voice in piper["voices"]]
    _, azure = await house.ask("GET", "/api/voices?engine=azure")
    assert (azure["voices"], bool(azure["reason"]), bool(azure["repair"])) == ([], True, True)
    for method, path, body in REFUSED:
        status, error = await house.ask(method, path, body)
        assert (status, bool(error["error"]), bool(error["hint"])) == (400, True, True), (path, body)
        assert (await house.ask(method, path, body, headers={}))[0] == 401


@pages
async def test_a_preview_is_heard_by_who_asked_for_it_alone(house: House) -> None:
    live = await house.live()
    pid = house.aneeka.engines.parts["voice"].pid
    sample = await preview(house, engine="espeak", voice="es+m1")
    short = await preview(house, engine="espeak", voice="", text="Hola.")
    assert np.abs(sample).max() > 0
    assert len(short) < len(sample) / 2
    await house.ask("POST", "/api/say", {"text": "Ya."})
    assert (await until(live, "phrase"))["text"] == "Ya.", "nothing before it went on air"
    await until(live, "turn")
    assert len(house.aneeka.desk.turns(10)) == 1
    assert house.aneeka.engines.parts["voice"].pid == pid
    status, error = await house.ask("POST", "/api/voices/preview", {"engine": "espeak", "voice": "nadie"})
    assert (status, "nadie" in error["error"], bool(error["hint"])) == (409, True, True)


@pages
async def test_a_voice_takes_over_between_two_replies_and_is_remembered(house: House, tmp_path: Path) -> None:
    live, settings = await house.live(), Settings(**SETTINGS)
    parts = house.aneeka.engines.parts
    before = parts["voice"]
    old = psutil.Process(before.pid)
    long = "Una frase larga para que dure, con una pausa, y otra, y otra más. " * 8
    await house.ask("POST", "/api/say", {"text": long})
    await until(live, "word")
    status, state = await house.ask("POST", "/api/voices/use", {"voice": "es-419+m3"})
    assert (status, state["coming"]) == (202, {"engine": "espeak", "voice": "es-419+m3", "percent": None})
    assert (await house.ask("POST", "/api/voices/use", {"voice": "es"}))[0] == 409
    while not house.aneeka._afterwards:
        assert house.aneeka.reply is not None
        await asyncio.sleep(0.02)
    assert parts["voice"] is before, "ready, and waiting for the reply to end"
    await house.ask("POST", "/api/control/skip")
    told = await until(live, "voice", voice="es-419+m3")
    assert (told["coming"], told["error"]) == (None, "")
    assert parts["voice"] is not before
    await asyncio.to_thread(old.wait, 10)
    await house.ask("POST", "/api/say", {"text": "Hola."})
    turn = await until(live, "turn", spoken="Hola.")
    assert turn["engines"]["tts"] == "espeak"
    assert configured(recall(settings, tmp_path / "data")) == VoiceChoice("espeak", "es-419+m3")


@pages
async def test_a_voice_that_cannot_be_leaves_the_old_one(house: House, tmp_path: Path) -> None:
    live, before = await house.live(), house.aneeka.engines.parts["voice"]
    await house.ask("POST", "/api/voices/use", {"engine": "piper", "voice": "nadie"})
    failed = await until(live, "voice", coming=None)
    assert (failed["engine"], "nadie" in failed["error"]) == ("espeak", True)
    assert "aneeka" in failed["hint"]
    assert house.aneeka.engines.parts["voice"] is before
    assert before.pid is not None
    await house.ask("POST", "/api/say", {"text": "Hola."})
    assert (await until(live, "turn"))["spoken"] == "Hola."
    assert not (tmp_path / "data" / "voices" / "in_use.json").exists()


@pages
async def test_a_voice_that_is_not_here_is_downloaded_first(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_piper = pytest.importorskip("tests.tiny_piper", reason="needs the extra piper")
    bundle, hub = find("es_MX-claude-high"), Hub()
    assert isinstance(bundle, Bundle)
    made = tiny_piper.write(tmp_path)
    for file, source in zip(bundle.files, ("tiny.onnx", "tiny.onnx.json"), strict=True):
        hub.offer(file, (made / source).read_bytes())
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    live = await house.live()
    try:
        await house.ask("POST", "/api/voices/use", {"engine": "piper", "voice": ""})
        percents = set()
        while (told := await until(live, "voice"))["coming"] is not None:
            percents.add(told["coming"]["percent"])
    finally:
        hub.close()
    assert (told["engine"], told["error"]) == ("piper", "")
    assert percents - {None}
    await house.ask("POST", "/api/say", {"text": "Hola."})
    assert (await until(live, "turn"))["engines"]["tts"] == "piper"


def test_a_config_that_was_changed_since_counts_more_and_nonsense_counts_nothing(tmp_path: Path) -> None:
    plain, changed = Settings(**SETTINGS), Settings(**SETTINGS, tts={"voice": "en-us"})
    remember(VoiceChoice("piper", "es_MX-claude-high"), plain, tmp_path)
    assert configured(recall(plain, tmp_path)) == VoiceChoice("piper", "es_MX-claude-high")
    assert recall(changed, tmp_path) is changed
    for nonsense in ("", "[]", '{"chosen": {"engine": "siri", "voice": 3}}', "[" * 100_000):
        (tmp_path / "voices" / "in_use.json").write_text(nonsense)
        assert recall(plain, tmp_path) is plain
    behind = chosen(changed, VoiceChoice("piper", "x"))
    assert behind.tts.voices.espeak == "en-us", "the voice before keeps its name when it stands in"


@pages
async def test_a_voice_is_found_heard_and_used_in_the_studio(house: House, browser: Browser) -> None:
    problems: list[str] = []
    page = await open_page(
        browser, house.aneeka.server.address(), problems, ready=RESTORED, picture=False, locale="es-ES"
    )
    await reads(page, "#voices-now", "eSpeak NG · la de siempre")
    await page.click("#voices-more summary")
    await reads(page, "#voices-rows", "es-419+f3")
    assert "en-us" not in await page.inner_text("#voices-rows")
    await page.check("#voices-everywhere")
    await page.fill("#voices-find", "en-us-nyc")
    await reads(page, "#voices-rows", "en-us-nyc")
    assert await page.locator("#voices-rows .voice").count() == 1
    await page.uncheck("#voices-everywhere")
    await page.fill("#voices-find", "419+m3")
    row = "#voices-rows [data-voice='es-419+m3']"
    await page.click(f"{row} [data-do=hear]")
    await reads(page, f"{row} [data-do=hear]", "Parar")
    await reads(page, f"{row} [data-do=hear]", "Oír")
    assert house.aneeka.desk.turns(1) == [], "nobody else heard it"
    await page.click("#languages button:has-text('English')")
    await page.focus(f"{row} [data-do=use]")
    await page.keyboard.press("Enter")
    await reads(page, "#voices-now", "Speaks with: eSpeak NG · es-419+m3")
    await reads(page, f"{row} [data-do=use]", "In use")
    await page.select_option("#voices-engine", "azure")
    await reads(page, "#voices-note", "azure")
    assert problems == []


HEARD = """
  window.begun = window.ended = 0;
  const { start, stop } = AudioScheduledSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (...when) {
    window.begun += 1;
    return start.apply(this, when);
  };
  AudioScheduledSourceNode.prototype.stop = function (...when) {
    window.ended += 1;
    return stop.apply(this, when);
  };
"""
"""Counts, in the page, the sounds that began and those that were cut."""
HOLDS = """
  const { decodeAudioData } = BaseAudioContext.prototype;
  window.held = new Promise((letGo) => (window.letGo = letGo));
  BaseAudioContext.prototype.decodeAudioData = async function (wav) {
    window.decoding = true;
    await window.held;
    return (window.decoded = decodeAudioData.call(this, wav));
  };
"""
"""Keeps a sound from being decoded until ``letGo``."""
HEAR = "#voices-rows [data-voice=''] [data-do=hear]"


async def with_voices(house: House, browser: Browser, problems: list[str], *scripts: str) -> Page:
    """Open the studio where every preview is a minute long, and run these scripts in it."""
    page = await open_page(browser, house.aneeka.server.address(), problems, ready=RESTORED, locale="es-ES")
    for script in scripts:
        await page.evaluate(f"() => {{{script}}}")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 24_000, 0, "NONE", ""))
        sound.writeframes(bytes(60 * 24_000 * 2))
    minute = file.getvalue()
    await page.route("**/api/voices/preview", lambda route: route.fulfill(body=minute, content_type="audio/wav"))
    await page.click("#voices-more summary")
    return page


async def panic(house: House, address: str | None) -> None:
    async with house.client.post(address or "", headers=house.headers) as answer:
        assert answer.status == 200


@pages
async def test_every_panic_ends_a_preview_and_nothing_else_does(house: House, browser: Browser) -> None:
    problems: list[str] = []
    page = await with_voices(house, browser, problems, HEARD)
    studio, guard = house.url + "/api/control/panic", house.aneeka.server.panic_address()
    for cut, address in enumerate((studio, guard, guard, studio), 1):
        await page.click(HEAR)
        await reads(page, HEAR, "Parar")
        for verb, state in (("mute", "muted"), ("unmute", "idle" if cut == 1 else "paused")):
            await house.ask("POST", f"/api/control/{verb}")
            await becomes(page, f"window.aneeka.state === '{state}'")
        assert await page.evaluate("[window.begun, window.ended]") == [cut, cut - 1]
        await panic(house, address)
        await reads(page, HEAR, "Oír")
        assert await page.evaluate("[window.begun, window.ended]") == [cut, cut]
        await becomes(page, f"window.aneeka.silenced === {str(cut > 1).lower()}")
    assert problems == []


@pages
async def test_a_preview_that_is_still_made_when_panic_comes_never_sounds(house: House, browser: Browser) -> None:
    problems: list[str] = []
    page = await with_voices(house, browser, problems, HEARD, HOLDS)
    await page.click(HEAR)
    await becomes(page, "window.decoding")
    await reads(page, HEAR, "Preparando")
    await panic(house, house.aneeka.server.panic_address())
    await reads(page, HEAR, "Oír")
    await page.evaluate("window.letGo(), new Promise((done) => setTimeout(done)).then(() => window.decoded)")
    await page.evaluate("new Promise((done) => setTimeout(done))")
    assert await page.evaluate("window.begun") == 0
    await page.click(HEAR)
    await reads(page, HEAR, "Parar")
    assert await page.evaluate("window.begun") == 1, "what is asked for after it does"
    assert problems == []
