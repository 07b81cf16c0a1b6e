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
from playwright.async_api import Browser, Page, async_playwright

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
from tests.conftest import House, needs
from tests.test_pages import OPTIONS, becomes
from tests.virtual_time import play

FAKE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
NO_PICTURE = "export const mountStage = () => ({ takeSound() {}, panic() {} });"
"""Drawing her takes a machine without a graphics card longer than all else in these tests."""
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
        async with asyncio.timeout(40):
            while not done():
                await asyncio.sleep(0.01)

    async def sender(self, **headers: str) -> aiohttp.ClientWebSocketResponse:
        return await self.client.ws_connect(self.url + "/api/microphone", headers=headers or self.headers)


@pytest.fixture
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


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    """A browser whose microphone speaks a file again and again."""
    path, said = needs("chromium", "chromium"), tmp_path / "said.wav"
    write_speech(said)
    options = [*OPTIONS, *FAKE, f"--use-file-for-fake-audio-capture={said}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        await browser.close()


def write_speech(file: Path) -> None:
    """Write a little speech: a browser that takes noise away leaves nothing else as it was."""
    engine = EspeakEngine({"voice": None, "language": "es", "speed": 1.0})
    items = list(engine.run({"text": "Hola a todos, muchas gracias."}, b""))
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, items[0][0]["rate_hz"], 0, "NONE", ""))
        out.writeframes(b"".join(pcm for _, pcm in items))


def loudness(sound: np.ndarray[Any, Any], rate_hz: int) -> np.ndarray[Any, Any]:
    """Return the level of each hundredth of a second, in decibels."""
    piece = rate_hz // 100
    pieces = sound[: len(sound) // piece * piece].astype(float).reshape(-1, piece)
    return 20 * np.log10(np.sqrt((pieces**2).mean(axis=1)) + 30)


async def open_studio(hearing: Hearing, browser: Browser) -> tuple[Page, list[str]]:
    problems: list[str] = []
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("console", lambda message: problems.append(f"{message.type}: {message.text} {message.location['url']}"))
    page.on("pageerror", lambda error: problems.append(str(error)))
    picture = {"content_type": "text/javascript", "body": NO_PICTURE}
    await page.route("**/static/page/**", lambda route: route.fulfill(**picture))
    await page.goto(hearing.aneeka.server.address())
    await page.wait_for_selector("#microphone:visible")
    return page, problems


async def test_what_the_browser_hears_arrives(hearing: Hearing, browser: Browser, tmp_path: Path) -> None:
    page, problems = await open_studio(hearing, browser)
    heard = hearing.listener
    assert hearing.microphones.health.state == "down"
    assert heard.blocks == [], "no page records before it was asked to"
    await page.click("#microphone-here")
    await hearing.until(lambda: len(heard.blocks) * BLOCK > 4.5 * RATE_HZ)
    assert {len(block) for block in heard.blocks} == {BLOCK}
    assert heard.times == sorted(heard.times)
    with wave.open(str(tmp_path / "said.wav")) as said:
        spoken = loudness(np.frombuffer(said.readframes(said.getnframes()), "<i2"), said.getframerate())
    got = loudness(np.concatenate(heard.blocks)[RATE_HZ:], RATE_HZ)
    fits = [np.corrcoef(got[at : at + len(spoken)], spoken)[0, 1] for at in range(len(got) - len(spoken))]
    assert max(fits) > 0.9, "the file's own rhythm"
    assert hearing.microphones.health.state == "ok"
    assert hearing.microphones.health.serving == "browser"
    assert "Fake" in hearing.microphones.health.reason, "by its name"
    await becomes(page, "document.querySelector('#microphone-meter').dataset.speech === 'true'")
    widest = "new DOMMatrix(getComputedStyle(document.querySelector('#microphone-meter span')).transform).a"
    await becomes(page, f"{widest} > 0.3")
    await page.reload()
    before = len(heard.blocks)
    await hearing.until(lambda: len(heard.blocks) > before + 20)
    assert [line for line in problems if "microphone" in line] == []


RESAMPLED = """async ([rate, hz]) => {
  const context = new OfflineAudioContext(1, rate, rate);
  await context.audioWorklet.addModule("/static/studio/microphone-worklet.js");
  const node = new AudioWorkletNode(context, "microphone");
  const heard = [];
  node.port.onmessage = ({ data }) => heard.push(...new Int16Array(data));
  const tone = new OscillatorNode(context, { frequency: hz });
  tone.connect(node).connect(context.destination);
  tone.start();
  await context.startRendering();
  while (heard.length < 15_000) await new Promise((done) => setTimeout(done, 10));
  return heard;
}"""


async def test_the_pages_sound_is_at_our_rate_whatever_the_sound_cards(hearing: Hearing, browser: Browser) -> None:
    page, _ = await open_studio(hearing, browser)
    for rate_hz in (16_000, 44_100, 48_000, 96_000):
        heard = np.array((await page.evaluate(RESAMPLED, [rate_hz, 1000]))[2000:14_000], float) / 32_768
        assert np.abs(np.fft.rfft(heard)).argmax() * RATE_HZ / len(heard) == pytest.approx(1000, abs=3)
        assert np.sqrt(2 * (heard**2).mean()) == pytest.approx(1.0, rel=0.02), "as loud as it was"
        if rate_hz > RATE_HZ:
            folded = np.array((await page.evaluate(RESAMPLED, [rate_hz, 11_000]))[2000:14_000], float) / 32_768
            assert np.sqrt(2 * (folded**2).mean()) < 0.01, "what our rate cannot hold does not come back as speech"


async def test_the_newest_is_the_ear_and_the_page_comes_back_when_that_one_leaves(
    hearing: Hearing, browser: Browser
) -> None:
    page, _ = await open_studio(hearing, browser)
    await page.click("#microphone-here")
    await hearing.until(lambda: len(hearing.listener.blocks) > 5)
    other = await hearing.sender()
    await becomes(page, "document.querySelector('#microphone-here:not([hidden])')", 30)
    assert text("microphone.browser_open") in hearing.microphones.health.reason, "another, without a name"
    before = len(hearing.listener.blocks)
    await other.close()
    await hearing.until(lambda: len(hearing.listener.blocks) > before + 5)
    assert await page.is_hidden("#microphone-here")


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


async def test_the_key_to_talk_is_two_verbs_that_may_be_sent_twice(hearing: Hearing) -> None:
    for verb, talking in (("talk", True), ("talk", True), ("release", False), ("release", False)):
        answer = await hearing.ask("POST", f"/api/control/{verb}")
        assert answer == (200, {"verb": verb, "talking": talking})
    assert hearing.listener.keys.count("release") == 1
    assert (await hearing.ask("POST", "/api/microphone", {"mode": "off"}))[0] == 200
    status, body = await hearing.ask("POST", "/api/control/talk")
    assert (status, body["error"]) == (409, text("microphone.off"))
    assert (await hearing.ask("POST", "/api/control/dance"))[0] == 404
    assert (await hearing.ask("POST", "/api/control/mute"))[0] == 200


async def test_the_choice_by_script(hearing: Hearing) -> None:
    status, body = await hearing.ask("GET", "/api/microphone")
    assert (status, body["devices"], body["source"], body["mode"]) == (200, CARDS, "browser", "open")
    status, body = await hearing.ask("POST", "/api/microphone", {"mode": "push_to_talk", "device": "Yeti"})
    assert (status, body["mode"], body["device"]) == (200, "push_to_talk", "Yeti")
    for wrong in ({}, {"mode": "loud"}, {"source": ["browser"]}, {"device": "x" * 201}, {"device": 7}, [], None):
        status, body = await hearing.ask("POST", "/api/microphone", wrong)
        assert (status, set(body)) == (400, {"error", "hint"}), wrong
    assert hearing.microphones.choice.mode == "push_to_talk"


async def test_nobody_without_the_key_is_heard_and_no_foreign_page(hearing: Hearing) -> None:
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


async def test_a_script_may_be_the_microphone_and_bad_sound_is_refused(hearing: Hearing) -> None:
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


async def test_silence_of_a_switch_is_told_and_ends_with_the_first_sound(hearing: Hearing) -> None:
    sender = await hearing.sender()
    for _ in range(7):
        await sender.send_bytes(bytes(2 * RATE_HZ // 2))
    await hearing.until(lambda: hearing.microphones.health.state == "degraded")
    assert text("microphone.mute") in hearing.microphones.health.reason
    await sender.send_bytes(np.full(BLOCK, 30, "<i2").tobytes())
    await hearing.until(lambda: hearing.microphones.health.state == "ok")


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
