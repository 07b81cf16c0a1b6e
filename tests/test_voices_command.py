"""``aneeka voices``: what is listed, and what a user is told where there is nothing to list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_cli import Shell, sentence


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_the_voices_of_the_engine_in_use_are_listed_and_hers_come_first(shell: Shell) -> None:
    done = shell.run("voices", "list", ANEEKA_TTS__VOICE="es-419+f2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[0] == "es"
    assert "* es-419+f2" in done.stdout
    assert lines.index(next(line for line in lines if "en-us" in line)) > 20


def test_json_is_one_object_and_a_voice_chosen_in_the_studio_counts(shell: Shell) -> None:
    kept = shell.folder / "data" / "voices" / "in_use.json"
    kept.parent.mkdir(parents=True)
    chosen = {"engine": "piper", "voice": "es_MX-claude-high"}
    kept.write_text(json.dumps({"chosen": chosen, "config": {"engine": "espeak", "voice": ""}}))
    done = shell.run("voices", "list", "--json", ANEEKA_PERSONA__LANGUAGE="en")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["engine"], found["voice"]) == ("piper", "es_MX-claude-high")
    voices = {voice["name"]: voice for voice in found["voices"]}
    assert voices["en_US-ljspeech-high"]["languages"] == ["en"]
    assert "to be downloaded" in voices["es_MX-claude-high"]["about"]


def test_an_engine_that_cannot_be_asked_says_why_and_what_to_do(shell: Shell) -> None:
    said = sentence(shell.run("voices", "list", ANEEKA_TTS__ENGINE="azure"), 1)
    assert "azure.key" in said or "--extra azure" in said


def test_a_sample_that_is_not_there_is_one_sentence(shell: Shell) -> None:
    done = shell.run("voices", "clone", "Ana", "nothing.wav")
    assert "nothing.wav" in sentence(done, 1)
    assert done.stdout == ""
