"""What she makes of Twitch's notifications: each message and each deed once, and moderators obeyed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.chat.channel import Channel
from bot.chat.event_policy import EventPolicy
from bot.chat.events import ChannelEvents
from bot.chat.regulars import YOUNG_S, Regulars
from bot.chat.twitch_words import Notification, TwitchUser, Wanted, Who
from bot.chat.wanted import not_heard, subscriptions
from bot.texts import use
from bot.vocabulary import Heard, Person
from tests.channel_scene import PROMPTS, Withdrawn
from tests.local_twitch import LocalTwitch, cheermote, emote, mention, text
from tests.local_twitch.subscription_types import TYPES, has_scope
from tests.virtual_time import play

HER = TwitchUser("5002", "aneeka_bot", "Aneeka_Bot")


@cache
def policy(choices: tuple[tuple[str, str], ...] = ()) -> EventPolicy:
    return EventPolicy(PROMPTS, "es", "Aneeka", dict(choices))


class Ear(LocalTwitch):
    """The local Twitch, with its notifications handed over at once to a reader that only listens."""

    def listen(self, bot: TwitchUser | None = HER, choices: dict[str, str] | None = None, **options: Any) -> None:
        self.moderated = Withdrawn()
        self.heard: list[tuple[Heard, str | None]] = []
        self.originals: list[str] = []
        self.redemptions: list[dict[str, Any]] = []
        self.policy = policy(tuple((choices or {}).items()))
        redeemed = options.pop("redeemed", lambda event: False)
        channel = Channel(
            self._hear, self.moderated, self.policy, bot=bot or self.channel, owner=self.channel, **options
        )
        self.events = ChannelEvents(channel, "Aneeka", redeemed=redeemed)

    def _hear(self, heard: Heard, reason: str | None, original: str) -> None:
        self.heard.append((heard, reason))
        self.originals.append(original)

    async def emit(self, type: str, event: dict[str, Any], *, message_id: str | None = None) -> int:
        id_ = message_id or self._id("n")
        self.events.deliver(Notification(id_, type, asyncio.get_running_loop().time(), event))
        return 1

    @property
    def answerable(self) -> list[Heard]:
        return [heard for heard, reason in self.heard if reason is None]

    @property
    def texts(self) -> list[str]:
        return [heard.text for heard in self.answerable]


Scene = Callable[[Ear], Coroutine[Any, Any, None]]


def listened(scene: Scene, **options: Any) -> Ear:
    async def run() -> Ear:
        async with Ear() as ear:
            ear.listen(**options)
            await scene(ear)
            return ear

    return play(run())


def told(scene: Scene, **options: Any) -> list[tuple[str, str, str]]:
    """Return event, name and text of everything that is to be answered."""
    return [
        (heard.event or heard.kind, heard.person.name if heard.person else "", heard.text)
        for heard in listened(scene, **options).answerable
    ]


# --- chat ---------------------------------------------------------------------------------------------------------


def test_a_chat_message_keeps_its_id_its_writer_and_their_roles() -> None:
    async def scene(ear: Ear) -> None:
        noor = ear.user("noor", "Noor", "6007")
        ear.mod(noor)
        await ear.chat(noor, "hola a todo el mundo", id="c0ffee", badges=["vip", "subscriber/6", "premium"])
        await ear.chat(ear.channel, "buenas")

    ear = listened(scene)
    first, second = ear.answerable
    assert (first.id, first.kind, first.text) == ("c0ffee", "chat", "hola a todo el mundo")
    assert first.person == Person("6007", "Noor", frozenset({"moderator", "vip", "subscriber"}))
    assert second.person is not None
    assert second.person.roles == {"broadcaster"}


def test_emotes_cheermotes_and_her_accounts_name_are_readable() -> None:
    async def scene(ear: Ear) -> None:
        noor = ear.user("noor")
        await ear.chat(noor, fragments=[mention(HER), text(" hola "), emote("LUL"), text(" jaja catJAM")])
        await ear.chat(noor, fragments=[emote("mikaXyz"), text(" vale")])
        await ear.chat(noor, fragments=[mention(ear.channel), text(" bien jugado")])

    ear = listened(scene)
    assert ear.texts == ["@Aneeka hola 😂 jaja 🎉", "vale", "@Mika_Live bien jugado"]
    assert ear.originals[0] == "@Aneeka_Bot hola LUL jaja catJAM"


def test_an_answer_to_her_names_her() -> None:
    async def scene(ear: Ear) -> None:
        noor, ana = ear.user("noor", "Noor"), ear.user("ana", "Ana")
        hers, other = await ear.chat(HER, "¡hola!"), await ear.chat(ana, "hola")
        await ear.chat(noor, "¿y tú?", reply=hers)
        await ear.chat(noor, "¿y tú?", reply=hers, fragments=[text("¿y eso?")])
        await ear.chat(noor, "qué tal", reply=other)

    assert listened(scene).texts[1:] == ["@Aneeka ¿y tú?", "@Aneeka ¿y eso?", "@Ana qué tal"]


def test_her_own_messages_are_not_heard() -> None:
    async def scene(ear: Ear) -> None:
        await ear.chat(HER, "esto lo he escrito yo")
        await ear.chat(ear.channel, "y esto tú")

    assert listened(scene).texts == ["y esto tú"]


def test_on_the_streamers_account_only_what_she_wrote_herself_is_hers() -> None:
    async def scene(ear: Ear) -> None:
        await ear.chat(ear.channel, "esto lo he escrito yo")
        await ear.chat(ear.channel, "y esto la persona")
        await ear.chat(ear.user("noor"), "mira", fragments=[mention(ear.channel), text(" mira")])

    ear = listened(scene, bot=None, wrote="esto lo he escrito yo".__eq__)
    assert ear.texts == ["y esto la persona", "@Mika_Live mira"]


def test_chat_of_another_channel_is_told_apart() -> None:
    async def scene(ear: Ear) -> None:
        other, noor = ear.user("other", "Other"), ear.user("noor")
        await ear.chat(noor, "desde el otro canal", source=other)
        await ear.chat(noor, "desde este", source=ear.channel)
        await ear.notice("shared_chat_raid", noor, {"viewer_count": 99}, source=other)
        await ear.notice("sub", noor, {"sub_tier": "1000", "is_prime": False}, source=other)

    ear = listened(scene)
    assert [(heard.text, reason) for heard, reason in ear.heard] == [
        ("desde el otro canal", "shared_chat"),
        ("desde este", None),
    ]
    assert listened(scene, choices={"shared_chat": "maybe"}).texts == ["desde el otro canal", "desde este"]


def test_a_newcomer_is_known_as_one() -> None:
    async def scene(ear: Ear) -> None:
        await ear.chat(ear.user("noor"), "me presento", kind="user_intro")
        await ear.chat(ear.user("eva"), "hola")

    def roles(**options: Any) -> list[tuple[str, set[str]]]:
        heard = listened(scene, **options).answerable
        return [(one.event, set(one.person.roles) if one.person else set()) for one in heard]

    assert roles() == [("", {"first_timer"}), ("", set())]
    assert roles(is_newcomer=lambda person: True) == [("", {"first_timer"}), ("", {"first_timer"})]
    assert roles(choices={"first_timer": "never"}) == [("", set()), ("", set())]
    assert roles(choices={"first_timer": "always"})[0] == ("first_timer", {"first_timer"})


def test_who_has_written_before_is_remembered_and_a_young_book_takes_nobody_for_new(tmp_path: Path) -> None:
    clock = [1_000_000.0]
    book = Regulars(tmp_path / "regulars.json", lambda: clock[0])
    assert not book.is_newcomer(Person("1", "ana")), "the book is young"
    book.save()
    clock[0] += YOUNG_S
    book = Regulars(tmp_path / "regulars.json", lambda: clock[0])
    assert not book.is_newcomer(Person("1", "ana"))
    assert book.is_newcomer(Person("2", "leo"))
    assert not book.is_newcomer(Person("2", "leo"))
    assert not book.is_newcomer(Person("3", "mar", frozenset({"subscriber"})))
    book.forget("2")
    book.save()
    (tmp_path / "damaged").write_text('{"ids": 3}')
    assert "2" not in (tmp_path / "regulars.json").read_text()
    assert not Regulars(tmp_path / "damaged", lambda: clock[0]).is_newcomer(Person("4", "sol"))


def test_who_wants_to_be_forgotten_while_the_book_is_being_written_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, write = Regulars(tmp_path / "regulars.json", lambda: 1e6), Path.write_text
    book.is_newcomer(Person("6007", "ana"))

    def meanwhile(file: Path, *content: Any, **options: Any) -> int:
        book.forget("6007")
        return write(file, *content, **options)

    monkeypatch.setattr(Path, "write_text", meanwhile)
    book.save()
    book.save()
    assert "6007" not in (tmp_path / "regulars.json").read_text()


# --- events: one deed, one answer ---------------------------------------------------------------------------------


async def _follow(ear: Ear) -> None:
    for _ in range(3):
        await ear.follow(ear.user("noor", "Noor"))


async def _sub(ear: Ear) -> None:
    await ear.sub(ear.user("noor", "Noor"), "3000")


async def _resub(ear: Ear) -> None:
    await ear.resub(ear.user("noor", "Noor"), 14, "un año ya LUL")


async def _cheer(ear: Ear) -> None:
    await ear.cheer(ear.user("noor", "Noor"), 100, "toma Kappa")


async def _two_cheers(ear: Ear) -> None:
    await ear.cheer(ear.user("noor", "Noor"), 1)
    await ear.cheer(ear.user("noor", "Noor"), 1)


async def _anonymous_cheer(ear: Ear) -> None:
    nobody = ear.user("ananonymouscheerer", "AnAnonymousCheerer")
    await ear.chat(nobody, cheer=50, fragments=[cheermote(50)])


async def _celebration(ear: Ear) -> None:
    await ear.power_up(ear.user("noor", "Noor"), bits=50)


async def _power_up(ear: Ear) -> None:
    noor = ear.user("noor", "Noor")
    await ear.power_up(noor, "message_effect", 50, "qué gran noche")
    await ear.chat(noor, "qué gran noche")


async def _bomb(ear: Ear) -> None:
    await ear.gift(ear.user("noor", "Noor"), [ear.user(f"v{n}") for n in range(100)])


async def _two_bombs(ear: Ear) -> None:
    for size in (5, 5):
        await ear.gift(ear.user("noor", "Noor"), [ear.user(f"v{n}") for n in range(size)])


async def _anonymous_bomb(ear: Ear) -> None:
    await ear.gift(None, [ear.user(f"v{n}") for n in range(10)])


async def _gift(ear: Ear) -> None:
    await ear.gift(ear.user("noor", "Noor"), [ear.user("leo", "Leo")])


async def _paid_forward(ear: Ear) -> None:
    """Who got a gift gives one: Twitch says so, and then tells of the gift."""
    noor, eva = ear.user("noor", "Noor"), ear.user("eva", "Eva")
    giver = {"gifter_is_anonymous": False, "gifter_user_id": eva.id, "gifter_user_name": eva.name}
    await ear.notice("pay_it_forward", noor, giver)
    await ear.gift(noor, [ear.user(f"v{n}") for n in range(5)])


async def _raid(ear: Ear) -> None:
    await ear.raid(ear.user("noor", "Noor"), 1000)


async def _train(ear: Ear) -> None:
    await ear.hype_train("begin", level=1)
    for level in (1, 1, 2, 2, 3):
        await ear.hype_train("progress", level=level)
    await ear.hype_train("end", level=3)


async def _train_joined_late(ear: Ear) -> None:
    await ear.hype_train("progress", level=3)
    await ear.hype_train("progress", level=4)


async def _poll(ear: Ear) -> None:
    for stage in ("begin", "progress", "end"):
        await ear.poll(stage, "¿Qué juego?", {"Tetris": 5, "Doom": 9})
    await ear.poll("end", "¿Qué juego?", {"Tetris": 5, "Doom": 9}, status="archived")


async def _tie(ear: Ear) -> None:
    await ear.poll("end", "¿Qué juego?", {"Tetris": 5, "Doom": 5})


async def _prediction(ear: Ear) -> None:
    for stage in ("begin", "progress", "lock", "end"):
        await ear.prediction(stage, "¿Gana?", {"Sí": 500, "No": 900}, winner=1)
    await ear.prediction("end", "¿Gana?", {"Sí": 1}, status="canceled")


async def _charity(ear: Ear) -> None:
    amount = {"value": 1250, "decimal_place": 2, "currency": "EUR"}
    await ear.notice("charity_donation", ear.user("noor", "Noor"), {"charity_name": "Médicos", "amount": amount})


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        (_follow, [("follow", "Noor", "")]),
        (_sub, [("sub", "Noor", "suscripción de nivel 3")]),
        (_resub, [("resub", "Noor", "un año ya 😂 (14 meses de suscripción)")]),
        (_cheer, [("cheer", "Noor", "toma 😏 (100 bits)")]),
        (_two_cheers, [("cheer", "Noor", "1 bit")] * 2),
        (_anonymous_cheer, [("cheer", "", "50 bits")]),
        (_celebration, [("cheer", "Noor", "50 bits")]),
        (_power_up, [("cheer", "Noor", "qué gran noche"), ("chat", "Noor", "qué gran noche")]),
        (_bomb, [("gift", "Noor", "regala 100 suscripciones")]),
        (_two_bombs, [("gift", "Noor", "regala 5 suscripciones")] * 2),
        (_anonymous_bomb, [("gift", "", "regala 10 suscripciones")]),
        (_gift, [("gift", "Noor", "regala una suscripción")]),
        (_raid, [("raid", "Noor", "llegan 1000 personas")]),
        (
            _train,
            [
                ("hype_train", "", "empieza el tren del hype, nivel 1"),
                ("hype_train_level", "", "el tren del hype sube al nivel 2"),
                ("hype_train_level", "", "el tren del hype sube al nivel 3"),
                ("hype_train_end", "", "el tren del hype termina en el nivel 3"),
            ],
        ),
        (_train_joined_late, [("hype_train_level", "", "el tren del hype sube al nivel 4")]),
        (_poll, [("poll", "", "termina la encuesta «¿Qué juego?», gana «Doom»")]),
        (_tie, [("poll", "", "termina la encuesta «¿Qué juego?»")]),
        (_prediction, [("prediction", "", "termina la predicción «¿Gana?», sale «No»")]),
        (_charity, [("charity", "Noor", "dona 12.50 EUR para Médicos")]),
        (
            lambda ear: ear.shoutout(ear.user("noor", "Noor"), 7),
            [("shoutout", "Noor", "nos recomienda en su canal, con 7 espectadores")],
        ),
        (lambda ear: ear.ad_break(90), [("ad_break", "", "90 segundos de anuncios")]),
        (lambda ear: ear.ad_break(180), [("ad_break", "", "3 minutos de anuncios")]),
        (lambda ear: ear.watch_streak(ear.user("noor", "Noor"), 5), [("watch_streak", "Noor", "5 directos seguidos")]),
        (lambda ear: ear.go_live(), [("stream_online", "", "empieza el directo")]),
        (lambda ear: ear.go_offline(), []),
        (lambda ear: ear.announce(ear.user("noor"), "sorteo a las ocho"), []),
        (lambda ear: ear.sub_end(ear.user("noor")), []),
        (lambda ear: ear.notice("unraid", ear.user("noor")), []),
        (_paid_forward, [("gift", "Noor", "regala 5 suscripciones")]),
        (lambda ear: ear.chat_settings(slow_mode=True), []),
    ],
)
def test_each_deed_is_one_event_with_what_is_known_of_it(scene: Scene, expected: list[tuple[str, str, str]]) -> None:
    assert told(scene) == expected


def test_what_is_switched_off_is_heard_and_not_answered() -> None:
    async def scene(ear: Ear) -> None:
        await ear.go_offline()
        await ear.announce(ear.user("noor", "Noor"), "sorteo a las ocho")
        await ear.notice("modiversary", ear.user("noor"), {"months": 12}, system="Noor, un año de moderación")

    ear = listened(scene)
    assert [(heard.event, heard.text, reason) for heard, reason in ear.heard] == [
        ("stream_offline", "termina el directo", "switched_off"),
        ("announcement", "sorteo a las ocho", "switched_off"),
        ("notice", "Noor, un año de moderación", "switched_off"),
    ]


def test_what_only_the_second_telling_knows_is_said_as_well() -> None:
    ear = listened(_gift)
    lines = [ear.policy.line(ear.answerable[0]) or "" for _ in range(20)]
    assert all("Noor" in line for line in lines)
    assert any("Leo" in line for line in lines)


@pytest.mark.parametrize("kept", [{"channel.chat.notification", "channel.chat.message"}, None])
def test_one_place_that_tells_is_enough(kept: set[str] | None) -> None:
    """Without the channel's own login only chat tells; where chat's notices fail, the other places do."""

    class Deaf(Ear):
        async def emit(self, type: str, event: dict[str, Any], *, message_id: str | None = None) -> int:
            hears = type in kept if kept is not None else not type.startswith("channel.chat.")
            return await super().emit(type, event, message_id=message_id) if hears else 0

    async def run() -> list[str]:
        async with Deaf() as ear:
            ear.listen()
            noor = ear.user("noor", "Noor")
            await ear.sub(noor)
            await ear.resub(noor, 3)
            await ear.cheer(noor, 5)
            await ear.gift(noor, [ear.user(f"v{n}") for n in range(20)])
            await ear.raid(noor, 10)
            return [heard.event for heard in ear.answerable]

    assert play(run()) == ["sub", "resub", "cheer", "gift", "raid"]


@pytest.mark.parametrize("heard", ["channel.chat.message", "channel.cheer", "channel.bits.use"])
def test_bits_are_thanked_for_once_whichever_place_tells_of_them(heard: str) -> None:
    class Deaf(Ear):
        async def emit(self, type: str, event: dict[str, Any], *, message_id: str | None = None) -> int:
            return await super().emit(type, event, message_id=message_id) if type == heard else 0

    async def run() -> list[tuple[str, str]]:
        async with Deaf() as ear:
            ear.listen()
            await ear.cheer(ear.user("noor", "Noor"), 100, "toma PS5 Kappa")
            await ear.power_up(ear.user("ana", "Ana"), "message_effect", 50, "hola a todos")
            return [(one.person.name, one.text) for one in ear.answerable if one.person]

    power_up = {"channel.chat.message": "hola a todos", "channel.bits.use": "hola a todos (50 bits)"}
    thanked = [("Ana", power_up[heard])] if heard in power_up else []
    assert play(run()) == [("Noor", "toma PS5 😏 (100 bits)"), *thanked]


def test_the_deleted_line_of_a_power_up_takes_its_thanks_with_it_whichever_came_first() -> None:
    async def scene(ear: Ear) -> None:
        noor = ear.user("noor", "Noor")
        said = {"text": "algo feo", "fragments": [text("algo feo")]}
        bits = {"user_id": noor.id, "user_login": "noor", "user_name": "Noor", "bits": 50, "type": "power_up"}
        await ear.emit("channel.bits.use", {**bits, "message": said}, message_id="bits")
        line = await ear.chat(noor, "algo feo", kind="power_ups_message_effect", id="line")
        await ear.delete(line, noor)

    ear = listened(scene)
    assert [heard.id for heard in ear.answerable] == ["bits"]
    assert ear.moderated.acts == [("message", "line"), ("message", "bits")]


@pytest.mark.parametrize(
    ("missed", "text"),
    [
        ({"community_sub_gift", "channel.subscription.gift"}, ""),
        ({"community_sub_gift"}, "regala 20 suscripciones"),
        ({"channel.subscription.gift"}, "regala 20 suscripciones"),
    ],
)
def test_a_bomb_of_which_something_was_missed_is_still_one_thank_you(missed: set[str], text: str) -> None:
    class Late(Ear):
        async def emit(self, type: str, event: dict[str, Any], *, message_id: str | None = None) -> int:
            if missed & {type, event.get("notice_type")}:
                return 0
            return await super().emit(type, event, message_id=message_id)

    async def run() -> list[tuple[str, str]]:
        async with Late() as ear:
            ear.listen()
            await ear.gift(ear.user("noor", "Noor"), [ear.user(f"v{n}") for n in range(20)])
            return [(heard.event, heard.text) for heard in ear.answerable]

    assert play(run()) == [("gift", text)], "and no figure is made up for it"


def test_a_bomb_whose_parts_came_before_both_tellings_of_the_whole_is_one_thank_you() -> None:
    kept: list[tuple[str, dict[str, Any]]] = []

    class Late(Ear):
        async def emit(self, type: str, event: dict[str, Any], *, message_id: str | None = None) -> int:
            kept.append((type, event))
            return 0

    async def run() -> list[str]:
        async with Late() as ear:
            ear.listen()
            for size in (5, 6):
                kept.clear()
                await ear.gift(ear.user("noor", "Noor"), [ear.user(f"v{n}") for n in range(size)])
                for late in ("sub_gift", None, "community_sub_gift"):
                    for type, event in kept:
                        if event.get("notice_type") == late:
                            await super(Late, ear).emit(type, event)
            return [heard.event for heard in ear.answerable]

    assert play(run()) == ["gift", "gift"]


# --- channel points -----------------------------------------------------------------------------------------------


def test_redemptions_are_handed_on_and_their_chat_lines_are_not_answered_twice() -> None:
    taken: list[Any] = []
    lines: list[tuple[str, ...]] = []

    async def scene(ear: Ear) -> None:
        noor = ear.user("noor", "Noor", "6007")
        ours, theirs = ear.reward("Respóndeme", wants_text=True), ear.reward("Beber agua")
        ear.ours = ours  # type: ignore[attr-defined]
        await ear.redeem(noor, ours, "¿qué hora es?")
        await ear.redeem(noor, theirs)

    def redeemed(event: Any) -> bool:
        taken.append(event["reward"]["title"])
        return event["reward"]["title"] == "Respóndeme"

    def takes(message: str, reward: str, person: str, said: str) -> bool:
        lines.append((message, reward, person, said))
        return True

    ear = listened(scene, redeemed=redeemed, takes_reward=takes)
    assert taken == ["Respóndeme", "Beber agua"]
    assert [(heard.event or heard.kind, reason) for heard, reason in ear.heard] == [
        ("chat", "redemption"),
        ("redemption", "switched_off"),
    ]
    [(message, reward, person, said)] = lines
    assert (message, person, said) == (ear.heard[0][0].id, "6007", "¿qué hora es?")
    assert reward == ear.ours  # type: ignore[attr-defined]


def test_the_streamers_own_rewards_are_told_of_when_wanted() -> None:
    async def scene(ear: Ear) -> None:
        noor = ear.user("noor", "Noor")
        await ear.redeem(noor, ear.reward("Pregunta", wants_text=True), "¿gato o perro?")

    assert told(scene) == [("chat", "Noor", "¿gato o perro?")]
    wanted = told(scene, choices={"redemption": "always brain"})
    assert wanted == [("redemption", "Noor", "¿gato o perro? (canjea «Pregunta»)")]


@pytest.mark.parametrize("order", ["redemption line deletion", "line redemption deletion", "line deletion redemption"])
def test_the_deleted_line_of_a_redemption_takes_it_with_it_whichever_came_first(order: str) -> None:
    async def scene(ear: Ear) -> None:
        noor = ear.user("noor", "Noor")
        who = {"user_id": noor.id, "user_login": "noor", "user_name": "Noor"}
        told = {**who, "id": "r", "user_input": "algo  feo", "reward": {"id": "reward-9", "title": "Pregunta"}}
        for what in order.split():
            if what == "redemption":
                kind = "channel.channel_points_custom_reward_redemption.add"
                await ear.emit(kind, told, message_id="redemption")
            elif what == "line":
                line = await ear.chat(noor, "Algo feo", reward="reward-9", id="line")
                await ear.chat(noor, "algo más", reward="reward-9")
            else:
                await ear.delete(line, noor)

    ear = listened(scene, choices={"redemption": "always brain"})
    assert [heard.id for heard in ear.answerable] == ["redemption"]
    assert ear.moderated.acts == [("message", "line"), ("message", "redemption")]


def test_where_no_redemptions_are_told_of_their_lines_are_chat() -> None:
    async def scene(ear: Ear) -> None:
        await ear.chat(ear.user("noor", "Noor"), "¿gato o perro?", reward="reward-9")

    wanted = {"redemption": "always brain"}
    assert told(scene, choices=wanted) == []
    assert told(scene, choices=wanted, hears_redemptions=lambda: False) == [("chat", "Noor", "¿gato o perro?")]


# --- moderators ---------------------------------------------------------------------------------------------------


def test_moderators_are_obeyed() -> None:
    async def scene(ear: Ear) -> None:
        noor = ear.user("noor", "Noor", "6007")
        said = await ear.chat(noor, "algo feo", id="bad")
        await ear.delete(said, noor)
        await ear.clear_user(noor, 600)
        await ear.ban(ear.user("eva", "Eva", "6008"))
        await ear.clear()

    assert listened(scene).moderated.acts == [
        ("message", "bad"),
        ("person", "6007"),
        ("person", "6008"),
        ("person", "6008"),
        ("all", ""),
    ]


def test_she_is_deaf_to_somebody_for_as_long_as_moderators_say() -> None:
    async def scene(ear: Ear) -> None:
        noor, eva = ear.user("noor", "Noor", "6007"), ear.user("eva", "Eva", "6008")
        await ear.clear_user(noor)
        await ear.ban(noor, 10)
        await ear.ban(eva)
        await ear.lift_ban(eva)

    moderated = listened(scene).moderated
    assert moderated.silences[0] == ("Noor", 300.0), "how long is not known yet"
    assert moderated.silences[1:3] == [("Noor", 10.0)] * 2
    assert moderated.silences[3:] == [("Eva", math.inf)] * 2
    assert moderated.allowed[-1] == "6008"


def test_a_deleted_cheer_is_withdrawn_whichever_telling_of_it_came_first() -> None:
    class Reversed(Ear):
        async def emit(self, type: str, event: dict[str, Any], *, message_id: str | None = None) -> int:
            if type == "channel.chat.message":
                self.late = event
                return 0
            await super().emit(type, event, message_id=type)
            return await super().emit("channel.chat.message", self.late) if type == "channel.cheer" else 0

    async def run() -> Ear:
        async with Reversed() as ear:
            ear.listen()
            noor = ear.user("noor", "Noor", "6007")
            await ear.delete(await ear.cheer(noor, 9, "feo"), noor)
            return ear

    ear = play(run())
    assert [(heard.id, heard.text) for heard in ear.answerable] == [("channel.cheer", "feo (9 bits)")]
    assert ear.moderated.acts == [("message", ear.late["message_id"]), ("message", "channel.cheer")]


def test_automod_holds_what_was_heard_and_what_is_approved_is_chat() -> None:
    async def scene(ear: Ear) -> None:
        noor = ear.user("noor", "Noor", "6007")
        kept = await ear.automod_hold(noor, "dudoso")
        refused = await ear.automod_hold(noor, "peor")
        await ear.automod_update(kept)
        await ear.automod_update(refused, "denied")
        said = await ear.chat(noor, "ya oído", id="heard")
        await ear.emit("automod.message.hold", {"message_id": said})

    ear = listened(scene)
    assert ear.texts == ["dudoso", "ya oído"]
    assert ear.moderated.acts == [("message", "heard")]


# --- odd payloads -------------------------------------------------------------------------------------------------

KEYS = (
    "message_id chatter_user_id chatter_user_login chatter_user_name user_id user_name message text fragments type "
    "badges set_id cheer bits reply parent_user_id notice_type message_type sub resub sub_gift community_sub_gift raid "
    "viewer_count community_gift_id id total level title choices votes status outcomes winning_outcome_id reward "
    "duration_seconds amount value decimal_place charity_donation watch_streak streak_count is_anonymous is_gift "
    "mention emote cumulative_months source_broadcaster_user_id chatter_is_anonymous system_message"
).split()
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 10**40),
        st.floats(),
        st.text(max_size=12),
        st.sampled_from(
            ["resub", "sub_gift", "community_sub_gift", "raid", "emote", "text", "mention", "completed", "\ud800"]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)),
    max_leaves=12,
)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(TYPES)), st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12))
def test_nothing_in_a_payload_can_hurt(type: str, event: dict[str, Any]) -> None:
    heard: list[Heard] = []
    channel = Channel(lambda one, reason, original: heard.append(one), Withdrawn(), policy(), bot=HER)
    events = ChannelEvents(channel, "Aneeka")
    for id_ in ("a", "b"):
        events.deliver(Notification(id_, type, 1.0, event))
    for one in heard:
        assert one.id
        one.text.encode()
        assert one.person is None or (one.person.id and one.person.name)
        policy().line(one)


@pytest.mark.parametrize("event", [[], None, "text", 7])
def test_an_event_that_is_no_object_is_passed_over(event: Any) -> None:
    async def scene(ear: Ear) -> None:
        for type_ in TYPES:
            await ear.emit(type_, event)

    assert listened(scene).heard == []


def test_a_message_without_words_ends_is_cut() -> None:
    async def scene(ear: Ear) -> None:
        await ear.chat(ear.user("noor"), "a" * 3_000_000)

    assert [len(said) for said in listened(scene).texts] == [1000]


# --- subscriptions ------------------------------------------------------------------------------------------------

OWNER = TwitchUser("5001", "mika_live", "Mika_Live")
BASIC = {
    "bot": ("user:read:chat",),
    "channel": ("moderator:read:followers", "channel:read:redemptions", "channel:read:hype_train"),
}


def may(scopes: dict[str, tuple[str, ...]]) -> Callable[[Who, str], bool]:
    return lambda who, scope: scope in scopes.get(who, ())


def test_two_logins_get_what_their_scopes_allow_chat_first() -> None:
    wanted, missing = subscriptions(HER, OWNER, may(BASIC))
    assert [one.type for one in wanted[:5]] == [
        "channel.chat.message",
        "channel.chat.message_delete",
        "channel.chat.clear_user_messages",
        "channel.chat.clear",
        "channel.chat.notification",
    ]
    assert wanted[0] == Wanted(
        "channel.chat.message", "1", (("broadcaster_user_id", "5001"), ("user_id", "5002")), "bot"
    )
    by_type = {one.type: one for one in wanted}
    assert by_type["channel.follow"].condition == (("broadcaster_user_id", "5001"), ("moderator_user_id", "5001"))
    assert by_type["channel.follow"].who == "channel"
    assert by_type["channel.hype_train.begin"].version == "2"
    assert by_type["channel.raid"] == Wanted("channel.raid", "1", (("to_broadcaster_user_id", "5001"),), "bot")
    assert not {"channel.cheer", "channel.bits.use"} & by_type.keys()
    assert not [one for one in missing if one.is_basic]
    assert {one.scope for one in missing} >= {"channel:read:polls", "moderator:manage:automod"}


def test_one_account_needs_one_connection() -> None:
    everything = {"bot": tuple(scope for kind in TYPES.values() for scope in kind.scopes)}
    wanted, missing = subscriptions(OWNER, OWNER, may(everything))
    assert {one.who for one in wanted} == {"bot"}
    assert missing == []
    assert len(wanted) == len({one.type for one in wanted})


def test_a_bot_that_moderates_may_see_follows_itself() -> None:
    wanted, _ = subscriptions(HER, OWNER, may({"bot": ("user:read:chat", "moderator:read:followers")}))
    follow = next(one for one in wanted if one.type == "channel.follow")
    assert follow.who == "bot"
    assert ("moderator_user_id", "5002") in follow.condition


@pytest.mark.parametrize("one_account", [True, False])
def test_twitch_would_take_every_one_of_them(one_account: bool) -> None:
    scopes = tuple(scope for kind in TYPES.values() for scope in kind.scopes)
    bot = OWNER if one_account else HER
    wanted, _ = subscriptions(bot, OWNER, may({"bot": scopes, "channel": scopes}))
    for one in wanted:
        kind, condition = TYPES[one.type], dict(one.condition)
        assert one.version == kind.version
        assert list(one.condition) == sorted(one.condition)
        assert set(kind.required) <= set(condition)
        assert has_scope(scopes, kind.scopes[0]) if kind.scopes else True
        if kind.owner:
            assert condition[kind.owner] == (bot if one.who == "bot" else OWNER).id, one.type


def test_what_is_missing_is_told_in_words() -> None:
    use("en")
    _, missing = subscriptions(HER, OWNER, may({"bot": ("user:read:chat",)}))
    told_basic = not_heard(one for one in missing if one.is_basic)
    use("es")
    assert "who follows the channel (moderator:read:followers)" in told_basic
    assert "the hype train (channel:read:hype_train)" in told_basic
    assert not_heard([]) == ""
