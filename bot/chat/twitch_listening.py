"""Her EventSub connections, one a login: what each may hear by now, how it does, and what it has counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from bot.chat.eventsub import EventSub, SocketState
from bot.chat.eventsub_handoff import CHAT
from bot.chat.eventsub_races import first_to_end, until_one_fails
from bot.chat.twitch_words import Helix, LoginLost, Notification, TwitchRefused, Wanted, Who
from bot.chat.wanted import not_heard, subscriptions
from bot.texts import text
from bot.vocabulary import Health, State

WHO: tuple[Who, ...] = ("bot", "channel")
PARTS: dict[Who, str] = {"bot": "twitch", "channel": "twitch_events"}
"""The lights."""
LOOK_S = 5.0
"""How soon a login that may hear more than before, or less, gets other subscriptions."""
REFUSED_S = 60.0
"""How soon a login's subscriptions are asked for again when Twitch has refused them all, or chat."""
HEARS = ("live", "degraded")


class Listening:
    """Keeps every login's connection for as long as it can have one; without the bot's there is nothing to keep."""

    def __init__(
        self,
        url: str,
        helix: Helix,
        report: Callable[[Health], None],
        on_hearing: Callable[[], None],
        now: Callable[[], float],
        unix_s: Callable[[], float],
    ) -> None:
        """``on_hearing``: she hears (again), and may have missed something."""
        self._url = url
        self._helix = helix
        self._report = report
        self._on_hearing = on_hearing
        self._now = now
        self._unix_s = unix_s
        self._counts: dict[Who, Counter[str]] = {who: Counter() for who in WHO}
        self._states: dict[Who, SocketState] = {}
        self._since: dict[Who, tuple[float, int]] = {}
        """Since when each has missed nothing, by the client's clock and in Unix seconds."""
        self._deaf_since_s: dict[Who, float] = {}
        self._lacking = ""

    def counters(self) -> dict[str, dict[str, float]]:
        """Return what each connection has counted since the program began, by its light.

        ``received`` and ``duplicates``: notifications; ``reconnects``; ``gaps``: times of hearing nothing, ``gap_s`` in
        all; ``since``: the Unix time since which nothing was missed, 0 before there is one.
        """
        return {
            PARTS[who]: {
                "received": counts["received"],
                "duplicates": counts["duplicate"],
                "reconnects": counts["reconnect"],
                "gaps": counts["gap"],
                "gap_s": round(counts["gap_ms"] / 1000, 1),
                "since": self._since[who][1] if who in self._since else 0,
            }
            for who, counts in self._counts.items()
            if who in self._states
        }

    async def run(self, deliver: Callable[[Notification], None]) -> None:
        """Listen with both logins until cancelled.

        Raises ``LoginLost`` or ``TwitchRefused`` when the bot's hears nothing any more; the channel's is waited for.
        """
        await until_one_fails(*(self._listen(who, deliver) for who in WHO))

    async def _listen(self, who: Who, deliver: Callable[[Notification], None]) -> None:
        while True:
            wanted = self._wanted(who)
            if not wanted:
                await self._changed(who, wanted)
                continue
            await first_to_end(self._visit(who, wanted, deliver), self._changed(who, wanted), self._shut_out(who))
            last = self._states[who]
            if last.state == "login_lost" and who == "bot":
                raise LoginLost(who, last.reason)
            if last.state == "refused" and who == "bot":
                raise TwitchRefused(403, _listed(kind for kind, _ in last.refused))
            if last.state in ("login_lost", "refused"):
                await first_to_end(self._changed(who, wanted), asyncio.sleep(REFUSED_S))

    async def _visit(self, who: Who, wanted: list[Wanted], deliver: Callable[[Notification], None]) -> None:
        """Listen until the login is lost or Twitch refuses everything."""
        client: EventSub

        def on_state(state: SocketState) -> None:
            self._states[who] = self._marked(who, client, state)
            self._show(who)
            if state.state in HEARS:
                self._on_hearing()

        counts = self._counts[who]
        client = EventSub(self._url, wanted, self._helix, deliver, on_state, self._now, counts=counts)
        await client.run()

    def _marked(self, who: Who, client: EventSub, state: SocketState) -> SocketState:
        """Note since when nothing was missed, and count what was missed between two clients."""
        whole_s = client.whole_since_s
        if state.state not in HEARS:
            if who in self._since and state.state != "connecting":
                self._deaf_since_s.setdefault(who, self._now())
            return state
        if whole_s is not None and self._since.get(who, (None, 0))[0] != whole_s:
            self._since[who] = whole_s, round(self._unix_s() - (self._now() - whole_s))
        deaf_since_s = self._deaf_since_s.pop(who, None)
        if deaf_since_s is None:
            return state
        missed_s, counts = self._now() - deaf_since_s, self._counts[who]
        counts["reconnect"] += 1
        counts["gap"] += 1
        counts["gap_ms"] += round(1000 * missed_s)
        return replace(state, outage_s=state.outage_s + missed_s)

    # ------------------------------------------------------------------ what each may hear

    def _wanted(self, who: Who) -> list[Wanted]:
        wanted, missing = subscriptions(self._helix.bot, self._helix.channel, self._helix.may)
        lacking = not_heard(one for one in missing if one.is_basic)
        if lacking != self._lacking:
            self._lacking = lacking
            if "bot" in self._states:
                self._show("bot")
        return [one for one in wanted if one.who == who]

    async def _changed(self, who: Who, wanted: list[Wanted]) -> None:
        """Wait until this login may hear something else: somebody has signed in, or it was lost."""
        while self._wanted(who) == wanted:  # noqa: ASYNC110 - logins tell nobody of it
            await asyncio.sleep(LOOK_S)

    async def _shut_out(self, who: Who) -> None:
        """Return some time after Twitch has refused chat: what else it gives is worth little, and bans are lifted."""
        while who not in self._states or CHAT not in dict(self._states[who].refused):  # noqa: ASYNC110 - states tell nobody
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(REFUSED_S)

    # ------------------------------------------------------------------ the lights

    def _show(self, who: Who) -> None:
        state, part = self._states[who], PARTS[who]
        if state.state == "stopped":
            health = Health(part, "off")
        elif state.state == "connecting" and state.reason:
            health = Health(part, "down", text(f"twitch.{state.reason}"), text("twitch.comes_back"))
        elif state.state == "connecting":
            health = Health(part, "degraded", text("twitch.connecting"))
        elif state.state == "login_lost":
            health = Health(part, "down", state.reason, text("twitch.sign_in"))
        else:
            health = self._heard(who, state)
        self._report(health)

    def _heard(self, who: Who, state: SocketState) -> Health:
        lacking = _listed([*state.missing, *(f"{kind} ({why})" for kind, why in state.refused)])
        said = [text("twitch.lacking", what=lacking)] if lacking else []
        said += [self._lacking] if self._lacking and who == "bot" else []
        whole = state.state == "live" and not (self._lacking and who == "bot")
        if state.outage_s:
            said.append(text("twitch.outage", seconds=round(state.outage_s)))
        repair = "" if whole else text("twitch.sign_in")
        light: State = "ok" if whole else "down" if state.state == "refused" else "degraded"
        return Health(PARTS[who], light, " ".join(said), repair, self._helix.channel.login)


def _listed(what: Iterable[str]) -> str:
    return ", ".join(what)
