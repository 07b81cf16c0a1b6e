"""The log of decisions goes on, whatever one of them is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.safety.decisions import Decisions
from tests.held_files import Held


async def test_one_that_cannot_be_written_costs_none_of_the_others(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    log = Decisions(file)
    log.note("block", "page", user_id="1", user="half a letter \ud800")
    log.note("block", "page", user_id="2", user="Ana")
    assert [one["user"] for one in await log.about("2")] == ["Ana"]
    log.close()
    assert [json.loads(line)["user_id"] for line in file.read_text("utf-8").splitlines()] == ["2"]


async def test_who_is_forgotten_while_a_file_is_open_elsewhere_is_told_of_and_goes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, held = tmp_path / "decisions.jsonl", Held(monkeypatch)
    log = Decisions(file)
    for person_id in ("1", "2"):
        log.note("block", "page", user_id=person_id, user="Ana")
    await log.about("1")
    file.with_suffix(".old").write_bytes(file.read_bytes())
    held.hold("decisions.old")
    log.forget("1")
    with pytest.raises(PermissionError):
        await log.forgotten()
    assert '"1"' not in file.read_text(), "what can be changed is changed"
    assert len(await log.about("2")) == 2
    held.let_go()
    await log.forgotten()
    assert await log.about("1") == []
    log.forget("2")
    await log.forgotten()
    assert await log.about("2") == []
    log.close()


@pytest.mark.parametrize("asked", [Decisions.close, lambda log: log.forget("nobody")])
async def test_what_could_not_go_is_tried_again_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Callable[[Decisions], None]
) -> None:
    file, held = tmp_path / "decisions.jsonl", Held(monkeypatch)
    log = Decisions(file)
    log.note("block", "page", user_id="1", user="Ana")
    held.hold(file.name)
    log.forget("1")
    assert len(await log.about("1")) == 1
    held.let_go()
    asked(log)
    log.close()
    assert "Ana" not in file.read_text()


def test_a_log_that_cannot_be_put_aside_loses_no_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.safety.decisions.FILE_BYTES", 10)
    Held(monkeypatch).hold("decisions.old")
    log = Decisions(tmp_path / "decisions.jsonl")
    for verb in ("mute", "unmute"):
        log.note(verb, "page")
    log.close()
    assert [json.loads(line)["what"] for line in (tmp_path / "decisions.jsonl").read_text().splitlines()] == [
        "mute",
        "unmute",
    ]
