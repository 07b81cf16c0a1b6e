"""Sign-in and Helix of the local Twitch refuse what Twitch would refuse."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

from yarl import URL

from tests.local_twitch.client import SCOPES, Client, scene, told

# ---------------------------------------------------------------------- sign-in


@scene()
async def test_sign_in_by_device_code(c: Client) -> None:
    assert (await c.sign_in("device", scopes="user:read:tea"))[0] == 400
    assert (await c.sign_in("device", client_id="another", scopes="user:read:chat"))[0] == 400
    _, asked = await c.sign_in("device", scopes=" ".join(SCOPES))
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "scopes": " ".join(SCOPES)}
    grant["device_code"] = asked["device_code"]
    assert (await c.sign_in("token", **grant))[1]["message"] == "authorization_pending"
    c.twitch.approve(asked["user_code"], c.bot)
    status, pair = await c.sign_in("token", **grant)
    assert (status, pair["scope"]) == (200, list(SCOPES))
    assert (await c.sign_in("token", **grant))[1]["message"] == "invalid device code"
    _, late = await c.sign_in("device", scopes=" ".join(SCOPES))
    await asyncio.sleep(late["expires_in"])
    assert (await c.sign_in("token", **{**grant, "device_code": late["device_code"]}))[1][
        "message"
    ] == "invalid device code"
    async with c.http.get(
        f"{c.twitch.auth_url}/oauth2/validate", headers={"Authorization": f"OAuth {pair['access_token']}"}
    ) as valid:
        assert {"login": "aneeka", "user_id": c.bot.id}.items() <= (await valid.json()).items()


@scene()
async def test_a_refresh_token_is_good_once_and_for_thirty_days(c: Client) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": c.refresh}
    status, pair = await c.sign_in("token", **form)
    assert status == 200
    assert await c.sign_in("token", **form) == (
        400,
        {"error": "Bad Request", "status": 400, "message": "Invalid refresh token"},
    )
    assert (c.twitch.refreshes, c.twitch.spent_refreshes) == (1, 1)
    await asyncio.sleep(30 * 86400)
    assert (await c.sign_in("token", **{**form, "refresh_token": pair["refresh_token"]}))[0] == 400


@scene(client_secret="hush")
async def test_a_confidential_app_needs_its_secret_and_a_code_its_address(c: Client) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": c.refresh}
    assert (await c.sign_in("token", **form))[0] == 403
    assert [(await c.sign_in("token", **form, client_secret="hush"))[0] for _ in range(2)] == [200, 200]
    back = "http://localhost:4343/oauth/callback"
    asked = {"client_id": c.twitch.client_id, "redirect_uri": back, "response_type": "code"}
    asked |= {"scope": "user:read:chat", "state": "s1"}
    url = f"{c.twitch.auth_url}/oauth2/authorize"
    async with c.http.get(url, params=asked, allow_redirects=False) as refused:
        assert refused.status == 400, "the address was not registered"
    c.twitch.oauth.redirect_uris.add(back)
    c.twitch.oauth.signed_in = c.bot
    async with c.http.get(url, params=asked, allow_redirects=False) as moved:
        answer = URL(moved.headers["Location"]).query
    assert answer["state"] == "s1"
    form = {"grant_type": "authorization_code", "code": answer["code"], "client_secret": "hush", "redirect_uri": back}
    assert [(await c.sign_in("token", **form))[0] for _ in range(2)] == [200, 400]


@scene()
async def test_requests_are_logged_with_what_they_carried(c: Client) -> None:
    await c.sign_in("token", grant_type="refresh_token", refresh_token="canary")
    await c.ask("GET", "users", params={"login": "noor"})
    first, second = c.twitch.requests
    assert (first.path, first.body["refresh_token"], first.status) == ("/oauth2/token", "canary", 400)
    assert (second.query, second.authorization) == ({"login": "noor"}, f"Bearer {c.access}")


# ---------------------------------------------------------------------- Helix


@scene(points_per_minute=60)
async def test_points_run_out_and_come_back(c: Client) -> None:
    assert {(await c.ask("GET", "streams"))[0] for _ in range(60)} == {200}
    assert (await c.ask("GET", "streams"))[0] == 429
    await asyncio.sleep(1)
    assert (await c.ask("GET", "streams"))[0] == 200


@scene()
async def test_what_is_written_in_chat_is_checked_and_comes_back(c: Client) -> None:
    socket, _ = await c.listening()
    body = {"broadcaster_id": c.twitch.channel.id, "sender_id": c.bot.id}

    async def send(text: str, **changes: str) -> Any:
        status, answer = await c.ask("POST", "chat/messages", {**body, "message": text, **changes})
        dropped = answer["data"][0]["drop_reason"] if status == 200 else None
        return dropped["code"] if dropped else status

    assert await send("a" * 480 + " " * 21) == 422
    assert await send(" ") == 400
    assert await send("hi", sender_id=c.viewer.id) == 401
    assert await send("hi") == 200
    event = (await told(socket, "notification"))["payload"]["event"]
    assert (event["chatter_user_id"], event["message"]["text"]) == (c.bot.id, "hi")
    assert await send("too soon") == "msg_ratelimit"
    await asyncio.sleep(2)
    assert await send("hi") == "msg_duplicate"
    for number in range(17):
        await asyncio.sleep(1.2)
        assert await send(f"line {number}") == 200
    await asyncio.sleep(1.2)
    assert await send("the 21st") == "msg_ratelimit"
    c.twitch.mod(c.bot)
    assert await send("a moderator may") == 200
    await c.twitch.ban(c.bot)
    assert await send("banned") == 403


@scene()
async def test_only_own_rewards_can_be_settled_and_once(c: Client) -> None:
    access, _ = c.twitch.grant(c.twitch.channel, ["channel:manage:redemptions"])
    path, where = "channel_points/custom_rewards", {"broadcaster_id": c.twitch.channel.id}
    ask = functools.partial(c.ask, access=access)
    assert (await c.ask("POST", path, {"title": "x", "cost": 1}, params=where))[0] == 401
    assert (await ask("POST", path, {"title": "", "cost": 1}, params=where))[0] == 400
    _, made = await ask("POST", path, {"title": "Answer me", "cost": 500, "is_user_input_required": True}, params=where)
    own, foreign = made["data"][0]["id"], c.twitch.reward("Drink water")
    assert (await ask("POST", path, {"title": "Answer me", "cost": 500}, params=where))[0] == 400
    _, listed = await ask("GET", path, params={**where, "only_manageable_rewards": "true"})
    assert [one["id"] for one in listed["data"]] == [own]
    asked, drunk = await c.twitch.redeem(c.viewer, own, "why?"), await c.twitch.redeem(c.viewer, foreign)

    async def settle(reward: str, redemption: str, status: str = "FULFILLED") -> int:
        params = {**where, "reward_id": reward, "id": redemption}
        return (await ask("PATCH", f"{path}/redemptions", {"status": status}, params=params))[0]

    assert await settle(foreign, drunk) == 403
    assert await settle(own, asked, "DONE") == 400
    assert [await settle(own, asked, "CANCELED"), await settle(own, asked)] == [200, 404]
    assert c.twitch.rewards.redemptions[asked]["status"] == "canceled"
