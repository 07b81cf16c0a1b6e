"""Programs that the model shelf asks are given no key and no token of hers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bot.models import machine, wheels

KEY = "canary-in-the-environment-0123456789"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANEEKA_AZURE__KEY", KEY)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_the_graphics_driver_tool_is_told_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\necho "Card of $HOME $ANEEKA_AZURE__KEY, 8192"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join((str(tmp_path), os.environ["PATH"])))
    ((name, memory),) = machine._nvidia_cards()
    assert memory == 8192 * 2**20
    assert name == f"Card of {os.environ['HOME']}"


def test_the_process_that_tries_llama_is_told_none(monkeypatch: pytest.MonkeyPatch) -> None:
    found = "import os, sys; sys.exit(3 if any(name.startswith('ANEEKA_') for name in os.environ) else 0)"
    monkeypatch.setattr(wheels, "ASK", found)
    assert wheels._asked() == 0
