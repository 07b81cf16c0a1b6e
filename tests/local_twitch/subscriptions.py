"""EventSub subscriptions over Helix: what is created, what is refused, what is listed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web

from tests.local_twitch.accounts import Accounts, Token
from tests.local_twitch.http import Http, Refused, json_body
from tests.local_twitch.subscription_types import GONE, TYPES, B, M, has_scope

SOCKETS, PER_SOCKET, SAME, MAX_COST, PAGE = 3, 300, 3, 10, 100


@dataclass(eq=False)
class Subscription:
    id: str
    type: str
    version: str
    condition: dict[str, str]
    cost: int
    session: str
    owner: str
    """The id of the user whose token made it."""
    created_at: str
    connected_at: str
    status: str = "enabled"
    text: str = field(default="", init=False)
    """How it stands in a notification."""

    def __post_init__(self) -> None:
        self.written()

    def written(self) -> None:
        self.text = json.dumps(self.shown())

    def shown(self) -> dict[str, Any]:
        transport = {"method": "websocket", "session_id": self.session}
        return {
            "id": self.id,
            "type": self.type,
            "version": self.version,
            "status": self.status,
            "cost": self.cost,
            "condition": self.condition,
            "transport": transport,
            "created_at": self.created_at,
        }

    def wants(self, event: dict[str, Any]) -> bool:
        kind = TYPES[self.type]
        for key, value in self.condition.items():
            if key == M or (key == "user_id" and kind.rooted == "channel"):
                continue
            found = event.get("reward", {}).get("id") if key == "reward_id" else event.get(key)
            if found != value:
                return False
        return True


class Sessions:
    """What the subscriptions need to know of the sockets (``sockets.Sockets`` is one)."""

    def connected_at(self, session: str) -> str | None:
        """When an open, welcomed session was connected; none: there is no such session."""
        raise NotImplementedError


class Subscriptions:
    def __init__(self, http: Http, accounts: Accounts, sessions: Sessions) -> None:
        self.http = http
        self.accounts = accounts
        self.sessions = sessions
        self.moderators: set[tuple[str, str]] = set()
        """Pairs of channel id and user id."""
        self.banned: set[tuple[str, str]] = set()
        self.orphans_s = 0.0
        self.all: dict[str, Subscription] = {}
        self._enabled: dict[str, list[Subscription]] = {}
        self._used: set[str] = set()
        self._numbers = count(1)

    def routes(self) -> list[web.RouteDef]:
        path = "/helix/eventsub/subscriptions"
        return [web.post(path, self.create), web.get(path, self.list), web.delete(path, self.delete)]

    def wanting(self, type: str, event: dict[str, Any]) -> Iterator[Subscription]:
        return (kept for kept in tuple(self._enabled.get(type, ())) if kept.wants(event))

    def enabled(self, *, type: str = "", owner: str = "") -> list[Subscription]:
        found = (kept for kept in self.all.values() if kept.status == "enabled")
        return [kept for kept in found if kept.type == (type or kept.type) and kept.owner == (owner or kept.owner)]

    def ever(self, session: str) -> bool:
        """Whether this session ever had a subscription."""
        return session in self._used

    def of(self, session: str) -> list[Subscription]:
        return [kept for kept in self.all.values() if kept.session == session and kept.status == "enabled"]

    def move(self, session: str, new: str, connected_at: str) -> None:
        for kept in self.of(session):
            kept.session, kept.connected_at = new, connected_at
            self._used.add(new)
            kept.written()

    def end(self, subscription: Subscription, status: str) -> None:
        if subscription.status == "enabled":
            subscription.status = status
            self._enabled[subscription.type].remove(subscription)

    async def create(self, request: web.Request) -> web.Response:
        token = self.http.token(request)
        asked = await json_body(request)
        made = self._checked(token, asked)
        self.all[made.id] = made
        self._used.add(made.session)
        self._enabled.setdefault(made.type, []).append(made)
        shown = made.shown()
        shown["transport"]["connected_at"] = made.connected_at
        return web.json_response({"data": [shown], **self._totals(made.owner)}, status=202)

    async def list(self, request: web.Request) -> web.Response:
        owner = _person(self.http.token(request))
        filters = [name for name in ("status", "type", "user_id") if name in request.query]
        if len(filters) > 1:
            raise Refused(400, "only one filter may be given")
        found = [kept for kept in self.all.values() if kept.owner == owner]
        for name in filters:
            wanted = request.query[name]
            found = [k for k in found if wanted in (k.condition.values() if name == "user_id" else (getattr(k, name),))]
        start = int(request.query.get("after", "0"))
        page = found[start : start + PAGE]
        data = []
        for kept in page:
            data.append(kept.shown())
            data[-1]["transport"]["connected_at"] = kept.connected_at
        pagination = {"cursor": str(start + PAGE)} if start + PAGE < len(found) else {}
        return web.json_response({"data": data, **self._totals(owner), "pagination": pagination})

    async def delete(self, request: web.Request) -> web.Response:
        owner = _person(self.http.token(request))
        if "id" not in request.query:
            raise Refused(400, 'The parameter "id" is required')
        kept = self.all.get(request.query["id"])
        if kept is None or kept.owner != owner:
            raise Refused(404, "subscription not found")
        self.end(kept, "deleted")
        del self.all[kept.id]
        return web.Response(status=204)

    def _totals(self, owner: str) -> dict[str, int]:
        total = sum(kept.owner == owner for kept in self.all.values())
        cost = sum(kept.cost for kept in self.enabled(owner=owner))
        return {"total": total, "total_cost": cost, "max_total_cost": MAX_COST}

    def _checked(self, token: Token, asked: dict[str, Any]) -> Subscription:
        kind, version = asked.get("type"), asked.get("version")
        if not isinstance(kind, str) or not isinstance(version, str):
            raise Refused(400, "type and version are required")
        if (kind, version) in GONE:
            raise Refused(410, "this version of the subscription type was removed")
        if kind not in TYPES or TYPES[kind].version != version:
            raise Refused(400, "invalid subscription type and version")
        condition = self._condition(kind, asked.get("condition"))
        transport = asked.get("transport")
        if not isinstance(transport, dict) or transport.get("method") != "websocket":
            raise Refused(400, "invalid transport")
        owner = _person(token)
        session = transport.get("session_id")
        connected_at = self.sessions.connected_at(session) if isinstance(session, str) else None
        if not isinstance(session, str) or connected_at is None:
            raise Refused(400, "websocket transport session does not exist or has already disconnected")
        held = self.of(session)
        if any(kept.owner != owner for kept in held):
            raise Refused(400, "websocket transport session belongs to another user")
        self._permitted(token, kind, condition)
        self._room(owner, session, kind, condition)
        cost = 0 if any(self.accounts.authorised(user) for user in condition.values()) else 1
        if self._totals(owner)["total_cost"] + cost > MAX_COST:
            raise Refused(429, "exceeded max total cost")
        number = f"{next(self._numbers):08x}-5ub5-4000-8000-000000000000"
        stamp = self.http.clock.stamp()
        return Subscription(number, kind, version, condition, cost, session, owner, stamp, connected_at)

    def _condition(self, kind: str, condition: Any) -> dict[str, str]:
        wanted = TYPES[kind]
        if not isinstance(condition, dict):
            raise Refused(400, "condition is required")
        missing = [key for key in wanted.required if key not in condition]
        unknown = [key for key in condition if key not in (*wanted.required, *wanted.optional, *wanted.one_of)]
        if missing or unknown or (wanted.one_of and len(condition) != 1):
            raise Refused(400, f"invalid condition: missing {missing}, unknown {unknown}")
        for key, value in condition.items():
            if not isinstance(value, str) or not value or (key != "reward_id" and value not in self.accounts.by_id):
                raise Refused(400, f"invalid condition: {key}")
        return dict(condition)

    def _permitted(self, token: Token, kind: str, condition: dict[str, str]) -> None:
        wanted = TYPES[kind]
        assert token.user
        if wanted.owner and condition[wanted.owner] != token.user.id:
            raise Refused(403, f"subscription missing proper authorization: {wanted.owner} is not the token's user")
        lacking = [scope for scope in wanted.scopes if not has_scope(token.scopes, scope)]
        if lacking:
            raise Refused(403, f"subscription missing proper authorization: {' '.join(lacking)}")
        channel = condition.get(B, "")
        if M in condition and channel != token.user.id and (channel, token.user.id) not in self.moderators:
            raise Refused(403, "subscription missing proper authorization: the token's user is not a moderator")
        if wanted.owner == "user_id" and (channel, token.user.id) in self.banned:
            raise Refused(403, "subscription missing proper authorization: banned from this chat")

    def _room(self, owner: str, session: str, kind: str, condition: dict[str, str]) -> None:
        enabled = self.enabled(owner=owner)
        same = [kept for kept in enabled if kept.type == kind and kept.condition == condition]
        if any(kept.session == session or self.sessions.connected_at(kept.session) is None for kept in same):
            raise Refused(409, "subscription already exists")
        if len(same) >= SAME:
            raise Refused(429, "maximum subscriptions with type and condition exceeded")
        if len({kept.session for kept in enabled} | {session}) > SOCKETS:
            raise Refused(429, "number of websocket transports limit exceeded")
        if sum(kept.session == session for kept in enabled) >= PER_SOCKET:
            raise Refused(429, "number of subscriptions limit exceeded")


def _person(token: Token) -> str:
    if token.user is None:
        raise Refused(400, "invalid transport and auth combination")
    return token.user.id
