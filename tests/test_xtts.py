"""The XTTS2 voice. What needs its packages (2 GB) is skipped where they are missing, and says so."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bot.config.settings import Settings
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Phrase
from bot.voice import xtts, xtts_engine
from bot.voice.level import Level
from bot.voice.xtts import XttsVoice, build
from bot.voice.xtts_engine import PACKAGES, _insist_usable
from tests import tiny_xtts
from tests.conftest import HANGS_S

MISSING = [name for name in PACKAGES if find_spec(name) is None]
needs_xtts = pytest.mark.skipif(bool(MISSING), reason=f"needs the packages of XTTS2: {', '.join(MISSING)}")
SPANISH = "Hola a todos, mi mamá me mima."


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("xtts") / "model"
    tiny_xtts.write_model(folder)
    tiny_xtts.write_sample(folder / "sample.wav")
    return folder


def options(folder: Path, **other: object) -> dict[str, object]:
    sample = str(folder / "sample.wav")
    known = {"model_dir": str(folder), "device": "cpu", "language": "es", "speed": 1.0, "accepted": True}
    return known | {"sample": sample, "speaker": "", "cache": str(folder / "latents")} | other


def settings(**chosen: object) -> Settings:
    return Settings(tts={"engine": "xtts", **chosen})


async def why_down(voice: XttsVoice) -> Health:
    await voice.start()
    try:
        assert not await voice.ready(60)
        with pytest.raises(EngineDown) as refused:
            await anext(voice.speak(Phrase("r", 0, "Hola")))
        assert (refused.value.reason, refused.value.repair) == (voice.health.reason, voice.health.repair)
        return voice.health
    finally:
        await voice.close()


async def test_nothing_is_loaded_before_the_licence_is_accepted(tmp_path):
    told: list[Health] = []
    health = await why_down(build(settings(), tmp_path, told.append))
    assert (health.part, health.state) == ("voice", "down")
    assert health.reason == text("xtts.licence")
    assert "setup voice" in health.repair
    assert health in told


@pytest.mark.skipif(not MISSING, reason="the packages of XTTS2 are here")
async def test_missing_packages_are_named_with_the_command(tmp_path):
    health = await why_down(build(settings(xtts={"accept_license": True}), tmp_path, lambda health: None))
    assert health.reason == text("xtts.packages", names=", ".join(MISSING))
    assert health.repair == "uv run --extra xtts aneeka"


@pytest.mark.parametrize(
    ("other", "lacking", "reason"),
    [
        ({"accepted": False}, "", "licence"),
        ({}, "vocab.json", "no_model"),
        ({"sample": "nowhere.wav"}, "", "no_sample"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_loaded(tmp_path, monkeypatch, other, lacking, reason):
    monkeypatch.setattr(xtts_engine, "find_spec", lambda name: object())
    for name in ("sample.wav", "model.pth", "config.json", "vocab.json"):
        if name != lacking:
            (tmp_path / name).write_bytes(b"")
    with pytest.raises(EngineDown) as refused:
        _insist_usable(tmp_path, options(tmp_path, **other))
    values = {"folder": tmp_path, "files": lacking, "file": "nowhere.wav"}
    assert refused.value.reason == text(f"xtts.{reason}", **values)
    assert refused.value.repair


@pytest.mark.parametrize(
    ("chosen", "sample", "speaker"),
    [
        ({"voice": "yo"}, "data/voices/xtts/yo.wav", "yo"),
        ({"voice": "Clara"}, "", "Clara"),
        ({"xtts": {"speaker_wav": "mine.wav"}}, "mine.wav", ""),
        ({"engine": "azure", "voice": "es-MX-DaliaNeural", "voices": {"xtts": "yo"}}, "data/voices/xtts/yo.wav", "yo"),
        ({}, "", ""),
    ],
)
def test_whose_voice_it_takes(tmp_path, monkeypatch, chosen, sample, speaker):
    clones = tmp_path / "data" / "voices" / "xtts"
    clones.mkdir(parents=True)
    (clones / "yo.wav").write_bytes(b"")
    voice = build(Settings(tts={"engine": "xtts", **chosen}), tmp_path / "data", lambda health: None)
    taken = str(tmp_path / sample) if sample.startswith("data") else sample
    assert (voice._options["sample"], voice._options["speaker"]) == (taken, speaker)


async def test_what_has_no_letters_is_one_empty_piece(tmp_path):
    voice = build(settings(), tmp_path, lambda health: None)
    (sound,) = [sound async for sound in voice.speak(Phrase("r", 0, "¡¿…?!"))]
    assert (sound.last, len(sound.pcm)) == (True, 0)


@pytest.mark.parametrize("room", [True, False])
async def test_a_process_that_leaks_is_replaced_and_breaks_no_phrase_off(tmp_path, monkeypatch, room):
    monkeypatch.setattr(xtts, "ENGINE", "tests.leaking_xtts:LeakingEngine")
    monkeypatch.setattr(xtts, "MOST_GROWTH_BYTES", -1)
    level = Level(tmp_path / "levels.json", "xtts", 24_000)
    wanted = {"model_dir": str(tmp_path), "room": room}
    voice = XttsVoice(wanted, tmp_path, level=level, on_health=lambda health: None)
    await voice.start()
    try:
        assert await voice.ready(HANGS_S)
        first = voice.pid
        assert [sound async for sound in voice.speak(Phrase("r", 0, "short"))][-1].last
        assert [sound async for sound in voice.speak(Phrase("r", 1, "long"))][-1].last
        await voice._relief
        assert await voice.ready(HANGS_S)
        assert voice.pid != first
        assert len((tmp_path / "loads").read_text()) == (2 if room else 3)
        assert [sound async for sound in voice.speak(Phrase("r", 2, "short"))][-1].last
    finally:
        await voice.close()


@pytest.mark.parametrize(("chosen", "spoken"), [("", "es"), ("pt", "pt")])
def test_it_speaks_her_language_or_the_one_that_is_chosen(tmp_path, chosen, spoken):
    voice = build(settings(xtts={"language": chosen}), tmp_path, lambda health: None)
    assert voice._options["language"] == spoken


@needs_xtts
class TestInItsOwnProcess:
    """The real code of coqui-tts with a tiny model, through the real child process."""

    @pytest.fixture
    async def voice(self, model, tmp_path, monkeypatch) -> AsyncIterator[XttsVoice]:
        monkeypatch.setattr(xtts, "ENGINE", "tests.tiny_xtts:TinyEngine")
        level = Level(tmp_path / "levels.json", "xtts", 24_000)
        voice = XttsVoice(options(model), model / "clones", level=level, on_health=lambda health: None)
        await voice.start()
        assert await voice.ready(200), voice.health
        yield voice
        await voice.close()

    async def test_it_streams_survives_a_cut_and_a_kill_and_leaves_before_it_bursts(self, voice, monkeypatch):
        first = voice.pid
        sounds = [sound async for sound in voice.speak(Phrase("r", 0, SPANISH))]
        assert len(sounds) > 3
        assert [sound.last for sound in sounds] == [False] * (len(sounds) - 1) + [True]
        assert {sound.rate_hz for sound in sounds} == {24_000}
        assert np.concatenate([sound.pcm for sound in sounds]).any()
        assert [SPANISH[word.start : word.end] for sound in sounds for word in sound.words] == SPANISH.split()
        assert {info.name for info in await voice.list_voices()} == {"Bruno", "Clara"}

        cut = voice.speak(Phrase("r", 1, SPANISH))
        await anext(cut)
        await cut.aclose()
        async with aclosing(voice.speak(Phrase("r", 2, "Hola."))) as stream:
            assert len((await anext(stream)).pcm)
        assert voice.pid == first

        dying = voice.speak(Phrase("r", 3, SPANISH))
        await anext(dying)
        os.kill(first, getattr(signal, "SIGKILL", signal.SIGTERM))
        with pytest.raises(EngineDown):
            [sound async for sound in dying]
        assert await voice.ready(200)
        second = voice.pid
        assert second != first

        monkeypatch.setattr(xtts, "MOST_GROWTH_BYTES", -1)
        assert [sound async for sound in voice.speak(Phrase("r", 4, "Hola."))][-1].last
        assert voice.pid == second, "the old one speaks until the new one can"
        monkeypatch.setattr(xtts, "MOST_GROWTH_BYTES", 10**15)
        await voice._relief
        assert voice.pid not in (None, second)
        assert voice.health.state == "ok"
        assert [sound async for sound in voice.speak(Phrase("r", 5, "Hola."))][-1].last


@needs_xtts
class TestEngine:
    """The child's half, in this process."""

    def test_a_sound_comes_before_the_next_is_made_and_a_cut_ends_within_it(self, model):
        engine = tiny_xtts.TinyEngine(options(model))
        codes = []
        make = engine._make_codes
        engine._make_codes = lambda *a, **k: (codes.append(code) or code for code in make(*a, **k))
        stream = engine.run({"text": SPANISH}, b"")
        _, data = next(stream)
        assert len(codes) == 20, "one piece of sound is made of 20 codes"
        assert 0.8 < len(data) / 2 / 24_000 < 1.0
        engine.cancel()
        assert list(stream) == []
        assert len(codes) <= 21
        assert next(engine.run({"text": SPANISH}, b""))[1], "the next phrase is not cancelled"

    def test_a_sample_is_listened_to_once(self, model, monkeypatch, tmp_path):
        cache = tmp_path / "latents"
        first = tiny_xtts.TinyEngine(options(model, cache=str(cache)))
        assert len(list(cache.iterdir())) == 1

        def listened(self, **_):
            raise AssertionError

        _, model_class, _ = tiny_xtts.libraries()
        monkeypatch.setattr(model_class, "get_conditioning_latents", listened)
        again = tiny_xtts.TinyEngine(options(model, cache=str(cache)))
        for kept, made in zip(again._latents, first._latents, strict=True):
            assert np.array_equal(kept.cpu().numpy(), made.cpu().numpy())
        tiny_xtts.write_sample(model / "other.wav", 7.0)
        with pytest.raises(AssertionError):
            tiny_xtts.TinyEngine(options(model, cache=str(cache), sample=str(model / "other.wav")))

    @pytest.mark.parametrize("name", ["model.pth", "config.json", "vocab.json"])
    def test_a_damaged_model_is_told(self, model, tmp_path, name):
        for file in ("model.pth", "config.json", "vocab.json", "sample.wav"):
            (tmp_path / file).write_bytes(b"not this" if file == name else (model / file).read_bytes())
        with pytest.raises(EngineDown) as refused:
            tiny_xtts.TinyEngine(options(tmp_path))
        assert str(tmp_path) in refused.value.reason
        assert "hf download" in refused.value.repair

    @pytest.mark.parametrize("seconds", [None, 0.2])
    def test_a_sample_that_is_no_voice_is_told(self, model, tmp_path, seconds):
        sample = tmp_path / "mine.wav"
        if seconds is None:
            sample.write_bytes(b"not sound")
        else:
            tiny_xtts.write_sample(sample, seconds)
        with pytest.raises(EngineDown) as refused:
            tiny_xtts.TinyEngine(options(model, sample=str(sample), cache=str(tmp_path / "latents")))
        assert refused.value.reason == text("xtts.bad_sample", file=sample)

    def test_a_speaker_of_the_model_and_one_that_it_does_not_have(self, model):
        engine = tiny_xtts.TinyEngine(options(model, sample="", speaker="Clara"))
        assert next(engine.run({"text": "Hola."}, b""))[1]
        with pytest.raises(EngineDown) as refused:
            tiny_xtts.TinyEngine(options(model, sample="", speaker="Nadie"))
        assert refused.value.reason == text("xtts.unknown_voice", voice="Nadie")

    def test_long_text_is_said_in_parts(self, model, monkeypatch):
        monkeypatch.setattr(xtts_engine, "CODES_PER_LETTER", 0)
        monkeypatch.setattr(xtts_engine, "CODES_MORE", 5)
        engine = tiny_xtts.TinyEngine(options(model))
        said = []
        speak = engine._model.inference_stream
        engine._model.inference_stream = lambda part, *a, **k: said.append(part) or speak(part, *a, **k)
        long = "una frase que no termina " * 20
        items = list(engine.run({"text": long}, b""))
        assert " ".join(said) == long.strip()
        assert all(len(part) <= xtts_engine.LETTERS for part in said)
        assert items[-1][0]["last"]

    @pytest.mark.parametrize(("device", "reason"), [("cuda", "no_card"), ("cpu", "memory")])
    def test_a_machine_that_cannot_bear_it_is_told_so(self, model, monkeypatch, device, reason):
        torch, _, _ = tiny_xtts.libraries()
        if torch.cuda.is_available():
            pytest.skip("there is a graphics card here")
        monkeypatch.setattr(xtts_engine, "MEMORY_BYTES", 10**15)
        with pytest.raises(EngineDown) as refused:
            tiny_xtts.TinyEngine(options(model, device=device))
        assert refused.value.reason.startswith(text(f"xtts.{reason}", needed="@", free="@").split("@")[0])
        assert refused.value.repair == text(f"xtts.{reason}_repair")
