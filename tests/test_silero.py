"""The voice activity model: it hears people, and not the room."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bot.hearing.silero import BLOCK, BLOCK_S, RATE_HZ, Silero, level_db
from bot.vocabulary import EngineDown, Pcm
from tests.ear_scene import clip_with_words, noise, spoken


def heard(pcm: Pcm, silero: Silero | None = None) -> np.ndarray:
    silero = silero or Silero()
    return np.array([silero.probability(pcm[i : i + BLOCK]) for i in range(0, len(pcm) - BLOCK + 1, BLOCK)])


@pytest.mark.parametrize(("text", "language"), [("Buenas tardes a todos.", "es"), ("Good evening everybody.", "en")])
def test_speech_is_heard_in_both_languages(text: str, language: str) -> None:
    pcm = spoken(text, language).pcm
    assert np.mean(heard(pcm) >= 0.5) > 0.6


@pytest.mark.parametrize("level", [-70.0, -50.0, -30.0])
def test_noise_and_hum_and_clicks_are_no_speech(level: float) -> None:
    times = np.arange(3 * RATE_HZ) / RATE_HZ
    hum = (np.sin(2 * np.pi * 100 * times) * 32768 * 10 ** (level / 20)).astype(np.int16)
    clicks = noise(3.0, -70.0)
    clicks[:: RATE_HZ // 5] = round(32768 * 10 ** (level / 20))
    for sound in (noise(3.0, level), hum, clicks):
        assert heard(sound)[5:].max() < 0.5


@pytest.mark.parametrize(("name", "language"), [("leopard_test", "en"), ("leopard_test_es", "es")])
def test_a_person_is_heard_as_soon_as_they_speak(name: str, language: str) -> None:
    speech = clip_with_words(name, language)
    likely = heard(speech.pcm)
    onset = np.flatnonzero(likely >= 0.5)[0] * BLOCK_S
    assert onset == pytest.approx(speech.starts_s, abs=0.1)


def test_another_stream_begins_without_a_memory_of_the_one_before() -> None:
    used, fresh = Silero(), Silero()
    speech = spoken("Buenas tardes a todos.").pcm
    heard(speech, used)
    used.reset()
    assert heard(speech, used) == pytest.approx(heard(speech, fresh))


def test_level() -> None:
    assert level_db(np.full(BLOCK, 3277, np.int16)) == pytest.approx(-20.0, abs=0.01)
    assert level_db(np.zeros(BLOCK, np.int16)) == level_db(np.zeros(0, np.int16)) == -96.0


def test_without_onnxruntime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineDown) as down:
        Silero()
    assert "onnxruntime" in down.value.repair


def test_an_onnxruntime_without_its_runtime_is_no_missing_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('DLL load failed')", encoding="utf-8")
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EngineDown) as down:
        Silero()
    assert "winget install Microsoft.VCRedist" in down.value.repair


def test_a_broken_model_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.hearing.silero._MODEL", "/nowhere.onnx")
    with pytest.raises(EngineDown):
        Silero()
