"""Which samples become voices, and what is said of the others. The speakers are espeak-ng's."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import soxr

from bot import texts
from bot.config.settings import Settings
from bot.texts import text
from bot.voice import sample as judge
from bot.voice.cloning import clone
from bot.voice.espeak_engine import EspeakEngine
from bot.voice.sample import RATE_HZ, examine
from bot.voice.xtts import build, clones_in

LINES = (
    "Hola a todos, muchas gracias por venir a verme esta tarde tan bonita.",
    "Hoy vamos a jugar un rato y después hablaremos de lo que ustedes quieran.",
    "Me gusta mucho la música tranquila, sobre todo cuando llueve.",
)


def spoken(voice: str, lines: tuple[str, ...] = LINES) -> np.ndarray:
    engine = EspeakEngine({"voice": voice, "language": "es", "speed": 1.0})
    said = [data for line in lines for _, data in engine.run({"text": line}, b"")]
    pcm = np.frombuffer(b"".join(said), "<i2").astype(np.float32) / 32768
    return soxr.resample(pcm, 22_050, RATE_HZ)


@pytest.fixture(scope="module")
def woman() -> np.ndarray:
    return spoken("es-419+f3")


@pytest.fixture(scope="module")
def man() -> np.ndarray:
    return spoken("es+m1")


@pytest.fixture
def kept(tmp_path):
    """Write a sound to a file and clone it; return the exit code."""

    def make(sound: np.ndarray, name: str = "yo", rate_hz: int = RATE_HZ, kind: str = "wav", **how: str) -> int:
        file = tmp_path / f"sample.{kind}"
        soundfile.write(file, sound, rate_hz, **how)
        return clone(Settings(), tmp_path / "data", name, file)

    return make


def noise(sound: np.ndarray, level_db: float) -> np.ndarray:
    return (np.random.default_rng(1).normal(0, 10 ** (level_db / 20), len(sound))).astype(np.float32)


def test_a_good_sample_becomes_a_voice_that_can_be_chosen(kept, woman, tmp_path, capsys):
    silence = np.zeros(RATE_HZ * 3, np.float32)
    assert kept(np.concatenate((silence, woman, silence))) == 0
    told = capsys.readouterr().out
    assert "'yo'" in told
    assert text("cloning.consent") in told
    assert clones_in(tmp_path / "data" / "voices" / "xtts") == ["yo"]
    sound, rate_hz = soundfile.read(tmp_path / "data" / "voices" / "xtts" / "yo.wav")
    assert (rate_hz, sound.ndim) == (24_000, 1)
    assert len(sound) / rate_hz == pytest.approx(len(woman) / RATE_HZ + 0.1, abs=0.3), "the silence around it is gone"
    assert np.abs(sound).max() == pytest.approx(0.75, abs=0.02)
    settings = Settings(tts={"engine": "xtts", "voice": "yo"})
    assert build(settings, tmp_path / "data", lambda health: None)._options["sample"].endswith("yo.wav")


@pytest.mark.parametrize(("kind", "how"), [("flac", {}), ("ogg", {}), ("wav", {"subtype": "FLOAT"}), ("mp3", {})])
def test_formats(kept, woman, kind, how):
    assert kept(np.column_stack((woman, woman)), kind=kind, **how) == 0


def test_what_is_longer_than_xtts_listens_is_cut(kept, woman, tmp_path):
    assert kept(np.tile(woman, 5)) == 0
    sound, rate_hz = soundfile.read(tmp_path / "data" / "voices" / "xtts" / "yo.wav")
    assert len(sound) / rate_hz == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda sound: sound[: RATE_HZ * 4], "short"),
        (lambda sound: sound * 0.02, "quiet"),
        (lambda sound: np.clip(sound * 20, -1, 1), "clipped"),
        (lambda sound: sound * 0.3 + noise(sound, -32), "noisy"),
        (lambda sound: sound * 0, "quiet"),
        (lambda sound: noise(sound, -20), "noisy"),
    ],
)
def test_a_bad_sample_is_refused_with_what_to_do(kept, woman, tmp_path, capsys, spoil, reason):
    assert kept(spoil(woman), kind="wav", subtype="FLOAT") == 1
    told = capsys.readouterr().err
    fields = ("seconds", "wanted", "level", "share", "decibels")
    begin, _, _ = text(f"cloning.{reason}", **dict.fromkeys(fields, "@")).partition("@")
    assert begin in told
    assert not (tmp_path / "data").exists()


def test_one_person_or_two(woman, man):
    assert len(examine(woman).pitches_hz) == 1
    assert len(examine(man).pitches_hz) == 1
    low, high = examine(np.concatenate((woman, man))).pitches_hz
    assert low < 130 < 180 < high


def test_two_people_are_a_warning(kept, woman, man, capsys):
    texts.use("en")
    assert kept(np.concatenate((man, woman))) == 0
    assert "more than one person" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", "../x", "a b", "con", "LPT1", "x" * 41, ".", "a/b", "a\\b", "nul"])
def test_a_name_that_cannot_be_a_file_is_refused(kept, woman, tmp_path, name):
    assert kept(woman, name) == 1
    assert not (tmp_path / "data").exists()


def test_a_voice_is_never_overwritten(kept, woman, man, tmp_path):
    assert kept(woman, "ñandú-1") == 0
    before = (tmp_path / "data" / "voices" / "xtts" / "ñandú-1.wav").read_bytes()
    assert kept(man, "ñandú-1") == 1
    assert (tmp_path / "data" / "voices" / "xtts" / "ñandú-1.wav").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not sound at all" * 100])
def test_what_is_no_sound_is_refused(tmp_path, capsys, content):
    file = tmp_path / "sample.wav"
    assert clone(Settings(), tmp_path, "yo", file) == 1
    assert text("cloning.no_file", file=file) in capsys.readouterr().err
    file.write_bytes(content)
    assert clone(Settings(), tmp_path, "yo", file) == 1
    assert text("cloning.unreadable", file=file) in capsys.readouterr().err


def test_without_the_package_that_reads_sound_the_command_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    (tmp_path / "s.wav").write_bytes(b"RIFF")
    assert clone(Settings(), tmp_path, "yo", tmp_path / "s.wav") == 1
    assert "--extra xtts" in capsys.readouterr().err


def test_level_is_measured_on_speech_alone(woman):
    with_pauses = np.concatenate((woman, np.zeros(len(woman), np.float32)))
    assert examine(with_pauses).level_db == pytest.approx(examine(woman).level_db, abs=0.7)
    assert examine(woman).level_db > judge.QUIETEST_DB + 10
