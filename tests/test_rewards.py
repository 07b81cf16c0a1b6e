"""Rewards for channel points: made once, paid when she has answered, given back in every other case."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.login import BOT_SCOPES, CHANNEL_SCOPES
from bot.chat.reward_offers import Offer, offers
from bot.chat.rewards import LOGIN_S, YOUNG_S, Rewards
from bot.chat.twitch_words import Helix, LoginLost, TwitchBusy, TwitchRefused
from bot.chat_choice import ChatRules
from bot.config.channel import Rewards as Chosen
from bot.director import Director, DirectorRules
from bot.event_lane import EventRule
from bot.inbox import Inbox
from bot.texts import text
from bot.vocabulary import Heard, Person
from tests.fake_helix import FakeHelix
from tests.twitch_stay import stay
from tests.virtual_time import play

OFFERS = offers(Chosen(answer_cost=500, mood_cost=300), "Aneeka")


class Scene:
    """A channel with her rewards; ``redeem`` is a viewer who spends points."""

    def __init__(self, folder: Path, helix: Helix | None = None, wanted: list[Offer] | None = None) -> None:
        self.helix: Any = helix or FakeHelix()
        self.heard: list[Heard] = []
        self.moods: list[str] = []
        self.ignored: set[str] = set()
        self.troubles: list[str] = []
        self.file = folder / "redemptions.json"
        self.rewards = Rewards(
            self.helix,
            OFFERS if wanted is None else wanted,
            self.file,
            hear=self.heard.append,
            mood=self.moods.append,
            ignores=lambda person: person.id in self.ignored,
            on_trouble=self.troubles.append,
            now=asyncio.get_running_loop().time,
            unix_s=self.unix_s,
        )

    def unix_s(self) -> float:
        return 1_795_000_000.0 + asyncio.get_running_loop().time()

    def reward(self, kind: str) -> str:
        title = text(f"rewards.{kind}_title", name="Aneeka")
        return next(reward["id"] for reward in self.helix.made.values() if reward["title"] == title)

    def miss(self, redemption: str, ago_s: float, *, kind: str = "answer") -> None:
        """A viewer redeems it, and the news gets lost."""
        reward = self.reward(kind)
        self.helix.open[redemption] = reward
        at = datetime.fromtimestamp(self.unix_s() - ago_s, UTC).isoformat().replace("+00:00", "Z")
        told = redeemed(redemption, reward, f"pregunta {redemption}")
        self.helix.missed.append(told | {"status": "UNFULFILLED", "redeemed_at": at})

    def redeem(self, redemption: str, said: str = "¿qué tal?", *, kind: str = "answer", user: str = "77") -> bool:
        reward = self.reward(kind)
        self.helix.open.setdefault(redemption, reward)
        return self.rewards.redeemed(redeemed(redemption, reward, said, user))


def redeemed(redemption: str, reward: str, said: str = "hola", user: str = "77") -> dict[str, Any]:
    told = {"id": reward, "title": "x", "cost": 500, "prompt": ""}
    who = {"user_id": user, "user_login": "noor", "user_name": "Noor"}
    return {"id": redemption, **who, "user_input": said, "status": "unfulfilled", "reward": told}


@asynccontextmanager
async def channel(folder: Path, helix: Helix | None = None, wanted: list[Offer] | None = None) -> AsyncIterator[Scene]:
    scene = Scene(folder, helix, wanted)
    running = asyncio.create_task(scene.rewards.run())
    await asyncio.sleep(1)
    try:
        yield scene
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError, LoginLost):
            await running


Story = Callable[[Path], Coroutine[Any, Any, None]]


def scene_of(story: Story) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        play(story(tmp_path))

    return test


# --- making -------------------------------------------------------------------------------------------------------


def test_no_reward_is_made_unless_it_has_a_cost() -> None:
    assert offers(Chosen(), "Aneeka") == []
    [offer] = offers(Chosen(mood_cost=5, mood_title="Humor"), "Aneeka")
    assert (offer.kind, offer.title, offer.cost) == ("mood", "Humor", 5)


def test_titles_and_prompts_fit_twitch_with_the_longest_name() -> None:
    for offer in offers(Chosen(answer_cost=1, mood_cost=1), "W" * 40):
        assert len(offer.title) <= 45
        assert len(offer.prompt) <= 200


@scene_of
async def test_rewards_are_made_once_and_known_again(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        helix = scene.helix
        assert sorted(reward["cost"] for reward in helix.made.values()) == [300, 500]
        assert all(reward["is_user_input_required"] for reward in helix.made.values())
    next(iter(helix.made.values()))["title"] = "Renamed on Twitch"
    async with channel(tmp_path, helix) as scene:
        assert scene.rewards.is_ours("reward-1")
    (tmp_path / "redemptions.json").unlink()
    helix.made["reward-1"]["title"] = text("rewards.answer_title", name="Aneeka").upper()
    async with channel(tmp_path, helix) as scene:
        assert scene.redeem("r", kind="mood") is True
    assert helix.calls["make_reward"] == 2


@scene_of
async def test_a_title_that_is_taken_is_told_and_the_other_reward_is_made(tmp_path: Path) -> None:
    helix = FakeHelix()
    helix.faults = [None, TwitchRefused(400, "duplicate")]
    async with channel(tmp_path, helix) as scene:
        assert [reward["cost"] for reward in helix.made.values()] == [300]
        title = text("rewards.answer_title", name="Aneeka")
        assert scene.troubles == [text("rewards.not_made", title=title, reason="duplicate")]


@scene_of
async def test_a_channel_without_points_is_told_once_and_left_alone(tmp_path: Path) -> None:
    helix = FakeHelix()
    helix.faults = [TwitchRefused(403, "not a partner or affiliate")]
    async with channel(tmp_path, helix) as scene:
        await asyncio.sleep(3600)
        assert len(scene.troubles) == 1
        assert helix.calls["rewards"] == 1


@scene_of
async def test_a_login_without_the_permission_is_told_and_nothing_is_tried(tmp_path: Path) -> None:
    helix = FakeHelix()
    helix.refused_scopes = {"channel:manage:redemptions"}
    async with channel(tmp_path, helix) as scene:
        assert scene.troubles == [text("rewards.no_scope")]
        assert not helix.calls


@scene_of
async def test_a_busy_twitch_gets_its_rewards_later(tmp_path: Path) -> None:
    helix = FakeHelix()
    helix.faults = [TwitchBusy("503"), TwitchBusy("429", retry_after_s=60.0), None, TwitchBusy("503")]
    async with channel(tmp_path, helix):
        await asyncio.sleep(40)
        assert helix.calls["rewards"] == 2
        await asyncio.sleep(60)
        assert len(helix.made) == 2


# --- redeeming ----------------------------------------------------------------------------------------------------


@scene_of
async def test_an_answer_is_paid_when_it_was_spoken(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        assert scene.redeem("r1", "¿Cuál es tu color?")
        [heard] = scene.heard
        assert (heard.kind, heard.event, heard.text) == ("event", "reward", "¿Cuál es tu color?")
        assert heard.person is not None
        assert (heard.person.id, heard.person.name) == ("77", "Noor")
        await asyncio.sleep(60)
        assert scene.helix.settled == {}
        scene.rewards.done(heard.id, spoken=True)
        await asyncio.sleep(1)
        assert scene.helix.settled == {"r1": True}


@scene_of
async def test_points_come_back_when_she_did_not_answer_and_later_news_change_nothing(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        scene.redeem("r1")
        scene.rewards.done(scene.heard[0].id, spoken=False)
        scene.rewards.done(scene.heard[0].id, spoken=True)
        await asyncio.sleep(1)
        scene.rewards.done(scene.heard[0].id, spoken=True)
        scene.rewards.done("m-1", spoken=True)
        await asyncio.sleep(1)
        assert scene.helix.settled == {"r1": False}
        assert scene.helix.calls["settle"] == 1


def inbox_of(scene: Scene) -> Inbox:
    def dropped(heard_id: str, _reason: str) -> None:
        scene.rewards.done(heard_id, spoken=False)

    return Inbox(ChatRules(), dropped, events={"follow": EventRule()})


@scene_of
async def test_whichever_way_a_paid_question_leaves_the_inbox_unanswered_the_points_come_back(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        now = asyncio.get_running_loop().time
        inbox = inbox_of(scene)
        for user, redemption in enumerate(("withdrawn", "too_old", "moderated")):
            scene.redeem(redemption, user=str(user))
        withdrawn, too_old, moderated = scene.heard
        inbox.add(withdrawn, now())
        inbox.add(too_old, now())
        inbox.add(moderated, now(), "slurs")
        inbox.withdraw(withdrawn.id)
        await asyncio.sleep(1)
        assert scene.helix.settled == {"withdrawn": False, "moderated": False}
        await asyncio.sleep(600)
        inbox.expire(now())
        await asyncio.sleep(1)
        assert scene.helix.settled["too_old"] is False


@scene_of
async def test_a_paid_question_that_she_may_not_answer_gives_its_points_back_in_time(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        now = asyncio.get_running_loop().time
        inbox = inbox_of(scene)
        director = Director(inbox, DirectorRules(), now())
        director.muted = True
        scene.redeem("r1")
        inbox.add(scene.heard[0], now())
        while (at := director.next_at(now())) is not None:
            assert at - now() < 200, "nobody waits longer for points"
            await asyncio.sleep(at - now())
            assert director.decide(now()) is None
        await asyncio.sleep(1)
        assert scene.helix.settled == {"r1": False}
        assert inbox.events_dropped == {"muted": 1}


@scene_of
async def test_a_paid_question_goes_before_chat_and_small_events(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        now = asyncio.get_running_loop().time
        inbox = inbox_of(scene)
        director = Director(inbox, DirectorRules(), now())
        ana = Person("1", "ana")
        inbox.add(Heard("m1", "chat", "Aneeka, ¿qué tal?", now(), ana), now())
        inbox.add(Heard("f1", "event", "", now(), ana, "follow", 30), now())
        scene.redeem("r1")
        inbox.add(scene.heard[0], now())
        cue = director.decide(now())
        assert cue is not None
        assert (cue.mode, cue.heard) == ("event", (scene.heard[0],))


@scene_of
async def test_a_mood_is_paid_when_it_is_one_and_not_a_blocked_viewers(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        scene.redeem("r1", "¡que esté FELIZ!", kind="mood")
        scene.redeem("r2", "asdf", kind="mood")
        scene.ignored.add("66")
        scene.redeem("r3", "triste", kind="mood", user="66")
        await asyncio.sleep(1)
        assert scene.moods == ["happy"]
        assert scene.helix.settled == {"r1": True, "r2": False, "r3": False}
        assert scene.heard == []


@scene_of
async def test_other_peoples_rewards_are_not_ours(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        assert not scene.rewards.redeemed(redeemed("r", "hydrate-reward"))
        assert scene.heard == []


@scene_of
async def test_a_redemption_delivered_twice_is_heard_once_also_after_it_was_settled(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        assert scene.redeem("r1")
        assert scene.redeem("r1")
        scene.rewards.done(scene.heard[0].id, spoken=True)
        await asyncio.sleep(1)
        assert scene.redeem("r1")
        await asyncio.sleep(1)
        assert len(scene.heard) == 1
        assert scene.helix.calls["settle"] == 1


@scene_of
async def test_a_reward_that_skips_the_queue_is_answered_and_one_cancelled_is_not(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        paid = redeemed("r1", scene.reward("answer")) | {"status": "fulfilled"}
        cancelled = redeemed("r2", scene.reward("answer")) | {"status": "canceled"}
        assert scene.rewards.redeemed(paid)
        assert scene.rewards.redeemed(cancelled)
        assert [heard.id for heard in scene.heard] == ["redemption-r1"]
        scene.rewards.done("redemption-r1", spoken=True)
        await asyncio.sleep(1)
        assert scene.helix.calls["settle"] == 0


@scene_of
async def test_a_reward_that_was_switched_off_gives_points_back(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        helix = scene.helix
    async with channel(tmp_path, helix, [offer for offer in OFFERS if offer.kind == "mood"]) as scene:
        scene.redeem("r1")
        await asyncio.sleep(1)
        assert (scene.heard, helix.settled) == ([], {"r1": False})


# --- the moderators -----------------------------------------------------------------------------------------------


@scene_of
async def test_the_chat_line_of_a_redemption_is_heard_once_and_its_deletion_reaches_the_redemption(
    tmp_path: Path,
) -> None:
    async with channel(tmp_path) as scene:
        ours = scene.reward("answer")
        assert not scene.rewards.line("m0", "hydrate-reward", "77", "algo feo")
        assert scene.rewards.line("m1", ours, "77", "Algo  feo")
        scene.redeem("r1", "algo feo")
        scene.redeem("r2", "algo bonito")
        scene.redeem("r3", "algo feo", user="78")
        assert scene.rewards.withdraw("m1") == ["redemption-r1"]
        assert scene.rewards.withdraw("m0") == []
        assert scene.rewards.withdraw("unknown") == []


@scene_of
async def test_a_redemption_whose_line_is_deleted_already_is_refunded_unheard(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        scene.rewards.line("m1", scene.reward("answer"), "77", "algo feo")
        scene.rewards.withdraw("m1")
        scene.redeem("r1", "algo feo")
        await asyncio.sleep(1)
        assert (scene.heard, scene.helix.settled) == ([], {"r1": False})


# --- what goes wrong ----------------------------------------------------------------------------------------------


@scene_of
async def test_after_a_crash_the_undecided_are_refunded_and_the_decided_settled_as_decided(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        helix = scene.helix
        scene.redeem("waiting")
        helix.faults = [TwitchBusy("down")] * 3
        scene.redeem("answered")
        scene.rewards.done("redemption-answered", spoken=True)
        scene.redeem("refused")
        scene.rewards.done("redemption-refused", spoken=False)
        await asyncio.sleep(0.5)
        assert helix.settled == {}
    assert "qué tal" not in (tmp_path / "redemptions.json").read_text(encoding="utf-8")
    helix.faults = []
    async with channel(tmp_path, helix) as scene:
        assert helix.settled == {"waiting": False, "answered": True, "refused": False}
        assert scene.heard == []
    assert json.loads((tmp_path / "redemptions.json").read_text(encoding="utf-8"))["open"] == {}


@scene_of
async def test_a_crash_between_redeeming_and_hearing_is_survived_too(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        helix = scene.helix

        def crash(_heard: Heard) -> None:
            raise KeyboardInterrupt

        scene.rewards._hear = crash
        with pytest.raises(KeyboardInterrupt):
            scene.redeem("r1")
    async with channel(tmp_path, helix):
        assert helix.settled == {"r1": False}


@scene_of
async def test_twitch_is_asked_again_until_it_answers_and_one_failure_does_not_hold_up_others(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        scene.redeem("r1")
        scene.redeem("r2", "otra")
        scene.helix.faults = [TwitchBusy("503"), None, TwitchBusy("503"), TwitchBusy("503")]
        for heard in list(scene.heard):
            scene.rewards.done(heard.id, spoken=True)
        await asyncio.sleep(1)
        assert scene.helix.settled == {"r2": True}
        await asyncio.sleep(60)
        assert scene.helix.settled == {"r1": True, "r2": True}
        assert scene.helix.calls["settle"] == 5


@scene_of
async def test_what_the_streamer_settled_by_hand_is_told_and_not_tried_for_ever(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        scene.redeem("r1")
        del scene.helix.open["r1"]
        scene.rewards.done("redemption-r1", spoken=True)
        await asyncio.sleep(600)
        assert scene.helix.calls["settle"] == 1
        assert scene.troubles == [text("rewards.not_settled", reason="no such redemption")]


@scene_of
async def test_a_lost_login_of_the_bots_keeps_what_is_open_for_the_next_start(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    running = asyncio.create_task(scene.rewards.run())
    await asyncio.sleep(1)
    scene.redeem("r1")
    scene.helix.faults = [LoginLost("bot", "revoked")]
    scene.rewards.done("redemption-r1", spoken=True)
    with pytest.raises(LoginLost):
        await running
    async with channel(tmp_path, scene.helix):
        assert scene.helix.settled == {"r1": True}


@scene_of
async def test_a_lost_login_of_the_channels_is_waited_for(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        scene.redeem("r1")
        scene.helix.faults = [LoginLost("channel", "revoked")] * 3
        scene.rewards.done("redemption-r1", spoken=True)
        await asyncio.sleep(2.5 * LOGIN_S)
        assert scene.helix.calls["settle"] == 3, "once a minute, and nothing else ends"
        await asyncio.sleep(LOGIN_S)
        assert scene.helix.settled == {"r1": True}


@scene_of
async def test_a_permission_that_comes_later_is_used(tmp_path: Path) -> None:
    helix = FakeHelix()
    helix.refused_scopes = {"channel:manage:redemptions"}
    async with channel(tmp_path, helix) as scene:
        await asyncio.sleep(10 * LOGIN_S)
        assert scene.troubles == [text("rewards.no_scope")], "told once"
        helix.refused_scopes.clear()
        await asyncio.sleep(LOGIN_S + 1)
        assert len(helix.made) == 2
        assert scene.troubles[1:] == [""], "the trouble is over"


# --- what came in unheard -----------------------------------------------------------------------------------------


@scene_of
async def test_what_was_redeemed_while_she_was_off_is_refunded_or_answered_when_it_is_young(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        helix = scene.helix
    async with channel(tmp_path, helix) as scene:
        scene.miss("old", YOUNG_S + 5)
        scene.miss("young", YOUNG_S - 5)
        scene.miss("mood", 3600, kind="mood")
        scene.rewards.look_back()
        await asyncio.sleep(1)
        assert helix.settled == {"old": False, "mood": False}
        assert [heard.text for heard in scene.heard] == ["pregunta young"]
        assert scene.redeem("young"), "the news of it comes after all"
        scene.rewards.done("redemption-young", spoken=True)
        await asyncio.sleep(1)
        scene.rewards.look_back()
        await asyncio.sleep(1)
        assert helix.settled == {"old": False, "mood": False, "young": True}
        assert len(scene.heard) == 1
        assert (helix.calls["settle"], scene.troubles, scene.moods) == (3, [], [])


@scene_of
async def test_a_redemption_that_is_heard_of_while_she_looks_is_answered_once(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        scene.miss("r1", 1)
        scene.rewards.look_back()
        await asyncio.sleep(0.01)
        scene.redeem("r1")
        await asyncio.sleep(1)
        assert len(scene.heard) == 1
        scene.rewards.done("redemption-r1", spoken=True)
        await asyncio.sleep(1)
        assert (scene.helix.settled, scene.troubles) == ({"r1": True}, [])


@scene_of
async def test_she_looks_until_twitch_answers_and_passes_over_a_reward_that_is_gone(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        scene.miss("r1", 600, kind="mood")
        scene.helix.faults = [TwitchBusy("503"), TwitchRefused(404, "custom reward not found")]
        scene.rewards.look_back()
        await asyncio.sleep(30)
        assert (scene.helix.settled, scene.troubles) == ({"r1": False}, [])
        assert scene.helix.calls["redemptions"] == 3


@scene_of
async def test_at_the_end_what_waits_is_refunded_at_once(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        scene.redeem("r1")
    await scene.rewards.close()
    assert scene.helix.settled == {"r1": False}


@scene_of
async def test_an_end_without_twitch_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    async with channel(tmp_path) as scene:
        scene.redeem("r1")
        now = asyncio.get_running_loop().time
        began, scene.helix.delay_s = now(), 60.0
    await scene.rewards.close(1.0)
    assert now() - began <= 1.0
    scene.helix.delay_s = 0.05
    async with channel(tmp_path, scene.helix):
        assert scene.helix.settled == {"r1": False}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b'{"rewards": 3, "open": {}}', b'{"rewards": {}, "open": {"r": 1}}']
)
def test_a_damaged_file_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    async def story() -> None:
        (tmp_path / "redemptions.json").write_bytes(content)
        async with channel(tmp_path) as scene:
            scene.redeem("r1")
            scene.rewards.done("redemption-r1", spoken=True)
            await asyncio.sleep(1)
            assert scene.helix.settled == {"r1": True}

    play(story())


@scene_of
async def test_a_file_that_cannot_be_written_is_told_and_she_goes_on(tmp_path: Path) -> None:
    (tmp_path / "redemptions.new").mkdir()
    async with channel(tmp_path) as scene:
        scene.redeem("r1")
        scene.rewards.done("redemption-r1", spoken=True)
        await asyncio.sleep(1)
        assert scene.helix.settled == {"r1": True}
        assert str(tmp_path) in scene.troubles[0]


def test_what_is_too_much_stays_in_twitchs_own_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.chat.rewards.MOST_OPEN", 2)

    async def story() -> None:
        async with channel(tmp_path) as scene:
            assert all(scene.redeem(f"r{n}") for n in range(3))
            assert len(scene.heard) == 2
            assert scene.troubles == [text("rewards.too_many")]

    play(story())


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "title"]), inner, max_size=2),
    max_leaves=4,
)
KEYS = ["id", "user_id", "user_name", "user_login", "user_input", "status", "reward"]


@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING))
def test_any_payload_is_survived(tmp_path_factory: pytest.TempPathFactory, event: dict[str, Any]) -> None:
    async def story() -> None:
        scene = Scene(tmp_path_factory.getbasetemp())
        scene.rewards._book.rewards["reward-1"] = "answer"
        assert not scene.rewards.redeemed(event)
        scene.rewards.redeemed(event | {"reward": {"id": "reward-1"}})

    play(story())


# --- against the local Twitch -------------------------------------------------------------------------------------


@scene_of
async def test_the_whole_circle_at_the_local_twitch(tmp_path: Path) -> None:
    async with stay(tmp_path) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        there.sign_in("channel", there.twitch.channel, CHANNEL_SCOPES)
        helix = await there.live()
        noor, points = there.twitch.user("noor"), there.twitch.rewards
        for _start in range(2):
            async with channel(tmp_path, helix) as scene:
                answer, mood = (reward.shown["id"] for reward in points.made.values())
                spoken = points.redeemed(noor, answer, "¿qué tal?")
                silent = points.redeemed(noor, answer, "algo feo")
                happy = points.redeemed(noor, mood, "feliz")
                assert [scene.rewards.redeemed(event) for event in (spoken, silent, happy)] == [True] * 3
                scene.rewards.done(scene.heard[0].id, spoken=True)
                scene.rewards.done(scene.heard[1].id, spoken=False)
                await asyncio.sleep(1)
                became = [points.redemptions[event["id"]]["status"] for event in (spoken, silent, happy)]
                assert became == ["fulfilled", "canceled", "fulfilled"]
                assert scene.troubles == []


@scene_of
async def test_a_reward_of_the_streamers_own_with_our_title_is_told_by_the_local_twitch(tmp_path: Path) -> None:
    async with stay(tmp_path) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        there.sign_in("channel", there.twitch.channel, CHANNEL_SCOPES)
        helix = await there.live()
        title = text("rewards.answer_title", name="Aneeka")
        there.twitch.rewards.make({"title": title, "cost": 5}, client_id="")
        async with channel(tmp_path, helix) as scene:
            assert len(there.twitch.rewards.made) == 2
            assert len(scene.troubles) == 1
            assert title in scene.troubles[0]


@scene_of
async def test_without_the_channels_login_she_says_what_is_missing(tmp_path: Path) -> None:
    async with stay(tmp_path) as there:
        there.sign_in("bot", there.aneeka, BOT_SCOPES)
        helix = await there.live()
        async with channel(tmp_path, helix) as scene:
            assert scene.troubles == [text("rewards.no_scope")]
