"""Hearing by Azure: the real SDK against a strict local server of its protocol, which hears tones as words."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot import azure_sdk
from bot.config.settings import Settings
from bot.hearing import azure as azure_hearing
from bot.hearing import azure_utterance
from bot.hearing.azure import AzureRecogniser, build, locales_of
from bot.hearing.ladder import RecogniserLadder
from bot.supervisor import Board
from bot.texts import table, text
from bot.vocabulary import EngineDown, Pcm, Transcript
from tests.conftest import HANGS_S, REAL_TIME
from tests.healths import Healths
from tests.local_azure.stt import RATE_HZ, VOCABULARY, WORD_S, Recognition, say
from tests.local_azure.usp import KEY, LocalAzure
from tests.spoken_english import spoken

pytestmark = REAL_TIME

HOLA = "hola aneeka qué tal estás hoy cuéntame algo"
BLOCK = 512
for_ever = itertools.repeat

sdk = pytest.importorskip(azure_sdk.PACKAGE, reason="needs the extra: azure")


def quiet(seconds: float) -> Pcm:
    return np.random.default_rng(1).normal(0, 20, round(seconds * RATE_HZ)).astype(np.int16)


def noise(seconds: float) -> Pcm:
    return np.random.default_rng(2).normal(0, 3000, round(seconds * RATE_HZ)).astype(np.int16)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine must not look like a service that has stalled."""
    monkeypatch.setattr(azure_utterance, "PATIENCE_S", 20.0)
    monkeypatch.setattr(azure_utterance, "FRESH_PATIENCE_S", 20.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watchdogs and pauses after failures, short enough for a test."""
    monkeypatch.setattr(azure_utterance, "PATIENCE_S", 0.3)
    monkeypatch.setattr(azure_hearing, "RETRY_S", (0.1, 0.1, 0.1))


@pytest.fixture
def stt() -> Recognition:
    return Recognition()


@pytest.fixture
def server(stt: Recognition) -> Iterator[LocalAzure]:
    with LocalAzure(stt) as server:
        yield server


@pytest.fixture
def healths() -> Healths:
    return Healths()


@pytest.fixture
async def connect(server: LocalAzure, healths: Healths, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start a recogniser; it is closed after the test."""
    recognisers: list[AzureRecogniser] = []

    async def start(key: str = KEY, **sections: dict[str, Any]) -> AzureRecogniser:
        settings = Settings(azure={"key": key, "endpoint": server.endpoint}, **sections)
        recogniser = build(settings, tmp_path, healths.report)
        recognisers.append(recogniser)
        await recogniser.start()
        return recogniser

    yield start
    for recogniser in recognisers:
        await recogniser.close()


@pytest.fixture
async def recogniser(connect: Any) -> AzureRecogniser:
    recogniser: AzureRecogniser = await connect()
    assert await recogniser.ready(HANGS_S)
    return recogniser


def unheard(partial: str) -> None:
    pass


async def feed(utterance: Any, *sound: Pcm) -> None:
    """Feed it in blocks as the microphone does, but without waiting for time to pass."""
    pcm = np.concatenate(sound)
    for at in range(0, len(pcm), BLOCK):
        utterance.feed(pcm[at : at + BLOCK])
        await asyncio.sleep(0)


async def hear(recogniser: AzureRecogniser, words: str) -> Transcript:
    with closing(recogniser.begin(unheard)) as utterance:
        await feed(utterance, quiet(0.5), say(words), quiet(0.12))
        return await utterance.text_so_far()


def written(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


# ---------------------------------------------------------------------- hearing


async def test_words_come_while_they_are_said_and_the_text_at_the_end(recogniser):
    partials: list[str] = []
    utterance = recogniser.begin(partials.append)
    await feed(utterance, quiet(0.5), say("hola aneeka qué"))
    while "hola aneeka" not in partials:
        await asyncio.sleep(0.01)
    await feed(utterance, say("tal estás"), quiet(0.12))
    assert await utterance.text_so_far() == Transcript("Hola aneeka qué tal estás.", "es")
    assert partials[-1] == "Hola aneeka qué tal estás."
    for before, after in itertools.pairwise(partials[:-1]):
        assert after.startswith(before)


async def test_no_silence_is_waited_for(recogniser, stt):
    """The end is made known by silence of our own: of the microphone's there is none."""
    utterance = recogniser.begin(unheard)
    await feed(utterance, quiet(0.5), say(HOLA))
    assert (await utterance.text_so_far()).text == written(HOLA)


async def test_utterances_do_not_mix(recogniser):
    """Asked for or dropped, at any moment: no word of one is heard in another, and none is lost."""
    dice = random.Random(5)
    for _ in range(4):
        dropped = recogniser.begin(unheard)
        await feed(dropped, quiet(0.1), say(" ".join(dice.choices(VOCABULARY, k=3))), quiet(dice.uniform(0, 0.3)))
        if dice.random() < 0.5:
            await asyncio.sleep(dice.uniform(0, 0.05))
        if dice.random() < 0.7:
            dropped.close()
        words = " ".join(dice.choices(VOCABULARY, k=4))
        assert (await hear(recogniser, words)).text == written(words)


async def test_what_is_said_after_a_pause_is_added(recogniser):
    partials: list[str] = []
    utterance = recogniser.begin(partials.append)
    await feed(utterance, quiet(0.5), say("hola aneeka"), quiet(0.12))
    assert (await utterance.text_so_far()).text == "Hola aneeka."
    await feed(utterance, quiet(0.2))
    assert (await utterance.text_so_far()).text == "Hola aneeka."
    await feed(utterance, say("qué tal"), quiet(0.12))
    assert (await utterance.text_so_far()).text == "Hola aneeka. Qué tal."
    assert "Hola aneeka. qué" in partials


async def test_an_answer_that_is_not_waited_for_costs_nothing(recogniser):
    utterance = recogniser.begin(unheard)
    await feed(utterance, quiet(0.5), say("hola aneeka"), quiet(0.12))
    for words in ("qué tal", "estás hoy", "cuéntame algo"):
        asking = asyncio.create_task(utterance.text_so_far())
        await asyncio.sleep(0)
        asking.cancel()
        await feed(utterance, say(words), quiet(0.12))
    assert (await utterance.text_so_far()).text == "Hola aneeka. Qué tal. Estás hoy. Cuéntame algo."


async def test_silence_is_not_sent_for_recognition_again_and_again(recogniser, stt):
    utterance = recogniser.begin(unheard)
    await feed(utterance, np.zeros(RATE_HZ, np.int16))
    for _ in range(3):
        assert await utterance.text_so_far() == Transcript("")
    assert (await hear(recogniser, "hola")).text == "Hola."
    assert stt.sound_s < 2.5


@pytest.mark.parametrize("seconds", [0.03, 0.3, 0.9])
async def test_a_cough_says_nothing(recogniser, healths, impatient, seconds):
    utterance = recogniser.begin(unheard)
    await feed(utterance, quiet(0.5), noise(seconds), quiet(0.12))
    assert (await utterance.text_so_far()).text == ""
    assert (await hear(recogniser, "hola")).text == "Hola."
    assert [health.state for health in healths] == ["degraded", "ok"]


async def test_words_come_through_noise_at_their_end(recogniser, impatient):
    utterance = recogniser.begin(unheard)
    await feed(utterance, quiet(0.5), say(HOLA), quiet(0.32), noise(0.05), quiet(0.12))
    assert (await utterance.text_so_far()).text == written(HOLA)


async def test_real_speech_is_understood_by_a_real_recogniser(server, stt, connect):
    pytest.importorskip("pocketsphinx")
    from tests.transcription_server import Sphinx

    sphinx = Sphinx()
    stt.hears = lambda pcm: sphinx(pcm) if len(pcm) > RATE_HZ else ""
    stt.speaks = "en-US"
    recogniser = await connect()
    utterance = recogniser.begin(unheard)
    await feed(utterance, spoken("Good morning everybody"))
    assert await utterance.text_so_far() == Transcript("Good morning everybody.", "en")


# ---------------------------------------------------------------------- languages and names


async def test_the_language_that_is_spoken_is_told(recogniser, stt):
    assert stt.wanted == []
    assert (await hear(recogniser, "hola")).language == "es"
    stt.speaks = "en-US"
    assert (await hear(recogniser, "hello how are you now")).language == "en"
    assert set(stt.wanted[0].languages) == {"es-MX", "en-US"}


@pytest.mark.parametrize(
    ("language", "locale"), [("es", "es-MX"), ("en", "en-US"), ("es-ES", "es-ES"), ("fr", "fr-FR")]
)
async def test_a_language_that_is_set_is_not_guessed(connect, stt, language, locale):
    recogniser = await connect(stt={"language": language})
    assert await hear(recogniser, "hola") == Transcript("Hola.", language.partition("-")[0])
    assert (stt.wanted[0].languages, stt.wanted[0].detect) == ((locale,), False)


def test_the_language_of_the_persona_comes_first():
    assert locales_of("auto", "en")[0] == "en-US"
    assert locales_of("auto", "es")[0] == "es-MX"
    assert locales_of("pt", "es") == ("pt-BR",)


async def test_her_name_and_those_of_viewers_are_expected(recogniser, stt, server):
    await hear(recogniser, "hola")
    assert stt.wanted[-1].names == ("Aneeka",)
    odd = ["x" * 51, "", " ", "\x00", "\ud83d\x07", 'Ana "la" }]{ñ\\', "<b>&amp;", "Aneeka", "Ana", "Ana"]
    recogniser.set_names([*odd, *(f"viewer{index}" for index in range(600))])
    server.drop_all()
    assert (await hear(recogniser, HOLA)).text == written(HOLA)
    names = stt.wanted[-1].names
    assert names[:5] == ("Aneeka", 'Ana "la" }]{ñ\\', "<b>&amp;", "Ana", "viewer0")
    assert len(names) == 500


# ---------------------------------------------------------------------- what is sent


async def test_nothing_is_sent_while_nobody_speaks_but_what_keeps_the_connection(connect, stt, monkeypatch):
    monkeypatch.setattr(azure_hearing, "IDLE_S", 0.05)
    recogniser = await connect()
    assert await recogniser.ready(HANGS_S)
    while stt.sound_s < 0.3:
        await asyncio.sleep(0.01)
    assert (await hear(recogniser, HOLA)).text == written(HOLA)
    assert stt.phrases == [written(HOLA)]


async def test_with_all_else_at_rest_no_sound_leaves_the_machine(recogniser, stt):
    await hear(recogniser, "hola")
    sent_s = stt.sound_s
    one_word_s = 0.5 + WORD_S + 0.05 + 0.12 + 0.6
    assert sent_s < one_word_s
    before = recogniser.begin(unheard)
    before.close()
    await feed(before, say(HOLA))
    assert (await hear(recogniser, "dos")).text == "Dos."
    assert stt.sound_s - sent_s < one_word_s


# ---------------------------------------------------------------------- connections that are lost


@pytest.mark.parametrize("fault", ["internal", "abort", "internal_mid", "abort_mid", "abort_after"])
async def test_a_lost_connection_loses_no_word(recogniser, stt, server, healths, fault):
    stt.at_turn = iter([fault])
    partials: list[str] = []
    utterance = recogniser.begin(partials.append)
    await feed(utterance, quiet(0.5), say("hola aneeka qué tal"), quiet(0.5), say("estás hoy"), quiet(0.12))
    assert (await utterance.text_so_far()).text == "Hola aneeka qué tal. Estás hoy."
    assert server.log.handshakes == [101, 101]
    for before, after in itertools.pairwise(partials):
        assert after.casefold().replace(".", "").startswith(before.casefold().replace(".", ""))
    assert {health.state for health in healths} == {"degraded", "ok"}


async def test_connections_may_be_lost_at_any_moment(recogniser, server):
    dice = random.Random(3)
    for _ in range(3):
        words = " ".join(dice.choices(VOCABULARY, k=8))
        utterance = recogniser.begin(unheard)
        cut = dice.randrange(len(words.split()))
        await feed(utterance, quiet(0.5), say(" ".join(words.split()[:cut])))
        await asyncio.sleep(dice.uniform(0, 0.2))
        server.drop_all()
        await feed(utterance, say(" ".join(words.split()[cut:])), quiet(0.12))
        assert (await utterance.text_so_far()).text == written(words)
        utterance.close()


async def test_a_connection_that_is_lost_at_rest_is_made_again(recogniser, server):
    await hear(recogniser, "hola")
    server.drop_all()
    while server.log.handshakes != [101, 101]:
        await asyncio.sleep(0.01)
    assert (await hear(recogniser, "aneeka")).text == "Aneeka."
    assert recogniser.health.state == "ok"


# ---------------------------------------------------------------------- a service that falls silent


@pytest.mark.parametrize("fault", ["stall", "stall_mid", "stall_after"])
async def test_a_service_that_stalls_is_asked_once_more_over_another_connection(
    recogniser, stt, server, impatient, fault
):
    stt.at_turn = iter([fault])
    utterance = recogniser.begin(unheard)
    await feed(utterance, quiet(0.5), say(HOLA), quiet(0.5))
    while fault == "stall_after" and not stt.phrases:
        await asyncio.sleep(0.01)
    await feed(utterance, say(HOLA), quiet(0.12))
    assert (await utterance.text_so_far()).text == f"{written(HOLA)} {written(HOLA)}"
    assert server.log.handshakes == [101, 101]
    assert recogniser.health.state == "ok"
    utterance.close()
    assert (await hear(recogniser, "hola")).text == "Hola."


async def test_a_stall_shows_while_somebody_still_speaks(recogniser, stt, server, monkeypatch):
    monkeypatch.setattr(azure_utterance, "STALL_S", 1.0)
    stt.at_turn = iter(["stall"])
    utterance = recogniser.begin(unheard)
    await feed(utterance, quiet(0.5), say(HOLA))
    while len(server.log.handshakes) < 2:
        await feed(utterance, say("dos"))
        await asyncio.sleep(0.05)
    assert (await utterance.text_so_far()).text.startswith(written(HOLA)[:-1])


async def test_silence_with_a_key_held_down_is_no_stall(recogniser, server, monkeypatch):
    monkeypatch.setattr(azure_utterance, "STALL_S", 0.5)
    utterance = recogniser.begin(unheard)
    await feed(utterance, quiet(5.0))
    assert server.log.handshakes == [101]


async def test_after_a_long_rest_even_a_short_word_is_asked_for_again(recogniser, stt, server, impatient, monkeypatch):
    await hear(recogniser, "hola")
    monkeypatch.setattr(azure_hearing, "TRUST_S", 0.0)
    stt.at_turn = iter(["stall"])
    server.drop_all()
    while server.log.handshakes != [101, 101]:
        await asyncio.sleep(0.01)
    assert (await hear(recogniser, "para")).text == "Para."


async def test_what_is_left_unanswered_twice_is_no_cough(recogniser, stt, server, impatient):
    await hear(recogniser, "hola")
    stt.at_turn = iter(["stall"])
    server.drop_all()
    while server.log.handshakes != [101, 101]:
        await asyncio.sleep(0.01)
    assert (await hear(recogniser, "para")).text == ""
    assert (await hear(recogniser, "para")).text == "Para."


async def test_the_newest_guess_counts_where_the_last_word_on_it_does_not_come(recogniser, stt, monkeypatch):
    monkeypatch.setattr(azure_utterance, "PATIENCE_S", 0.8)
    stt.at_turn = for_ever("no_final")
    assert (await hear(recogniser, HOLA)).text == HOLA


async def test_garbage_changes_nothing(recogniser, stt):
    stt.at_turn = for_ever("garbage")
    assert (await hear(recogniser, HOLA)).text == written(HOLA)


# ---------------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("at_handshake", "at_turn", "reason"),
    [
        (401, None, "azure.refused"),
        (403, None, "azure.refused"),
        (404, None, "azure.broken"),
        (429, None, "azure_hearing.too_many"),
        (500, None, "azure.broken"),
        (503, None, "azure.broken"),
        ("abort", None, "azure.unreachable"),
        ("hang", None, "azure.unreachable"),
        (None, "quota", "azure_hearing.too_many"),
        (None, "bad_request", "azure_hearing.refused"),
        (None, "internal", "azure.broken"),
        (None, "abort", "azure.unreachable"),
        (None, "stall", "azure.stalled"),
        (None, "stall_mid", "azure.stalled"),
    ],
)
async def test_every_failure_is_told_and_survived(
    recogniser, server, stt, healths, impatient, monkeypatch, caplog, at_handshake, at_turn, reason
):
    caplog.set_level("DEBUG")
    monkeypatch.setattr(azure_utterance, "FRESH_PATIENCE_S", 0.3)
    if at_handshake:
        monkeypatch.setattr(azure_hearing, "CONNECT_S", 0.5 if at_handshake == "hang" else 20.0)
        server.at_handshake = for_ever(at_handshake)
        server.drop_all()
    else:
        stt.at_turn = for_ever(at_turn)
    with pytest.raises(EngineDown) as down:
        await hear(recogniser, HOLA)
    wanted = re.sub(r"\\\{\w+\\\}", ".+", re.escape(table("es")[reason]))
    assert re.fullmatch(wanted, down.value.reason)
    assert down.value.repair
    bad = next(health for health in healths if health.state == "down")
    assert (bad.part, bad.reason, bad.repair) == ("hearing", down.value.reason, down.value.repair)
    monkeypatch.setattr(azure_hearing, "CONNECT_S", 20.0)
    monkeypatch.setattr(azure_utterance, "PATIENCE_S", 20.0)
    server.at_handshake, stt.at_turn = iter(()), iter(())
    await healths.until("ok")
    while not await recogniser.ready(20):
        await asyncio.sleep(0.01)
    assert (await hear(recogniser, HOLA)).text == written(HOLA)
    told = [*map(repr, healths), *caplog.messages]
    assert not any(KEY in line for line in told)


async def test_while_it_is_down_nobody_waits_for_it(recogniser, stt):
    stt.at_turn = for_ever("quota")
    with pytest.raises(EngineDown):
        await hear(recogniser, HOLA)
    turns = len(stt.contexts)
    assert not await recogniser.ready(1)
    with pytest.raises(EngineDown, match=re.escape(text("azure_hearing.too_many"))):
        await hear(recogniser, HOLA)
    assert len(stt.contexts) == turns


async def test_what_is_being_said_when_it_comes_back_is_understood_whole(recogniser, stt, healths, monkeypatch):
    monkeypatch.setattr(azure_hearing, "RETRY_S", (0.1, 0.1, 0.1))
    stt.at_turn = iter(["quota"])
    utterance = recogniser.begin(unheard)
    await feed(utterance, quiet(0.5), say("hola aneeka"))
    await healths.until("down")
    await feed(utterance, say("qué tal"))
    await healths.until("ok")
    await feed(utterance, say("estás"), quiet(0.12))
    assert (await utterance.text_so_far()).text == "Hola aneeka qué tal estás."


async def test_another_recogniser_hears_what_azure_could_not(recogniser, stt):
    class Backup:
        name = "backup"

        def begin(self, on_partial):
            self.fed = 0
            return self

        def feed(self, pcm):
            self.fed += len(pcm)

        async def text_so_far(self):
            return Transcript(f"{self.fed / RATE_HZ:.2f} s", "es")

        def close(self):
            pass

        async def ready(self, timeout_s):
            return True

    stt.at_turn = for_ever("quota")
    ladder = RecogniserLadder([recogniser, Backup()], Board(lambda message: None))
    utterance = ladder.begin(unheard)
    await feed(utterance, quiet(0.5), say("hola aneeka"), quiet(0.12))
    assert (await utterance.text_so_far()).text == "1.02 s"
    await ladder.close()


async def test_words_said_while_it_connects_are_not_lost(connect, server):
    server.handshake_s = 0.3
    recogniser = await connect()
    assert (await hear(recogniser, HOLA)).text == written(HOLA)


async def test_a_wrong_key_shows_before_anybody_speaks(connect, healths):
    recogniser = await connect(key="another" * 5)
    health = await healths.until("down")
    assert (health.part, health.reason) == ("hearing", text("azure.refused", where="127.0.0.1"))
    assert "azure.key" in health.repair
    assert not await recogniser.ready(5)


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
    recogniser = build(Settings(azure=azure), tmp_path, healths.report)
    with pytest.raises(EngineDown):
        await hear(recogniser, "hola")
    await recogniser.start()
    health = await healths.until("down")
    assert (health.reason, health.repair) == (text(reason), text(repair))
    with pytest.raises(EngineDown) as down:
        await hear(recogniser, "hola")
    assert (down.value.reason, down.value.repair) == (text(reason), text(repair))
    assert not await recogniser.ready(5)
    await recogniser.close()
    assert recogniser.health.state == "off"


@pytest.mark.parametrize("manner", ["interrupted", "careless", "stalled"])
def test_the_program_ends_well_while_somebody_speaks(server, stt, manner):
    if manner == "interrupted" and sys.platform == "win32":
        pytest.skip("Ctrl-C cannot be sent to one program here")
    stt.at_turn = for_ever("stall" if manner == "stalled" else None)
    command = [sys.executable, "-m", "tests.azure_listener", server.endpoint, manner]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "listening\n"
        if manner == "interrupted":
            program.send_signal(signal.SIGINT)
        _, complaints = program.communicate(timeout=HANGS_S)
    assert (program.returncode, complaints) == (0, "")
