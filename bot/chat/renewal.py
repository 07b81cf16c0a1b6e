"""Exchanges an old pair of tokens for a new one, in a process of its own that outlives a crash of hers.

A public app's refresh token is good once. Whoever dies between Twitch's answer and the write has lost the login; so
this is done by a small process with nothing else to do: ``kill -9`` of Aneeka, at whatever step, does not stop it. It
reads the old pair from the store and leaves the new one there, which makes it kept before anybody can use it, and it
holds the store's lock meanwhile, so that two Aneekas never spend the same token twice.

What cannot be saved: the whole machine, or this process too, ends between Twitch's decision and the end of the write
(the answer's way through the network and some milliseconds). The old access token then still lives for as long as it
had, which is half of its life, since ``bot.chat.login`` renews that early.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import aiohttp
from filelock import Timeout

from bot.chat.oauth import OAuth
from bot.chat.token_store import StoreError, TokenStore, fingerprint
from bot.chat.twitch_words import TwitchBusy, TwitchRefused, Who
from bot.children import environment
from bot.texts import text

Renew = Callable[[Who, str], Awaitable[None]]
"""Sees to it that the store has a newer pair than the one whose access token has this fingerprint.

Raises ``TwitchRefused`` (the login is lost), ``TwitchBusy`` (later perhaps).
"""

DONE, REFUSED, BUSY = 0, 3, 4
LOOK_S = 0.05


async def renew(store: TokenStore, oauth: OAuth, who: Who, dead: str) -> None:
    """Do it here and now. Nothing may come between Twitch's answer and the write: no ``await``, no other work."""
    try:
        with store.lock:
            tokens = store.read(who)
            if tokens is None or not tokens.refresh:
                raise TwitchRefused(400, text("twitch_login.no_refresh"))
            if fingerprint(tokens.access) != dead:
                return
            store.rehearse(who)
            store.write(who, await oauth.refresh(tokens))
    except (OSError, StoreError, Timeout):
        raise TwitchBusy(text("twitch_login.not_kept", folder=store.folder)) from None


def in_own_process(folder: Path, auth_url: str, client_id: str) -> Renew:
    """Return a ``Renew`` that has it done by this module as a program. No secret is on its command line."""

    async def renew_there(who: Who, dead: str) -> None:
        arguments = [who, str(folder), auth_url, client_id, dead]
        try:
            child = _spawn(arguments)
        except OSError:
            raise TwitchBusy(text("twitch_login.no_process")) from None
        while child.poll() is None:  # noqa: ASYNC110 - asyncio's own children are killed when the loop ends
            await asyncio.sleep(LOOK_S)
        if child.returncode == REFUSED:
            raise TwitchRefused(400, text("twitch_login.no_refresh"))
        if child.returncode != DONE:
            raise TwitchBusy(text("twitch_login.not_renewed"))

    return renew_there


def _spawn(arguments: list[str]) -> subprocess.Popen[bytes]:
    windows = ("CREATE_NO_WINDOW", "CREATE_NEW_PROCESS_GROUP")
    return subprocess.Popen(
        # Not the current folder, which may hold modules of any name, but this very program.
        [sys.executable, "-P", "-m", "bot.chat.renewal", *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=sum(getattr(subprocess, flag, 0) for flag in windows),
    )


async def _main(who: Who, folder: str, auth_url: str, client_id: str, dead: str) -> int:
    async with aiohttp.ClientSession() as session:
        try:
            await renew(TokenStore(Path(folder)), OAuth(auth_url, client_id, session), who, dead)
        except TwitchRefused:
            return REFUSED
        except TwitchBusy:
            return BUSY
    return DONE


if __name__ == "__main__":
    for _asked in ("SIGINT", "SIGTERM", "SIGHUP"):  # who ends her politely (a closed terminal, systemd) ends not this
        if hasattr(signal, _asked):
            signal.signal(getattr(signal, _asked), signal.SIG_IGN)
    _who, *_rest = sys.argv[1:]
    sys.exit(asyncio.run(_main(cast(Who, _who), *_rest)))
