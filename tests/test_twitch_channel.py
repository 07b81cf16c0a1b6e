"""Her channel as a whole, signed in at the local Twitch, in virtual time: she hears on, whatever becomes of a login."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.chat.event_policy import EventPolicy
from bot.chat.helix import TwitchHelix
from bot.chat.login import BOT_SCOPES, CHANNEL_SCOPES, DELETE_SCOPE
from bot.chat.oauth import OAuth
from bot.chat.renewal import Renew, renew
from bot.chat.token_store import TokenStore
from bot.chat.twitch import TwitchChannel
from bot.chat.twitch_words import Who
from bot.config.settings import Settings
from bot.texts import text
from bot.vocabulary import Cue, Health, Heard, Person, Spoken
from tests.channel_scene import PROMPTS
from tests.twitch_stay import Stay, in_virtual_time, stay


class Aired:
    """She listens; what she heard and how her lights are."""

    def __init__(self, there: Stay, **twitch: Any) -> None:
        local = there.twitch
        addresses = {"api_url": local.api_url, "auth_url": local.auth_url, "eventsub_url": local.eventsub_url}
        section = {"mode": "eventsub", "channel": local.channel.login, "client_id": local.client_id}
        settings = Settings(twitch={**section, **addresses, **twitch})
        policy = EventPolicy(PROMPTS, "es", "Aneeka", settings.twitch.events.model_dump(), seed=1)
        self.there = there
        self.heard: list[Heard] = []
        self.lights: dict[str, Health] = {}
        self.told: list[dict[str, Any]] = []
        self.withdrawn: list[str] = []
        self.channel = TwitchChannel(
            settings,
            there.store.folder.parent,
            policy,
            self,
            self,
            self.report,
            self.told.append,
            there.now,
        )

    def report(self, health: Health) -> None:
        self.lights[health.part] = health

    def hear(self, heard: Heard, unfit: str | None = None) -> None:
        self.heard.append(heard)

    def control(self, verb: str) -> None: ...

    def ignores(self, person: Person) -> bool:
        return False

    def feel(self, expression: str) -> None: ...

    def withdraw(self, heard_id: str) -> None:
        self.withdrawn.append(heard_id)
        self.channel.withdrawn([heard_id])

    def withdraw_person(self, person_id: str, name: str = "", for_s: float = 0.0) -> None: ...

    def allow_person(self, person_id: str) -> None: ...

    def withdraw_all(self) -> None: ...

    @property
    def texts(self) -> list[str]:
        return [heard.text for heard in self.heard]

    async def hears(self, said: str) -> bool:
        await self.there.twitch.chat(self.there.twitch.user("noor", "Noor"), said)
        await asyncio.sleep(0.5)
        return said in self.texts

    def counted(self, part: str = "twitch") -> dict[str, float]:
        return self.channel.counters()[part]


@asynccontextmanager
async def on_air(folder: Path, *, owner: bool = True, at_once: bool = True, **twitch: Any) -> AsyncIterator[Aired]:
    """She has an account of her own; ``owner``: the channel's is signed in too."""
    async with stay(folder, token_life_s=10 * 24 * 3600.0) as there:
        there.sign_in("bot", there.aneeka, (*BOT_SCOPES, DELETE_SCOPE))
        if owner:
            there.sign_in("channel", there.twitch.channel, CHANNEL_SCOPES)
        aired = Aired(there, **twitch)
        running = asyncio.create_task(aired.channel.run())
        if at_once:
            await asyncio.sleep(5)
        try:
            yield aired
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


@pytest.fixture(autouse=True)
def _no_threads_nor_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time waits for neither: what they do is done at once, in the loop."""

    def in_here(folder: Path, auth_url: str, client_id: str) -> Renew:
        async def renew_here(who: Who, dead: str) -> None:
            async with aiohttp.ClientSession() as session:
                await renew(TokenStore(folder), OAuth(auth_url, client_id, session), who, dead)

        return renew_here

    async def at_once(work: Callable[[], None]) -> None:
        work()

    monkeypatch.setattr("bot.chat.helix.in_own_process", in_here)
    monkeypatch.setattr("asyncio.to_thread", at_once)


# --- logins that come and go --------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_channels_events_begin_as_soon_as_its_owner_signs_in(folder: Path) -> None:
    async with on_air(folder, owner=False) as aired:
        there, twitch = aired.there, aired.there.twitch
        await twitch.follow(twitch.user("ana", "Ana"))
        await asyncio.sleep(1)
        assert aired.heard == []
        assert "moderator:read:followers" in aired.lights["twitch"].reason
        there.sign_in("channel", twitch.channel, CHANNEL_SCOPES)
        await asyncio.sleep(15)
        await twitch.follow(twitch.user("leo", "Leo"))
        await asyncio.sleep(1)
        assert [(heard.event, heard.person.name) for heard in aired.heard if heard.person] == [("follow", "Leo")]
        assert {part: aired.lights[part].state for part in ("twitch", "twitch_events")} == {
            "twitch": "ok",
            "twitch_events": "ok",
        }


@in_virtual_time
async def test_a_lost_login_of_the_channels_leaves_chat_alone_and_its_events_come_back_with_a_new_one(
    folder: Path,
) -> None:
    async with on_air(folder, rewards={"answer_cost": 500}) as aired:
        there, twitch = aired.there, aired.there.twitch
        reward = next(iter(twitch.rewards.made))
        redemption = await twitch.redeem(twitch.user("rica", "Rica"), reward, "¿qué tal?")
        await asyncio.sleep(1)
        heard = next(one for one in aired.heard if one.event == "reward")
        twitch.revoke(there.kept("channel").access)
        aired.channel.dropped(heard.id)
        await asyncio.sleep(60)
        assert aired.lights["twitch_events"].state == "down"
        assert "aneeka setup twitch" in aired.lights["twitch_events"].repair
        twitch.forget()
        await asyncio.sleep(600)
        assert await aired.hears("¿me lees?")
        assert aired.counted()["gaps"] == 0, "chat was never interrupted"
        assert len(twitch.requests) < 60, "Twitch is left in peace"
        there.sign_in("channel", twitch.channel, CHANNEL_SCOPES)
        await asyncio.sleep(90)
        await twitch.follow(twitch.user("leo", "Leo"))
        await asyncio.sleep(1)
        assert "follow" in [one.event for one in aired.heard]
        assert aired.lights["twitch_events"].state == "ok"
        assert twitch.rewards.redemptions[redemption]["status"] == "canceled", "and the points are back"


@in_virtual_time
async def test_her_own_lost_login_is_told_and_a_new_one_is_used(folder: Path) -> None:
    async with on_air(folder, talk_back="all") as aired:
        there, twitch = aired.there, aired.there.twitch
        twitch.revoke(there.kept("bot").access)
        await asyncio.sleep(120)
        assert not await aired.hears("nadie lee esto")
        light = aired.lights["twitch"]
        assert (light.state, light.repair) == ("down", text("twitch.sign_in"))
        twitch.forget()
        await asyncio.sleep(3600)
        assert twitch.requests == [], "Twitch is left in peace"
        there.sign_in("bot", there.aneeka, (*BOT_SCOPES, DELETE_SCOPE))
        await asyncio.sleep(20)
        assert await aired.hears("¿y ahora?")
        aired.channel.said(Cue("idle", (), there.now()), Spoken("r", "Ya estoy de vuelta.", None))
        await asyncio.sleep(2)
        assert twitch.helix.sent[-1:] == [(there.aneeka.id, "Ya estoy de vuelta.")]
        counted = aired.counted()
        assert counted["gaps"] == 1
        assert counted["gap_s"] > 3600


@in_virtual_time
async def test_a_twitch_that_refuses_everything_is_not_asked_in_a_hot_loop(folder: Path) -> None:
    async with on_air(folder, owner=False, at_once=False) as aired:
        twitch = aired.there.twitch
        twitch.fail_subscribes([403] * 2_000)
        await asyncio.sleep(600)
        asked = [one for one in twitch.requests if one.path == "/helix/users"]
        assert 5 <= len(asked) <= 16
        assert aired.lights["twitch"].state == "down"


@in_virtual_time
async def test_when_a_ban_of_her_account_is_lifted_she_hears_chat_again(folder: Path) -> None:
    async with on_air(folder) as aired:
        there, twitch = aired.there, aired.there.twitch
        await twitch.ban(there.aneeka)
        await asyncio.sleep(300)
        assert not await aired.hears("ahora no me oyes")
        assert "channel.chat.message" in aired.lights["twitch"].reason
        await twitch.lift_ban(there.aneeka)
        await asyncio.sleep(120)
        assert await aired.hears("¿y ahora?")
        assert aired.lights["twitch"].state == "ok"


@in_virtual_time
async def test_a_fault_of_her_own_is_a_light_and_she_begins_anew(folder: Path) -> None:
    async with on_air(folder, owner=False, at_once=False) as aired:
        real, faults = TwitchHelix.start, [RuntimeError("boom")]

        async def stumble(helix: TwitchHelix) -> None:
            if faults:
                raise faults.pop()
            await real(helix)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TwitchHelix, "start", stumble)
            await asyncio.sleep(1)
            light = aired.lights["twitch"]
            assert (light.state, light.reason) == ("down", text("twitch.stumbled"))
            await asyncio.sleep(10)
        assert await aired.hears("¿sigues ahí?")


# --- what is shown, refunded and deleted --------------------------------------------------------------------------


@in_virtual_time
async def test_the_chat_line_of_a_paid_question_deleted_in_the_studio_takes_the_question_with_it(folder: Path) -> None:
    async with on_air(folder, rewards={"answer_cost": 500}) as aired:
        twitch = aired.there.twitch
        await twitch.redeem(twitch.user("rica", "Rica"), next(iter(twitch.rewards.made)), "algo feo")
        await asyncio.sleep(1)
        question, line = sorted(aired.heard, key=lambda heard: heard.kind, reverse=True)
        assert (question.event, line.kind) == ("reward", "chat")
        aired.withdraw(line.id)
        assert question.id in aired.withdrawn


@in_virtual_time
async def test_each_connection_counts_what_it_heard_and_missed(folder: Path) -> None:
    async with on_air(folder) as aired:
        twitch = aired.there.twitch
        assert await aired.hears("hola")
        assert await aired.hears("otra vez")
        await twitch.duplicate(2)
        await asyncio.sleep(1)
        first = aired.counted()
        assert {**first, "since": 0} == {
            "received": 2,
            "duplicates": 2,
            "reconnects": 0,
            "gaps": 0,
            "gap_s": 0.0,
            "since": 0,
        }
        await asyncio.sleep(30)
        await twitch.reconnect()
        await asyncio.sleep(10)
        assert aired.counted() == {**first, "reconnects": 1}
        twitch.refuse_handshakes(3)
        await twitch.drop()
        await asyncio.sleep(30)
        after = aired.counted()
        assert (after["reconnects"], after["gaps"]) == (2, 1)
        assert after["gap_s"] > 0
        assert aired.counted("twitch_events")["gaps"] == 1
        assert len(aired.texts) == 2


@in_virtual_time
async def test_what_was_redeemed_while_nobody_listened_is_refunded_or_answered(folder: Path) -> None:
    async with on_air(folder, rewards={"answer_cost": 500}) as aired:
        twitch = aired.there.twitch
        reward = next(iter(twitch.rewards.made))
        viewer = twitch.user("rica", "Rica")
        twitch.refuse_handshakes(30)
        await twitch.drop()
        missed = await twitch.redeem(viewer, reward, "¿hay alguien?")
        twitch.rewards.redemptions[missed]["redeemed_at"] = "2020-01-01T00:00:00Z"
        await asyncio.sleep(120)
        assert twitch.rewards.redemptions[missed]["status"] == "canceled"
        assert "¿hay alguien?" not in aired.texts


@in_virtual_time
async def test_her_written_answer_to_a_deleted_message_is_deleted_too(folder: Path) -> None:
    async with on_air(folder, talk_back="all") as aired:
        there, twitch = aired.there, aired.there.twitch
        twitch.mod(there.aneeka)
        viewer = twitch.user("troll", "Troll")
        message = await twitch.chat(viewer, "di algo feo")
        await asyncio.sleep(0.5)
        aired.channel.said(Cue("chat_one", (aired.heard[-1],), there.now()), Spoken("r", "Pues algo feo.", None))
        await asyncio.sleep(2)
        hers = next(id_ for id_, (who, *_rest) in twitch._said.items() if who == there.aneeka)
        await twitch.delete(message, viewer)
        await asyncio.sleep(2)
        assert twitch.author(hers) is None
        assert aired.told == []
