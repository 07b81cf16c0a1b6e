"""Her channel in the living program, against the strict local Twitch: one viewer's line in, her answer out."""

import asyncio

import pytest

from tests.conftest import until
from tests.local_twitch import LocalTwitch

SCOPES = (
    "user:read:chat user:write:chat moderator:read:followers channel:read:subscriptions bits:read "
    "channel:read:redemptions channel:manage:redemptions channel:read:hype_train"
).split()


@pytest.fixture
async def twitch():
    async with LocalTwitch() as local:
        yield local


def section(twitch, **more):
    access, refresh = twitch.grant(twitch.channel, SCOPES)
    return {
        "mode": "eventsub",
        "channel": twitch.channel.login,
        "client_id": twitch.client_id,
        "access_token": access,
        "refresh_token": refresh,
        "api_url": twitch.api_url,
        "auth_url": twitch.auth_url,
        "eventsub_url": twitch.eventsub_url,
        "irc_url": twitch.irc_url,
        **more,
    }


async def on_air(go_live, twitch, **more):
    house = await go_live(twitch=section(twitch, **more), chat={"idle_after_s": 0.0, "window_s": 0.0})
    live = await house.live()
    await is_ok(house, live, "twitch")
    return house, live


async def is_ok(house, live, part):
    if house.aneeka.board.parts.get(part) is None or house.aneeka.board.parts[part].state != "ok":
        await until(live, "health", part=part, state="ok")


async def test_a_viewer_on_twitch_is_answered(go_live, twitch):
    _, live = await on_air(go_live, twitch)
    await twitch.chat(twitch.user("zarrapastra", "Zarrapastra"), "¡hola, Aneeka!")
    turn = await until(live, "turn")
    assert [heard["user"] for heard in turn["heard"]] == ["Zarrapastra"]
    assert turn["spoken"]


async def test_what_a_moderator_deletes_in_mid_answer_is_cut_off_and_forgotten(go_live, twitch):
    house, live = await on_air(go_live, twitch)
    viewer = twitch.user("troll", "Troll")
    message = await twitch.chat(viewer, "Aneeka, cuéntame algo largo sobre las estrellas")
    await until(live, "phrase")
    await twitch.delete(message, viewer)
    turn = await until(live, "turn")
    assert turn["cut"] == "withdrawn"
    _, turns = await house.ask("GET", "/api/turns?limit=5")
    assert "estrellas" not in str(turns)
    assert house.aneeka.memory.messages() == ()


async def test_a_hundred_gifts_are_one_thank_you_by_a_line_of_her_own(go_live, twitch):
    house, live = await on_air(go_live, twitch)
    await twitch.gift(twitch.user("generosa", "Generosa"), [twitch.user(f"viewer{n}") for n in range(100)])
    turn = await until(live, "turn")
    assert (turn["mode"], turn["engines"]["llm"]) == ("event", None)
    assert "Generosa" in turn["spoken"]
    assert "100" in turn["generated"]
    _, state = await house.ask("GET", "/api/state")
    assert state["counters"]["events_received"] == 1


async def test_a_resub_with_words_that_may_not_be_read_is_thanked_all_the_same(go_live, twitch):
    _, live = await on_air(go_live, twitch)
    await twitch.resub(twitch.user("fiel", "Fiel"), 12, "vivo en la calle Mayor 12, mi teléfono es 612 345 678")
    turn = await until(live, "turn")
    assert turn["heard"][0]["user"] == "Fiel"
    assert "612 345" not in str(turn)


async def test_who_asks_by_command_reads_the_answer_in_chat_too(go_live, twitch):
    _, live = await on_air(go_live, twitch, talk_back="asked", commands={"ask": "!aneeka"})
    await twitch.chat(twitch.user("curiosa", "Curiosa"), "!aneeka ¿cómo estás?")
    turn = await until(live, "turn")
    async with asyncio.timeout(20):
        while not twitch.helix.sent:
            await asyncio.sleep(0.01)
    assert turn["spoken"] in str(twitch.helix.sent[0])
    assert "Curiosa" in str(twitch.helix.sent[0])


async def test_a_redemption_is_fulfilled_once_it_was_spoken(go_live, twitch):
    _, live = await on_air(go_live, twitch, rewards={"answer_cost": 500})
    async with asyncio.timeout(20):
        while not twitch.rewards.made:
            await asyncio.sleep(0.01)
    reward = next(iter(twitch.rewards.made))
    redemption = await twitch.redeem(twitch.user("rica", "Rica"), reward, "¿qué te gusta comer?")
    turn = await until(live, "turn")
    assert turn["heard"][0]["user"] == "Rica"
    async with asyncio.timeout(20):
        while status(twitch, redemption) != "FULFILLED":
            await asyncio.sleep(0.01)


def status(twitch, redemption):
    return twitch.rewards.redemptions[redemption]["status"].upper()


async def test_a_revoked_login_is_a_light_with_its_repair_line(go_live, twitch):
    house, live = await on_air(go_live, twitch)
    twitch.accounts.disconnect(twitch.channel)
    await twitch.drop()
    light = await until(live, "health", part="twitch", state="down")
    while "setup twitch" not in light["repair"]:
        light = await until(live, "health", part="twitch", state="down")
    await house.ask("POST", "/api/operator", {"text": "¿sigues ahí?"})
    assert (await until(live, "turn"))["mode"] == "operator"


async def test_after_a_drop_she_reads_on(go_live, twitch):
    _, live = await on_air(go_live, twitch)
    await twitch.drop()
    await until(live, "health", part="twitch", state="down")
    await until(live, "health", part="twitch")
    await twitch.chat(twitch.user("fiel", "Fiel"), "¿me lees, Aneeka?")
    assert (await until(live, "turn"))["heard"][0]["user"] == "Fiel"


async def test_a_channel_can_be_read_without_any_account(go_live, twitch):
    house = await go_live(
        twitch={"mode": "anonymous", "channel": twitch.channel.login, "irc_url": twitch.irc_url},
        chat={"idle_after_s": 0.0, "window_s": 0.0},
    )
    live = await house.live()
    await is_ok(house, live, "twitch")
    await twitch.chat(twitch.user("pasaba", "Pasaba"), "hola Aneeka, pasaba por aquí")
    assert (await until(live, "turn"))["heard"][0]["user"] == "Pasaba"
