"""A login over days: validated, renewed early, kept before use, lost honestly, found again."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from bot.chat.login import BOT_SCOPES, CHANNEL_SCOPES
from bot.chat.token_store import Tokens
from bot.chat.twitch_words import LoginLost, TwitchBusy, TwitchRefused
from tests.twitch_stay import HOUR_S, in_virtual_time, stay


@in_virtual_time
async def test_twelve_hours_live_with_a_token_that_is_always_good_and_was_kept_before_it_was_used(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        there.sign_in("channel", there.twitch.channel, CHANNEL_SCOPES)
        helix = await there.live()
        for _ in range(12 * 6):
            await helix.is_live()
            assert there.used()[-1] == there.kept().access
            await asyncio.sleep(600)
        assert [request.status for request in there.twitch.requests if request.status != 200] == []
        assert 10 <= there.twitch.refreshes <= 12, "each of the two about every two hours"
        assert there.twitch.spent_refreshes == 0
        checks = there.asked("/oauth2/validate")
        assert max(b - a for a, b in zip(checks[0::2], checks[2::2], strict=False)) <= HOUR_S + 10
        assert len(checks) < 2 * 12 * 2
        assert [light.state for light in there.told] == ["ok", "ok"]


@in_virtual_time
async def test_a_restart_after_a_night_renews_before_anything_else(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        await there.live()
        await there.end()
        before = there.kept()
        await asyncio.sleep(10 * HOUR_S)
        helix = await there.live()
        await helix.send("buenos días")
        assert there.kept().access != before.access
        assert (there.twitch.refreshes, there.twitch.spent_refreshes) == (1, 0)
        await there.end()
        await asyncio.sleep(60)
        await (await there.live()).send("otra vez")
        assert there.twitch.refreshes == 1, "the renewed pair was kept"


@in_virtual_time
async def test_many_calls_at_once_with_a_dead_token_renew_it_once(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        there.twitch.expire(there.kept().access)
        await asyncio.gather(*(helix.is_live() for _ in range(40)))
        assert (there.twitch.refreshes, there.twitch.spent_refreshes, there.renewals) == (1, 0, 1)


@in_virtual_time
async def test_a_401_without_end_is_no_loop(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        there.twitch.fail("GET", "/helix/streams", [401] * 1000)
        for _ in range(30):
            with pytest.raises(TwitchRefused):
                await helix.is_live()
        assert there.twitch.refreshes == 0, "validation says that the token is good"
        there.twitch.fail("GET", "/oauth2/validate", [401] * 1000)
        begin_s = there.now()
        for _ in range(200):
            with pytest.raises((TwitchRefused, TwitchBusy)):
                await helix.is_live()
            await asyncio.sleep(1)
        assert there.twitch.refreshes <= (there.now() - begin_s) / 60 + 1


@in_virtual_time
async def test_a_revoked_login_is_a_light_and_not_a_loop_until_somebody_signs_in_again(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        there.twitch.revoke(there.kept().access)
        with pytest.raises(LoginLost):
            await helix.send("hola")
        light = there.lights["twitch_bot"]
        assert light.state == "down"
        assert "aneeka setup twitch" in light.repair
        asked = len(there.twitch.requests)
        again = asyncio.create_task(helix.login_again())
        for _ in range(100):
            with pytest.raises(LoginLost):
                await helix.send("hola")
            await asyncio.sleep(60)
        assert len(there.twitch.requests) == asked
        assert not again.done()
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        await again
        await asyncio.sleep(10)
        await helix.send("aquí estoy")
        assert there.lights["twitch_bot"].state == "ok"


@in_virtual_time
async def test_a_login_revoked_in_the_quiet_is_noticed_within_the_hour(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        await there.live()
        there.twitch.revoke(there.kept().access)
        await asyncio.sleep(HOUR_S + 60)
        assert there.lights["twitch_bot"].state == "down"


@in_virtual_time
async def test_nobody_signed_in_yet(folder: Path) -> None:
    async with stay(folder) as there:
        helix = there.begin()
        with pytest.raises(LoginLost):
            await helix.start()
        assert there.lights["twitch_bot"].state == "down"
        assert not there.twitch.requests
        waiting = asyncio.create_task(helix.login_again())
        await asyncio.sleep(100)
        assert not waiting.done()
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        await waiting
        await helix.start()
        await helix.send("hola")


@in_virtual_time
async def test_a_login_of_another_app_is_not_used(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        with pytest.raises(LoginLost):
            await there.live(client_id="anotherclientid000000000000000")
        assert not there.twitch.requests


@in_virtual_time
async def test_a_pair_of_another_account_is_not_taken_over_while_live(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        there.sign_in("bot", there.twitch.user("somebody_else"), BOT_SCOPES)
        await asyncio.sleep(10)
        assert there.lights["twitch_bot"].state == "down"
        assert "somebody_else" in there.lights["twitch_bot"].reason
        with pytest.raises(LoginLost):
            await helix.send("hola")


@in_virtual_time
async def test_twitch_out_of_order_for_an_hour_costs_nothing(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        there.twitch.fail("POST", "/oauth2/token", [500] * 20 + [503] * 20 + ["cut"] * 15)
        await asyncio.sleep(4 * HOUR_S + 60)
        await helix.send("aquí sigo")
        assert (there.twitch.refreshes, there.twitch.spent_refreshes) == (1, 0)
        assert {light.state for light in there.told if light.part == "twitch_bot"} == {"ok"}


@in_virtual_time
async def test_twitch_cannot_be_reached_at_the_start(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        there.twitch.fail("GET", "/oauth2/validate", ["cut"] * 4 + [500])
        helix = there.begin()
        for _ in range(3):
            with pytest.raises(TwitchBusy):
                await helix.start()  # a cut one is asked twice by aiohttp itself
        await helix.start()
        await helix.send("hola")


@in_virtual_time
async def test_an_answer_lost_on_its_way_leaves_two_hours_and_says_so(folder: Path) -> None:
    """What cannot be saved: Twitch spent the refresh token, and its answer never came."""
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        there.twitch.fail("POST", "/oauth2/token", ["lost"])
        await asyncio.sleep(2 * HOUR_S + 120)
        light = there.lights["twitch_bot"]
        assert light.state == "degraded"
        assert "aneeka setup twitch" in light.repair
        await helix.is_live()
        await there.end()
        helix = await there.live()
        await helix.is_live()
        await asyncio.sleep(1.5 * HOUR_S)
        await helix.is_live()
        assert there.twitch.spent_refreshes <= 2, "once a life, for nobody knew"
        await asyncio.sleep(HOUR_S)
        assert there.lights["twitch_bot"].state == "down"
        with pytest.raises(LoginLost):
            await helix.send("hola")


@in_virtual_time
async def test_a_full_disk_is_noticed_before_the_token_is_spent(folder: Path) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        there.twitch.expire(there.kept().access)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(TwitchBusy):
                await helix.send("hola")
        assert there.twitch.refreshes == 0
        await asyncio.sleep(60)
        await helix.send("hola")
        assert there.twitch.refreshes == 1


# ---------------------------------------------------------------------- the settings' own pair


@in_virtual_time
async def test_the_settings_pair_serves_until_a_newer_one_is_kept(folder: Path) -> None:
    async with stay(folder) as there:
        access, refresh = there.twitch.grant(there.aneeka, BOT_SCOPES)
        given = {"access_token": access, "refresh_token": refresh}
        await (await there.live(**given)).send("hola")
        await asyncio.sleep(5 * HOUR_S)
        await there.end()
        await (await there.live(**given)).send("el par de los ajustes ya no vale, y el guardado sí")
        assert there.twitch.spent_refreshes == 0
        await there.end()
        await asyncio.sleep(60)
        access, refresh = there.twitch.grant(there.aneeka, BOT_SCOPES)
        await (await there.live(access_token=access, refresh_token=refresh)).send("hay otro en los ajustes")
        assert there.used()[-1] == access


@in_virtual_time
async def test_a_refresh_token_alone_is_enough_in_the_settings(folder: Path) -> None:
    async with stay(folder) as there:
        _, refresh = there.twitch.grant(there.aneeka, BOT_SCOPES)
        await (await there.live(refresh_token=refresh)).send("hola")
        assert there.lights["twitch_bot"].state == "ok"


@in_virtual_time
async def test_an_access_token_alone_serves_until_it_ends(folder: Path) -> None:
    async with stay(folder) as there:
        access, _ = there.twitch.grant(there.aneeka, BOT_SCOPES)
        helix = await there.live(access_token=access)
        await asyncio.sleep(3 * HOUR_S)
        await helix.send("hola")
        assert there.lights["twitch_bot"].state == "degraded"
        await asyncio.sleep(HOUR_S + 60)
        assert there.lights["twitch_bot"].state == "down"


@in_virtual_time
async def test_a_later_sign_in_goes_over_the_settings_pair(folder: Path) -> None:
    async with stay(folder) as there:
        access, refresh = there.twitch.grant(there.aneeka, BOT_SCOPES)
        given = {"access_token": access, "refresh_token": refresh}
        await there.live(**given)
        newer = Tokens(*there.twitch.grant(there.aneeka, BOT_SCOPES), there.twitch.client_id, there.kept().replaces)
        there.store.write("bot", newer)
        await there.end()
        await (await there.live(**given)).send("hola")
        assert there.used()[-1] == newer.access


@in_virtual_time
async def test_an_apps_own_token_in_the_settings_is_told(folder: Path) -> None:
    async with stay(folder) as there:
        access = there.twitch.accounts.grant(None, ()).access
        with pytest.raises(LoginLost):
            await there.live(access_token=access)
        assert there.lights["twitch_bot"].state == "down"
