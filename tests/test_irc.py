"""The reader without an account, against a local Twitch in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.chat.channel import Channel
from bot.chat.event_policy import EventPolicy
from bot.chat.irc import AnonymousReader
from bot.chat.irc_lines import ChannelLines, parse
from bot.texts import use
from bot.vocabulary import Health, Heard, Person
from bot.withdrawal import SILENCED_S
from tests.channel_scene import PROMPTS, Withdrawn
from tests.local_twitch import LocalTwitch, emote, text
from tests.virtual_time import play


@cache
def policy() -> EventPolicy:
    return EventPolicy(PROMPTS, "es", "Aneeka")


@pytest.fixture(autouse=True)
def spanish_texts() -> None:
    use("es")


class Listener:
    def __init__(self, twitch: LocalTwitch, login: str = "mika_live") -> None:
        self.heard: list[tuple[Heard, str | None]] = []
        self.lights: list[Health] = []
        self.moderated = Withdrawn()
        channel = Channel(lambda heard, reason, original: self.heard.append((heard, reason)), self.moderated, policy())
        now = asyncio.get_running_loop().time
        self.reader = AnonymousReader(
            twitch.irc_url, login, channel, name="Aneeka", on_health=self.lights.append, now=now, seed=1
        )

    @property
    def texts(self) -> list[str]:
        return [heard.text for heard, reason in self.heard if reason is None]

    @property
    def states(self) -> list[str]:
        return [light.state for light in self.lights]


@asynccontextmanager
async def reading(twitch: LocalTwitch, login: str = "mika_live") -> AsyncIterator[Listener]:
    listener = Listener(twitch, login)
    task = asyncio.create_task(listener.reader.run())
    await asyncio.sleep(1.0)
    yield listener
    await asyncio.sleep(1.0)
    assert not task.done()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


Scene = Callable[[LocalTwitch, Listener], Coroutine[Any, Any, None]]


def read(scene: Scene, **options: Any) -> Listener:
    async def run() -> Listener:
        async with LocalTwitch(**options) as twitch, reading(twitch) as listener:
            await scene(twitch, listener)
        return listener

    return play(run())


# --- what chat tells ----------------------------------------------------------------------------------------------


def test_chat_with_roles_emotes_and_actions() -> None:
    async def scene(twitch: LocalTwitch, listener: Listener) -> None:
        noor = twitch.user("noor", "Noor", "6007")
        twitch.mod(noor)
        await twitch.chat(noor, "¿hola; qué tal? \\ 😀", id="c0ffee", badges=["subscriber/6"])
        await twitch.chat(
            noor, fragments=[text("😀 ñ "), emote("LUL"), text(" vale "), emote("mikaXyz"), text(" KEKW")]
        )
        await twitch.chat(twitch.user("eva", "Eva"), "\x01ACTION baila un rato\x01", first=True)

    heard = [one for one, _ in read(scene).heard]
    assert heard[0].id == "c0ffee"
    assert heard[0].person == Person("6007", "Noor", frozenset({"moderator", "subscriber"}))
    assert [one.text for one in heard] == ["¿hola; qué tal? \\ 😀", "😀 ñ 😂 vale 😂", "baila un rato"]
    assert heard[2].person is not None
    assert heard[2].person.roles == {"first_timer"}


def test_what_happens_on_the_channel_is_one_event_each() -> None:
    async def scene(twitch: LocalTwitch, listener: Listener) -> None:
        noor, leo = twitch.user("noor", "Noor"), twitch.user("leo", "Leo")
        await twitch.sub(noor, "2000")
        await twitch.resub(noor, 14, "un año ya")
        await twitch.gift(noor, [twitch.user(f"v{n}") for n in range(100)])
        await twitch.gift(leo, [noor])
        await twitch.notice("pay_it_forward", leo, {"gifter_user_name": "Noor"}, system="Leo pays forward")
        await twitch.gift(None, [twitch.user(f"w{n}") for n in range(5)])
        await twitch.raid(noor, 1000)
        await twitch.cheer(noor, 100, "toma")
        await twitch.watch_streak(noor, 5)
        await twitch.announce(noor, "sorteo")

    listener = read(scene)
    assert [(one.event, one.person.name if one.person else "", one.text) for one, why in listener.heard if not why] == [
        ("sub", "Noor", "suscripción de nivel 2"),
        ("resub", "Noor", "un año ya (14 meses de suscripción)"),
        ("gift", "Noor", "regala 100 suscripciones"),
        ("gift", "Leo", "le regala una suscripción a Noor"),
        ("gift", "", "regala 5 suscripciones"),
        ("raid", "Noor", "llegan 1000 personas"),
        ("cheer", "Noor", "toma (100 bits)"),
        ("watch_streak", "Noor", "5 directos seguidos"),
    ]
    switched_off = [("notice", "switched_off"), ("announcement", "switched_off")]
    assert [(one.event, why) for one, why in listener.heard if why] == switched_off


def test_moderators_are_obeyed() -> None:
    async def scene(twitch: LocalTwitch, listener: Listener) -> None:
        noor = twitch.user("noor", "Noor", "6007")
        await twitch.delete(await twitch.chat(noor, "algo feo", id="bad"), noor)
        await twitch.clear_user(noor, 600)
        await twitch.clear_user(noor)
        await twitch.clear()

    moderated = read(scene).moderated
    assert moderated.acts == [("message", "bad"), *[("person", "6007")] * 2, ("all", "")]
    assert moderated.silences == [("noor", 600), ("noor", SILENCED_S)], "nobody tells this reader of a lifted ban"


def test_chat_of_another_channel_is_told_apart() -> None:
    async def scene(twitch: LocalTwitch, listener: Listener) -> None:
        noor = twitch.user("noor")
        await twitch.chat(noor, "de fuera", source=twitch.user("other"))
        await twitch.chat(noor, "de casa", source=twitch.channel)

    assert [(one.text, why) for one, why in read(scene).heard] == [("de fuera", "shared_chat"), ("de casa", None)]


# --- lines, not frames --------------------------------------------------------------------------------------------


def test_every_line_of_a_frame_counts() -> None:
    async def scene(twitch: LocalTwitch, listener: Listener) -> None:
        async with twitch.irc.one_frame():
            for n in range(120):
                await twitch.chat(twitch.user(f"v{n}"), f"mensaje {n}")

    assert read(scene).texts == [f"mensaje {n}" for n in range(120)]


def test_a_line_in_two_frames_is_one_line() -> None:
    async def scene(twitch: LocalTwitch, listener: Listener) -> None:
        [reader] = twitch.irc.readers
        line = "@id=x;user-id=7;display-name=Ana :ana!ana@ana.tmi.twitch.tv PRIVMSG #mika_live :hola a todo\r\n"
        for piece in (line[:30], line[30:-1], line[-1:] + line.replace("id=x", "id=y")):
            await reader.wire.send_str(piece)
            await asyncio.sleep(0.1)
        await reader.wire.send_bytes(b"\x00\xff")
        await reader.wire.send_str("\r\n \r\n@ :\r\n:x\r\n@a=b\r\nPRIVMSG\r\n")
        await twitch.chat(twitch.user("noor"), "y sigue")

    assert read(scene).texts == ["hola a todo", "hola a todo", "y sigue"]


@pytest.mark.parametrize(
    ("written", "command", "login", "tags", "params", "said"),
    [
        ("PING :tmi.twitch.tv", "PING", "", {}, (), "tmi.twitch.tv"),
        (":tmi.twitch.tv RECONNECT", "RECONNECT", "tmi.twitch.tv", {}, (), ""),
        (
            r"@a=x\s\:\\\r\n\q;b;c= :u!u@h PRIVMSG #c :a :b",
            "PRIVMSG",
            "u",
            {"a": "x ;\\\r\nq", "b": "", "c": ""},
            ("#c",),
            "a :b",
        ),
        ("@a=x\\ :u!u@h CLEARCHAT #c", "CLEARCHAT", "u", {"a": "x"}, ("#c",), ""),
        ("", "", "", {}, (), ""),
    ],
)
def test_a_line_is_taken_apart(
    written: str, command: str, login: str, tags: dict[str, str], params: tuple[str, ...], said: str
) -> None:
    line = parse(written)
    assert (line.command, line.login, line.tags, line.params, line.text) == (command, login, tags, params, said)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("id user-id emotes bits msg-id badges room-id login".split()), st.text(max_size=20))
    ),
    st.sampled_from(["PRIVMSG", "USERNOTICE", "CLEARMSG", "CLEARCHAT", "001", ""]),
    st.text(max_size=60),
)
@example([("id", "1"), ("user-id", "2"), ("emotes", "1:0-99999,3-2/x:1-1")], "PRIVMSG", "hola")
@example([("id", "1"), ("user-id", "2"), ("bits", "9" * 5000)], "PRIVMSG", "hola")
def test_nothing_in_a_line_can_hurt(tags: list[tuple[str, str]], command: str, said: str) -> None:
    heard: list[Heard] = []
    lines = ChannelLines(Channel(lambda one, why, original: heard.append(one), Withdrawn(), policy()), ())
    written = ";".join(f"{name}={value}" for name, value in tags)
    lines.deliver(parse(f"@{written} :u!u@h {command} #c :{said}"), 1.0)
    lines.deliver(parse(said), 1.0)
    for one in heard:
        assert one.id
        one.text.encode()


# --- staying connected --------------------------------------------------------------------------------------------


def test_it_says_so_when_it_reads_and_answers_pings_for_hours() -> None:
    async def scene(twitch: LocalTwitch, listener: Listener) -> None:
        await asyncio.sleep(3 * 3600)
        await twitch.chat(twitch.user("noor"), "¿sigues ahí?")
        await asyncio.sleep(1)
        assert twitch.irc.connections == 1

    listener = read(scene)
    assert listener.texts == ["¿sigues ahí?"]
    assert listener.states == ["ok"]
    assert "mika_live" in listener.lights[0].serving


def test_it_moves_when_twitch_asks_and_comes_back_when_it_is_cut() -> None:
    async def scene(twitch: LocalTwitch, listener: Listener) -> None:
        await twitch.irc.reconnect()
        await asyncio.sleep(1)
        await twitch.chat(twitch.user("noor"), "uno")
        await asyncio.sleep(1)
        await twitch.irc.drop()
        await asyncio.sleep(3)
        await twitch.chat(twitch.user("noor"), "dos")

    listener = read(scene)
    assert listener.texts == ["uno", "dos"]
    assert listener.states == ["ok", "ok", "degraded", "ok"]


def test_silence_is_noticed() -> None:
    async def scene(twitch: LocalTwitch, listener: Listener) -> None:
        twitch.irc.go_silent()
        await asyncio.sleep(340)
        await twitch.chat(twitch.user("noor"), "de vuelta")

    listener = read(scene)
    assert listener.texts == ["de vuelta"]
    assert listener.states == ["ok", "degraded", "ok"]


def test_while_twitch_refuses_it_asks_more_and_more_rarely() -> None:
    async def scene(twitch: LocalTwitch, listener: Listener) -> None:
        twitch.irc.refuse = 10**6
        await twitch.irc.drop()
        before = twitch.irc.connections
        await asyncio.sleep(600)
        assert 10 <= twitch.irc.connections - before <= 30
        twitch.irc.refuse = 0
        await asyncio.sleep(61)
        await twitch.chat(twitch.user("noor"), "por fin")
        await asyncio.sleep(1)
        await twitch.irc.drop()
        await asyncio.sleep(2)
        await twitch.chat(twitch.user("noor"), "enseguida")

    listener = read(scene)
    assert listener.texts == ["por fin", "enseguida"], "the back-off begins anew after a success"
    assert listener.states[1] == "degraded"
    assert set(listener.states[2:-3]) == {"down"}
    assert listener.states[-3:] == ["ok", "degraded", "ok"]


def test_a_channel_that_does_not_let_her_in_is_told_with_its_repair() -> None:
    async def run() -> Listener:
        async with LocalTwitch() as twitch, reading(twitch, "no such channel") as listener:
            await asyncio.sleep(60)
            assert 3 <= twitch.irc.connections <= 6
            return listener

    listener = play(run())
    assert set(listener.states) == {"down"}
    assert "twitch.channel" in listener.lights[0].repair


def test_a_message_that_cannot_be_taken_in_does_not_stop_the_reading() -> None:
    async def run() -> list[str]:
        async with LocalTwitch() as twitch, reading(twitch) as listener:
            taken: list[str] = []

            def hear(heard: Heard, reason: str | None, original: str) -> None:
                if heard.text == "mal":
                    raise RuntimeError("broken")
                taken.append(heard.text)

            listener.reader._lines = ChannelLines(Channel(hear, Withdrawn(), policy()), ())
            for said in ("uno", "mal", "dos"):
                await twitch.chat(twitch.user("noor"), said)
            await asyncio.sleep(1)
            return taken

    assert play(run()) == ["uno", "dos"]
