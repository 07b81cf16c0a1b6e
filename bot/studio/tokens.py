"""The studio's tokens: one that may do everything, one that may only watch (OBS), one that works the controls alone."""

from __future__ import annotations

import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

SHORTEST = 16


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """``full`` for the operator and scripts, ``watch`` for OBS pages, ``deck`` for stream decks: control verbs only.

    Never logged: ``repr`` shows none.
    """

    full: str
    watch: str
    deck: str

    def scope(self, given: str) -> str | None:
        """Return ``full``, ``watch``, ``deck`` or ``None`` for a given token, in constant time."""
        given_bytes = given.encode("utf-8", "surrogateescape")
        fits = [name for name, token in asdict(self).items() if hmac.compare_digest(given_bytes, token.encode())]
        return fits[0] if given and fits else None


def load_tokens(folder: Path, chosen: str) -> Tokens:
    """Return the tokens kept in the data folder (made at the first start), so that OBS and stream decks keep working.

    ``chosen``: the config's own token, used instead of the kept one when it is not empty.
    """
    file = folder / "studio_tokens.json"
    kept = _kept(file)
    tokens = Tokens(**{field.name: kept.get(field.name) or secrets.token_urlsafe(24) for field in fields(Tokens)})
    if asdict(tokens) != kept:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(asdict(tokens), out)
        fresh.replace(file)
    return replace(tokens, full=chosen) if chosen else tokens


def _kept(file: Path) -> dict[str, str]:
    """Return what the file holds, or nothing if any of it is no token."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    usable = isinstance(kept, dict) and all(
        isinstance(token, str) and len(token) >= SHORTEST for token in kept.values()
    )
    return kept if usable else {}
