"""A file that is written anew takes the place of the old one, also where others hold files for a moment."""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path

import pytest

from bot import files
from bot.chat.regulars import Regulars
from bot.config.settings import Settings
from bot.safety.blocks import Blocks
from bot.vocabulary import Person
from bot.voice.choice import VoiceChoice, recall, remember
from tests.held_files import Held


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    """Windows, without waiting."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(files, "AGAIN_S", 0.0)
    return Held(monkeypatch)


def test_a_scanner_that_looks_into_a_file_costs_nothing(tmp_path: Path, held: Held) -> None:
    blocks = Blocks(tmp_path / "blocked.json")
    blocks.block("1", "Anabel")
    held.hold("blocked.json", tries=2)
    blocks.save()
    assert held.tries == 3
    assert Blocks(tmp_path / "blocked.json").names() == {"1": "Anabel"}


def test_a_scanner_does_not_cost_the_voice_that_was_chosen(tmp_path: Path, held: Held) -> None:
    held.hold("in_use.json", tries=2)
    remember(VoiceChoice("piper", "es_MX-claude-high"), Settings(), tmp_path)
    assert recall(Settings(), tmp_path).tts.voice == "es_MX-claude-high"


def test_what_is_held_for_long_is_told_and_left_as_it_was(
    tmp_path: Path, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = Blocks(tmp_path / "blocked.json")
    blocks.block("1", "Anabel")
    blocks.save()
    blocks.unblock("1")
    monkeypatch.setattr(files, "HELD_S", 0.0)
    held.hold("blocked.json")
    with pytest.raises(PermissionError):
        blocks.save()
    assert Blocks(tmp_path / "blocked.json").names() == {"1": "Anabel"}


def test_elsewhere_a_folder_that_is_closed_is_told_at_once(
    tmp_path: Path, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    blocks = Blocks(tmp_path / "blocked.json")
    blocks.block("1", "Anabel")
    held.hold("blocked.json")
    with pytest.raises(PermissionError):
        blocks.save()
    assert held.tries == 1


def test_who_is_blocked_while_the_list_is_written_is_kept_too(tmp_path: Path) -> None:
    blocks = Blocks(tmp_path / "blocked.json")

    class Meanwhile(dict[str, str]):
        """Another thread writes the list just before a name comes or goes."""

        def __setitem__(self, person_id: str, name: str) -> None:
            blocks.save()
            super().__setitem__(person_id, name)

        def __delitem__(self, person_id: str) -> None:
            blocks.save()
            super().__delitem__(person_id)

    blocks._names = Meanwhile()
    blocks.block("1", "Anabel")
    blocks.save()
    assert Blocks(tmp_path / "blocked.json").names() == {"1": "Anabel"}
    blocks.unblock("1")
    blocks.save()
    assert Blocks(tmp_path / "blocked.json").names() == {}


def test_who_is_forgotten_while_the_book_is_written_is_not_kept(tmp_path: Path) -> None:
    regulars = Regulars(tmp_path / "regulars.json", lambda: 0.0)
    regulars.is_newcomer(Person("4711", "Anabel"))

    class Meanwhile(OrderedDict[str, None]):
        """Another thread writes the book just before somebody goes."""

        def __delitem__(self, person_id: str) -> None:
            regulars.save()
            super().__delitem__(person_id)

    regulars._ids = Meanwhile(regulars._ids)
    regulars.forget("4711")
    regulars.save()
    assert "4711" not in (tmp_path / "regulars.json").read_text()
