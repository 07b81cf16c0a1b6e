"""The log of decisions goes on, whatever one of them is."""

from __future__ import annotations

import json
from pathlib import Path

from bot.safety.decisions import Decisions


async def test_one_that_cannot_be_written_costs_none_of_the_others(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    log = Decisions(file)
    log.note("block", "page", user_id="1", user="half a letter \ud800")
    log.note("block", "page", user_id="2", user="Ana")
    assert [one["user"] for one in await log.about("2")] == ["Ana"]
    log.close()
    assert [json.loads(line)["user_id"] for line in file.read_text("utf-8").splitlines()] == ["2"]
