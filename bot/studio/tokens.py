"""The studio's tokens: one that may do everything, one that may only watch (for OBS pages)."""

from __future__ import annotations

import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """``full`` for the operator and scripts, ``watch`` for OBS pages. Never logged: ``repr`` shows none."""

    full: str
    watch: str

    def scope(self, given: str) -> str | None:
        """Return ``full``, ``watch`` or ``None`` for a given token, in constant time."""
        given_bytes = given.encode("utf-8", "surrogateescape")
        full = hmac.compare_digest(given_bytes, self.full.encode())
        watch = hmac.compare_digest(given_bytes, self.watch.encode())
        return "full" if full else "watch" if watch else None


def load_tokens(folder: Path, chosen: str) -> Tokens:
    """Return the tokens kept in the data folder (made at the first start), so that OBS and stream decks keep working.

    ``chosen``: the config's own token, used instead of the kept one when it is not empty.
    """
    file = folder / "studio_tokens.json"
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        tokens = Tokens(str(kept["full"]), str(kept["watch"]))
        if min(len(tokens.full), len(tokens.watch)) < 16:
            raise ValueError(file)
    except (OSError, ValueError, KeyError, TypeError):
        tokens = Tokens(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
        folder.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump({"full": tokens.full, "watch": tokens.watch}, out)
        fresh.replace(file)
    return Tokens(chosen or tokens.full, tokens.watch)
