"""Her channel in the living program, against the strict local Twitch: one viewer's line in, her answer out."""

import asyncio

import pytest

from tests.conftest import HANGS_S, until
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


async def test_viewers_are_answered_aloud_and_as_they_asked_and_what_is_deleted_is_forgotten(go_live, twitch):
    wishes = {"talk_back": "asked", "commands": {"ask": "!aneeka"}, "rewards": {"answer_cost": 500}}
    house, live = await on_air(go_live, twitch, **wishes)
    await twitch.chat(twitch.user("zarrapastra", "Zarrapastra"), "¡hola, Aneeka!")
    turn = await until(live, "turn")
    assert [heard["user"] for heard in turn["heard"]] == ["Zarrapastra"]
    assert turn["spoken"]

    pest = twitch.user("pesada", "Pesada")
    await house.ask("POST", "/api/viewers/block", {"user_id": pest.id, "name": "Pesada"})
    await twitch.chat(pest, "!aneeka ¿me oyes?")
    await twitch.chat(twitch.user("curiosa", "Curiosa"), "!aneeka ¿cómo estás?")
    turn = await until(live, "turn")
    await comes(lambda: twitch.helix.sent)
    assert turn["heard"][0]["user"] == "Curiosa", "who is blocked does not use up anybody's turn to ask"
    assert turn["spoken"] in str(twitch.helix.sent[0])
    assert "Curiosa" in str(twitch.helix.sent[0]), "who asked by command reads the answer too, and nobody else"

    await comes(lambda: twitch.rewards.made)
    reward = next(iter(twitch.rewards.made))
    redemption = await twitch.redeem(twitch.user("rica", "Rica"), reward, "¿qué te gusta comer?")
    turn = await until(live, "turn")
    assert turn["heard"][0]["user"] == "Rica"
    await comes(lambda: twitch.rewards.redemptions[redemption]["status"].upper() == "FULFILLED")

    remembered, viewer = house.aneeka.memory.messages(), twitch.user("troll", "Troll")
    message = await twitch.chat(viewer, "Aneeka, cuéntame algo largo sobre las estrellas")
    await until(live, "phrase")
    await twitch.delete(message, viewer)
    turn = await until(live, "turn")
    assert turn["cut"] == "withdrawn"
    _, turns = await house.ask("GET", "/api/turns?limit=5")
    assert "estrellas" not in str(turns)
    assert house.aneeka.memory.messages() == remembered


async def comes(something):
    async with asyncio.timeout(HANGS_S):
        while not something():
            await asyncio.sleep(0.01)


async def test_events_are_thanked_for_and_after_a_drop_she_reads_on_until_the_login_is_revoked(go_live, twitch):
    house, live = await on_air(go_live, twitch)
    await twitch.gift(twitch.user("generosa", "Generosa"), [twitch.user(f"viewer{n}") for n in range(100)])
    turn = await until(live, "turn")
    assert (turn["mode"], turn["engines"]["llm"]) == ("event", None), "one thank-you, by a line of her own"
    assert "Generosa" in turn["spoken"]
    assert "100" in turn["generated"]
    _, state = await house.ask("GET", "/api/state")
    assert state["counters"]["events_received"] == 1

    await twitch.resub(twitch.user("fiel", "Fiel"), 12, "vivo en la calle Mayor 12, mi teléfono es 612 345 678")
    turn = await until(live, "turn")
    assert turn["heard"][0]["user"] == "Fiel", "thanked though the words may not be read"
    assert "612 345" not in str(turn)

    await twitch.drop()
    await until(live, "health", part="twitch", state="down")
    await until(live, "health", part="twitch")
    await twitch.chat(twitch.user("vecina", "Vecina"), "¿me lees, Aneeka?")
    assert (await until(live, "turn"))["heard"][0]["user"] == "Vecina"

    twitch.accounts.disconnect(twitch.channel)
    await twitch.drop()
    light = await until(live, "health", part="twitch", state="down")
    while "setup twitch" not in light["repair"]:
        light = await until(live, "health", part="twitch", state="down")
    await house.ask("POST", "/api/operator", {"text": "¿sigues ahí?"})
    assert (await until(live, "turn"))["mode"] == "operator"


async def test_a_channel_can_be_read_without_any_account(go_live, twitch):
    house = await go_live(
        twitch={"mode": "anonymous", "channel": twitch.channel.login, "irc_url": twitch.irc_url},
        chat={"idle_after_s": 0.0, "window_s": 0.0},
    )
    live = await house.live()
    await is_ok(house, live, "twitch")
    await twitch.chat(twitch.user("pasaba", "Pasaba"), "hola Aneeka, pasaba por aquí")
    assert (await until(live, "turn"))["heard"][0]["user"] == "Pasaba"
