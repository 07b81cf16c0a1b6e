"""Where the logins live: in the system's keyring if there is one, else in a file that only this user can read.

A new pair is first written to the file, whole (temporary file, fsync, rename), and only then handed to the keyring:
a keyring that is locked, slow or gone can cost its comfort, never the login.

The file stands in a folder of its own, which is closed to other users: mode 0700 on macOS and Linux (and 0600 for the
file), an access list with this user alone on Windows (``icacls``), which every file made inside inherits.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bot import redaction
from bot.chat.twitch_words import Who
from bot.config.paths import make_private
from bot.files import take_place
from bot.texts import text

log = logging.getLogger(__name__)

LOCK_S = 120.0
"""How long to wait for another process that is at the logins; one that has died holds no lock."""
KEYRING_S = 10.0
"""How long the keyring may take; a locked one asks the user, who may not be there."""


class StoreError(Exception):
    """The logins cannot be read or kept. Its text is for people and holds no secret."""


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """A login: the pair, the app it belongs to, and the pair of the settings that it took the place of."""

    access: str
    refresh: str
    client_id: str
    replaces: str = ""
    """``fingerprint`` of ``twitch.access_token`` and ``twitch.refresh_token`` as they stood when this was made."""


def fingerprint(*secrets: str) -> str:
    """Return what tells secrets apart without giving them away."""
    return hashlib.sha256("\n".join(secrets).encode()).hexdigest()[:32]


class TokenStore:
    """The logins of the bot and of the channel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = FileLock(folder / "twitch.lock", timeout=LOCK_S)
        """To be held from reading a pair to writing the one that it was exchanged for. Raises ``Timeout``."""

    def open(self) -> None:
        """Make the folder, or close it again if others can read it. Raises ``StoreError``."""
        try:
            make_private(self.folder)
            _close_to_others(self.folder)
            for file in self.folder.glob("*.json"):
                file.chmod(0o600)
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("the folder of the logins cannot be closed to others: %s", type(error).__name__)
            raise StoreError(text("twitch_login.folder", folder=self.folder)) from None

    def stamp(self, who: Who) -> tuple[int, int] | None:
        """Return something that changes with every write, without reading a secret; ``None`` without a login."""
        try:
            found = self._file(who).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def in_keyring(self, who: Who) -> bool:
        """Whether reading has to ask the keyring, which can take its time."""
        return _parsed(self._file(who)).get("kept_in") == "keyring"

    def read(self, who: Who) -> Tokens | None:
        """Return a login, or ``None``. Raises ``StoreError`` when the keyring does not give it away."""
        self._finish(who)
        record = _parsed(self._file(who))
        if record.get("kept_in") == "keyring":
            kept = _in_time(lambda ring: ring.get_password("Aneeka", self._name(who)))
            if not kept:
                raise StoreError(text("twitch_login.keyring"))
            record = _as_record(kept)
        try:
            tokens = Tokens(*(str(record[field]) for field in Tokens.__slots__))
        except KeyError:
            return None
        redaction.know((tokens.access, tokens.refresh))
        return tokens

    def write(self, who: Who, tokens: Tokens) -> None:
        """Keep a login: when this returns, it is on the disk or in the keyring. Raises ``StoreError``."""
        redaction.know((tokens.access, tokens.refresh))
        content = json.dumps(asdict(tokens))
        try:
            with self.lock:
                self._put(who, content)
                if _in_time(lambda ring: _handed_over(ring, self._name(who), content)):
                    self._put(who, json.dumps({"kept_in": "keyring"}))
        except (OSError, Timeout) as error:
            log.warning("a login was not kept: %s", type(error).__name__)
            raise StoreError(text("twitch_login.not_kept", folder=self.folder)) from None

    def rehearse(self, who: Who) -> None:
        """Write what is there already, so that a full disk is known of before a token is spent. Raises ``OSError``."""
        self._put(who, self._file(who).read_text(encoding="ascii"))

    def _file(self, who: Who) -> Path:
        return self.folder / f"twitch_{who}.json"

    def _name(self, who: Who) -> str:
        return f"twitch {who} {self.folder}"

    def _put(self, who: Who, content: str) -> None:
        file = self._file(who)
        fresh = file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        _rename(fresh, file)

    def _finish(self, who: Who) -> None:
        """A write that was cut off after its last byte is completed: what it holds is newer than the file."""
        fresh = self._file(who).with_suffix(".new")
        if fresh.exists():
            with contextlib.suppress(Timeout, OSError), self.lock.acquire(timeout=0):
                if _parsed(fresh):
                    _rename(fresh, self._file(who))


def _rename(fresh: Path, file: Path) -> None:
    take_place(fresh, file)
    if sys.platform != "win32":
        handle = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _parsed(file: Path) -> dict[str, Any]:
    try:
        return _as_record(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return {}


def _as_record(content: str) -> dict[str, Any]:
    try:
        record = json.loads(content)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _close_to_others(folder: Path) -> None:
    """Raises ``OSError`` or ``SubprocessError`` where the disk knows no owners, such as an exFAT stick."""
    if sys.platform == "win32":
        # By number: names of users can hold letters that a console's code page has not.
        who = subprocess.run(["whoami", "/user", "/fo", "csv", "/nh"], capture_output=True, check=True, timeout=30)
        number = who.stdout.decode("ascii", "replace").strip().rpartition(",")[2].strip('"')
        closed = ["icacls", str(folder), "/inheritance:r", "/grant:r", f"*{number}:(OI)(CI)F"]
        subprocess.run(closed, capture_output=True, check=True, timeout=30)
        return
    folder.chmod(0o700)
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        raise PermissionError


# ---------------------------------------------------------------------- the keyring


def _in_time(use: Callable[[Any], Any]) -> Any:
    """Return what the keyring answers; ``None`` without one, when it fails, and when it takes too long."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            ring = importlib.import_module("keyring").get_keyring()
            if ring.priority >= 1:  # below that: no keyring at all, or one that keeps plain text
                answers.append(use(ring))
        except Exception as error:  # each system's own kind
            log.info("no keyring: %s", type(error).__name__)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(KEYRING_S)
    return answers[0] if answers else None


def _handed_over(ring: Any, name: str, content: str) -> bool:
    ring.set_password("Aneeka", name, content)
    return bool(ring.get_password("Aneeka", name) == content)
