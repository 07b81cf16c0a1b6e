"""The Azure voice: the real SDK against a strict local server of its protocol."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from bot import azure_sdk
from bot.config.settings import Settings
from bot.texts import table, text
from bot.vocabulary import EXPRESSIONS, EngineDown, Phrase, Shape, Sound
from bot.voice import azure as azure_voice
from bot.voice import azure_link
from bot.voice.azure import AzureVoice, build
from bot.voice.azure_budget import Budget
from bot.voice.azure_clip import Clip
from bot.voice.azure_voices import style_for
from bot.voice.level import Level
from tests.conftest import HANGS_S, REAL_TIME
from tests.healths import Healths
from tests.local_azure.tts import SHAPE_S, Synthesis, speech_of, tone_hz
from tests.local_azure.usp import KEY, LocalAzure

pytestmark = REAL_TIME

RATE_HZ = 24_000
HOLA = "¡Hola, Ana! Mi mamá y mi papá quieren mucho al bebé."

sdk = pytest.importorskip(azure_sdk.PACKAGE, reason="needs the extra: azure")


@pytest.fixture
def tts() -> Synthesis:
    return Synthesis()


@pytest.fixture
def server(tts: Synthesis) -> Iterator[LocalAzure]:
    with LocalAzure(tts) as server:
        yield server


@pytest.fixture
def healths() -> Healths:
    return Healths()


def settings(endpoint: str, **tts: Any) -> Settings:
    return Settings(tts={"engine": "azure", **tts}, azure={"key": KEY, "endpoint": endpoint})


@pytest.fixture
async def voice(server: LocalAzure, healths: Healths, patience: Any, tmp_path) -> AsyncIterator[AzureVoice]:
    (tmp_path / "voice_levels.json").write_text('{"azure es-MX-DaliaNeural": 1.0}')
    voice = build(settings(server.endpoint), tmp_path, healths.report)
    await voice.start()
    assert await voice.ready(HANGS_S)
    yield voice
    await voice.close()


@pytest.fixture
def patience(monkeypatch):
    """Set all watchdogs at once. At first they are long: a slow machine is no service that has stalled."""

    def watch(sound_s: float, connect_s: float | None = None) -> None:
        monkeypatch.setattr(azure_voice, "FIRST_S", sound_s)
        monkeypatch.setattr(azure_voice, "NEXT_S", sound_s)
        monkeypatch.setattr(azure_link, "CONNECT_S", connect_s or sound_s)

    watch(HANGS_S)
    return watch


@pytest.fixture
def impatient(monkeypatch):
    """Pauses, short enough for a test."""
    monkeypatch.setattr(azure_link, "HANDSHAKE_S", 0.1)
    monkeypatch.setattr(azure_link, "RETRY_S", (0.05, 0.05, 0.05))


async def said(voice: AzureVoice, spoken: str, expression: str = "neutral") -> list[Sound]:
    async with aclosing(voice.speak(Phrase("r", 0, spoken, expression))) as sounds:
        return [sound async for sound in sounds]


def pcm_of(sounds: list[Sound]) -> np.ndarray:
    return np.concatenate([sound.pcm for sound in sounds])


def heard(pcm: np.ndarray) -> str:
    """Return the tones of a sound, a character for each letter's length: whose voice it is."""
    step = round(SHAPE_S * RATE_HZ)
    pieces = [pcm[at : at + step].astype(float) for at in range(0, len(pcm) - step, step)]
    return "".join(
        chr(97 + round((np.argmax(np.abs(np.fft.rfft(piece, 8 * step))) * RATE_HZ / (8 * step) - 200) / 100))
        for piece in pieces
        if np.abs(piece).max() > 1000
    )


def strength(pcm: np.ndarray, hz: float) -> float:
    """Return how much of a tone there is in a short sound."""
    wave = np.exp(2j * np.pi * hz * np.arange(len(pcm)) / RATE_HZ)
    return float(np.abs(pcm @ wave))


# ---------------------------------------------------------------------- speech


async def test_sound_comes_before_the_synthesis_has_ended(voice, tts):
    tts.at_request = iter(["stall_mid"])
    async with aclosing(voice.speak(Phrase("r", 0, HOLA))) as sounds:
        assert len((await anext(sounds)).pcm)
        assert tts.finished == 0


async def test_the_phrase_is_whole_polished_and_ends_once(voice):
    sounds = await said(voice, HOLA)
    pcm = pcm_of(sounds)
    assert [sound.last for sound in sounds].index(True) == len(sounds) - 1
    assert {sound.rate_hz for sound in sounds} == {RATE_HZ}
    audible = np.flatnonzero(np.abs(pcm.astype(int)) > 110)
    assert audible[0] / RATE_HZ <= 0.01
    assert 0.145 <= (len(pcm) - audible[-1]) / RATE_HZ <= 0.17
    letters = len(re.findall(r"\w", HOLA))
    pauses = 2 * 0.1
    assert len(pcm) / RATE_HZ == pytest.approx(letters * SHAPE_S + pauses + 0.1 + 0.15, abs=0.15)


async def test_every_shape_is_on_the_sound_that_it_belongs_to(voice):
    sounds = await said(voice, HOLA)
    pcm = pcm_of(sounds).astype(float)
    shapes = [shape for sound in sounds for shape in sound.shapes]
    assert len(shapes) > 25
    window = round(0.008 * RATE_HZ)
    for before, shape in itertools.pairwise(shapes):
        if before.viseme and shape.viseme:
            earlier, later = pcm[shape.at - window : shape.at], pcm[shape.at : shape.at + window]
            assert strength(earlier, tone_hz(before.viseme)) > strength(earlier, tone_hz(shape.viseme))
            assert strength(later, tone_hz(shape.viseme)) > strength(later, tone_hz(before.viseme))


async def test_shapes_and_words_never_come_after_their_sound(voice, monkeypatch):
    monkeypatch.setattr(azure_voice, "HOLD_S", 0.3)
    monkeypatch.setattr(azure_voice, "WORDS_S", 0.1)
    made = 0
    for sound in await said(voice, HOLA):
        assert all(spot.at >= made for spot in (*sound.shapes, *sound.words))
        made += len(sound.pcm)


async def test_a_voice_without_mouth_shapes_speaks_and_never_waits_for_them(server, tts, healths, tmp_path):
    voice = build(
        settings(server.endpoint, voice="en-US-Ava:DragonHDLatestNeural", speed=1.3), tmp_path, healths.report
    )
    await voice.start()
    sounds = await said(voice, "Hello everybody", "happy")
    assert len(pcm_of(sounds)) > RATE_HZ / 2
    assert not any(sound.shapes or sound.words for sound in sounds)
    assert "prosody" not in tts.requests[0].ssml
    tts.at_request = iter(["stall_mid"])
    async with aclosing(voice.speak(Phrase("r", 0, "Hello everybody"))) as sounds:
        assert len((await anext(sounds)).pcm)
    await voice.close()


@pytest.mark.parametrize(
    "spoken",
    [
        HOLA,
        "AT&T <3 tú & yo: 5 > 4",
        "dijo \"no, no y no\" y 'nunca' más",
        "el bien-hecho café de l'Ana, ¿no?",
        "HOLA hola Hola",
        "a 😀 ñu mañana fin",
    ],
)
async def test_words_are_those_of_the_text_in_order(voice, spoken):
    sounds = await said(voice, spoken)
    words = [word for sound in sounds for word in sound.words]
    tokens = [spoken[word.start : word.end] for word in words]
    assert tokens == [token for token in spoken.split() if re.search(r"\w", token)]
    assert [word.at for word in words] == sorted({word.at for word in words})
    assert words[0].at < 0.05 * RATE_HZ
    assert words[-1].at < sum(len(sound.pcm) for sound in sounds)


async def test_a_style_follows_the_expression_where_the_voice_has_one(voice, tts):
    for expression in EXPRESSIONS:
        await said(voice, "sí", expression)
    assert [request.style for request in tts.requests] == ["", "cheerful", "cheerful", "sad", "", "", ""]


def test_the_best_style_comes_first():
    everything = ("angry", "cheerful", "excited", "sad", "whispering", "embarrassed")
    styles = [style_for(expression, everything) for expression in EXPRESSIONS]
    assert styles == ["", "cheerful", "excited", "sad", "angry", "excited", "embarrassed"]


async def test_voice_speed_and_pitch_are_those_of_the_settings(server, tts, healths, tmp_path):
    voice = build(
        settings(server.endpoint, voice="en-US-JennyNeural", speed=1.25, pitch=-2.0), tmp_path, healths.report
    )
    await voice.start()
    await said(voice, "Hi")
    (request,) = tts.requests
    assert (request.voice, request.language) == ("en-US-JennyNeural", "en-US")
    assert (request.rate, request.pitch) == ("+25%", "-2.0st")
    await voice.close()


def test_in_reserve_it_has_a_voice_of_its_own(healths, tmp_path):
    async def names() -> list[str]:
        reserve = {"engine": "espeak", "voice": "es+f2"}
        chosen = {**reserve, "voices": {"azure": "es-MX-JorgeNeural"}}
        return [build(Settings(tts=tts), tmp_path, healths.report)._voice for tts in (reserve, chosen)]

    assert asyncio.run(names()) == ["es-MX-DaliaNeural", "es-MX-JorgeNeural"]


@pytest.mark.parametrize("silent", ["", "  ", "…", "¿?", "😀", "\x00", "\ud83d"])
async def test_what_cannot_be_said_is_an_empty_last_piece_and_no_request(voice, tts, silent):
    (sound,) = await said(voice, silent)
    assert (sound.last, len(sound.pcm)) == (True, 0)
    assert tts.requests == []


@pytest.mark.parametrize("spoken", ["</voice></speak>", "a\x00b\x1b[0m", "&lt;tú&gt; & yo", "\ud83da", "]]> 1 <!-- 2"])
async def test_text_from_outside_stays_text_on_the_wire(voice, tts, spoken):
    await said(voice, spoken)
    assert tts.requests[0].text == re.sub("[\x00-\x08\x0b-\x1f\ud800-\udfff]", " ", spoken)


async def test_its_voices_can_be_listed(voice):
    infos = {info.name: info for info in await voice.list_voices()}
    assert infos["es-MX-DaliaNeural"].languages == ("es-MX",)
    assert "cheerful" in infos["es-MX-DaliaNeural"].about


# ---------------------------------------------------------------------- stopping


async def test_a_phrase_that_is_cut_leaves_nothing_in_the_next(voice, tts):
    """Cut at any moment, whatever was on its way is never heard of again."""
    alone = heard(pcm_of(await said(voice, "mimima")))
    tts.first_s, tts.speed = 0.01, 20.0
    dice = random.Random(7)
    for _ in range(8):
        speaking = asyncio.ensure_future(said(voice, "los otros loros rojos"))
        await asyncio.sleep(dice.uniform(0, 0.08))
        speaking.cancel()
        await asyncio.wait([speaking])
        sounds = await said(voice, "mimima")
        assert heard(pcm_of(sounds)) == alone
        assert [shape.viseme for sound in sounds for shape in sound.shapes] == [0, 21, 6, 21, 6, 21, 2, 0]


async def test_the_service_is_told_to_stop(voice, tts):
    tts.speed = 1.0
    async with aclosing(voice.speak(Phrase("r", 0, HOLA))) as sounds:
        await anext(sounds)
    while not tts.abandoned:
        await asyncio.sleep(0.01)
    assert tts.finished == 0


async def test_after_a_cut_the_connection_is_made_again_ahead(voice, tts, server):
    async with aclosing(voice.speak(Phrase("r", 0, HOLA))) as sounds:
        await anext(sounds)
    while server.log.handshakes != [101, 101]:
        await asyncio.sleep(0.01)
    assert len(tts.requests) == 1
    await said(voice, HOLA)
    assert tts.requests[1].connection != tts.requests[0].connection
    assert server.log.handshakes == [101, 101]


async def test_a_connection_that_is_lost_at_rest_is_made_again(voice, tts, server, monkeypatch):
    await said(voice, "Hola")
    server.drop_all()
    while server.log.handshakes != [101, 101]:
        await asyncio.sleep(0.01)
    await said(voice, "Hola otra vez")
    assert voice.health.state == "ok"


async def test_closing_in_the_middle_of_a_phrase_ends_it(voice, tts):
    tts.speed = 1.0
    speaking = asyncio.ensure_future(said(voice, HOLA))
    while not tts.requests:
        await asyncio.sleep(0.01)
    await voice.close()
    with pytest.raises(EngineDown):
        await speaking
    assert voice.health.state == "off"


async def test_two_phrases_at_once_are_said_one_after_the_other(voice):
    one, two = await asyncio.gather(said(voice, "mamama"), said(voice, "lololo"))
    assert heard(pcm_of(one)) != heard(pcm_of(two))
    assert heard(pcm_of(one)) == heard(pcm_of(await said(voice, "mamama")))


@pytest.mark.parametrize("manner", ["interrupted", "careless"])
def test_the_program_ends_well_in_the_middle_of_a_phrase(server, tts, manner, tmp_path):
    tts.speed = 2.0
    command = [sys.executable, "-m", "tests.azure_speaker", server.endpoint, str(tmp_path)]
    if manner == "careless":
        command.append(manner)
    elif sys.platform == "win32":
        pytest.skip("Ctrl-C cannot be sent to one program here")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "speaking\n"
        if manner == "interrupted":
            program.send_signal(signal.SIGINT)
        _, complaints = program.communicate(timeout=HANGS_S)
    assert (program.returncode, complaints) == (0, "")


# ---------------------------------------------------------------------- failures

for_ever = itertools.repeat


@pytest.mark.parametrize(
    ("at_handshake", "at_request", "reason"),
    [
        (for_ever(401), (), "azure.refused"),
        (for_ever(403), (), "azure.refused"),
        (for_ever(404), (), "azure.broken"),
        (for_ever(429), (), "azure.too_many"),
        (for_ever(500), (), "azure.broken"),
        (for_ever(503), (), "azure.broken"),
        (for_ever("abort"), (), "azure.unreachable"),
        (for_ever("hang"), (), "azure.stalled azure.unreachable"),
        ((), for_ever("abort"), "azure.unreachable"),
        ((), for_ever("quota"), "azure.too_many"),
        ((), for_ever("bad_request"), "azure.bad_voice"),
        ((), for_ever("internal"), "azure.broken"),
        ((), for_ever("stall"), "azure.stalled"),
        ((), for_ever("no_audio"), "azure.silent"),
        ((), for_ever("abort_mid"), "azure.unreachable"),
        ((), for_ever("close_mid"), "azure.broken"),
        ((), for_ever("stall_mid"), "azure.stalled"),
        ((), for_ever("no_end"), "azure.stalled"),
    ],
)
async def test_every_failure_is_told_and_survived(
    voice, server, tts, healths, impatient, patience, caplog, at_handshake, at_request, reason
):
    caplog.set_level("DEBUG")
    if "azure.stalled" in reason:
        patience(0.3)
    elif at_handshake:
        patience(HANGS_S, 1.0)
    if at_handshake:
        server.at_handshake = iter(at_handshake)
        server.drop_all()
        await asyncio.sleep(0.05)
    tts.at_request = iter(at_request)
    with pytest.raises(EngineDown) as down:
        await said(voice, HOLA)
    wanted = "|".join(re.sub(r"\\\{\w+\\\}", ".+", re.escape(table("es")[key])) for key in reason.split())
    assert re.fullmatch(wanted, down.value.reason)
    assert down.value.repair
    bad = await healths.until("down")
    assert bad.reason
    assert bad.repair
    server.at_handshake, tts.at_request = iter(()), iter(())
    patience(HANGS_S)
    await healths.until("ok")
    assert len(pcm_of(await said(voice, HOLA))) > RATE_HZ
    told = [down.value.reason, down.value.repair, *map(repr, healths), *caplog.messages]
    assert not any(KEY in line for line in told)


@pytest.mark.parametrize("fault", ["garbage", "odd", "tiny", "late_metadata"])
async def test_what_is_only_odd_changes_nothing(voice, tts, fault):
    good = pcm_of(await said(voice, HOLA))
    tts.at_request = iter([fault])
    assert np.array_equal(pcm_of(await said(voice, HOLA)), good)


@pytest.mark.parametrize(("faults", "requests"), [(["abort"], 2), (["internal"], 2)])
async def test_a_failure_before_the_first_sound_is_tried_once_more(voice, tts, faults, requests):
    tts.at_request = iter(faults)
    assert len(pcm_of(await said(voice, HOLA))) > RATE_HZ
    assert len(tts.requests) == requests
    assert voice.health.state == "ok"


async def test_what_was_heard_is_never_said_again(voice, tts):
    tts.at_request = iter(["abort_mid"])
    with pytest.raises(EngineDown):
        await said(voice, HOLA)
    assert len(tts.requests) == 1


async def test_a_refused_phrase_does_not_silence_a_voice_that_has_spoken(voice, tts):
    await said(voice, HOLA)
    tts.at_request = iter(["bad_request"])
    with pytest.raises(EngineDown):
        await said(voice, HOLA)
    assert voice.health.state == "ok"
    assert len(pcm_of(await said(voice, HOLA))) > RATE_HZ


async def test_while_it_is_down_nobody_waits_for_it(voice, tts):
    tts.at_request = for_ever("internal")
    with pytest.raises(EngineDown):
        await said(voice, HOLA)
    asked = len(tts.requests)
    assert not await voice.ready(1)
    with pytest.raises(EngineDown, match=re.escape(text("azure.broken"))):
        await said(voice, HOLA)
    assert len(tts.requests) == asked


async def test_a_wrong_key_shows_before_she_speaks(server, healths, tmp_path):
    server.key = "another"
    voice = build(settings(server.endpoint), tmp_path, healths.report)
    await voice.start()
    health = await healths.until("down")
    assert (health.part, health.reason) == ("voice", text("azure.refused", where="127.0.0.1"))
    assert "azure.key" in health.repair
    assert "azure.region" in health.repair
    assert not await voice.ready(5)
    with pytest.raises(EngineDown):
        await voice.list_voices()
    await voice.close()


async def test_a_voice_that_does_not_exist_shows_with_those_that_are_near(server, healths, tmp_path):
    voice = build(settings(server.endpoint, voice="es-MX-DeliaNeural"), tmp_path, healths.report)
    await voice.start()
    health = await healths.until("down")
    assert "es-MX-DeliaNeural" in health.reason
    assert "es-MX-DaliaNeural" in health.repair
    await voice.close()


async def test_nobody_there_is_told_and_it_comes_when_there_is(server, healths, impatient, tmp_path):
    server.at_handshake = for_ever("abort")
    voice = build(settings(server.endpoint), tmp_path, healths.report)
    await voice.start()
    health = await healths.until("down")
    assert health.reason == text("azure.unreachable", where="127.0.0.1")
    server.at_handshake = iter(())
    await healths.until("ok")
    await voice.close()


@pytest.mark.parametrize(
    ("azure", "package", "reason", "repair"),
    [
        ({}, None, "azure.no_key", "azure.no_key_repair"),
        ({"key": KEY}, None, "azure.no_region", "azure.no_region_repair"),
        ({"key": KEY, "region": "westeurope"}, "azure.not_there", "azure.missing", "azure.missing_repair"),
    ],
)
async def test_what_is_missing_is_told_with_its_cure(healths, monkeypatch, tmp_path, azure, package, reason, repair):
    if package:
        monkeypatch.setattr(azure_sdk, "PACKAGE", package)
    voice = build(Settings(tts={"engine": "azure"}, azure=azure), tmp_path, healths.report)
    await voice.start()
    health = await healths.until("down")
    assert (health.reason, health.repair) == (text(reason), text(repair))
    with pytest.raises(EngineDown) as down:
        await said(voice, HOLA)
    assert (down.value.reason, down.value.repair) == (text(reason), text(repair))
    with pytest.raises(EngineDown):
        await voice.list_voices()
    await voice.close()
    assert voice.health.state == "off"


# ---------------------------------------------------------------------- the free tier


async def test_the_limit_of_the_free_tier_is_learned_from_its_refusal(voice, tts, healths):
    assert not voice.packs
    tts.speed = 10_000.0
    for _ in range(15):
        await said(voice, "sí")
    tts.at_request = for_ever("quota")
    with pytest.raises(EngineDown):
        await said(voice, "sí")
    assert voice.packs
    assert (await healths.until("down")).reason == text("azure.too_many")


def test_the_budget_lets_18_pass_in_a_minute():
    budget = Budget()
    now = 0.0
    for _ in range(40):
        assert budget.wait_s(now) == 0.0
        budget.spend(now)
        now += 0.5
    budget.refused(now)
    assert budget.limited
    passed = []
    while now < 320.0:
        if budget.wait_s(now) == 0.0:
            budget.spend(now)
            passed.append(now)
        now += 0.5
    for first, last in itertools.pairwise(passed[::18]):
        assert last - first >= 60.0
    assert len(passed) >= 4 * 18


def test_a_refusal_after_few_requests_is_no_limit():
    budget = Budget()
    for now in range(14):
        budget.spend(float(now))
    budget.refused(14.0)
    assert not budget.limited
    for now in range(100, 120):
        budget.spend(float(now) * 10)
    budget.refused(1200.0)
    assert not budget.limited


# ---------------------------------------------------------------------- one phrase, by hand


def tone(seconds: float, level: float = 0.2) -> bytes:
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (np.sin(2 * np.pi * 440 * at) * level * 32767).astype("<i2").tobytes()


def test_shapes_and_words_move_with_the_silence_that_is_skipped():
    clip = Clip("hola mamá", RATE_HZ, 1.0)
    clip.add_viseme(0, 0)
    clip.add_viseme(5_000_000, 8)
    clip.add_word(5_000_000, "hola")
    clip.add_audio(bytes(RATE_HZ))
    assert len(clip.take().pcm) == 0
    clip.add_audio(tone(0.5))
    sound = clip.take()
    before = round(0.005 * RATE_HZ)
    assert sound.shapes == (Shape(0, 0), Shape(pytest.approx(before, abs=3), 8))
    assert [(word.start, word.end) for word in sound.words] == [(0, 4)]
    assert sound.words[0].at == pytest.approx(before, abs=3)


def test_words_said_otherwise_than_written_do_not_confuse_the_others():
    clip = Clip("El 3/4 de la torta, a las 10:30 p.m. de hoy", RATE_HZ, 1.0)
    clip.add_audio(tone(1.0))
    spoken = ["El", "tres", "cuartos", "de", "la", "torta", "a", "las", "diez", "treinta", "de", "hoy"]
    for index, word in enumerate(spoken):
        clip.add_word(index * 500_000, word)
    words = [("El 3/4 de la torta, a las 10:30 p.m. de hoy"[w.start : w.end], w.at) for w in clip.take().words]
    assert [word for word, _ in words] == ["El", "de", "la", "torta,", "a", "las", "de", "hoy"]
    assert [at for _, at in words] == [1200 * index for index in (0, 3, 4, 5, 6, 7, 10, 11)]


def test_the_level_is_learned_and_kept(tmp_path):
    file = tmp_path / "voices" / "levels.json"
    level = Level(file, "azure x", RATE_HZ)
    assert level.gain == 1.0
    phrase = np.frombuffer(tone(6.0, level=0.05), "<i2")
    level.hear(phrase)
    learned = level.gain
    loudness = 20 * np.log10(np.sqrt((phrase.astype(float) ** 2).mean()) / 32768 * learned)
    assert loudness == pytest.approx(-18.0, abs=0.1)
    level.hear(phrase)
    level.hear(phrase * 4)
    assert level.gain == pytest.approx(learned, rel=0.01)
    assert Level(file, "azure x", RATE_HZ).gain == pytest.approx(learned, abs=0.001)
    assert Level(file, "azure y", RATE_HZ).gain == 1.0


@pytest.mark.parametrize("broken", ["", "[]", '{"azure x": "loud"}', "{"])
def test_a_broken_file_of_levels_is_as_none(tmp_path, broken):
    file = tmp_path / "levels.json"
    file.write_text(broken)
    level = Level(file, "azure x", RATE_HZ)
    assert level.gain == 1.0
    level.hear(np.frombuffer(tone(11.0), "<i2"))
    assert json.loads(file.read_text())["azure x"] == pytest.approx(level.gain, abs=0.001)


def test_the_sound_tells_its_own_shapes():
    speech = np.frombuffer(speech_of("mal", RATE_HZ).pcm, "<i2")
    assert heard(speech[round(0.1 * RATE_HZ) :]) == "".join(chr(97 + viseme) for viseme in (21, 2, 14))
