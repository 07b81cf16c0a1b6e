"""``aneeka setup twitch``: which channel, which app, and a sign-in for each account that she needs.

The accounts are asked for by name first. A code that somebody else typed, or the wrong account in the browser, is
therefore noticed and refused before anything is saved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from bot.chat.login import BOT_SCOPES, CHANNEL_SCOPES, DELETE_SCOPE
from bot.chat.oauth import DeviceCode, OAuth
from bot.chat.token_store import StoreError, Tokens, TokenStore, fingerprint
from bot.chat.twitch_http import ask
from bot.chat.twitch_words import TwitchBusy, TwitchRefused, Who
from bot.config import Loaded
from bot.config.channel import Twitch
from bot.config.kinds import channel_name
from bot.config.paths import config_dir
from bot.setup.config_file import NotSaved, save
from bot.setup.terminal import NoAnswer, Terminal
from bot.texts import text

WELL, FAILED = 0, 1
TICK_S = 1.0
SHORTEST_S = 1.0
"""Twitch is never asked more often than this for a code."""
CONSOLE = "https://dev.twitch.tv/console/apps"
BAD_APP = (400, 403, 404)
"""What Twitch answers to a client id that it does not know."""


@dataclass(frozen=True, slots=True)
class Account:
    """One sign-in: for what, as whom, and what it must allow."""

    who: Who
    login: str
    scopes: tuple[str, ...]


class _BadApp(Exception):
    """Twitch knows no such client id, or it is not a public one."""


Run = Callable[[Coroutine[Any, Any, Any]], Any]


def setup_twitch(loaded: Loaded, data: Path, terminal: Terminal | None = None, run: Run = asyncio.run) -> int:
    """Lead the user through it. Return the exit code; what went wrong has been told.

    Questions are asked outside ``run``, so that Ctrl-C ends them at once.
    """
    terminal = terminal or Terminal()
    try:
        return _Setup(loaded, data, terminal, run).lead()
    except NoAnswer:
        terminal.say(text("twitch_setup.no_answer"))
    except TwitchRefused as refused:
        terminal.say(refused.reason)
    except StoreError as problem:
        terminal.say(str(problem))
    return FAILED


class _Setup:
    def __init__(self, loaded: Loaded, data: Path, terminal: Terminal, run: Run) -> None:
        self._loaded = loaded
        self._known: Twitch = loaded.settings.twitch
        self._store = TokenStore(data / "secrets")
        self._terminal = terminal
        self._run = run
        self._client_id = self._known.client_id

    def lead(self) -> int:
        self._store.open()
        say, asked = self._terminal.say, self._terminal.ask
        say(text("twitch_setup.intro"))
        channel = self._name("ask_channel", self._known.channel)
        say(text("twitch_setup.about_account"))
        login = self._name("ask_account", channel)
        say(text("twitch_setup.about_app", console=CONSOLE))
        self._client_id = asked(text("twitch_setup.ask_client_id"), self._client_id)
        if login == channel:
            self._sign_in(Account("bot", channel, BOT_SCOPES + CHANNEL_SCOPES), channel)
        else:
            self._sign_in(Account("bot", login, (*BOT_SCOPES, DELETE_SCOPE)), channel)
            say()
            if self._terminal.agrees(text("twitch_setup.ask_channel_too")):
                self._sign_in(Account("channel", channel, CHANNEL_SCOPES), channel)
        return self._save({"mode": "eventsub", "channel": channel, "client_id": self._client_id})

    def _name(self, question: str, default: str) -> str:
        while True:
            answer = self._terminal.ask(text(f"twitch_setup.{question}"), default)
            try:
                name = channel_name(answer)
            except ValueError:
                name = ""
            if name:
                return name
            self._terminal.say(text("twitch_setup.bad_name"))
            default = ""

    def _sign_in(self, account: Account, channel: str) -> None:
        """Ask until the right account has agreed, and keep its login."""
        say, asked = self._terminal.say, self._terminal.ask
        say()
        say(text("twitch_setup.scopes", login=account.login))
        for scope in account.scopes:
            say("  - " + text(f"twitch_setup.scope_{scope.replace(':', '_')}"))
        while True:
            try:
                if self._run(self._tried(account, channel)):
                    return
                asked(text("twitch_setup.again"))
            except TwitchBusy as busy:
                say(busy.reason)
                asked(text("twitch_setup.again"))
            except _BadApp:
                say(text("twitch_setup.bad_client_id"))
                self._client_id = asked(text("twitch_setup.ask_client_id"))

    async def _tried(self, account: Account, channel: str) -> bool:
        """Show one code and wait for it; test what comes, and keep it if it is right."""
        say, known = self._terminal.say, self._known
        async with aiohttp.ClientSession() as session:
            oauth = OAuth(known.auth_url, self._client_id, session)
            try:
                code = await oauth.device_code(account.scopes)
            except TwitchRefused as refused:
                raise (_BadApp() if refused.status in BAD_APP else refused) from None
            say()
            say(text("twitch_setup.open", login=account.login))
            say(f"    {code.link}")
            say(text("twitch_setup.type", code=code.code))
            say(text("twitch_setup.hide"))
            tokens = await waited(oauth, code, self._terminal)
            if tokens is None:
                say(text("twitch_setup.over"))
                return False
            valid = await oauth.validate(tokens.access)
            if valid.login != account.login or not valid.scopes.issuperset(account.scopes):
                say(text("twitch_setup.wrong_account", login=valid.login, wanted=account.login))
                return False
            await self._exists(session, tokens, channel)
        given = known.access_token.get_secret_value(), known.refresh_token.get_secret_value()
        self._store.write(account.who, replace(tokens, replaces=fingerprint(*given)))
        say(text("twitch_setup.signed_in", login=account.login))
        return True

    async def _exists(self, session: aiohttp.ClientSession, tokens: Tokens, channel: str) -> None:
        headers = {"Authorization": f"Bearer {tokens.access}", "Client-Id": tokens.client_id}
        users = f"{self._known.api_url}/users"
        if not (await ask(session, "GET", users, headers=headers, params=[("login", channel)])).body.get("data"):
            raise TwitchRefused(404, text("twitch_login.no_channel", channel=channel))

    def _save(self, values: dict[str, str]) -> int:
        say = self._terminal.say
        file = self._loaded.file or config_dir() / "config.toml"
        say()
        try:
            save(file, "twitch", values)
        except NotSaved:
            say(text("twitch_setup.not_saved", file=file))
            say("\n".join(["[twitch]", *(f'{key} = "{value}"' for key, value in values.items())]))
            return FAILED
        say(text("twitch_setup.saved", file=file))
        for key in values:
            origin = self._loaded.origins.get(f"twitch.{key}", "")
            if origin.startswith("environment "):
                say(text("twitch_setup.covered", variable=origin.partition(" ")[2]))
        say(text("twitch_setup.next"))
        return WELL


async def waited(oauth: OAuth, code: DeviceCode, terminal: Terminal) -> Tokens | None:
    """Wait until the user has agreed, with the time left on a line; ``None`` when the code is over.

    What Twitch cannot answer at the moment is asked again, for as long as the code lives.
    """
    now = asyncio.get_running_loop().time
    ends_s = now() + code.lives_s
    every_s = max(code.interval_s, SHORTEST_S)
    asks_s = now() + every_s
    while (left_s := ends_s - now()) > 0:
        minutes, seconds = divmod(int(left_s), 60)
        terminal.waiting(text("twitch_setup.waiting", left=f"{minutes}:{seconds:02}"), left_s)
        await asyncio.sleep(min(TICK_S, left_s))
        if now() < asks_s:
            continue
        asks_s = now() + every_s
        try:
            tokens = await oauth.redeem(code)
        except TwitchBusy:
            continue
        except TwitchRefused:
            return None
        if tokens is not None:
            return tokens
    return None
