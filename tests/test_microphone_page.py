"""The microphone in the studio: the browser's own sound, the choice, the meter, the key to talk, and the verbs."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from bot.app import Aneeka
from bot.config.settings import Settings
from bot.config.speech import Audio
from bot.hearing import microphones as microphones_module
from bot.hearing.browser_microphone import NO_SOUND, NOT_CHOSEN, TAKEN_OVER, TOO_FAST
from bot.hearing.microphone_choice import Mode
from bot.hearing.microphones import LONGEST_TALK_S, Microphones
from bot.hearing.silero import BLOCK, RATE_HZ
from bot.texts import text
from bot.vocabulary import Pcm
from bot.voice.espeak_engine import EspeakEngine
from tests.browser import becomes, pages, without_picture
from tests.conftest import HANGS_S, REAL_TIME, House
from tests.virtual_time import play

pytestmark = REAL_TIME

CARDS = ["Headset (WH-1000XM4)", "Microphone (Yeti)"]


class Listener:
    """Keeps what an ear would get."""

    def __init__(self) -> None:
        self.mode: Mode = "open"
        self.blocks: list[Pcm] = []
        self.times: list[float] = []
        self.keys: list[str] = []

    def feed(self, pcm: Pcm, at_s: float) -> None:
        self.blocks.append(pcm)
        self.times.append(at_s)

    def press(self) -> None:
        self.keys.append("press")

    def release(self) -> None:
        self.keys.append("release")


class Hearing(House):
    """She, live, with a microphone of which the test is the ear."""

    listener: Listener
    microphones: Microphones

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(HANGS_S):
            while not done():
                await asyncio.sleep(0.01)

    async def sender(self, **headers: str) -> aiohttp.ClientWebSocketResponse:
        return await self.client.ws_connect(self.url + "/api/microphone", headers=headers or self.headers)


@pytest_asyncio.fixture(loop_scope="session")
async def hearing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hearing]:
    async def cards() -> list[str]:
        return CARDS

    monkeypatch.setattr(microphones_module, "list_now", cards)
    settings = Settings(
        stage={"sound": "none"},
        llm={"engine": "understudy"},
        studio={"port": 0},
        chat={"idle_after_s": 0.0},
        stt={"engine": "off"},
    )
    audio = Audio(input="browser")
    async with AsyncExitStack() as stack:
        aneeka, listener = Aneeka(settings, tmp_path / "data"), Listener()
        microphones = Microphones(
            audio,
            tmp_path,
            listener,
            aneeka.live.tell,
            aneeka.board.report,
            aneeka.now,
            lambda: len(listener.blocks) > 9,
        )
        aneeka.server.offer(microphones)
        await aneeka.start()
        stack.push_async_callback(aneeka.close)
        await microphones.start()
        stack.push_async_callback(microphones.close)
        house = Hearing(aneeka, await stack.enter_async_context(aiohttp.ClientSession()))
        house.listener, house.microphones = listener, microphones
        yield house


def write_speech(file: Path) -> None:
    """Write a little speech: a browser that takes noise away leaves nothing else as it was."""
    engine = EspeakEngine({"voice": None, "language": "es", "speed": 1.0})
    items = list(engine.run({"text": "Hola a todos."}, b""))
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, items[0][0]["rate_hz"], 0, "NONE", ""))
        out.writeframes(b"".join(pcm for _, pcm in items))


def loudness(sound: np.ndarray[Any, Any], rate_hz: int) -> np.ndarray[Any, Any]:
    """Return the level of each hundredth of a second, in decibels."""
    piece = rate_hz // 100
    pieces = sound[: len(sound) // piece * piece].astype(float).reshape(-1, piece)
    return 20 * np.log10(np.sqrt((pieces**2).mean(axis=1)) + 30)


def likeness(blocks: list[Pcm], file: Path) -> float:
    """Return how much what was heard has the file's own rhythm, where it fits best: 1 is the same."""
    with wave.open(str(file)) as said:
        spoken = loudness(np.frombuffer(said.readframes(said.getnframes()), "<i2"), said.getframerate())
    got = loudness(np.concatenate([*blocks, np.zeros(0, np.int16)]), RATE_HZ)
    fits = [np.corrcoef(got[at : at + len(spoken)], spoken)[0, 1] for at in range(len(got) - len(spoken))]
    return max(fits, default=-1.0)


async def open_studio(hearing: Hearing, browser: Browser) -> tuple[Page, list[str]]:
    problems: list[str] = []
    page = await browser.new_page(permissions=["microphone"])
    page.on("console", lambda message: problems.append(f"{message.type}: {message.text} {message.location['url']}"))
    page.on("pageerror", lambda error: problems.append(str(error)))
    await without_picture(page)
    await page.goto(hearing.aneeka.server.address())
    await page.wait_for_selector("#microphone:visible")
    return page, problems


RESAMPLED = """async (tones) => {
  const all = tones.map(async ([rate, hz]) => {
    const context = new OfflineAudioContext(1, rate, rate);
    await context.audioWorklet.addModule("/static/studio/microphone-worklet.js");
    const node = new AudioWorkletNode(context, "microphone");
    const heard = [];
    const enough = new Promise((done) => {
      node.port.onmessage = ({ data }) => heard.push(...new Int16Array(data)) < 15_000 || done();
    });
    const tone = new OscillatorNode(context, { frequency: hz });
    tone.connect(node).connect(context.destination);
    tone.start();
    await context.startRendering();
    await enough;
    return heard.slice(2000, 14_000);
  });
  return JSON.stringify(await Promise.all(all));
}"""


async def resampled(page: Page, tones: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """Return what arrives of tones at a rate and a frequency: its frequency, and how loud it is, 1 being as it was."""
    all_heard = np.array(json.loads(await page.evaluate(RESAMPLED, tones)), float) / 32_768
    return [
        (np.abs(np.fft.rfft(heard)).argmax() * RATE_HZ / len(heard), np.sqrt(2 * (heard**2).mean()))
        for heard in all_heard
    ]


@pages
async def test_what_the_browser_hears_arrives_at_our_rate_and_the_newest_is_the_ear(
    hearing: Hearing, browser: Browser, microphone_file: Path
) -> None:
    write_speech(microphone_file)
    page, problems = await open_studio(hearing, browser)
    heard = hearing.listener
    assert hearing.microphones.health.state == "down"
    assert heard.blocks == [], "no page records before it was asked to"
    await page.click("#microphone-here")
    async with asyncio.timeout(HANGS_S):
        while likeness(heard.blocks, microphone_file) < 0.9:
            await asyncio.sleep(0.1)
    assert {len(block) for block in heard.blocks} == {BLOCK}
    assert heard.times == sorted(heard.times)
    assert hearing.microphones.health.state == "ok"
    assert hearing.microphones.health.serving == "browser"
    assert "Fake" in hearing.microphones.health.reason, "by its name"
    await becomes(page, "document.querySelector('#microphone-meter').dataset.speech === 'true'")
    widest = "new DOMMatrix(getComputedStyle(document.querySelector('#microphone-meter span')).transform).a"
    await becomes(page, f"{widest} > 0.3")
    await page.reload()
    before = len(heard.blocks)
    await hearing.until(lambda: len(heard.blocks) > before + 20)

    other = await hearing.sender()
    await becomes(page, "document.querySelector('#microphone-here:not([hidden])')")
    assert text("microphone.browser_open") in hearing.microphones.health.reason, "another, without a name"
    before = len(heard.blocks)
    await other.close()
    await hearing.until(lambda: len(heard.blocks) > before + 5)
    assert await page.is_hidden("#microphone-here")

    rates = (16_000, 44_100, 48_000, 96_000)
    for hz, loud in await resampled(page, [(rate_hz, 1000) for rate_hz in rates]):
        assert hz == pytest.approx(1000, abs=3), "whatever the sound card's rate"
        assert loud == pytest.approx(1.0, rel=0.02), "as loud as it was"
    for _, loud in await resampled(page, [(rate_hz, 11_000) for rate_hz in rates[1:]]):
        assert loud < 0.01, "what our rate cannot hold does not come back as speech"
    assert [line for line in problems if "microphone" in line] == []


@pages
async def test_choice_modes_and_what_was_heard_are_seen_and_kept(
    hearing: Hearing, browser: Browser, tmp_path: Path
) -> None:
    page, problems = await open_studio(hearing, browser)
    await hearing.until(lambda: hearing.microphones.choice.mode == "open")
    options = await page.eval_on_selector_all("#microphone-device option", "all => all.map(one => one.value)")
    assert options[:3] == ["card:", *(f"card:{name}" for name in CARDS)]
    await page.click("#microphone [data-mode=push_to_talk]")
    await hearing.until(lambda: hearing.listener.mode == "push_to_talk")
    talk = await page.wait_for_selector("#microphone-talk:visible")
    assert talk
    await talk.focus()
    await page.keyboard.down("Space")
    await hearing.until(lambda: hearing.listener.keys == ["press"])
    await becomes(page, "document.querySelector('#microphone-talk').dataset.on === 'true'")
    await page.keyboard.up("Space")
    await hearing.until(lambda: hearing.listener.keys == ["press", "release"])
    await talk.hover()
    await page.mouse.down()
    await page.mouse.move(5, 5)
    await hearing.until(lambda: hearing.listener.keys[2:] == ["press"])
    await page.mouse.up()
    await hearing.until(lambda: hearing.listener.keys[2:] == ["press", "release"])

    words = "document.querySelector('#microphone-words').textContent"
    hearing.aneeka.live.tell({"type": "heard_partial", "text": "hola <b>"})
    await becomes(page, f"{words} === 'hola <b>'")
    hearing.aneeka.live.tell({"type": "heard_final", "text": "hola a todos", "answered": False})
    await becomes(page, f"{words} === 'hola a todos' && !document.querySelector('#microphone-unanswered').hidden")

    ill = {"state": "degraded", "reason": "No suena <b>.", "repair": "Mira el cable.", "serving": ""}
    hearing.aneeka.live.tell({"type": "health", "part": "microphone", **ill})
    note = "document.querySelector('#microphone-note').textContent"
    await becomes(page, f"{note} === 'No suena <b>. Mira el cable.'")

    await page.click("#microphone [data-mode=off]")
    await hearing.until(lambda: hearing.microphones.health.state == "off")
    await page.wait_for_selector("#microphone-meter", state="hidden")
    kept = json.loads((tmp_path / "microphone.json").read_text())["chosen"]
    assert kept == {"source": "browser", "device": "", "mode": "off"}
    await page.click("#languages button:has-text('English')")
    assert "Which one" in await page.inner_text("#microphone")
    assert [line for line in problems if "microphone" in line] == []


# ------------------------------------------------------------------ for scripts and stream decks


@pages
async def test_the_choice_and_the_key_to_talk_by_script_are_for_who_has_the_key(hearing: Hearing) -> None:
    for headers in (
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {hearing.watch_token}"},
        hearing.headers | {"Origin": "http://evil.example"},
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await hearing.sender(**headers)
        assert refused.value.status in (401, 403)
        assert (await hearing.ask("POST", "/api/microphone", {"mode": "off"}, headers=headers))[0] in (401, 403)
        assert (await hearing.ask("POST", "/api/control/talk", headers=headers))[0] in (401, 403)
    assert hearing.listener.keys == []

    status, body = await hearing.ask("GET", "/api/microphone")
    assert (status, body["devices"], body["source"], body["mode"]) == (200, CARDS, "browser", "open")
    for verb, talking in (("talk", True), ("talk", True), ("release", False), ("release", False)):
        answer = await hearing.ask("POST", f"/api/control/{verb}")
        assert answer == (200, {"verb": verb, "talking": talking}), "each may be sent twice"
    assert hearing.listener.keys.count("release") == 1
    status, body = await hearing.ask("POST", "/api/microphone", {"mode": "push_to_talk", "device": "Yeti"})
    assert (status, body["mode"], body["device"]) == (200, "push_to_talk", "Yeti")
    for wrong in ({}, {"mode": "loud"}, {"source": ["browser"]}, {"device": "x" * 201}, {"device": 7}, [], None):
        status, body = await hearing.ask("POST", "/api/microphone", wrong)
        assert (status, set(body)) == (400, {"error", "hint"}), wrong
    assert hearing.microphones.choice.mode == "push_to_talk"
    assert (await hearing.ask("POST", "/api/microphone", {"mode": "off"}))[0] == 200
    status, body = await hearing.ask("POST", "/api/control/talk")
    assert (status, body["error"]) == (409, text("microphone.off"))
    assert (await hearing.ask("POST", "/api/control/dance"))[0] == 404
    assert (await hearing.ask("POST", "/api/control/mute"))[0] == 200


@pages
async def test_a_script_may_be_the_microphone_silence_is_told_and_bad_sound_refused(hearing: Hearing) -> None:
    sender = await hearing.sender()
    await sender.send_str("[" * 3000)
    await sender.send_str(json.dumps({"label": "Guion\n\ud800" + "x" * 500}))
    sound = np.arange(3 * BLOCK, dtype="<i2")
    for start in range(0, len(sound), 100):
        await sender.send_bytes(sound[start : start + 100].tobytes())
    await hearing.until(lambda: len(hearing.listener.blocks) == 3)
    assert np.array_equal(np.concatenate(hearing.listener.blocks), sound)
    assert "Guion ?xxx" in hearing.microphones.health.reason
    assert len(hearing.microphones.health.reason) < 150

    for _ in range(7):
        await sender.send_bytes(bytes(2 * RATE_HZ // 2))
    await hearing.until(lambda: hearing.microphones.health.state == "degraded")
    assert text("microphone.mute") in hearing.microphones.health.reason
    await sender.send_bytes(np.full(BLOCK, 30, "<i2").tobytes())
    await hearing.until(lambda: hearing.microphones.health.state == "ok")

    newer = await hearing.sender()
    assert (await sender.receive(10)).type is aiohttp.WSMsgType.CLOSE
    assert sender.close_code == TAKEN_OVER
    await newer.send_bytes(b"odd")
    await newer.receive(10)
    assert newer.close_code == NO_SOUND
    flood = await hearing.sender()
    for _ in range(20):
        await flood.send_bytes(bytes(16_000))
    await flood.receive(10)
    assert flood.close_code == TOO_FAST
    await hearing.until(lambda: hearing.microphones.health.state == "down")
    await hearing.microphones.choose(mode="off")
    late = await hearing.sender()
    await late.receive(10)
    assert late.close_code == NOT_CHOSEN


def test_a_key_that_is_never_let_go_is_let_go(tmp_path: Path) -> None:
    async def scene() -> None:
        listener, told = Listener(), []
        clock = asyncio.get_running_loop().time
        microphones = Microphones(
            Audio(input="browser"), tmp_path, listener, told.append, lambda health: None, clock, lambda: False
        )
        await microphones.start()
        assert microphones.press()
        await asyncio.sleep(LONGEST_TALK_S - 1)
        assert microphones.press(), "a page that still holds it says so again"
        await asyncio.sleep(LONGEST_TALK_S - 1)
        assert "release" not in listener.keys
        await asyncio.sleep(2)
        assert listener.keys == ["press", "press", "release"]
        assert told[-1]["talking"] is False
        await microphones.close()
        assert listener.keys.count("release") == 1

    play(scene())
