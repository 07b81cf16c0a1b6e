"""Hearing with Whisper: faster-whisper's real code in its own process, on models whose transcript is known."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from tests.conftest import HANGS_S, REAL_TIME

pytest.importorskip("faster_whisper", reason="needs the extra whisper")

from bot.config.settings import Settings
from bot.hearing.hallucinations import Piece, is_invented
from bot.hearing.whisper import FILES, WhisperRecogniser, build
from bot.hearing.whisper_engine import RATE_HZ, windows
from bot.models.bundles import BUNDLES, find
from bot.models.catalogue import UnknownModel
from bot.vocabulary import EngineDown, Health, Pcm
from tests import tiny_whisper
from tests.healths import Healths
from tests.model_hub import Hub
from tests.test_cli import Shell

pytestmark = REAL_TIME

NOISE = (np.random.default_rng(1).standard_normal(3 * RATE_HZ) * 3000).astype(np.int16)
Start = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper.write(tmp_path_factory.mktemp("whisper"), ["Ġhola", "ĠAne", "eka"])


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    recognisers: list[WhisperRecogniser] = []

    async def started(folder: Path, **options: Any) -> WhisperRecogniser:
        options.setdefault("on_health", lambda health: None)
        recogniser = WhisperRecogniser(folder, **options)
        recognisers.append(recogniser)
        await recogniser.start()
        assert await recogniser.ready(HANGS_S), recogniser.health
        return recogniser

    yield started
    for recogniser in recognisers:
        await recogniser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recogniser(folder: Path) -> AsyncIterator[WhisperRecogniser]:
    """One that several tests share."""
    recogniser = WhisperRecogniser(folder, on_health=lambda health: None)
    await recogniser.start()
    assert await recogniser.ready(HANGS_S), recogniser.health
    yield recogniser
    await recogniser.close()


shared = pytest.mark.asyncio(loop_scope="module")


async def heard(recogniser: WhisperRecogniser, pcm: Pcm) -> Any:
    utterance = recogniser.begin(lambda text: None)
    utterance.feed(pcm)
    return await utterance.text_so_far()


@shared
async def test_speech_becomes_text_in_the_language_that_she_speaks(recogniser: WhisperRecogniser) -> None:
    transcript = await heard(recogniser, NOISE)
    assert (transcript.text, transcript.language) == ("hola Aneeka", "es"), "French is more probable, and no choice"
    assert recogniser.device == "cpu"
    assert 0 < recogniser.window_s < 10
    assert (await heard(recogniser, np.zeros(RATE_HZ, np.int16))).text == "", "silence is not even looked at"
    assert (await heard(recogniser, np.zeros(0, np.int16))).text == ""


async def test_what_nobody_said_is_left_out(start: Start, tmp_path: Path) -> None:
    words = ["ĠSub", "tít", "ulos", "Ġpor", "ĠAmara"]
    credits = await start(tiny_whisper.write(tmp_path / "credits", words))
    assert (await heard(credits, NOISE)).text == ""
    unsure = await start(tiny_whisper.write(tmp_path / "unsure", ["Ġhola"], no_speech=True))
    assert (await heard(unsure, NOISE)).text == ""


@shared
async def test_a_long_utterance_is_read_in_windows(recogniser: WhisperRecogniser) -> None:
    assert (await heard(recogniser, np.tile(NOISE, 13))).text == "hola Aneeka hola Aneeka"


def test_windows_are_cut_where_it_is_quiet() -> None:
    sound = np.ones(70 * RATE_HZ, np.float32)
    sound[26 * RATE_HZ : 27 * RATE_HZ] = 0
    cut = list(windows(sound))
    assert np.concatenate(cut).tolist() == sound.tolist()
    assert 26 * RATE_HZ <= len(cut[0]) <= 27 * RATE_HZ
    assert max(map(len, cut)) <= 30 * RATE_HZ


@shared
async def test_who_asks_at_the_same_time_shares_the_newest_request_and_cancelling_costs_nothing(
    recogniser: WhisperRecogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = recogniser.write_down

    async def counted(pcm: Pcm) -> Any:
        asked.append(len(pcm))
        return await real(pcm)

    monkeypatch.setattr(recogniser, "write_down", counted)
    monkeypatch.setattr(recogniser, "window_s", 99.0)
    utterance = recogniser.begin(lambda text: None)
    utterance.feed(NOISE)
    first = asyncio.create_task(utterance.text_so_far())
    while not asked:
        await asyncio.sleep(0)
    utterance.feed(NOISE)
    second = asyncio.create_task(utterance.text_so_far())
    await asyncio.sleep(0)
    utterance.feed(NOISE)
    third, cancelled = (asyncio.create_task(utterance.text_so_far()) for _ in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert [(await task).text for task in (first, second, third)] == ["hola Aneeka"] * 3
    assert asked == [len(NOISE), 3 * len(NOISE)], "the second was replaced while it waited"
    assert (await utterance.text_so_far()).text == "hola Aneeka"
    assert len(asked) == 2, "nothing new was said"


@shared
async def test_a_quick_machine_writes_along_and_a_slow_one_does_not(
    recogniser: WhisperRecogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for window_s, partials in ((0.05, ["hola Aneeka"]), (2.0, [])):
        monkeypatch.setattr(recogniser, "window_s", window_s)
        told: list[str] = []
        utterance = recogniser.begin(told.append)
        for block in np.array_split(NOISE[:RATE_HZ], 30):
            utterance.feed(block)
        while not utterance._idle:
            await asyncio.sleep(0.005)
        assert told == partials
        utterance.close()


async def test_a_killed_child_is_told_and_comes_back(start: Start, folder: Path) -> None:
    health = Healths()
    recogniser = await start(folder, language="en-GB", on_health=health.report)
    utterance = recogniser.begin(lambda text: None)
    utterance.feed(NOISE)
    asking = asyncio.create_task(utterance.text_so_far())
    await asyncio.sleep(0)
    os.kill(recogniser.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    with pytest.raises(EngineDown):
        await asking
    assert await recogniser.ready(HANGS_S)
    transcript = await utterance.text_so_far()
    assert transcript.text == "hola Aneeka", "it has kept what was said"
    assert transcript.language == "en", "which is not guessed where it is set"


async def test_what_is_lacking_is_told_with_its_cure_and_loaded_once_it_is_there(tmp_path: Path) -> None:
    reports: list[Health] = []
    recogniser = build(Settings(stt={"model": "tiny"}), tmp_path, reports.append)
    await recogniser.start()
    try:
        assert (reports[-1].part, reports[-1].state) == ("hearing", "down")
        assert "aneeka models pull whisper-tiny" in reports[-1].repair
        with pytest.raises(EngineDown) as down:
            await heard(recogniser, NOISE)
        assert (down.value.reason, down.value.repair) == (reports[-1].reason, reports[-1].repair)
        assert not await recogniser.ready(1)
        place = tmp_path / "models" / "whisper-tiny"
        tiny_whisper.write(place, ["Ġhola", "ĠAneeka"], hotwords=True)
        (place / "vocabulary.json").rename(place / "vocabulary.txt")
        lines = json.loads((place / "vocabulary.txt").read_text("utf-8"))
        (place / "vocabulary.txt").write_text("\n".join(lines), "utf-8")
        assert await recogniser.ready(HANGS_S)
        assert (await heard(recogniser, NOISE)).text == "hola Aneeka"
    finally:
        await recogniser.close()


@pytest.mark.parametrize(
    ("model", "files", "word"),
    [("enorme", (), "large-v3-turbo"), ("{}", FILES[:2], "tokenizer.json"), ("{}", FILES, "no se puede cargar")],
)
async def test_a_wrong_model_is_one_clear_sentence(tmp_path: Path, model: str, files: Any, word: str) -> None:
    for name in files:
        (tmp_path / name).write_bytes(b"{}")
    reports: list[Health] = []
    recogniser = build(Settings(stt={"model": model.format(tmp_path)}), tmp_path, reports.append)
    await recogniser.start()
    try:
        assert not await recogniser.ready(20)
        assert reports[-1].state == "down"
        assert word in reports[-1].reason + reports[-1].repair
    finally:
        await recogniser.close()


@pytest.mark.parametrize(
    "said",
    [
        "Subtítulos realizados por la comunidad de Amara.org",
        "Subtítulos por la comunidad de Amara.org.",
        "Subtitles by the Amara.org community",
        "¡Gracias por ver el video!",
        "Gracias por ver.",
        "Thanks for watching!",
        "Thank you so much for watching this video, please subscribe.",
        "¡Suscríbete al canal!",
        "Don't forget to like and subscribe.",
        "Please subscribe to my channel",
        "Más información www.alimmenta.com",
        "Transcribed by https://otter.ai",
        "",
        "...",
        "♪ ♪",
        "no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no",
    ],
)
def test_never_believed(said: str) -> None:
    assert is_invented(Piece(said, 8.0, 0.01, -0.1))


@pytest.mark.parametrize("said", ["Gracias.", "Thank you.", "you", "Bye.", "¡Sí!", "Ok", "Música"])
def test_believed_only_while_the_model_is_sure(said: str) -> None:
    assert not is_invented(Piece(said, 1.0, 0.05, -0.2))
    assert is_invented(Piece(said, 1.0, 0.5, -0.2))
    assert is_invented(Piece(said, 1.0, 0.05, -0.9))


@pytest.mark.parametrize(
    "said",
    [
        "¿Qué tal va el directo?",
        "gracias por ver que no funciona",
        "Thanks for coming to the stream, everyone!",
        "los subtítulos se ven muy pequeños",
        "subscribe to nothing, said nobody ever",
        "jajajaja no puede ser",
        "Aneeka, di hola a todos los que acaban de llegar y cuéntales qué vamos a jugar hoy",
    ],
)
def test_what_people_say_is_believed(said: str) -> None:
    assert not is_invented(Piece(said, 4.0, 0.2, -0.5))


def test_faster_than_anybody_speaks_is_invented() -> None:
    said = "Una frase de verdad, pero demasiado larga para caber en medio segundo de sonido."
    assert is_invented(Piece(said, 0.5))
    assert not is_invented(Piece(said, 5.0))


def test_a_model_of_several_files_is_pulled_whole_and_resumed(tmp_path: Path) -> None:
    bundle = find("whisper-tiny")
    assert {b.name for b in BUNDLES} >= {f"whisper-{n}" for n in ("tiny", "base", "small", "medium", "large-v3-turbo")}
    hub = Hub()
    for file in bundle.files:
        hub.files[file.repo, file.file] = file.file.encode() * 100
    hub.cut_after = [30]
    shell = Shell(tmp_path)
    shell.environment |= {"HF_ENDPOINT": hub.url, "ANEEKA_PERSONA__LANGUAGE": "en"}
    try:
        done = shell.run("models", "pull", "whisper-tiny")
        assert done.returncode == 0, done.stderr
        place = shell.folder / "data" / "models" / "whisper-tiny"
        assert {p.name: p.read_bytes() for p in place.iterdir() if p.name != ".lock"} == {
            file.file: file.file.encode() * 100 for file in bundle.files
        }
        assert 'stt.model = "whisper-tiny"' in done.stdout
        with pytest.raises(UnknownModel) as unknown:
            find("whisper-tinny")
        assert "whisper-tiny" in unknown.value.repair
        assert hub.problems == []
    finally:
        hub.close()
