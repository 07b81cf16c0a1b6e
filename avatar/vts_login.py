"""Being let in by VTube Studio: one pop-up in the plugin's life, and a token that only the user can read."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from avatar.vts_client import DENIED, POPUP_BUSY, VtsClient, VtsError

log = logging.getLogger(__name__)

PLUGIN = {"pluginName": "Aneeka", "pluginDeveloper": "Aneeka project"}
"""VTube Studio knows the token by these names: they never change."""
TOKEN_MAX = 64
POPUP_BUSY_S = 10.0
"""How long to wait while another plugin's pop-up is open."""
IGNORED_S = 300.0
"""After this long nobody seems to have seen the pop-up. It stays open, and its answer still counts."""

Asking = Literal["asked", "ignored", "other_popup"]


class Denied(Exception):
    """The user said no. Asking again is the user's decision."""


class TokenFile:
    """Keeps the token in a file of mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str:
        """Return the token, or an empty text."""
        try:
            token = self._path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""
        return token if len(token) <= TOKEN_MAX else ""

    def write(self, token: str) -> None:
        """Keep a token. A disk that refuses costs one more pop-up at the next start, and is logged."""
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as out:
                out.write(token)
            fresh.replace(self._path)
        except OSError as error:
            log.warning("the token of VTube Studio was not kept in %s: %s", self._path, error)

    def delete(self) -> None:
        """Forget the token."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the token of VTube Studio was not deleted from %s: %s", self._path, error)


async def log_in(client: VtsClient, tokens: TokenFile, on_asking: Callable[[Asking], None]) -> None:
    """Authenticate; ask the user once where no token is known. Waits for the user as long as it takes.

    Raises ``Denied``, ``VtsError``, ``ConnectionError`` or ``TimeoutError``.
    """
    token = tokens.read()
    if token:
        if await _authenticate(client, token):
            return
        tokens.delete()
    token = await _ask(client, on_asking)
    tokens.write(token)
    if not await _authenticate(client, token):
        tokens.delete()
        raise Denied


async def _authenticate(client: VtsClient, token: str) -> bool:
    answer = await client.request("AuthenticationRequest", {**PLUGIN, "authenticationToken": token})
    return answer.get("authenticated") is True


async def _ask(client: VtsClient, on_asking: Callable[[Asking], None]) -> str:
    while True:
        on_asking("asked")
        answering = asyncio.ensure_future(client.request("AuthenticationTokenRequest", dict(PLUGIN), timeout_s=None))
        try:
            if not (await asyncio.wait({answering}, timeout=IGNORED_S))[0]:
                on_asking("ignored")
            return str((await answering)["authenticationToken"])
        except VtsError as error:
            if error.error_id == DENIED:
                raise Denied from None
            if error.error_id != POPUP_BUSY:
                raise
        except KeyError:
            raise VtsError(0, "a token answer without a token") from None
        finally:
            answering.cancel()
        on_asking("other_popup")
        await asyncio.sleep(POPUP_BUSY_S)
