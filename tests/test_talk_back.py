"""What she writes in chat: no more than Twitch takes, nothing stale, nothing that was withdrawn, no orders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.login import BOT_SCOPES
from bot.chat.talk_back import MOST_PARTS, STALE_S, TalkBack, parts_of
from bot.chat.twitch_words import LoginLost, TwitchBusy, TwitchRefused
from bot.texts import text
from bot.vocabulary import Cue, Heard, Person, Spoken
from tests.fake_helix import CHANNEL, FakeHelix
from tests.twitch_stay import stay
from tests.virtual_time import play


class Scene:
    """She talks, and her words go to a chat that counts what it would not have taken."""

    def __init__(self, to: Literal["asked", "all"], helix: FakeHelix) -> None:
        self.helix = helix
        self.drops: list[tuple[str, str]] = []
        self.now = asyncio.get_running_loop().time
        self.talk_back = TalkBack(helix, to, lambda *drop: self.drops.append(drop), self.now)

    def says(self, said: str, *ids: str, cut: str | None = None) -> None:
        heard = tuple(Heard(i, "chat", "hola", self.now(), Person(i, f"Viewer_{i}")) for i in ids)
        self.talk_back.said(Cue("chat_one", heard, self.now()), Spoken("r", said, cut))

    @property
    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.drops]


@asynccontextmanager
async def talking(to: Literal["asked", "all"] = "all", helix: FakeHelix | None = None) -> AsyncIterator[Scene]:
    scene = Scene(to, helix or FakeHelix())
    running = asyncio.create_task(scene.talk_back.run())
    try:
        yield scene
    finally:
        assert scene.helix.violations == []
        running.cancel()
        with suppress(asyncio.CancelledError, LoginLost):
            await running


def scene_of(story: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def test() -> None:
        play(story())

    return test


@scene_of
async def test_only_those_who_asked_by_command_are_answered_in_writing() -> None:
    async with talking("asked") as scene:
        scene.talk_back.asked("2")
        scene.says("Hola a todos.", "1")
        scene.says("Me gusta el café.", "2")
        scene.says("Buenas, gente.", "3", "2")
        await asyncio.sleep(5)
        assert scene.helix.said == ["@Viewer_2 Me gusta el café.", "@Viewer_2 Buenas, gente."]


@scene_of
async def test_captions_as_chat_write_all_that_was_heard() -> None:
    async with talking("all") as scene:
        scene.talk_back.asked("2")
        scene.says("Hola a todos.", "1")
        scene.says("Me gusta el café.", "2")
        scene.says("Qué silencio…")
        scene.says("", "4")
        await asyncio.sleep(10)
        assert scene.helix.said == ["Hola a todos.", "@Viewer_2 Me gusta el café.", "Qué silencio…"]


@pytest.mark.parametrize("cut", ["withdrawn", "skip", "mute", "panic", "closing"])
def test_what_was_silenced_is_not_written(cut: str) -> None:
    async def story() -> None:
        async with talking() as scene:
            scene.says("Esto ya se oyó", "1", cut=cut)
            await asyncio.sleep(5)
            assert scene.helix.said == []

    play(story())


@scene_of
async def test_what_the_operator_interrupted_is_written_as_far_as_it_was_heard() -> None:
    async with talking() as scene:
        scene.says("Yo creo que", "1", cut="operator")
        await asyncio.sleep(5)
        assert scene.helix.said == ["Yo creo que …"]


@scene_of
async def test_a_withdrawn_message_is_not_answered_in_writing_whenever_it_is_withdrawn() -> None:
    async with talking() as scene:
        scene.says("Primera frase.", "1")
        scene.says("Respuesta a lo retirado.", "2", "3")
        scene.talk_back.withdraw(["3"])
        scene.talk_back.withdraw(["4"])
        scene.says("Otra respuesta a lo retirado.", "4")
        await asyncio.sleep(10)
        assert scene.helix.said == ["Primera frase."]
        assert scene.reasons == ["withdrawn"]


@scene_of
async def test_the_rest_of_a_long_answer_is_withdrawn_too() -> None:
    async with talking() as scene:
        scene.says("palabra " * 150, "1")
        await asyncio.sleep(0.5)
        scene.talk_back.withdraw(["1"])
        await asyncio.sleep(30)
        assert len(scene.helix.said) == 1
        assert scene.helix.shown == {}


@scene_of
async def test_what_was_written_about_a_deleted_message_is_deleted_too_every_part_of_it_and_nothing_else() -> None:
    async with talking() as scene:
        scene.says("Hola, Ana.", "1")
        scene.says("palabra " * 100, "2", "3")
        await asyncio.sleep(10)
        assert len(scene.helix.shown) == 3
        scene.talk_back.withdraw(["3", "4"])
        await asyncio.sleep(0.5)
        assert list(scene.helix.shown.values()) == ["Hola, Ana."]
        scene.talk_back.withdraw(["2"])
        await asyncio.sleep(5)
        assert (scene.helix.calls["delete"], scene.drops) == (2, [])


@scene_of
async def test_a_deletion_waits_for_no_limit_of_writing() -> None:
    async with talking() as scene:
        for n in range(30):
            scene.says(f"Frase número {n}", str(n))
            await asyncio.sleep(1)
        assert len(scene.helix.said) >= 18, "she has to wait before she may write again"
        scene.talk_back.withdraw(["0"])
        await asyncio.sleep(0.1)
        assert "Frase número 0" not in scene.helix.shown.values()


@scene_of
async def test_what_is_on_its_way_into_chat_when_it_is_withdrawn_is_deleted_as_soon_as_it_is_there() -> None:
    async with talking() as scene:
        scene.says("Respuesta a lo retirado.", "1")
        await asyncio.sleep(0.01)
        scene.talk_back.withdraw(["1"])
        await asyncio.sleep(5)
        assert scene.helix.said == ["Respuesta a lo retirado."]
        assert scene.helix.shown == {}


@scene_of
async def test_a_deletion_is_tried_until_twitch_answers_and_a_refusal_is_told() -> None:
    async with talking() as scene:
        scene.says("Una.", "1")
        scene.says("Otra.", "2")
        await asyncio.sleep(5)
        scene.helix.faults = [TwitchBusy("503"), TwitchBusy("503"), None, TwitchRefused(403, "no moderator")]
        scene.talk_back.withdraw(["1"])
        await asyncio.sleep(10)
        scene.talk_back.withdraw(["2"])
        await asyncio.sleep(60)
        assert list(scene.helix.shown.values()) == ["Otra."]
        assert scene.helix.calls["delete"] == 4
        assert scene.drops == [("left", text("talk_back.left", reason="no moderator"))]


@scene_of
async def test_where_she_may_not_delete_she_says_so_once() -> None:
    for helix, key in ((FakeHelix(), "left_no_scope"), (FakeHelix(bot=CHANNEL), "left_own")):
        helix.refused_scopes = {"moderator:manage:chat_messages"} if key == "left_no_scope" else set()
        async with talking(helix=helix) as scene:
            scene.says("palabra " * 100, "1")
            await asyncio.sleep(10)
            scene.talk_back.withdraw(["1"])
            await asyncio.sleep(10)
            assert scene.drops == [("left", text(f"talk_back.{key}"))]
            assert helix.calls["delete"] == 0


@scene_of
async def test_after_the_whole_chat_was_cleared_nothing_is_left_to_delete() -> None:
    async with talking() as scene:
        scene.says("Hola.", "1")
        await asyncio.sleep(5)
        scene.talk_back.cleared()
        scene.talk_back.withdraw(["1"])
        await asyncio.sleep(5)
        assert (scene.helix.calls["delete"], scene.drops) == (0, [])


@scene_of
async def test_when_a_moderator_deletes_her_own_message_the_rest_of_it_stays_unwritten() -> None:
    async with talking() as scene:
        scene.says("palabra " * 150, "1")
        await asyncio.sleep(0.5)
        scene.talk_back.withdraw(["hers-1"])
        await asyncio.sleep(30)
        assert (len(scene.helix.said), scene.reasons, scene.helix.calls["delete"]) == (1, ["withdrawn"], 0)


@pytest.mark.parametrize(("helix", "least"), [(FakeHelix(), 17), (FakeHelix(bot=CHANNEL), 85)])
def test_an_endless_talker_stays_within_twitchs_limits(helix: FakeHelix, least: int) -> None:
    async def story() -> None:
        async with talking(helix=helix) as scene:
            for n in range(3_000):
                scene.says(f"Frase número {n}", "1")
                await asyncio.sleep(0.2)
            assert len(scene.helix.said) / 20 >= least, "messages in 30 s"
            assert set(scene.reasons) <= {"crowded_out", "stale"}
            assert len(scene.helix.said) + len(scene.reasons) > 2_980

    play(story())


@scene_of
async def test_a_moderators_badge_on_her_own_message_raises_the_limit_and_its_loss_lowers_it() -> None:
    async with talking(helix=FakeHelix(moderator=True)) as scene:
        scene.talk_back.own_roles(frozenset({"moderator"}))
        for n in range(14):
            scene.says(f"Frase número {n}", "1")
        await asyncio.sleep(1)
        assert len(scene.helix.said) == 14
        scene.talk_back.own_roles(frozenset({"subscriber"}))
        scene.helix.moderator = False
        await asyncio.sleep(2)
        for n in range(14, 28):
            scene.says(f"Frase número {n}", "1")
        await asyncio.sleep(20)
        assert len(scene.helix.said) == 18


@scene_of
async def test_the_same_words_are_not_written_twice_in_half_a_minute() -> None:
    async with talking() as scene:
        scene.says("¡Hola!", "1")
        await asyncio.sleep(10)
        scene.says("¡HOLA!", "2")
        await asyncio.sleep(18)
        scene.says("¡Hola!", "3")
        await asyncio.sleep(1)
        assert (scene.helix.said, scene.reasons) == (["¡Hola!"], ["repeated", "repeated"])
        await asyncio.sleep(5)
        scene.says("¡hola!", "3")
        await asyncio.sleep(5)
        assert scene.helix.said == ["¡Hola!", "¡hola!"]


@scene_of
async def test_stale_words_are_dropped_when_twitch_is_busy_for_long() -> None:
    async with talking() as scene:
        scene.helix.faults = [TwitchBusy("503")] * 6
        scene.says("Esto ya no viene a cuento", "1")
        await asyncio.sleep(STALE_S - 1)
        scene.says("Esto sí", "2")
        await asyncio.sleep(STALE_S - 1)
        assert (scene.helix.said, scene.reasons) == (["Esto sí"], ["stale"])


@scene_of
async def test_twitchs_own_pause_is_kept_and_the_words_come_after_it() -> None:
    async with talking() as scene:
        start = scene.now()
        scene.helix.faults = [TwitchBusy("429", retry_after_s=12.0)]
        scene.says("Paciencia", "1")
        await asyncio.sleep(20)
        assert scene.helix.said == ["Paciencia"]
        assert scene.helix.chat[0][0] - start >= 12.0
        assert scene.helix.calls["send"] == 2


@scene_of
async def test_twitchs_reason_is_shown_when_it_takes_a_message_for_nothing() -> None:
    async with talking() as scene:
        scene.helix.faults = [TwitchRefused(200, "msg_rejected")]
        scene.says("palabra " * 100, "1")
        scene.says("Sigo aquí", "2")
        await asyncio.sleep(10)
        assert scene.helix.said == ["Sigo aquí"]
        assert scene.drops == [("refused", text("talk_back.refused", detail="msg_rejected"))]
        assert scene.talk_back.dropped == {"refused": 1}


@scene_of
async def test_a_lost_login_ends_it_and_everything_later_says_why() -> None:
    scene = Scene("all", FakeHelix())
    running = asyncio.create_task(scene.talk_back.run())
    scene.helix.faults = [LoginLost("bot", "revoked")]
    scene.says("Una", "1")
    scene.says("Dos", "1")
    with pytest.raises(LoginLost):
        await running
    scene.says("Tres", "1")
    assert scene.reasons == ["login_lost"] * 3
    assert scene.helix.said == []


@scene_of
async def test_after_a_new_login_she_writes_again() -> None:
    scene = Scene("all", FakeHelix())
    scene.helix.faults = [LoginLost("bot", "revoked")]
    scene.says("Una", "1")
    with pytest.raises(LoginLost):
        await scene.talk_back.run()
    running = asyncio.create_task(scene.talk_back.run())
    await asyncio.sleep(1)
    scene.says("Dos", "1")
    await asyncio.sleep(5)
    assert scene.helix.said == ["Dos"]
    running.cancel()


@scene_of
async def test_a_login_that_may_only_read_is_not_even_tried() -> None:
    async with talking() as scene:
        scene.helix.refused_scopes = {"user:write:chat"}
        scene.says("Hola", "1")
        await asyncio.sleep(2)
        assert (scene.reasons, scene.helix.calls["send"]) == (["no_scope"], 0)


@scene_of
async def test_she_knows_her_own_messages_from_those_of_who_uses_the_same_account() -> None:
    async with talking(helix=FakeHelix(bot=CHANNEL)) as scene:
        scene.says("Hola, chat", "1")
        await asyncio.sleep(0.01)
        assert scene.talk_back.wrote("hola, chat"), "also before Twitch has answered"
        await asyncio.sleep(5)
        assert scene.talk_back.wrote("Hola, chat")
        assert not scene.talk_back.wrote("Hola, chat, soy yo")
        await asyncio.sleep(120)
        assert not scene.talk_back.wrote("Hola, chat")


@scene_of
async def test_her_message_is_known_also_when_twitchs_answer_to_it_was_lost() -> None:
    async with talking(helix=FakeHelix(bot=CHANNEL)) as scene:
        scene.helix.faults = [TwitchBusy("cut")]
        scene.says("Hola, chat", "1")
        await asyncio.sleep(0.5)
        assert scene.helix.said == []
        assert scene.talk_back.wrote("Hola, chat"), "or she would answer herself"


# --- the form of a message ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "names", "written"),
    [
        ("  Hola \n\t  mundo\x07 ", [], ["Hola mundo"]),
        ("/ban ana", [], ["ban ana"]),
        ("!so raider", [], ["so raider"]),
        (" .  / ! /me baila", [], ["me baila"]),
        ("\u200b\u0301/timeout ana", [], ["timeout ana"]),
        ("\uff0fban ana", [], ["ban ana"]),
        ("...pues no sé", [], ["pues no sé"]),
        ("¿Qué? ¡Ah! A /b .c", [], ["¿Qué? ¡Ah! A /b .c"]),
        ("¡Hola!", ["Ana", "Ana", "Leo"], ["@Ana @Leo ¡Hola!"]),
        ("¡Hola!", ["/ban x", "", "a b"], ["@banx @ab ¡Hola!"]),
        ("/.!", ["Ana"], []),
        ("", ["Ana"], []),
    ],
)
def test_what_is_written(said: str, names: list[str], written: list[str]) -> None:
    assert parts_of(said, names) == written


def test_a_name_that_the_gate_replaced_calls_nobody() -> None:
    assert parts_of("¡Hola!", [text("safety.someone")]) == ["¡Hola!"]


def test_a_long_answer_is_cut_between_words_and_goes_on() -> None:
    words = [f"palabra{n}" for n in range(100)]
    first, second, third = parts_of(" ".join(words), ["Ana"])
    assert first.startswith("@Ana palabra0 ")
    assert second.startswith("… palabra")
    assert " ".join([first, second, third]).replace("@Ana ", "").replace("… ", "").split() == words


@pytest.mark.parametrize("word", ["a", "bla", "😀", "a" * 900])
def test_an_endless_answer_ends_after_three_full_messages(word: str) -> None:
    parts = parts_of(f"{word} " * 2_000)
    assert len(parts) == MOST_PARTS
    assert parts[-1].endswith(f"{word[-3:]} …")
    assert all(280 < len(part.encode("utf-16-le")) // 2 <= 500 for part in parts), "characters as browsers count them"


@given(st.text(max_size=2_500), st.lists(st.text(max_size=40), max_size=8))
def test_whatever_she_says_fits_and_orders_nothing(said: str, names: list[str]) -> None:
    said, names = said.replace("\ud800", ""), list(names)
    for part in parts_of(said, names):
        assert 0 < len(part) <= 500
        assert part == " ".join(part.split())
        assert part[0] not in "/.!\\"


# --- against the local Twitch -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_moderator", [False, True])
def test_the_local_twitch_takes_all_that_she_sends(tmp_path: Path, is_moderator: bool) -> None:
    async def story() -> None:
        async with stay(tmp_path) as there:
            there.sign_in("bot", there.aneeka, BOT_SCOPES)
            helix = await there.live()
            drops: list[str] = []
            talk_back = TalkBack(helix, "all", lambda reason, _: drops.append(reason), there.now)
            if is_moderator:
                there.twitch.mod(there.aneeka)
                talk_back.own_roles(frozenset({"moderator"}))
            running = asyncio.create_task(talk_back.run())
            for n in range(240):
                talk_back.said(
                    Cue("idle", (), there.now()), Spoken("r", f"Frase {n % 200} de un rato largo " * 9, None)
                )
                await asyncio.sleep(0.3)
            running.cancel()
            sent = [said for who, said in there.twitch.helix.sent if who == there.aneeka.id]
            assert len(sent) == talk_back.sent > (200 if is_moderator else 40)
            assert set(drops) <= {"crowded_out", "stale"}

    play(story())
