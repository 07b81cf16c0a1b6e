"""``aneeka setup audio`` on a virtual sound card, as a user meets it; and the doctor's word on the microphone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.config import load
from bot.config.speech import Audio
from bot.hearing.trial import microphone_health
from bot.setup.audio import setup_audio
from bot.setup.terminal import Terminal
from bot.texts import text
from bot.vocabulary import Health
from tests.conftest import REAL_TIME
from tests.virtual_microphone import VirtualMicrophone, virtual_microphone

pytestmark = REAL_TIME

FILE = """# mine
[audio]
mode = "push_to_talk"  # I like it so
"""
LISTEN_S = 0.8


class User(Terminal):
    """Somebody at a terminal who answers in turn, and then is gone."""

    def __init__(self, *answers: str) -> None:
        super().__init__(self._answer)
        self.lines: list[str] = []
        self.bars: list[str] = []
        self._answers = list(answers)

    def _answer(self, question: str) -> str:
        self.lines.append(question)
        if not self._answers:
            raise EOFError
        return self._answers.pop(0)

    def say(self, line: str = "") -> None:
        self.lines.append(line)

    def waiting(self, line: str, left_s: float) -> None:
        self.bars.append(line)

    def number_of(self, name: str) -> str:
        """Return the number before a name in the list that was shown last."""
        return next(line.split()[0] for line in reversed(self.lines) if line.endswith(f"  {name}"))


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualMicrophone]:
    with virtual_microphone(tmp_path, monkeypatch) as microphone:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("bot.setup.audio.TONE_S", 0.1)
        monkeypatch.setattr("bot.hearing.trial.GLANCE_S", 0.6)
        (tmp_path / "config.toml").write_text(FILE)
        yield microphone


def voice(level: float) -> np.ndarray[Any, np.dtype[np.int16]]:
    t = np.arange(48_000 * 60) / 48_000
    return (level * 32_767 * np.sin(2 * np.pi * 220 * t)).astype(np.int16)


def test_microphone_and_loudspeaker_are_tried_before_they_are_saved(plugged: VirtualMicrophone, tmp_path: Path) -> None:
    user = User("9", "1", "y", "2", "n", "1", "y")
    player = plugged.hears(voice(0.25), 48_000)
    code = setup_audio(load(None), tmp_path / "data", user, listen_s=LISTEN_S)
    player.kill()
    assert code == 0, "\n".join(user.lines)
    assert text("audio_setup.bad_number", last=2) in user.lines
    assert text("audio_setup.good", level=-15) in user.lines
    assert any("####################" in bar and "-15 dB" in bar for bar in user.bars), "the level is seen live"
    asked = text("audio_setup.ask_tone")
    assert len([line for line in user.lines if line.startswith(asked)]) == 2, "a no asks again"
    audio = load(None).settings.audio
    assert (audio.input, audio.input_device, audio.output_device) == ("sound_card", "pulse", "pulse")
    kept = (tmp_path / "config.toml").read_text()
    assert "# mine" in kept
    assert "# I like it so" in kept


def test_nobody_at_the_terminal_saves_nothing(plugged: VirtualMicrophone, tmp_path: Path) -> None:
    user = User()
    assert setup_audio(load(None), tmp_path / "data", user, listen_s=LISTEN_S) == 1
    assert user.lines[-1] == text("audio_setup.no_answer")
    assert (tmp_path / "config.toml").read_text() == FILE


def test_a_dead_microphone_is_told_and_another_may_be_chosen(plugged: VirtualMicrophone, tmp_path: Path) -> None:
    user = User("", "b", "0", "y")
    assert setup_audio(load(None), tmp_path / "data", user, listen_s=LISTEN_S) == 0
    assert any(text("microphone.mute_repair") in line for line in user.lines)
    assert text("audio_setup.browser_how") in user.lines
    audio = load(None).settings.audio
    assert (audio.input, audio.input_device, audio.output_device) == ("browser", "", "")


def test_the_doctor_listens_for_a_moment(plugged: VirtualMicrophone, tmp_path: Path) -> None:
    def health(**audio: Any) -> Health:
        return asyncio.run(microphone_health(Audio(**audio), tmp_path / "data"))

    silent = health()
    assert (silent.part, silent.state) == ("microphone", "degraded")
    player = plugged.hears(voice(0.25), 48_000)
    well = health(input_device="pulse")
    player.kill()
    assert (well.state, well.serving) == ("ok", "sound_card")
    assert text("microphone.level", level=-15) in well.reason
    missing = health(input_device="Marte")
    assert (missing.state, "pulse" in missing.repair) == ("down", True)
    assert health(mode="off").state == "off"
    assert health(input="browser").state == "ok"
