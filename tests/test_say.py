"""``aneeka say``: which voice speaks, where it is heard, and what is said when none can."""

from __future__ import annotations

import json
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from bot.texts import text
from bot.vocabulary import Pcm
from tests.test_cli import Shell, sentence

NO_CARD = {"ANEEKA_AUDIO__OUTPUT_DEVICE": "no such device"}
AZURE = {"ANEEKA_TTS__ENGINE": "azure", "ANEEKA_TTS__FALLBACK": "espeak"}
WOMAN, MAN = "es-419+f2", "es-419+m3"
WORDS = "Hola a todos."


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def seconds(file: Path) -> float:
    with wave.open(str(file)) as sound:
        return sound.getnframes() / sound.getframerate()


def said(shell: Shell, *words: str, **environment: str) -> Pcm:
    """Return the sound of what she said."""
    done = shell.run("say", WORDS, "--out", "said.wav", *words, **environment)
    assert done.returncode == 0, done.stderr
    with wave.open(str(shell.folder / "said.wav")) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")


def alike(one: Pcm, other: Pcm) -> bool:
    """Return whether the same voice said the same; espeak-ng breathes at random."""
    size = min(len(one), len(other))
    return bool(np.corrcoef(one[:size], other[:size])[0, 1] > 0.5)


def chosen_in_the_studio(shell: Shell, voice: str, config: dict[str, str]) -> None:
    kept = shell.folder / "data" / "voices" / "in_use.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"chosen": {"engine": "espeak", "voice": voice}, "config": config}))


def test_when_her_voice_cannot_speak_the_next_one_does_and_she_says_why(shell: Shell) -> None:
    own = said(shell)
    done = shell.run("say", WORDS, "--out", "azure.wav", **AZURE)
    assert done.returncode == 0, done.stderr
    assert seconds(shell.folder / "azure.wav") == pytest.approx(len(own) / 48_000, rel=0.2)
    assert "azure.key" in done.stderr or "--extra azure" in done.stderr


def test_when_no_voice_can_speak_she_says_of_each_why(shell: Shell) -> None:
    told = sentence(shell.run("say", WORDS, "--out", "none.wav", **AZURE, ANEEKA_TTS__VOICES__ESPEAK="nadie"), 1)
    assert "azure.key" in told or "--extra azure" in told
    assert "nadie" in told
    assert not (shell.folder / "none.wav").exists()


def test_with_sound_none_it_plays_in_real_time_to_nowhere_and_is_recorded(shell: Shell) -> None:
    began_s = time.monotonic()
    done = shell.run("say", 6 * f"{WORDS} ", ANEEKA_STAGE__RECORD="kept/of today", **NO_CARD)
    took_s = time.monotonic() - began_s
    assert done.returncode == 0, done.stderr
    (recorded,) = (shell.folder / "kept" / "of today").glob("*.wav")
    assert took_s > seconds(recorded) > 3.0


def test_without_a_sound_card_that_is_wanted_it_says_so(shell: Shell) -> None:
    for wanted in ("auto", "sound_card", "browser"):
        told = sentence(shell.run("say", WORDS, ANEEKA_STAGE__SOUND=wanted, **NO_CARD), 1)
        assert "no such device" in told or text("stage.no_card") in told


def test_a_recording_that_cannot_be_kept_is_one_sentence(shell: Shell) -> None:
    (shell.folder / "kept").write_text("not a folder")
    assert "kept" in sentence(shell.run("say", WORDS, ANEEKA_STAGE__RECORD="kept"), 1)


def test_the_voice_of_the_studio_speaks_unless_another_is_named(shell: Shell) -> None:
    woman, man = said(shell, "--voice", WOMAN), said(shell, "--voice", MAN)
    assert not alike(woman, man)
    chosen_in_the_studio(shell, MAN, {"engine": "espeak", "voice": WOMAN})
    config = {"ANEEKA_TTS__VOICE": WOMAN}
    assert alike(said(shell, **config), man)
    assert alike(said(shell, "--voice", WOMAN, **config), woman)


def test_a_named_voice_is_one_of_the_engine_that_was_chosen_in_the_studio(shell: Shell) -> None:
    woman = said(shell, "--voice", WOMAN)
    chosen_in_the_studio(shell, MAN, {"engine": "azure", "voice": ""})
    assert alike(said(shell, "--voice", WOMAN, ANEEKA_TTS__ENGINE="azure"), woman)
