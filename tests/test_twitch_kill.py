"""``kill -9`` at every step of a renewal: of Aneeka, which costs nothing, and of the renewal itself as well."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.chat.login import BOT_SCOPES
from bot.chat.renewal import BUSY, DONE, REFUSED
from bot.chat.token_store import fingerprint
from bot.chat.twitch_words import LoginLost
from bot.children import ROOT
from tests.conftest import HANGS_S, REAL_TIME
from tests.dying_renewal import STEPS
from tests.local_twitch.oauth import OAuth as TheirOAuth
from tests.twitch_stay import Stay, stay

pytestmark = REAL_TIME

ANEEKA = """
import asyncio, sys
from pathlib import Path
from bot.chat.helix import TwitchHelix
from bot.chat.token_store import TokenStore
from bot.config.channel import Twitch

async def live(folder, address, client_id):
    settings = Twitch(api_url=address + "/helix", auth_url=address, client_id=client_id, channel="mika_live")
    helix = TwitchHelix(settings, TokenStore(Path(folder)), print, asyncio.get_running_loop().time)
    await helix.start()
    print("STARTED", flush=True)
    await helix.close()

asyncio.run(live(*sys.argv[1:]))
"""


async def started(*arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdout=pipe, stderr=pipe)


def renewal_arguments(there: Stay, who: str = "bot") -> list[str]:
    twitch = there.twitch
    return [who, str(there.store.folder), twitch.auth_url, twitch.client_id, fingerprint(there.kept().access)]


class Gate:
    """Holds the token endpoint of the local Twitch before or after it has decided."""

    def __init__(self, patch: pytest.MonkeyPatch, when: str) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()
        real = TheirOAuth.token

        async def held(oauth: TheirOAuth, request: Any) -> Any:
            if when == "before":
                await self.wait()
            answer = await real(oauth, request)
            if when == "after":
                await self.wait()
            return answer

        patch.setattr(TheirOAuth, "token", held)

    async def wait(self) -> None:
        self.reached.set()
        await self.open.wait()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killing_aneeka_in_mid_renewal_costs_nothing(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, when)
    async with stay(tmp_path) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        before = there.kept()
        there.twitch.expire(before.access)
        twitch = there.twitch
        process = await started("-c", ANEEKA, str(there.store.folder), twitch.auth_url, twitch.client_id)
        await asyncio.wait_for(gate.reached.wait(), HANGS_S)
        process.kill()
        await process.wait()
        gate.open.set()
        async with asyncio.timeout(HANGS_S):
            while there.kept() == before:
                await asyncio.sleep(0.01)
        helix = await there.live()
        await helix.send("como si nada")
        assert (twitch.refreshes, twitch.spent_refreshes, there.renewals) == (1, 0, 0)


@pytest.mark.parametrize("step", STEPS)
async def test_killing_the_renewal_too_never_locks_her_out(step: str, tmp_path: Path) -> None:
    async with stay(tmp_path) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        before = there.kept()
        process = await started("-m", "tests.dying_renewal", step, *renewal_arguments(there))
        _, complaint = await asyncio.wait_for(process.communicate(), HANGS_S)
        assert not complaint
        assert process.returncode not in (DONE, REFUSED, BUSY, 1), "it died at its step"
        spent = step != "before_the_request"
        assert there.twitch.refreshes == spent
        helix = await there.live()
        await helix.send("sigo aquí")
        saved = step in ("before_the_sync", "before_the_rename", "after_the_rename")
        assert (there.kept() != before) == saved
        there.twitch.expire(there.kept().access)
        if spent and not saved:  # the new pair is gone: the old access token was all that was left
            with pytest.raises(LoginLost):
                await helix.is_live()
            assert there.lights["twitch_bot"].state == "down"
        else:
            await helix.is_live()
            assert there.twitch.spent_refreshes == 0


async def test_two_renewals_at_once_spend_one_token(tmp_path: Path) -> None:
    async with stay(tmp_path) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        arguments = renewal_arguments(there)
        there.twitch.http.latency_s = 0.2
        processes = [await started("-m", "bot.chat.renewal", *arguments) for _ in range(2)]
        codes = [await asyncio.wait_for(process.wait(), HANGS_S) for process in processes]
        assert codes == [DONE] * 2
        assert (there.twitch.refreshes, there.twitch.spent_refreshes) == (1, 0)
        assert there.twitch.accounts.valid(there.kept().access)
