"""The studio's tokens: one that may do everything, one that may only watch (OBS), one that works the controls alone."""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from bot import redaction
from bot.files import take_place

SHORTEST = 16
RANDOM_BYTES = 24
RANDOM_LETTERS = 32
"""Letters of a token that was not chosen but drawn."""


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """``full`` for the operator and scripts, ``watch`` for OBS pages, ``deck`` for stream decks: control verbs only.

    Never logged: ``repr`` shows none.
    """

    full: str
    watch: str
    deck: str

    @property
    def guessable(self) -> bool:
        """Whether somebody chose the full token so short that it might be found by trying."""
        return len(self.full) < RANDOM_LETTERS

    @property
    def cookie(self) -> str:
        """What the operator's browser keeps: the full token, or what nobody can guess in its place."""
        if not self.guessable:
            return self.full
        return hmac.digest((self.watch + self.deck).encode(), self.full.encode(), "sha256").hex()

    def scope(self, given: str) -> str | None:
        """Return ``full``, ``watch``, ``deck`` or ``None`` for a given token, in constant time."""
        given_bytes = given.encode("utf-8", "surrogateescape")
        fits = [name for name, token in asdict(self).items() if hmac.compare_digest(given_bytes, token.encode())]
        return fits[0] if given and fits else None

    def is_cookie(self, given: str) -> bool:
        """Whether this is the operator's cookie, in constant time."""
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self.cookie.encode())


def load_tokens(folder: Path, chosen: str) -> Tokens:
    """Return the tokens kept in the data folder (made at the first start), so that OBS and stream decks keep working.

    ``chosen``: the config's own token, used instead of the kept one when it is not empty.
    """
    file = folder / "studio_tokens.json"
    kept = _kept(file)
    tokens = Tokens(
        **{field.name: kept.get(field.name) or secrets.token_urlsafe(RANDOM_BYTES) for field in fields(Tokens)}
    )
    if asdict(tokens) != kept:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(asdict(tokens), out)
        take_place(fresh, file)
    if os.name == "posix":
        with contextlib.suppress(OSError):  # somebody else's, or on a disk without owners
            file.chmod(0o600)
    tokens = replace(tokens, full=chosen) if chosen else tokens
    redaction.know((*asdict(tokens).values(), tokens.cookie))
    return tokens


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
