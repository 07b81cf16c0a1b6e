"""Where things live on this machine: the data folder (memory, recordings, tokens, models) and the config folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bot.config.errors import ConfigErrors, Problem
from bot.texts import text

DATA_DIR_VARIABLE = "ANEEKA_DATA_DIR"


def data_dir() -> Path:
    """Return the data folder, made if it was missing: ``ANEEKA_DATA_DIR``, or the user's own for this system.

    A folder made here, and the user's own always, is closed to other users (``make_private``). Raises ``ConfigErrors``.
    """
    chosen = os.environ.get(DATA_DIR_VARIABLE, "").strip()
    try:
        folder = (
            Path(chosen).expanduser().absolute()
            if chosen
            else _user_dir("LOCALAPPDATA", "XDG_DATA_HOME", ".local/share")
        )
        is_new = not folder.exists()
        make_private(folder)
        if is_new or not chosen:
            folder.chmod(0o700)
        probe = folder / ".probe"
        probe.write_text("", encoding="utf-8")
        probe.unlink(missing_ok=True)  # another program of ours may have looked at the same time
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigErrors(
            [
                Problem(
                    key=DATA_DIR_VARIABLE,
                    found=text("config.found_unusable", reason=getattr(error, "strerror", None) or str(error)),
                    wanted=text("config.wanted_folder"),
                    suggestion=text("config.suggest_folder", variable=DATA_DIR_VARIABLE),
                    where=chosen or DATA_DIR_VARIABLE,
                )
            ]
        ) from None
    return folder


def make_private(folder: Path) -> None:
    """Make a folder that is missing, closed to other users; on Windows as closed as the folder it lies in.

    The user's profile is closed there already, and what an administrator makes with 0o700 belongs to administrators:
    the same user would be locked out of it without that role. Raises ``OSError``.
    """
    folder.mkdir(mode=0o777 if sys.platform == "win32" else 0o700, parents=True, exist_ok=True)


def config_dir() -> Path:
    """Return the folder of the user's own ``config.toml`` on this system; it may be missing."""
    return _user_dir("APPDATA", "XDG_CONFIG_HOME", ".config")


def _user_dir(windows: str, xdg: str, linux: str) -> Path:
    """Return the user's folder named by a Windows or an XDG variable, or its usual place."""
    if sys.platform == "win32":
        usual = Path.home() / "AppData" / ("Roaming" if windows == "APPDATA" else "Local")
        return Path(os.environ.get(windows) or usual) / "aneeka"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "aneeka"
    named = Path(os.environ.get(xdg, ""))
    return (named if named.is_absolute() else Path.home() / linux) / "aneeka"  # relative ones are void by the XDG rules
