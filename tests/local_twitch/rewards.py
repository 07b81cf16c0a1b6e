"""Channel-point rewards and their redemptions: an app may touch only what it made itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web

from bot.chat.twitch_words import TwitchUser
from tests.local_twitch.accounts import Token
from tests.local_twitch.http import Http, Refused, json_body
from tests.local_twitch.payloads import Json, named
from tests.local_twitch.subscription_types import has_scope

MOST, TITLE, PROMPT, IDS = 50, 45, 200, 50
READ, MANAGE = "channel:read:redemptions", "channel:manage:redemptions"


@dataclass
class Reward:
    client_id: str
    """The app that made it; empty: the streamer."""
    shown: Json


@dataclass
class Rewards:
    http: Http
    channel: TwitchUser
    allowed: bool = True
    """Whether the channel is partner or affiliate, and so has channel points."""
    made: dict[str, Reward] = field(default_factory=dict)
    redemptions: dict[str, Json] = field(default_factory=dict)
    """Every redemption by id; ``status`` tells what became of it."""
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def routes(self) -> list[web.RouteDef]:
        path = "/helix/channel_points/custom_rewards"
        return [
            web.post(path, self.create),
            web.get(path, self.list),
            web.patch(path, self.update),
            web.delete(path, self.delete),
            web.get(f"{path}/redemptions", self.list_redemptions),
            web.patch(f"{path}/redemptions", self.settle),
        ]

    def make(self, body: Json, client_id: str) -> Json:
        self._check(body)
        cooldown = {"is_enabled": False, "global_cooldown_seconds": 0}
        shown = {
            **named("broadcaster", self.channel),
            "id": f"92af127c-0000-4000-8000-{next(self._numbers):012d}",
            "title": "",
            "prompt": "",
            "cost": 1,
            "image": None,
            "default_image": dict.fromkeys(
                ("url_1x", "url_2x", "url_4x"), "https://static-cdn.jtvnw.net/default-1.png"
            ),
            "background_color": "#00E5CB",
            "is_enabled": True,
            "is_user_input_required": False,
            "max_per_stream_setting": {"is_enabled": False, "max_per_stream": 0},
            "max_per_user_per_stream_setting": {"is_enabled": False, "max_per_user_per_stream": 0},
            "global_cooldown_setting": cooldown,
            "is_paused": False,
            "is_in_stock": True,
            "should_redemptions_skip_request_queue": False,
            "redemptions_redeemed_current_stream": None,
            "cooldown_expires_at": None,
        }
        shown["broadcaster_id"] = shown.pop("broadcaster_user_id")
        shown["broadcaster_login"] = shown.pop("broadcaster_user_login")
        shown["broadcaster_name"] = shown.pop("broadcaster_user_name")
        shown |= {key: value for key, value in body.items() if key in shown}
        self.made[shown["id"]] = Reward(client_id, shown)
        return shown

    def redeemed(self, user: TwitchUser, reward: str, user_input: str) -> Json:
        shown = self.made[reward].shown
        assert shown["is_enabled"], "nobody can redeem a reward that is off"
        assert not shown["is_paused"], "nobody can redeem a reward that is paused"
        assert bool(user_input) == shown["is_user_input_required"], "the reward's text is obligatory, or not there"
        done = shown["should_redemptions_skip_request_queue"]
        redemption = {
            "id": f"17fa2df1-0000-4000-8000-{next(self._numbers):012d}",
            **named("broadcaster", self.channel),
            **named("", user),
            "user_input": user_input,
            "status": "fulfilled" if done else "unfulfilled",
            "reward": {key: shown[key] for key in ("id", "title", "cost", "prompt")},
            "redeemed_at": self.http.clock.stamp(),
        }
        self.redemptions[redemption["id"]] = redemption
        return dict(redemption)

    # ------------------------------------------------------------------ Helix

    async def create(self, request: web.Request) -> web.Response:
        self._broadcaster(request, MANAGE)
        return web.json_response({"data": [self.make(await json_body(request), self.http.accounts.client_id)]})

    async def list(self, request: web.Request) -> web.Response:
        token = self._broadcaster(request, READ)
        found = list(self.made.values())
        if ids := request.query.getall("id", []):
            found = [self._reward(id) for id in ids[:IDS]]
        if request.query.get("only_manageable_rewards") == "true":
            found = [reward for reward in found if reward.client_id == token.client_id]
        return web.json_response({"data": [reward.shown for reward in found]})

    async def update(self, request: web.Request) -> web.Response:
        reward = self._own(self._broadcaster(request, MANAGE), request.query.get("id", ""))
        body = await json_body(request)
        self._check({**reward.shown, **body}, but=reward)
        reward.shown |= {key: value for key, value in body.items() if key in reward.shown}
        return web.json_response({"data": [reward.shown]})

    async def delete(self, request: web.Request) -> web.Response:
        reward = self._own(self._broadcaster(request, MANAGE), request.query.get("id", ""))
        del self.made[reward.shown["id"]]
        return web.Response(status=204)

    async def list_redemptions(self, request: web.Request) -> web.Response:
        reward = self._own(self._broadcaster(request, READ), request.query.get("reward_id", ""))
        ids, status = request.query.getall("id", []), request.query.get("status")
        if not ids and status not in ("UNFULFILLED", "FULFILLED", "CANCELED"):
            raise Refused(400, "status or id is required")
        found = [r for r in self.redemptions.values() if r["reward"]["id"] == reward.shown["id"]]
        found = [r for r in found if (r["id"] in ids if ids else r["status"].upper() == status)]
        first, begin = int(request.query.get("first", 20)), int(request.query.get("after") or 0)
        if not 1 <= first <= MOST:
            raise Refused(400, f"first must be 1 to {MOST}")
        end = begin + first
        page = {"cursor": str(end)} if end < len(found) else {}
        return web.json_response({"data": [_helix(one) for one in found[begin:end]], "pagination": page})

    async def settle(self, request: web.Request) -> web.Response:
        reward = self._own(self._broadcaster(request, MANAGE), request.query.get("reward_id", ""))
        status = (await json_body(request)).get("status")
        ids = request.query.getall("id", [])
        if status not in ("FULFILLED", "CANCELED") or not 1 <= len(ids) <= IDS:
            raise Refused(400, "id and a status of FULFILLED or CANCELED are required")
        found = [self.redemptions.get(id) for id in ids]
        for redemption in found:
            if (
                not redemption
                or redemption["reward"]["id"] != reward.shown["id"]
                or redemption["status"] != "unfulfilled"
            ):
                raise Refused(404, "no unfulfilled redemption of this id")
        for redemption in found:
            assert redemption
            redemption["status"] = status.lower()
        return web.json_response({"data": [_helix(redemption) for redemption in found if redemption]})

    def _broadcaster(self, request: web.Request, scope: str) -> Token:
        token = self.http.token(request)
        if not has_scope(token.scopes, scope):
            raise Refused(401, f"Missing scope: {scope}")
        asked = request.query.get("broadcaster_id")
        if not asked:
            raise Refused(400, 'Missing required parameter "broadcaster_id"')
        if token.user is None or asked != token.user.id:
            raise Refused(401, "The ID in broadcaster_id must match the user ID found in the request's OAuth token")
        if asked != self.channel.id or not self.allowed:
            raise Refused(403, "The broadcaster doesn't have partner or affiliate status")
        return token

    def _reward(self, id: str) -> Reward:
        if id not in self.made:
            raise Refused(404, "custom reward not found")
        return self.made[id]

    def _own(self, token: Token, id: str) -> Reward:
        if not id:
            raise Refused(400, "the reward's id is required")
        reward = self._reward(id)
        if reward.client_id != token.client_id:
            raise Refused(403, "the custom reward was created by a different client_id")
        return reward

    def _check(self, body: Json, but: Reward | None = None) -> None:
        title, cost, prompt = body.get("title"), body.get("cost"), body.get("prompt", "")
        others = [reward for reward in self.made.values() if reward is not but]
        if not isinstance(title, str) or not 1 <= len(title) <= TITLE:
            raise Refused(400, f"title must contain 1 to {TITLE} characters")
        if not isinstance(cost, int) or isinstance(cost, bool) or cost < 1:
            raise Refused(400, "cost must be at least 1")
        if not isinstance(prompt, str) or len(prompt) > PROMPT:
            raise Refused(400, f"prompt is limited to {PROMPT} characters")
        if any(reward.shown["title"] == title for reward in others):
            raise Refused(400, "CREATE_CUSTOM_REWARD_DUPLICATE_REWARD")
        if len(others) >= MOST:
            raise Refused(400, "CREATE_CUSTOM_REWARD_TOO_MANY_REWARDS")


def _helix(redemption: Json) -> Json:
    shown: dict[str, Any] = {key.replace("broadcaster_user_", "broadcaster_"): v for key, v in redemption.items()}
    return {**shown, "status": redemption["status"].upper()}
