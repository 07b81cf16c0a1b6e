"""A stream with a gift bomb, a raid that fills chat, and a hype train: what she chooses makes sense to a reader."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from tests.channel_scene import ChannelScene
from tests.virtual_time import play


async def stream(scene: ChannelScene) -> None:
    """Seven minutes; times in the comments count from the start."""

    async def until(at_s: float) -> None:
        await asyncio.sleep(max(0.0, scene.began + at_s - scene.now()))

    ana, leo, mar, sol, raider = (scene.user(name.lower(), name) for name in ("Ana", "Leo", "Mar", "Sol", "NightOwl"))

    async def calm() -> None:
        for n in range(8):
            await until(5 + 7 * n)
            await scene.chat(scene.viewer(n), f"comentario tranquilo número {n * 7919} sobre la partida")

    async def bomb() -> None:
        await until(30)
        await scene.gift(leo, [scene.viewer(1000 + n) for n in range(100)])

    async def raid() -> None:
        await until(70)
        await scene.chat(mar, "¿qué planes tienes para el fin de semana, Aneeka?")
        await until(72)
        await scene.raid(raider, 1000)
        for n in range(1000):
            await until(72.5 + 0.06 * n)
            text = f"¿qué juego es este {n}?" if n % 5 == 0 else f"hola desde el raid {n * 7919} qué ganas"
            await scene.chat(scene.viewer(2000 + n), text)

    async def support() -> None:
        await until(75)
        for n in range(10):
            await scene.follow(scene.viewer(2000 + n))
        await scene.watch_streak(sol, 5)
        await until(80)
        await scene.sub(ana, "2000")
        await scene.cheer(mar, 100, "gran partida la de hoy")
        await until(82)
        await scene.resub(sol, 14, "un año largo por aquí")

    async def train() -> None:
        await until(220)
        await scene.hype_train("begin", level=1, total=300)
        for n in range(30):
            await until(225 + 5 * n)
            if n % 10 == 4:
                await scene.cheer(scene.viewer(n), 200 + n)
            await scene.hype_train("progress", level=1 + n // 6, total=400 + 100 * n)
        await until(380)
        await scene.hype_train("end", level=5, total=3400)

    await asyncio.gather(calm(), bomb(), raid(), support(), train())
    await until(420)


@pytest.fixture(scope="module")
def scene() -> ChannelScene:
    async def played() -> ChannelScene:
        async with ChannelScene() as twitch:
            await twitch.begin()
            await stream(twitch)
            await twitch.end()
            return twitch

    return play(played())


def test_a_gift_bomb_of_a_hundred_is_one_thank_you_with_its_figure(scene: ChannelScene) -> None:
    [gift] = scene.about("gift")
    assert gift.line is not None
    assert "Leo" in gift.line
    assert "100" in gift.line
    assert gift.waited_s <= 8.0
    assert sum(heard.event == "gift" for heard in scene.heard) == 1


def test_the_raider_is_welcomed_before_anybody_of_the_raid_is_answered(scene: ChannelScene) -> None:
    [raid] = scene.about("raid")
    assert raid.heard[0].person
    assert raid.heard[0].person.name == "NightOwl"
    assert "1000" in raid.heard[0].text, "the brain is told how many come"
    assert raid.waited_s <= 6.0, "as soon as she has finished the sentence before"
    before = [heard for said in scene.said if said.at_s < raid.at_s for heard in said.heard]
    assert not any("raid" in heard.text or "juego" in heard.text for heard in before)


def test_a_thousand_messages_do_not_drown_those_who_support_the_channel(scene: ChannelScene) -> None:
    assert [event for event in scene.answered() if event in ("raid", "sub", "resub", "cheer")][:4] == [
        "raid",
        "sub",
        "resub",
        "cheer",
    ]
    assert max(said.waited_s for event in ("sub", "resub") for said in scene.about(event)) <= 20.0
    [sub] = scene.about("sub")
    assert sub.line is not None
    assert "Ana" in sub.line
    assert "2" in sub.line
    [resub] = scene.about("resub")
    assert resub.heard[0].text == "un año largo por aquí (14 meses de suscripción)"
    first_cheer = scene.about("cheer")[0]
    assert first_cheer.heard[0].text == "gran partida la de hoy (100 bits)"


def test_while_chat_races_she_answers_several_at_once_and_leaves_small_things_be(scene: ChannelScene) -> None:
    racing = [said for said in scene.said if 76 <= said.at_s <= 130]
    assert {said.mode for said in racing} == {"event", "chat_many"}
    assert all(said.heard[0].event not in ("follow", "watch_streak") for said in racing)
    assert scene.inbox.events_dropped["busy"] >= 9
    assert sum(said.mode == "chat_many" for said in racing) >= 3


def test_the_hype_train_is_told_sparingly_and_its_figures_are_right(scene: ChannelScene) -> None:
    [begin], [end] = scene.about("hype_train"), scene.about("hype_train_end")
    levels = scene.about("hype_train_level")
    assert begin.waited_s <= 8.0
    assert end.line is not None
    assert "5" in end.line
    assert 1 <= len(levels) <= 2, "not each of its four level-ups"
    for earlier, later in pairwise([begin, *levels]):
        assert later.at_s - earlier.at_s >= 60.0
    assert all(said.waited_s <= 45.0 for said in levels), "no old news"
    assert len([said for said in scene.about("cheer") if said.at_s > 220]) == 3


def test_everything_is_accounted_for(scene: ChannelScene) -> None:
    inbox = scene.inbox
    spoken = len(scene.answered())
    assert inbox.events_received == spoken + sum(inbox.events_dropped.values()) + len(list(inbox._events))
    assert inbox.received == 8 + 1 + 1000
    assert inbox.received == inbox.answered + sum(inbox.dropped.values()) + inbox.chat_waiting
    assert scene.heard[0].kind == "chat"
