"""The light neural voice: Piper's real code, in this process and in its own, on voices whose sound is known."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import HANGS_S, REAL_TIME

pytest.importorskip("piper", reason="needs the extra piper")
pytest.importorskip("onnx", reason="needs the extra piper")

from piper.phonemize_espeak import ESPEAK_DATA_DIR

from bot.config.settings import Settings
from bot.models.bundles import BUNDLES, Bundle, find
from bot.models.pull import pull
from bot.texts import text
from bot.vocabulary import EngineDown, Pcm, Phrase, Sound
from bot.voice.piper import DEFAULT_VOICES, PiperVoice, build
from bot.voice.piper_engine import PiperEngine, shapes_of
from tests import tiny_piper
from tests.model_hub import Hub

pytestmark = REAL_TIME

Start = Callable[..., Awaitable[PiperVoice]]
SPANISH = "¡Hola, Ana! Mi mamá y mi papá quieren mucho al bebé."
ENGLISH = "One of the most important things of it all is that I don't know, it's a great boy."


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_piper.write(folder)
    tiny_piper.write(folder, "english", espeak="en-us", speakers=("ada", "bea"))
    broken = tiny_piper.write(folder, "broken")
    (broken / "broken.onnx").write_bytes(b"no model")
    return folder


@pytest.fixture
async def start(models: Path) -> AsyncIterator[Start]:
    voices: list[PiperVoice] = []

    async def started(voice: str, **options: Any) -> PiperVoice:
        voices.append(PiperVoice(voice, models, on_health=lambda health: None, **options))
        await voices[-1].start()
        await voices[-1].ready(60)
        return voices[-1]

    yield started
    for voice in voices:
        await voice.close()


class Clip:
    """One phrase, whole."""

    def __init__(self, models: Path, name: str, spoken: str, speed: float = 1.0) -> None:
        model = models / name / f"{name}.onnx"
        engine = PiperEngine({"voice": name, "model": str(model), "speaker": "", "speed": speed})
        items = list(engine.run({"text": spoken}, b""))
        self.headers = [header for header, _ in items]
        self.pcm: Pcm = np.concatenate([np.frombuffer(pcm, "<i2") for _, pcm in items])
        self.shapes = [tuple(shape) for header in self.headers for shape in header["shapes"]]
        self.words = [tuple(word) for header in self.headers for word in header["words"]]


def silent_from(pcm: Pcm, at: int) -> bool:
    """Return whether a hop of silence begins at this sample, give or take the 10 samples of a tone's zero."""
    return bool(np.abs(pcm[at + 10 : at + tiny_piper.HOP].astype(int)).max() < 50)


@pytest.mark.parametrize(("name", "spoken"), [("tiny", SPANISH), ("english", ENGLISH)])
def test_lips_close_exactly_when_the_sound_does_and_words_begin_where_they_are_said(
    models: Path, name: str, spoken: str
) -> None:
    clip = Clip(models, name, spoken)
    assert [header["last"] for header in clip.headers][-1]
    assert [spoken[start:end] for _, start, end in clip.words] == spoken.split()
    lips = [at for at, viseme in clip.shapes if viseme == 21]
    assert len(lips) == len(re.findall("[pbm]+", spoken.lower()))
    assert all(silent_from(clip.pcm, at) for at in lips)
    open_mouth = [at for at, viseme in clip.shapes if viseme in (1, 2, 3, 4, 6, 7, 8)]
    assert not any(silent_from(clip.pcm, at) for at in open_mouth)
    times = [at for at, *_ in clip.shapes]
    assert times == sorted(times)
    assert clip.words[0][0] < 200
    assert clip.words[-1][0] < len(clip.pcm) - 0.3 * tiny_piper.RATE_HZ


def test_two_characters_that_are_one_sound_are_one_shape() -> None:
    def shapes(phonemes: str, language: Any) -> list[int]:
        return [viseme for _, viseme in shapes_of(list(enumerate(phonemes)), language)]

    assert shapes("ˈaɪ", "en") == [11]
    assert shapes("tʃ", "en") == [16]
    assert shapes("tʃ", "es") == [19, 16]
    assert shapes("ɔː, n", "en") == [3, 0, 0, 19]
    assert shapes_of([(0, "w"), (5, "ˈ"), (7, "ʌ")], "en") == [(0, 7), (5, 1)]


def test_it_is_as_loud_as_all_other_voices_and_as_quick_as_it_is_asked(models: Path) -> None:
    clip = Clip(models, "tiny", SPANISH)
    blocks = (clip.pcm[: len(clip.pcm) // 441 * 441].reshape(-1, 441) / 32768) ** 2
    power = blocks.mean(axis=1)
    assert -20.5 <= 10 * np.log10(power[power > 1.5e-4].mean()) <= -15.5
    assert clip.pcm[0] == clip.pcm[-1] == 0
    quick = Clip(models, "tiny", SPANISH, speed=1.5)
    assert 1.3 < len(clip.pcm) / len(quick.pcm) < 1.7


@pytest.mark.parametrize("said", ["", "…", "[[abc", "[[abc]]", "\x00", "😀", "Ω≈ç√∫", "aaaa " * 40, "你好 " * 9])
def test_nothing_that_is_said_breaks_it(models: Path, said: str) -> None:
    assert Clip(models, "tiny", said).headers[-1]["last"]


async def spoken(voice: PiperVoice, said: str) -> list[Sound]:
    return [sound async for sound in voice.speak(Phrase("r", 0, said))]


async def test_it_speaks_sentence_by_sentence_and_can_be_interrupted(start: Start) -> None:
    voice = await start("tiny")
    pid = voice.pid
    sounds = await spoken(voice, "Hola a todos. Esto es otra frase. Y esto es la última.")
    assert [sound.last for sound in sounds] == [False, False, False, True]
    assert {sound.rate_hz for sound in sounds} == {tiny_piper.RATE_HZ}
    long = voice.speak(Phrase("r", 1, "Una frase larga que no se va a oír. " * 200))
    await anext(long)
    await long.aclose()
    assert (await spoken(voice, "Ya."))[-1].last
    assert voice.pid == pid


def test_a_speaker_of_several_is_chosen_by_name(models: Path) -> None:
    options = {"voice": "english", "model": str(models / "english" / "english.onnx"), "speed": 1.0}
    assert list(PiperEngine(options | {"speaker": "bea"}).run({"text": "Hello."}, b""))[-1][0]["last"]
    with pytest.raises(EngineDown) as down:
        PiperEngine(options | {"speaker": "cleo"})
    assert "english:ada, english:bea" in down.value.repair


def test_a_broken_voice_says_what_to_do(models: Path) -> None:
    model = str(models / "broken" / "broken.onnx")
    with pytest.raises(EngineDown) as down:
        PiperEngine({"voice": "broken", "model": model, "speaker": "", "speed": 1.0})
    assert model in down.value.repair


async def test_a_voice_that_is_not_there_says_how_to_get_it(start: Start) -> None:
    lost = await start("nadie")
    assert lost.health.state == "down"
    assert "aneeka models pull nadie" in lost.health.repair
    with pytest.raises(EngineDown) as down:
        await spoken(lost, "Hola.")
    assert (down.value.reason, down.value.repair) == (lost.health.reason, lost.health.repair)


ABROAD = """
import os, sys
from pathlib import Path
from piper import espeakbridge, phonemize_espeak

asked = []
initialize = espeakbridge.initialize
espeakbridge.initialize = lambda folder: (asked.append(folder), initialize(folder))
phonemize_espeak.ESPEAK_DATA_DIR = Path(sys.argv[1])

from bot.voice.piper_engine import PiperEngine

engine = PiperEngine({"voice": "tiny", "model": sys.argv[2], "speaker": "", "speed": 1.0})
pieces = list(engine.run({"text": "Hola, Ana. ¿Qué tal?"}, b""))
print(*asked, len(pieces), os.path.samefile(asked[0], sys.argv[1]))
"""


def test_it_speaks_for_users_whose_name_a_c_library_cannot_spell(models: Path, tmp_path: Path) -> None:
    home = tmp_path / "Íñigo Peña"
    shutil.copytree(ESPEAK_DATA_DIR, home / "espeak-ng-data")
    model = (models / "tiny" / "tiny.onnx").relative_to(models)
    run = [sys.executable, "-c", ABROAD, str(home / "espeak-ng-data"), str(model)]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, cwd=models, env=here, check=False)
    assert done.stdout.split() == ["espeak-ng-data", "3", "True"], done.stderr


HIDDEN = """
import sys
sys.modules["piper"] = None
try:
    import bot.voice.piper_engine
except Exception as missing:
    print(missing.repair)
"""


def test_a_missing_package_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", HIDDEN], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == text("piper.missing_repair")


async def test_it_lists_what_is_here_by_speaker_and_what_can_be_downloaded(models: Path) -> None:
    voices = await PiperVoice("tiny", models, on_health=lambda health: None).list_voices()
    assert [(info.name, info.languages) for info in voices[:5]] == [
        ("broken", ("es-MX",)),
        ("english", ("en-US",)),
        ("english:ada", ("en-US",)),
        ("english:bea", ("en-US",)),
        ("tiny", ("es-MX",)),
    ]
    assert {info.name for info in voices[5:]} == {bundle.name for bundle in BUNDLES if bundle.kind == "voice"}


def test_the_settings_choose_voice_and_place(tmp_path: Path) -> None:
    def model(**tts: Any) -> str:
        voice = build(Settings(tts={"engine": "piper", **tts}), tmp_path, lambda health: None)
        return str(Path(voice._worker._options["model"]))

    for language, name in DEFAULT_VOICES.items():
        assert find(name).languages == (language,)
    default = DEFAULT_VOICES["es"]
    assert model() == str(tmp_path / "models" / default / f"{default}.onnx")
    assert model(voice="/some/where/mine.onnx") == str(Path("/some/where/mine.onnx"))
    behind = Settings(tts={"engine": "espeak", "voice": "es", "voices": {"piper": "x:f"}})
    voice = build(behind, tmp_path, lambda health: None)
    assert voice._worker._options["voice"] == "x"


async def test_a_voice_is_pulled_from_the_hub_and_spoken_with(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, hub = find(DEFAULT_VOICES["es"]), Hub()
    assert isinstance(bundle, Bundle)
    for file, source in zip(bundle.files, ("tiny.onnx", "tiny.onnx.json"), strict=True):
        hub.offer(file, (models / "tiny" / source).read_bytes())
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    try:
        async with aclosing(pull(bundle, tmp_path)) as steps:
            assert [step.step async for step in steps][-1] in ("downloading", "checking")
        assert hub.problems == []
    finally:
        hub.close()
    voice = build(Settings(tts={"engine": "piper"}), tmp_path, lambda health: None)
    await voice.start()
    try:
        assert await voice.ready(HANGS_S)
        assert (await spoken(voice, SPANISH))[-1].last
    finally:
        await voice.close()
