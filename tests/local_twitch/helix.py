"""The rest of Helix: accounts, the stream, emotes, and writing chat."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from aiohttp import web

from bot.chat.twitch_words import TwitchUser
from tests.local_twitch.accounts import Token
from tests.local_twitch.http import Http, Refused, json_body
from tests.local_twitch.payloads import Json
from tests.local_twitch.subscription_types import has_scope
from tests.local_twitch.subscriptions import Subscriptions

LONGEST, WINDOW_S, VIEWERS_MOST, MODERATORS_MOST, VIEWERS_PAUSE_S = 500, 30.0, 20, 100, 1.0
USERS = 100
TEMPLATE = "https://static-cdn.jtvnw.net/emoticons/v2/{{id}}/{{format}}/{{theme_mode}}/{{scale}}"


class Channel(Protocol):
    """What Helix needs of the local Twitch."""

    http: Http
    subscriptions: Subscriptions
    channel: TwitchUser
    is_live: bool
    title: str
    category: str

    async def chat(self, user: TwitchUser, text: str = "", *, reply: str | None = None) -> str: ...

    def author(self, message_id: str) -> TwitchUser | None: ...

    async def delete(self, message_id: str, user: TwitchUser) -> int: ...


class Helix:
    def __init__(self, twitch: Channel) -> None:
        self.twitch = twitch
        self.http = twitch.http
        self.started_at = self.http.clock.stamp()
        self.channel_emotes: list[str] = ["mikaHola", "mikaLove"]
        self.global_emotes: list[str] = ["LUL", "Kappa", "HeyGuys"]
        self.sent: list[tuple[str, str]] = []
        """What was written in chat over Helix: sender's id, text."""
        self.drop_next: list[str] = []
        """Codes: so many of the next messages are dropped for these reasons, such as ``channel_settings_block``."""
        self._recent: dict[tuple[str, str], deque[tuple[float, str]]] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/helix/users", self.users),
            web.get("/helix/streams", self.streams),
            web.get("/helix/channels", self.channels),
            web.get("/helix/channels/followers", self.followers),
            web.get("/helix/chat/emotes", self.emotes),
            web.get("/helix/chat/emotes/global", self.emotes),
            web.post("/helix/chat/messages", self.send),
            web.delete("/helix/moderation/chat", self.delete),
        ]

    async def users(self, request: web.Request) -> web.Response:
        token = self.http.token(request)
        ids, logins = request.query.getall("id", []), request.query.getall("login", [])
        if len(ids) + len(logins) > USERS:
            raise Refused(400, "too many ids and logins")
        accounts = self.http.accounts
        found = [accounts.by_id.get(id) for id in ids]
        found += [accounts.by_login.get(login.lower()) for login in logins]
        if not ids and not logins:
            if token.user is None:
                raise Refused(400, "id or login is required")
            found = [token.user]
        return web.json_response({"data": [_user(user) for user in dict.fromkeys(found) if user]})

    async def streams(self, request: web.Request) -> web.Response:
        self.http.token(request)
        twitch, channel = self.twitch, self.twitch.channel
        asked = request.query.getall("user_id", []) + request.query.getall("user_login", [])
        wanted = not asked or channel.id in asked or channel.login in asked
        stream = {
            "id": "40952121085",
            "user_id": channel.id,
            "user_login": channel.login,
            "user_name": channel.name,
            "game_id": "509658",
            "game_name": twitch.category,
            "type": "live",
            "title": twitch.title,
            "tags": [],
            "viewer_count": 12,
            "started_at": self.started_at,
            "language": "es",
            "thumbnail_url": "https://static-cdn.jtvnw.net/previews-ttv/live-{width}x{height}.jpg",
            "tag_ids": [],
            "is_mature": False,
        }
        return web.json_response({"data": [stream] if twitch.is_live and wanted else [], "pagination": {}})

    async def channels(self, request: web.Request) -> web.Response:
        self.http.token(request)
        ids = request.query.getall("broadcaster_id", [])
        if not 1 <= len(ids) <= USERS:
            raise Refused(400, 'Missing required parameter "broadcaster_id"')
        known = [self.http.accounts.by_id[id] for id in ids if id in self.http.accounts.by_id]
        return web.json_response({"data": [self._channel(user) for user in known]})

    def _channel(self, user: TwitchUser) -> Json:
        here = user == self.twitch.channel
        return {
            "broadcaster_id": user.id,
            "broadcaster_login": user.login,
            "broadcaster_name": user.name,
            "broadcaster_language": "es",
            "game_id": "509658",
            "game_name": self.twitch.category if here else "Art",
            "title": self.twitch.title if here else "",
            "delay": 0,
            "tags": [],
            "content_classification_labels": [],
            "is_branded_content": False,
        }

    async def followers(self, request: web.Request) -> web.Response:
        self.http.token(request)
        if not request.query.get("broadcaster_id"):
            raise Refused(400, 'Missing required parameter "broadcaster_id"')
        return web.json_response({"total": 8, "data": [], "pagination": {}})

    async def emotes(self, request: web.Request) -> web.Response:
        self.http.token(request)
        everywhere = request.path.endswith("/global")
        if not everywhere and not request.query.get("broadcaster_id"):
            raise Refused(400, 'Missing required parameter "broadcaster_id"')
        mine = everywhere or request.query["broadcaster_id"] == self.twitch.channel.id
        names = (self.global_emotes if everywhere else self.channel_emotes) if mine else []
        data = [_emote(f"{1 if everywhere else 2}{n:05d}", name, everywhere) for n, name in enumerate(names)]
        return web.json_response({"data": data, "template": TEMPLATE})

    # ------------------------------------------------------------------ writing chat

    async def send(self, request: web.Request) -> web.Response:
        token = self.http.token(request)
        body = await json_body(request)
        for key in ("broadcaster_id", "sender_id", "message"):
            if not isinstance(body.get(key), str) or not body[key].strip():
                raise Refused(400, f'Missing required field "{key}"')
        self._may_send(token, body)
        text = body["message"]
        if len(text) > LONGEST:
            raise Refused(422, f"The message must be at most {LONGEST} characters")
        user, room = self.http.accounts.by_id[body["sender_id"]], body["broadcaster_id"]
        code = self._dropped(user, room, text)
        if code:
            dropped = {"code": code, "message": f"Your message was not sent: {code}"}
            return web.json_response({"data": [{"message_id": "", "is_sent": False, "drop_reason": dropped}]})
        self.sent.append((user.id, text))
        message_id = "foreign-0000001"
        if room == self.twitch.channel.id:
            message_id = await self.twitch.chat(user, text, reply=body.get("reply_parent_message_id"))
        return web.json_response({"data": [{"message_id": message_id, "is_sent": True, "drop_reason": None}]})

    async def delete(self, request: web.Request) -> web.Response:
        """Nobody deletes the channel's own messages, nor one moderator another's."""
        token = self.http.token(request)
        asked = [request.query.get(key, "") for key in ("broadcaster_id", "moderator_id", "message_id")]
        if not all(asked):
            raise Refused(400, "Missing required parameter")
        room, moderator, message = asked
        if not has_scope(token.scopes, "moderator:manage:chat_messages"):
            raise Refused(401, "Missing scope: moderator:manage:chat_messages")
        if token.user is None or token.user.id != moderator:
            raise Refused(401, "The ID in moderator_id must match the user ID found in the request's OAuth token")
        moderators = self.twitch.subscriptions.moderators
        if moderator != room and (room, moderator) not in moderators:
            raise Refused(403, "The user in moderator_id is not one of the broadcaster's moderators")
        author = self.twitch.author(message)
        if author is None:
            raise Refused(404, "The ID in message_id was not found")
        if author.id == room:
            raise Refused(400, "You may not delete the broadcaster's messages")
        if author.id != moderator and (room, author.id) in moderators:
            raise Refused(400, "You may not delete another moderator's messages")
        await self.twitch.delete(message, author)
        return web.Response(status=204)

    def _may_send(self, token: Token, body: Json) -> None:
        if "for_source_only" in body and token.user is not None:
            raise Refused(400, "for_source_only works only with an app access token")
        if token.user is None:
            raise Refused(401, "an app access token needs user:bot and channel:bot")
        if not has_scope(token.scopes, "user:write:chat"):
            raise Refused(401, "Missing scope: user:write:chat")
        if body["sender_id"] != token.user.id:
            raise Refused(401, "The ID in sender_id must match the user ID found in the request's OAuth token")
        if body["broadcaster_id"] not in self.http.accounts.by_id:
            raise Refused(400, "The broadcaster was not found")
        if (body["broadcaster_id"], token.user.id) in self.twitch.subscriptions.banned:
            raise Refused(403, "The sender is not permitted to send chat messages to the broadcaster's chat room")

    def _dropped(self, user: TwitchUser, room: str, text: str) -> str:
        """Return why Twitch drops this message, or nothing. What is dropped counts against the rate as well."""
        if self.drop_next:
            return self.drop_next.pop(0)
        ranked = room == user.id or (room, user.id) in self.twitch.subscriptions.moderators
        recent = self._recent.setdefault((user.id, room), deque())
        now_s = self.http.clock.s()
        while recent and now_s - recent[0][0] >= WINDOW_S:
            recent.popleft()
        paused = ranked or not recent or now_s - recent[-1][0] >= VIEWERS_PAUSE_S
        repeated = any(said == text for _, said in recent)
        full = len(recent) >= (MODERATORS_MOST if ranked else VIEWERS_MOST)
        recent.append((now_s, text))
        if full or not paused:
            return "msg_ratelimit"
        return "msg_duplicate" if repeated else ""


def _user(user: TwitchUser) -> Json:
    return {
        "id": user.id,
        "login": user.login,
        "display_name": user.name,
        "type": "",
        "broadcaster_type": "affiliate",
        "description": "",
        "profile_image_url": "https://static-cdn.jtvnw.net/jtv_user_pictures/profile.png",
        "offline_image_url": "",
        "view_count": 0,
        "created_at": "2016-12-14T20:32:28Z",
    }


def _emote(id: str, name: str, everywhere: bool) -> Json:
    sizes = {f"url_{n}x": f"https://static-cdn.jtvnw.net/emoticons/v2/{id}/static/light/{n}.0" for n in (1, 2, 4)}
    scales = {"format": ["static"], "scale": ["1.0", "2.0", "3.0"], "theme_mode": ["light", "dark"]}
    owned = {} if everywhere else {"tier": "1000", "emote_type": "subscriptions", "emote_set_id": "301590448"}
    return {"id": id, "name": name, "images": sizes, **scales, **owned}
