"""No token and no code in a log, an exception, a light or on the screen: every secret made is searched everywhere."""

from __future__ import annotations

import asyncio
import io
import logging
import subprocess
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.chat.helix import TwitchHelix
from bot.chat.login import BOT_SCOPES, CHANNEL_SCOPES
from bot.chat.oauth import OAuth
from bot.chat.token_store import Tokens
from bot.chat.twitch_http import ask
from bot.chat.twitch_words import LoginLost, TwitchBusy, TwitchRefused
from bot.config.channel import Twitch
from tests.local_twitch import accounts, oauth
from tests.test_twitch_setup import Desk, User
from tests.twitch_stay import HOUR_S, in_virtual_time, stay
from tests.virtual_time import VirtualLoop

CANARY = "canaryAccess-0123456789", "canaryRefresh-0123456789"


class Sinks:
    """Everything that could show a secret, without the net of ``bot.redaction``."""

    def __init__(self) -> None:
        self.secrets: list[str] = [*CANARY]
        self.log = io.StringIO()
        self.others: list[str] = []

    def caught(self, error: BaseException) -> None:
        self.others += [str(error), repr(error), "".join(traceback.format_exception(error)), repr(vars(error))]

    def find(self) -> list[str]:
        everything = "\n".join([self.log.getvalue(), *self.others])
        return [secret for secret in self.secrets if secret in everything]


@pytest.fixture
def sinks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sinks]:
    made = Sinks()
    real = accounts.secret

    def recorded(length: int) -> str:
        secret = real(length)
        if length >= 20:  # a user's code is shorter, and is shown
            made.secrets.append(secret)
        return secret

    monkeypatch.setattr(accounts, "secret", recorded)
    monkeypatch.setattr(oauth, "secret", recorded)
    handler = logging.StreamHandler(made.log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield made
    root.removeHandler(handler)
    root.setLevel(level)


def test_nothing_is_shown_while_signing_in(
    sinks: Sinks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop, debug=True) as runner:
        desk = Desk(tmp_path, runner, monkeypatch)
        twitch = desk.twitch
        twitch.fail("POST", "/oauth2/token", [500, "cut", 400])
        stranger = twitch.user("stranger")
        answers = ["mika_live", "aneeka", twitch.client_id, "", "", "s"]
        user = User(answers, desk.approves(stranger, desk.aneeka, twitch.channel))
        assert desk.set_up(user) == 0
        sinks.others += [user.shown, *map(repr, (desk.store.read("bot"), desk.store.read("channel")))]
        runner.run(twitch.close())
    sinks.others += capfd.readouterr()
    sinks.others += [
        f.read_text(encoding="utf-8") for f in tmp_path.rglob("*") if f.is_file() and f.parent.name != "secrets"
    ]
    assert len(sinks.secrets) > 2 + 3 * 2, "three sign-ins, one of them a stranger's"
    assert sinks.find() == []


async def test_nothing_is_shown_when_a_renewal_is_done_by_its_own_process(
    sinks: Sinks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asyncio.get_running_loop().set_debug(True)
    real = subprocess.Popen

    def recorded(command: list[str], **how: Any) -> Any:
        sinks.others.append(repr((command, how)))
        return real(command, **how)

    monkeypatch.setattr(subprocess, "Popen", recorded)
    async with stay(tmp_path) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        there.twitch.expire(there.kept().access)
        twitch = there.twitch
        settings = Twitch(
            api_url=twitch.api_url, auth_url=twitch.auth_url, client_id=twitch.client_id, channel="mika_live"
        )
        helix = TwitchHelix(settings, there.store, there._light, there.now)
        await helix.start()
        await helix.send("renovada por otro proceso")
        assert (twitch.refreshes, twitch.spent_refreshes) == (1, 0)
        twitch.revoke(there.kept().access)
        with pytest.raises((LoginLost, TwitchBusy)) as lost:
            await helix.send("hola")
        sinks.caught(lost.value)
        sinks.others.append(repr(there.told))
        await helix.close()
    sinks.others += capfd.readouterr()
    assert "bot.chat.renewal" in repr(sinks.others)
    assert sinks.find() == []


FAULTS = [400, 401, 403, 404, 409, 422, 429, 500, 503, "cut", "lost"]


def test_nothing_is_shown_in_an_hour_with_every_fault(sinks: Sinks, tmp_path: Path) -> None:
    @in_virtual_time
    async def scene(folder: Path) -> None:
        asyncio.get_running_loop().set_debug(True)
        async with stay(folder) as there:
            there.sign_in("bot", there.aneeka, BOT_SCOPES)
            there.sign_in("channel", there.twitch.channel, CHANNEL_SCOPES)
            helix = await there.live()
            for path in ("/oauth2/validate", "/helix/streams"):
                there.twitch.fail("GET", path, [*FAULTS])
            there.twitch.fail("POST", "/oauth2/token", [500, 429, 403, "cut", 503, 401])
            there.twitch.expire(there.kept().access)
            for _ in range(30):
                await asyncio.sleep(HOUR_S / 30)
                for call in (helix.is_live(), helix.rewards(), helix.send("hola")):
                    try:
                        await call
                    except (LoginLost, TwitchRefused, TwitchBusy) as error:
                        sinks.caught(error)
            sinks.others.append(repr(there.told))
            sinks.others.append(repr([vars(login) for login in helix._logins.values()]))

    scene(tmp_path)
    assert len(sinks.others) > 4 * len(FAULTS)
    assert sinks.find() == []


async def test_a_server_that_repeats_what_it_was_sent_gets_nothing_shown(sinks: Sinks) -> None:
    async def echo(request: web.Request) -> web.Response:
        said = f"no: {dict(request.headers)} {await request.text()} {request.query_string}"
        return web.json_response({"status": 400, "message": said}, status=int(request.headers.get("Status", 400)))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        oauth = OAuth(address, "client", session)
        calls = [
            oauth.refresh(Tokens(*CANARY, "client")),
            oauth.validate(CANARY[0]),
            ask(session, "GET", address, headers={"Authorization": f"Bearer {CANARY[0]}"}),
            ask(session, "GET", "http://127.0.0.1:9", headers={"Authorization": f"Bearer {CANARY[0]}"}),
            ask(session, "GET", "not an address", headers={"Authorization": f"Bearer {CANARY[0]}"}),
        ]
        for call in calls:
            with pytest.raises((TwitchRefused, TwitchBusy)) as caught:
                await call
            sinks.caught(caught.value)
    await runner.cleanup()
    assert "no: {'Host'" in "".join(sinks.others), "its words are shown, without ours"
    assert sinks.find() == []
