"""``aneeka setup vtube-studio`` as a user meets it: from the explained question to the saved table."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from avatar.vts_setup import Found, setup
from bot.bodies import PERMIT_FILE
from bot.config import load
from bot.setup.terminal import Terminal
from bot.setup.vtube_studio import setup_vtube_studio
from bot.texts import text
from tests.virtual_time import play
from tests.vtube_studio_server import VTubeStudioServer
from tests.vtube_studio_stage import mira

FILE = """# mine
[avatar]
outputs = ["page", "vmc"]  # where she is

[avatar.vmc]
port = 40000

[chat]
window_s = 2.0
"""
TABLE = {"happy": "Feliz.exp3.json", "sad": "Triste.exp3.json", "angry": "Enojada"}


class User(Terminal):
    """Somebody at a terminal who answers in turn, and then is gone."""

    def __init__(self, *answers: str) -> None:
        super().__init__(self._answer)
        self.lines: list[str] = []
        self._answers = list(answers)

    def _answer(self, question: str) -> str:
        self.lines.append(question)
        if not self._answers:
            raise EOFError
        return self._answers.pop(0)

    def say(self, line: str = "") -> None:
        self.lines.append(line)


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(FILE)


def lead(tmp_path: Path, user: User, *, allowed: bool = True, model: bool = True, elsewhere: bool = False) -> int:
    """Play the whole step against the strict local VTube Studio; its user clicks after a while."""

    async def scene(url: str, token_file: Path, say: Any) -> Found | None:
        studio = VTubeStudioServer(asyncio.get_running_loop().time, mira() if model else None)
        setting_up = asyncio.ensure_future(setup(url, token_file, say, connect=studio.connect, discovery_port=0))
        while not studio.popup:
            await asyncio.sleep(0.1)
        await asyncio.sleep(30)
        studio.allow() if allowed else studio.deny()
        found = await setting_up
        if found is None or not elsewhere:
            return found
        return Found("ws://127.0.0.1:8002", found.model, found.moods, found.offers)

    return setup_vtube_studio(load(None), tmp_path / "data", user, run=play, setup=scene)


def test_the_popup_is_explained_and_the_table_proposed_and_saved(tmp_path: Path) -> None:
    user = User("")
    assert lead(tmp_path, user) == 0
    shown = user.lines
    asked = shown.index(text("vtube_studio.asked_repair"))
    assert shown[0] == text("vts_setup.intro")
    assert asked < shown.index(text("vtube_studio.setup_allowed"))
    assert any("happy" in line and "Feliz.exp3.json" in line for line in shown)
    avatar = load(None).settings.avatar
    assert avatar.outputs == ("page", "vmc", "vtube_studio")
    assert {mood: target for mood, target in avatar.vtube_studio.moods.model_dump().items() if target} == TABLE
    kept = (tmp_path / "config.toml").read_text()
    assert all(line in kept for line in ("# mine", "# where she is", "port = 40000", "window_s = 2.0"))
    assert (tmp_path / "data" / PERMIT_FILE).read_text().startswith("token")
    assert not any("token0" in line for line in shown)


def test_the_table_can_be_changed_and_a_wrong_name_is_asked_again(tmp_path: Path) -> None:
    user = User("n", "sonrisa", "TRISTE.exp3.json", "", "-", "", "", "")
    assert lead(tmp_path, user) == 0
    assert text("vts_setup.unknown_name", name="sonrisa") in user.lines
    moods = load(None).settings.avatar.vtube_studio.moods
    assert (moods.happy, moods.excited, moods.sad, moods.angry) == ("Triste.exp3.json", "-", "-", "Enojada")


def test_a_no_saves_nothing(tmp_path: Path) -> None:
    user = User()
    assert lead(tmp_path, user, allowed=False) == 1
    assert user.lines[-1] == text("vtube_studio.setup_denied")
    assert (tmp_path / "config.toml").read_text() == FILE


def test_without_a_model_the_way_in_is_saved_all_the_same(tmp_path: Path) -> None:
    user = User()
    assert lead(tmp_path, user, model=False, elsewhere=True) == 0
    avatar = load(None).settings.avatar
    assert avatar.vtube_studio.url == "ws://127.0.0.1:8002"
    assert "vtube_studio" in avatar.outputs
    assert avatar.vtube_studio.moods.happy == ""


def test_a_broken_config_is_left_alone_and_the_lines_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.setup.config_file.os.open", _refuse)
    user = User("")
    play_known = partial(lead, tmp_path, user)
    assert play_known() == 1
    assert "[avatar.vtube_studio.moods]" in "\n".join(user.lines)
    assert 'happy = "Feliz.exp3.json"' in "\n".join(user.lines)
    assert (tmp_path / "config.toml").read_text() == FILE


def _refuse(*_: object) -> int:
    raise PermissionError(13, "refused")
