"""Helix for two logins, against the local Twitch."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.chat.login import BOT_SCOPES, CHANNEL_SCOPES, DELETE_SCOPE
from bot.chat.twitch_words import LoginLost, TwitchBusy, TwitchRefused, Wanted
from tests.twitch_stay import in_virtual_time, stay


@in_virtual_time
async def test_two_accounts_each_do_their_own(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        there.sign_in("channel", there.twitch.channel, CHANNEL_SCOPES)
        helix = await there.live()
        assert (helix.bot, helix.channel) == (there.aneeka, there.twitch.channel)
        assert helix.may("bot", "user:write:chat")
        assert not helix.may("bot", "bits:read")
        assert helix.may("channel", "bits:read")
        await there.twitch.go_live()
        assert await helix.is_live()
        await there.twitch.go_offline()
        assert not await helix.is_live()
        await helix.send("hola a todos")
        assert there.twitch.helix.sent == [(there.aneeka.id, "hola a todos")]
        assert {part: light.state for part, light in there.lights.items()} == {
            "twitch_bot": "ok",
            "twitch_channel": "ok",
        }


@in_virtual_time
async def test_the_channels_own_account_can_be_the_bot(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.twitch.channel, BOT_SCOPES + CHANNEL_SCOPES)
        helix = await there.live(channel="")
        assert helix.bot == helix.channel == there.twitch.channel
        assert helix.may("channel", "channel:read:subscriptions")
        assert await helix.rewards() == []
        assert list(there.lights) == ["twitch_bot"]


@in_virtual_time
async def test_without_the_channels_login_she_still_chats(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        await helix.send("hola")
        assert there.lights["twitch_channel"].state == "off"
        assert "aneeka setup twitch" in there.lights["twitch_channel"].repair
        assert not helix.may("channel", "bits:read")
        with pytest.raises(LoginLost) as lost:
            await helix.rewards()
        assert lost.value.who == "channel"


@in_virtual_time
async def test_a_login_of_another_channel_is_not_used(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        there.sign_in("channel", there.twitch.user("somebody_else"), CHANNEL_SCOPES)
        helix = await there.live()
        with pytest.raises(LoginLost):
            await helix.rewards()
        light = there.lights["twitch_channel"]
        assert light.state == "down"
        assert "somebody_else" in light.reason


@in_virtual_time
async def test_a_channel_that_does_not_exist_is_told(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        with pytest.raises(TwitchRefused, match="nobody_home"):
            await there.live(channel="nobody_home")


@in_virtual_time
async def test_subscriptions_are_made_listed_and_deleted(folder: Path) -> None:
    async with stay(folder) as there, aiohttp.ClientSession() as session:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        condition = (("broadcaster_user_id", helix.channel.id), ("user_id", helix.bot.id))
        chat = Wanted("channel.chat.message", "1", condition)
        async with session.ws_connect(there.twitch.eventsub_url) as socket:
            number = (await socket.receive_json())["payload"]["session"]["id"]
            made = await helix.subscribe(chat, number)
            with pytest.raises(TwitchRefused) as twice:
                await helix.subscribe(chat, number)
            assert twice.value.status == 409
            with pytest.raises(TwitchRefused) as unknown:
                await helix.subscribe(Wanted("channel.no_such_thing", "1", condition), number)
            assert unknown.value.status == 400
            (listed,) = await helix.subscriptions("bot")
            assert (listed.id, listed.wanted, listed.status, listed.session) == (made, chat, "enabled", number)
            await helix.unsubscribe("bot", made)
            await helix.unsubscribe("bot", made)
            assert await helix.subscriptions("bot") == []


@in_virtual_time
async def test_rewards_are_made_and_settled(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        there.sign_in("channel", there.twitch.channel, CHANNEL_SCOPES)
        helix = await there.live()
        there.twitch.reward("Somebody else's", 50)
        answers = await helix.make_reward("Make her answer me", 500, "Say what", wants_text=True)
        mood = await helix.make_reward("Cheer her up", 300, "She gets happy", wants_text=False)
        assert (answers["is_user_input_required"], mood["is_user_input_required"]) == (True, False)
        assert {str(reward["title"]) for reward in await helix.rewards()} >= {"Make her answer me", "Cheer her up"}
        noor = there.twitch.user("noor", "Noor")
        spoken = await there.twitch.redeem(noor, answers["id"], "¿qué tal?")
        deleted = await there.twitch.redeem(noor, answers["id"], "spam")
        await helix.settle(answers["id"], spoken, fulfilled=True)
        await helix.settle(answers["id"], deleted, fulfilled=False)
        assert there.twitch.rewards.redemptions[spoken]["status"] == "fulfilled"
        assert there.twitch.rewards.redemptions[deleted]["status"] == "canceled"
        with pytest.raises(TwitchRefused):
            await helix.settle(answers["id"], deleted, fulfilled=True)


@in_virtual_time
async def test_what_was_redeemed_and_not_settled_is_listed_page_by_page(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        there.sign_in("channel", there.twitch.channel, CHANNEL_SCOPES)
        helix = await there.live()
        made = await helix.make_reward("Make her answer me", 500, "Say what", wants_text=True)
        viewer = there.twitch.user("noor", "Noor")
        redeemed = [there.twitch.rewards.redeemed(viewer, made["id"], f"pregunta {n}")["id"] for n in range(120)]
        await helix.settle(made["id"], redeemed[0], fulfilled=True)
        assert [one["id"] for one in await helix.redemptions(made["id"])] == redeemed[1:]
        with pytest.raises(TwitchRefused):
            await helix.redemptions("no-such-reward")


@in_virtual_time
async def test_as_a_moderator_she_deletes_what_she_wrote(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, (*BOT_SCOPES, DELETE_SCOPE))
        helix = await there.live()
        written = await helix.send("hola a todos")
        with pytest.raises(TwitchRefused) as refused:
            await helix.delete(written)
        assert refused.value.status == 403
        there.twitch.mod(there.aneeka)
        for _again in range(2):
            await helix.delete(written)
        assert there.twitch.author(written) is None


@in_virtual_time
async def test_a_channel_whose_own_login_is_not_answered_for_is_read_all_the_same(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        there.sign_in("channel", there.twitch.channel, CHANNEL_SCOPES)
        there.twitch.fail("GET", "/oauth2/validate", [None, 503])
        helix = await there.live()
        await helix.send("hola")
        assert not helix.may("channel", "bits:read")
        await asyncio.sleep(120)
        assert helix.may("channel", "bits:read")


@in_virtual_time
async def test_a_dropped_message_says_why(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        there.twitch.helix.drop_next.append("channel_settings_block")
        with pytest.raises(TwitchRefused, match="channel_settings_block") as dropped:
            await helix.send("hola")
        assert dropped.value.status == 200


@in_virtual_time
async def test_a_401_about_a_scope_costs_no_renewal(folder: Path) -> None:
    async with stay(folder) as there:
        there.sign_in("bot", there.aneeka, ("user:read:chat",))
        helix = await there.live()
        with pytest.raises(TwitchRefused, match="user:write:chat") as refused:
            await helix.send("hola")
        assert refused.value.status == 401
        assert there.twitch.refreshes == 0


@pytest.mark.parametrize("fault", [500, 502, 503, 429, "cut", "lost"])
def test_what_may_pass_is_busy_and_nothing_is_sent_twice(fault: int | str, tmp_path: Path) -> None:
    @in_virtual_time
    async def scene(folder: Path) -> None:
        async with stay(folder) as there:
            there.sign_in("bot", there.aneeka, BOT_SCOPES)
            helix = await there.live()
            there.twitch.fail("POST", "/helix/chat/messages", [fault])
            with pytest.raises(TwitchBusy) as busy:
                await helix.send("hola")
            assert busy.value.status == (fault if isinstance(fault, int) else 0)
            assert len(there.asked("/helix/chat/messages")) == 1
            await asyncio.sleep(30)
            await helix.send("hola")

    scene(tmp_path)


@in_virtual_time
async def test_too_many_requests_say_how_long_to_wait(folder: Path) -> None:
    async with stay(folder, points_per_minute=5) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        there.twitch.http._buckets[there.aneeka.id].left = 0
        with pytest.raises(TwitchBusy) as busy:
            await helix.is_live()
        assert busy.value.status == 429
        assert 1 <= busy.value.retry_after_s <= 60
        await asyncio.sleep(busy.value.retry_after_s)
        await helix.is_live()


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(text="<html>Welcome to our hotel</html>", content_type="text/html"),
        web.Response(status=403, text="<html>Please pay</html>", content_type="text/html"),
        web.Response(status=302, headers={"Location": "http://127.0.0.1:9/steal"}),
        web.Response(text="[1, 2]", content_type="application/json"),
        web.Response(body=b"\xff\xfe{", content_type="application/json"),
    ],
)
def test_what_is_not_twitch_is_not_believed(answer: web.Response, tmp_path: Path) -> None:
    async def hotel(request: web.Request) -> web.Response:
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)

    @in_virtual_time
    async def scene(folder: Path) -> None:
        async with stay(folder) as there:
            there.sign_in("bot", there.aneeka, BOT_SCOPES)
            helix = await there.live()
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", hotel)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            helix._wire._api_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            with pytest.raises(TwitchBusy):
                await helix.is_live()
            assert there.lights["twitch_bot"].state == "ok"
            await runner.cleanup()

    scene(tmp_path)
