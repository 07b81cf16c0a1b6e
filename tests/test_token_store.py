"""Where logins live: for this user alone, whole or not at all, and in the keyring only when it really keeps them."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from bot.chat import token_store
from bot.chat.token_store import StoreError, Tokens, TokenStore

keyring = pytest.importorskip("keyring")

PAIR = Tokens("access0000000000000000000000", "refresh00000000000000000000000", "client")
NEXT = Tokens("access1111111111111111111111", "refresh11111111111111111111111", "client")


class Ring(keyring.backend.KeyringBackend):  # type: ignore[misc, name-defined]
    """A keyring that works, or does not."""

    priority = 5.0
    hangs: threading.Event | None = None
    broken = forgets = False

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        self._use()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._use()
        if not self.forgets:
            self.kept[service, username] = password

    def _use(self) -> None:
        if self.hangs:
            self.hangs.wait(5)
        if self.broken:
            raise keyring.errors.KeyringLocked("secret access0000000000000000000000")


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    ring = Ring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: ring)
    return ring


@pytest.fixture
def no_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_keyring", keyring.backends.fail.Keyring)


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    made = TokenStore(tmp_path / "secrets")
    made.open()
    return made


def on_disk(store: TokenStore) -> str:
    return "".join(file.read_text() for file in store.folder.iterdir())


@pytest.mark.usefixtures("no_ring")
def test_two_logins_are_kept_apart_and_replaced(store: TokenStore) -> None:
    assert store.read("bot") is None
    store.write("bot", PAIR)
    store.write("channel", NEXT)
    seen = store.stamp("bot")
    assert (store.read("bot"), store.read("channel")) == (PAIR, NEXT)
    store.write("bot", NEXT)
    assert TokenStore(store.folder).read("bot") == NEXT
    assert store.stamp("bot") != seen
    assert PAIR.access not in on_disk(store)
    assert PAIR.access not in repr(PAIR)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of macOS and Linux")
@pytest.mark.usefixtures("no_ring")
def test_nobody_else_can_read_them_and_what_was_opened_is_closed_again(store: TokenStore) -> None:
    store.write("bot", PAIR)
    file = store.folder / "twitch_bot.json"
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    store.folder.chmod(0o755)
    file.chmod(0o644)
    store.open()
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of macOS and Linux")
def test_a_disk_without_owners_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "chmod", lambda self, mode: None)
    (tmp_path / "secrets").mkdir(mode=0o755)
    with pytest.raises(StoreError, match="ANEEKA_DATA_DIR"):
        TokenStore(tmp_path / "secrets").open()


def test_on_windows_the_folder_belongs_to_this_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 0, '"máquina\\ana","S-1-5-21-7-8-9-1001"\r\n'.encode("cp850"))

    monkeypatch.setattr(token_store.sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "run", run)
    folder = tmp_path / "secrets"
    TokenStore(folder).open()
    assert ran[1] == ["icacls", str(folder), "/inheritance:r", "/grant:r", "*S-1-5-21-7-8-9-1001:(OI)(CI)F"]
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(subprocess.CalledProcessError(5, "")))
    with pytest.raises(StoreError):
        TokenStore(folder).open()


@pytest.mark.usefixtures("no_ring")
@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', '{"access": "a"}', "\x00" * 300, "ñ"])
def test_a_damaged_file_is_no_login_and_no_crash(store: TokenStore, content: str) -> None:
    (store.folder / "twitch_bot.json").write_text(content, encoding="utf-8")
    (store.folder / "twitch_bot.new").write_text(content, encoding="utf-8")
    assert store.read("bot") is None
    store.write("bot", PAIR)
    assert store.read("bot") == PAIR


@pytest.mark.usefixtures("no_ring")
def test_a_write_that_was_cut_off_after_its_last_byte_counts(store: TokenStore) -> None:
    store.write("bot", PAIR)
    store.write("channel", NEXT)
    (store.folder / "twitch_channel.json").rename(store.folder / "twitch_bot.new")
    with store.lock:
        other = threading.Thread(target=lambda: seen.append(TokenStore(store.folder).read("bot")))
        seen: list[Tokens | None] = []
        other.start()
        other.join()
        assert seen == [PAIR], "the writer is still at it"
    assert store.read("bot") == NEXT
    assert not (store.folder / "twitch_bot.new").exists()


def test_a_keyring_keeps_them_and_the_disk_does_not(store: TokenStore, ring: Ring) -> None:
    store.write("bot", PAIR)
    store.write("channel", NEXT)
    assert (store.read("bot"), store.read("channel")) == (PAIR, NEXT)
    assert store.in_keyring("bot")
    assert "access" not in on_disk(store)
    assert len(ring.kept) == 2
    store.rehearse("bot")
    assert store.read("bot") == PAIR
    elsewhere = TokenStore(store.folder.parent / "elsewhere")
    elsewhere.open()
    assert elsewhere.read("bot") is None


@pytest.mark.parametrize("fault", ["broken", "forgets", "hangs", "plain"])
def test_a_keyring_that_fails_costs_no_login(
    store: TokenStore, ring: Ring, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setattr(token_store, "KEYRING_S", 0.05)
    store.write("bot", PAIR)
    done = threading.Event()
    values: dict[str, Any] = {"broken": True, "forgets": True, "hangs": done, "plain": 0.5}
    setattr(ring, "priority" if fault == "plain" else fault, values[fault])
    store.write("bot", NEXT)
    assert store.read("bot") == NEXT
    assert not store.in_keyring("bot")
    assert "access" not in caplog.text
    done.set()


def test_a_locked_keyring_is_told_and_not_taken_for_no_login(store: TokenStore, ring: Ring) -> None:
    store.write("bot", PAIR)
    ring.broken = True
    with pytest.raises(StoreError):
        store.read("bot")
    ring.broken = False
    assert store.read("bot") == PAIR


@pytest.mark.usefixtures("no_ring")
def test_what_is_kept_is_a_pair_and_nothing_else(store: TokenStore) -> None:
    store.write("bot", PAIR)
    kept = json.loads((store.folder / "twitch_bot.json").read_text())
    assert set(kept) == {"access", "refresh", "client_id", "replaces"}
