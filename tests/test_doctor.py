"""``aneeka doctor`` finds what is configured and does not work: the channel, the recordings, the keys."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.config.settings import Settings
from bot.doctor import as_lines, examine
from bot.vocabulary import Health
from tests.local_twitch import LocalTwitch
from tests.test_hotkey import desktop
from tests.test_twitch_live import SCOPES, section

__all__ = ["desktop"]

NOBODY = "127.0.0.1:9"
Examine = Callable[..., Awaitable[dict[str, Health]]]


@pytest.fixture
async def twitch() -> AsyncIterator[LocalTwitch]:
    async with LocalTwitch() as local:
        yield local


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Run the doctor with a config of sections; return every light."""
    monkeypatch.setenv("ANEEKA_DATA_DIR", str(tmp_path / "data"))

    async def run(**sections: dict[str, Any]) -> dict[str, Health]:
        quick: dict[str, Any] = {
            "stage": {"sound": "none"},
            "llm": {"engine": "understudy"},
            "stt": {"engine": "off"},
            "studio": {"port": 0},
        }
        settings = Settings(**(quick | sections))
        checks = await examine(settings, [])
        for secret in (settings.twitch.access_token, settings.twitch.refresh_token):
            assert len(secret.get_secret_value()) < 8 or secret.get_secret_value() not in "\n".join(as_lines(checks))
        assert all(check.reason and check.repair for check in checks if check.state == "down")
        return {check.part: check for check in checks}

    return run


async def test_a_login_that_works_is_well_and_one_that_has_ended_is_renewed(
    found: Examine, twitch: LocalTwitch
) -> None:
    chosen = section(twitch)
    lights = await found(twitch=chosen)
    assert (lights["twitch"].state, lights["twitch"].serving) == ("ok", twitch.channel.login)
    assert lights["twitch_bot"].state == "ok"
    twitch.expire(chosen["access_token"])
    assert (await found(twitch=chosen))["twitch"].state == "ok"
    assert twitch.refreshes == 1
    assert not twitch.rewards.made
    assert not twitch.helix.sent


async def test_no_login_and_one_that_twitch_refuses_are_told(found: Examine, twitch: LocalTwitch) -> None:
    chosen = section(twitch)
    lights = await found(twitch={**chosen, "access_token": "", "refresh_token": ""})
    assert (lights["twitch"].state, lights["twitch_bot"].state) == ("down", "down")
    assert "aneeka setup twitch" in lights["twitch"].repair
    twitch.revoke(chosen["access_token"])
    lights = await found(twitch=chosen)
    assert (lights["twitch"].state, lights["twitch_bot"].state) == ("down", "down")
    assert "aneeka setup twitch" in lights["twitch"].repair


async def test_a_login_that_may_not_read_chat_is_told(found: Examine, twitch: LocalTwitch) -> None:
    access, refresh = twitch.grant(twitch.channel, [scope for scope in SCOPES if scope != "user:read:chat"])
    light = (await found(twitch=section(twitch, access_token=access, refresh_token=refresh)))["twitch"]
    assert light.state == "down"
    assert "user:read:chat" in light.reason


@pytest.mark.parametrize("key", ["api_url", "auth_url", "eventsub_url"])
async def test_an_address_where_nobody_answers_is_told(found: Examine, twitch: LocalTwitch, key: str) -> None:
    scheme = "ws" if key == "eventsub_url" else "http"
    light = (await found(twitch=section(twitch, **{key: f"{scheme}://{NOBODY}"})))["twitch"]
    assert light.state == "down"
    assert f"{key}" in light.repair


async def test_without_a_data_folder_no_login_is_left_elsewhere(
    found: Examine, twitch: LocalTwitch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in the way").write_text("")
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("ANEEKA_DATA_DIR", str(tmp_path / "in the way" / "data"))
    monkeypatch.chdir(tmp_path / "here")
    lights = await found(twitch=section(twitch))
    assert lights["data"].state == "down"
    assert "recorder" not in lights, "nobody knows where it would write"
    assert not list((tmp_path / "here").iterdir())


async def test_the_anonymous_reader_s_chat_is_tried(found: Examine, twitch: LocalTwitch) -> None:
    chosen = {"mode": "anonymous", "channel": twitch.channel.login}
    lights = await found(twitch={**chosen, "irc_url": twitch.irc_url})
    assert lights["twitch"].state == "ok"
    assert twitch.channel.login in lights["twitch"].serving
    assert (await found(twitch={**chosen, "irc_url": f"ws://{NOBODY}"}))["twitch"].state == "down"


async def test_a_folder_for_sounds_that_cannot_be_written_is_told(found: Examine, tmp_path: Path) -> None:
    lights = await found(stage={"sound": "none", "record": str(tmp_path / "sounds" / "of hers")})
    assert lights["recorder"].state == "ok"
    assert "twitch" not in lights
    assert not (tmp_path / "sounds").exists(), "looking leaves nothing behind"
    (tmp_path / "sounds").write_text("in the way")
    light = (await found(stage={"sound": "none", "record": str(tmp_path / "sounds" / "of hers")}))["recorder"]
    assert light.state == "down"
    assert "of hers" in light.reason
    assert "stage.record" in light.repair


KEYS: dict[str, Any] = {
    "safety": {"panic_hotkey": "f12"},
    "stt": {"engine": "whisper"},
    "audio": {"mode": "push_to_talk", "push_to_talk_key": "f9"},
}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a desktop")
async def test_keys_that_cannot_be_seen_here_are_told(found: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    lights = await found(**KEYS)
    assert (lights["panic_key"].state, lights["hotkey"].state) == ("down", "down")
    assert "safety.panic_hotkey" in lights["panic_key"].repair
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: find(name, *more) if name != "pynput" else None
    )
    lights = await found(safety=KEYS["safety"])
    assert "hotkey" in lights["panic_key"].repair
    assert "hotkey" not in lights, "no key to talk is set"


async def test_keys_that_can_be_seen_are_well(desktop: None, found: Examine) -> None:
    pytest.importorskip("pynput", exc_type=ImportError)
    lights = await found(**KEYS)
    assert (lights["panic_key"].state, lights["hotkey"].state) == ("ok", "ok")
