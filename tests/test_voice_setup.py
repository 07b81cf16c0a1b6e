"""``aneeka setup voice`` as a user meets it: the questions, the trial, and what is saved."""

from __future__ import annotations

import wave
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.config import load
from bot.config.settings import Settings
from bot.setup.voice import setup_voice
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Phrase, Sound
from bot.voice.listing import VoiceInfo
from tests.test_vts_setup_step import User

FILE = """# mine
[tts]
speed = 1.0  # as it is

[chat]
window_s = 2.0
"""


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(FILE)


class Engine:
    """Stands for an engine that hums, has voices of its own, and fails as one test wants it."""

    name, pid = "engine", None

    def __init__(self, settings: Settings, known: dict[str, str], refuse: str = "") -> None:
        self.asked = settings
        self._known = known
        self.health = Health("voice", "down", refuse, "repair it") if refuse else Health("voice", "ok")
        self.closed = False

    async def start(self) -> None: ...

    async def ready(self, timeout_s: float) -> bool:
        return self.health.state == "ok"

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        if self.asked.tts.voice not in ("", *self._known):
            raise EngineDown(f"no voice {self.asked.tts.voice}", "choose another")
        hum = (np.sin(np.arange(24_000) / 20) * 8000).astype(np.int16)
        yield Sound(hum, 24_000)
        yield Sound(hum, 24_000, last=True)

    async def list_voices(self) -> list[VoiceInfo]:
        return [VoiceInfo(name, (language,), "a voice") for name, language in self._known.items()]

    async def close(self) -> None:
        self.closed = True


class Trial:
    def __init__(self, tmp_path: Path, **known: Any) -> None:
        self.tmp_path = tmp_path
        self.built: list[Engine] = []
        self.refuse: str = known.pop("refuse", "")
        self.known = known.pop("known", {"Dalia": "es-MX", "Guy": "en-US"})

    def __call__(self, *answers: str, reads: Callable[[], Any] = load) -> tuple[int, list[str]]:
        user = User(*answers)
        return setup_voice(reads(), self.tmp_path / "data", user, build=self._build), user.lines

    def _build(self, engine: str, settings: Settings, data: Path, on_health: Callable[[Health], None]) -> Engine:
        assert settings.tts.engine == engine
        self.built.append(Engine(settings, self.known, self.refuse))
        return self.built[-1]


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def saved(tmp_path: Path) -> Settings:
    return load(tmp_path / "config.toml").settings


def test_what_spoke_is_saved_and_the_rest_of_the_file_stays(trial, tmp_path):
    code, lines = trial("azure", "westeurope", "a-key-of-azure", "")
    assert code == 0
    settings = saved(tmp_path)
    assert (settings.tts.engine, settings.tts.voice, settings.azure.region) == ("azure", "", "westeurope")
    assert settings.azure.key.get_secret_value() == "a-key-of-azure"
    content = (tmp_path / "config.toml").read_text()
    assert content.startswith("# mine\n[tts]\nspeed = 1.0  # as it is\n")
    assert "window_s = 2.0" in content
    assert any("Dalia" in line for line in lines)
    assert not any("Guy" in line for line in lines), "voices of another language are not offered"
    assert all(engine.closed for engine in trial.built)
    with wave.open(str(tmp_path / "data" / "voices" / "heard.wav")) as heard:
        assert heard.getnframes() > heard.getframerate()


def test_another_voice_is_tried_before_it_is_saved(trial, tmp_path):
    code, lines = trial("piper", "Nadie", "Dalia", "Dalia")
    assert code == 0
    assert "no voice Nadie" in lines
    assert saved(tmp_path).tts.voice == "Dalia"
    assert [engine.asked.tts.voice for engine in trial.built] == ["", "Nadie", "Dalia"]


def test_what_does_not_work_is_not_saved(tmp_path):
    trial = Trial(tmp_path, refuse="the server is away")
    code, lines = trial("openai", "http://127.0.0.1:9/v1", "-", "tts-1")
    assert code == 1
    assert "the server is away" in lines
    assert (tmp_path / "config.toml").read_text() == FILE
    assert trial.built[0].closed


def test_a_data_folder_in_which_nothing_can_be_written_is_told(trial, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "voices").write_text("")
    code, lines = trial("espeak")
    assert code == 1
    assert any(str(tmp_path / "data") in line and "ANEEKA_DATA_DIR" in line for line in lines)
    assert (tmp_path / "config.toml").read_text() == FILE


@pytest.mark.parametrize("answer", ["", "no", "n", "yes but no", "x"])
def test_a_licence_that_is_not_accepted_loads_nothing(trial, tmp_path, answer):
    code, lines = trial("xtts", answer)
    assert code == 1
    assert trial.built == []
    assert text("voice_setup.licence_refused") in lines
    assert (tmp_path / "config.toml").read_text() == FILE


def test_nobody_there_accepts_no_licence(trial, tmp_path):
    assert trial("xtts")[0] == 1
    assert trial.built == []
    assert (tmp_path / "config.toml").read_text() == FILE


@pytest.mark.parametrize("answer", ["sí", "si", "Sí", "s"])
def test_an_accepted_licence_is_kept_and_not_asked_for_again(trial, tmp_path, answer):
    code, lines = trial("xtts", answer, "")
    assert code == 0
    assert any("Coqui Public Model License" in line for line in lines)
    assert trial.built[0].asked.tts.xtts.accept_license
    assert saved(tmp_path).tts.xtts.accept_license
    assert trial("xtts", "")[0] == 0, "the engine and the voice are all that is asked"


def test_too_slow_a_voice_is_only_saved_when_the_user_insists(trial, tmp_path, monkeypatch):
    monkeypatch.setattr("bot.setup.voice.SLOW", -1.0)
    code, lines = trial("espeak", "", "")
    assert code == 1
    assert any(line.startswith(text("voice_setup.slow").partition(":")[0]) for line in lines)
    assert (tmp_path / "config.toml").read_text() == FILE
    assert trial("espeak", "", "sí")[0] == 0


def test_an_unknown_engine_is_asked_again_and_secrets_are_not_shown(trial, monkeypatch):
    monkeypatch.setenv("ANEEKA_AZURE__KEY", "a-secret-key")
    code, lines = trial("acapela", "azure", "westeurope", "")
    assert code == 0
    assert any("acapela" in line for line in lines)
    assert not any("a-secret-key" in line for line in lines)
    assert trial.built[0].asked.azure.key.get_secret_value() == "a-secret-key"


def test_a_value_that_cannot_be_is_told_before_anything_is_tried(trial, tmp_path):
    code, lines = trial("openai", "not an address", "-", "tts-1")
    assert code == 1
    assert any("base_url" in line for line in lines)
    assert trial.built == []


def test_the_environment_that_covers_an_answer_is_named(trial, monkeypatch):
    monkeypatch.setenv("ANEEKA_TTS__ENGINE", "espeak")
    code, lines = trial("piper", "")
    assert code == 0
    assert any("ANEEKA_TTS__ENGINE" in line for line in lines)


def test_with_the_voice_that_is_built_in(tmp_path):
    user = User("espeak", "es-419+f2", "")
    assert setup_voice(load(), tmp_path / "data", user) == 0
    assert saved(tmp_path).tts.voice == "es-419+f2"
    with wave.open(str(tmp_path / "data" / "voices" / "heard.wav")) as heard:
        assert 2 < heard.getnframes() / heard.getframerate() < 8
