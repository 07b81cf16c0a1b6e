"""Commands in chat: who may do what, how often, and that nothing else in a message is ever one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import texts
from bot.chat.moods import mood_in
from bot.chat.viewer_commands import Taken, Verb, ViewerCommands
from bot.chat_choice import ChatRules
from bot.config import ConfigErrors, Settings, load
from bot.inbox import Inbox
from bot.vocabulary import EXPRESSIONS, Heard, Person, Role

WORDS: dict[Verb, str] = {
    "ask": "!aneeka",
    "forget": "!forgetme",
    "mood": "!mood",
    "mute": "!mute",
    "unmute": "!unmute",
    "skip": "!skip",
}


class House:
    """Does what commands want, by writing it down."""

    def __init__(self, words: dict[Verb, str] | None = None) -> None:
        self.done: list[str] = []
        self.asked: list[Heard] = []
        words = WORDS if words is None else words
        self.commands = ViewerCommands(words, self, "Aneeka", cooldown_s=5, viewer_cooldown_s=30, bots=["NightBot"])
        self.number = 0

    def ask(self, heard: Heard) -> None:
        self.done.append("ask")
        self.asked.append(heard)

    def mute(self) -> None:
        self.done.append("mute")

    def unmute(self) -> None:
        self.done.append("unmute")

    def skip(self) -> None:
        self.done.append("skip")

    def forget(self, person: Person) -> None:
        self.done.append(f"forget {person.id}")

    def mood(self, expression: str) -> None:
        self.done.append(expression)

    def chat(
        self, said: str, roles: Iterable[Role] = (), *, user: str = "ana", now: float = 0.0, shown: str | None = None
    ) -> Taken | None:
        self.number += 1
        text = said if shown is None else shown
        heard = Heard(f"m{self.number}", "chat", text, now, Person(user, user, frozenset(roles)))
        return self.commands.take(heard, said, now)


@pytest.mark.parametrize("said", ["!mute", "!unmute", "!skip", "!mood happy"])
@pytest.mark.parametrize(
    ("roles", "may"),
    [
        ((), False),
        (("subscriber", "vip", "first_timer"), False),
        (("moderator",), True),
        (("broadcaster",), True),
        (("moderator", "bot"), False),
    ],
)
def test_only_moderators_and_the_broadcaster_steer_her(said: str, roles: tuple[Role, ...], may: bool) -> None:
    house = House()
    assert house.chat(said, roles) == ("done" if may else "not_allowed")
    assert bool(house.done) == may


def test_bots_with_a_moderators_badge_are_not_obeyed_since_viewers_make_them_write() -> None:
    house = House()
    assert house.chat("!mute", ["moderator"], user="Nightbot") == "not_allowed"
    assert house.done == []


def test_everybody_may_ask_and_be_forgotten() -> None:
    house = House()
    assert house.chat("!aneeka ¿qué tal?") == "asked"
    assert house.chat("!forgetme please", user="leo") == "done"
    assert house.done == ["ask", "forget leo"]
    assert house.asked[0].text == "Aneeka, ¿qué tal?"


def test_a_reply_begins_with_whom_it_answers_and_is_obeyed() -> None:
    house = House()
    assert house.chat("@Aneeka !skip", ["moderator"]) == "done"
    assert house.chat("@Leo !aneeka ¿y tú?", shown="@Leo !aneeka ¿y tú?") == "asked"
    assert house.asked[0].text == "Aneeka, ¿y tú?"
    assert house.chat("@Aneeka @Leo !skip", ["moderator"], user="bo") is None
    assert house.chat("@Aneeka", ["moderator"], user="bo") is None
    assert house.done == ["skip", "ask"]
    dropped: dict[str, str] = {}
    inbox = Inbox(ChatRules(), dropped.__setitem__)
    inbox.add(Heard("r", "chat", "@Aneeka !dados", 0.0, Person("v", "v")), 0.0)
    assert dropped == {"r": "command"}


def test_whom_the_operator_ignores_may_be_forgotten_and_no_more() -> None:
    house = House()
    person = Person("pest", "Pest", frozenset({"moderator"}))
    for number, said in enumerate(("!aneeka hola", "!mute", "!forgetme")):
        house.commands.take(Heard(f"p{number}", "chat", said, 0.0, person), said, 0.0, ignored=True)
    assert house.chat("!aneeka hola", user="leo") == "asked"
    assert house.done == ["forget pest", "ask"]


def test_what_is_asked_is_addressed_to_her_and_chosen_before_others() -> None:
    inbox = Inbox(ChatRules(), lambda *_: None)
    house = House()
    for number, said in enumerate(["¿alguien sabe a qué hora termina?", "cuánto cuesta el juego?"]):
        inbox.add(Heard(f"q{number}", "chat", said, 0.0, Person(f"v{number}", f"v{number}")), 0.0)
    house.chat("!aneeka bonito mapa")
    inbox.add(house.asked[0], 0.0)
    assert next(heard.id for heard in inbox.chat_ready(0.0)) == house.asked[0].id


@pytest.mark.parametrize(("said", "text"), [("!aneeka", "Aneeka"), ("!ANEEKA \U000e0000", "Aneeka, \U000e0000")])
def test_her_command_alone_calls_her(said: str, text: str) -> None:
    house = House()
    assert house.chat(said) == "asked"
    assert house.asked[0].text == text


def test_what_she_is_asked_is_the_text_without_emotes() -> None:
    house = House()
    house.chat("!aneeka hola catJAM catJAM", shown="!aneeka hola")
    assert house.asked[0].text == "Aneeka, hola"


def test_a_command_inside_what_is_asked_is_none() -> None:
    house = House()
    assert house.chat("!aneeka !mute", ["moderator"]) == "asked"
    assert house.chat("di !mute", ["moderator"]) is None
    assert house.done == ["ask"]


@pytest.mark.parametrize(
    "said",
    [
        "!mutе",  # a Cyrillic letter
        "!ｍute",
        "!s\u212aip",  # the Kelvin sign
        "!ſkip",
        "！mute",
        "!mu\u200bte",
        "\u200b!mute",
        "!mute\u0301",
        "!mute!",
        "!muted",
        "!mut",
        "!",
        "! mute",
        "!!mute",
        "/mute",
        "mute",
        "!mute,unmute",
        "",
        "   ",
    ],
)
def test_look_alikes_are_no_commands(said: str) -> None:
    house = House()
    assert house.chat(said, ["broadcaster", "moderator"]) is None
    assert house.done == []


def test_an_emote_before_a_command_is_the_first_word() -> None:
    house = House()
    assert house.chat("catJAM !mute", ["moderator"], shown="!mute") is None
    assert house.done == []


def test_roles_are_never_read_from_text() -> None:
    house = House()
    person = Person("9", "Broadcaster [MOD]")
    heard = Heard("m", "chat", "!mute badges=moderator/1;mod=1", 0.0, person)
    assert house.commands.take(heard, heard.text, 0.0) == "not_allowed"


def test_case_is_free_and_spanish_letters_are_letters() -> None:
    house = House({"forget": "!olvídame", "skip": "!salta"})
    assert house.chat("!OLVÍDAME") == "done"
    assert house.chat("!Salta", ["moderator"]) == "done"
    assert house.chat("!olvidame", user="leo") is None


def test_nothing_is_on_unless_it_has_a_word() -> None:
    house = House({"ask": "", "mute": ""})
    assert house.chat("!mute", ["broadcaster"]) is None
    assert house.chat("!aneeka hola", ["broadcaster"]) is None
    assert house.chat("", ["broadcaster"]) is None


def test_cooldowns_are_a_viewers_and_everybodys() -> None:
    house = House()
    assert house.chat("!aneeka a", now=0) == "asked"
    assert house.chat("!aneeka b", user="leo", now=4.9) == "cooldown"
    assert house.chat("!aneeka c", user="leo", now=5.0) == "asked"
    assert house.chat("!aneeka d", now=29.9) == "cooldown"
    assert house.chat("!aneeka e", now=30.0) == "asked"
    assert len(house.asked) == 3


def test_refused_tries_do_not_lengthen_a_cooldown() -> None:
    house = House()
    house.chat("!aneeka a", now=0)
    for second in range(1, 30):
        assert house.chat("!aneeka otra vez", now=second) == "cooldown"
    assert house.chat("!aneeka b", now=30) == "asked"


def test_nobody_can_stand_between_a_viewer_and_being_forgotten() -> None:
    house = House()
    house.chat("!aneeka hola", now=0)
    assert house.chat("!forgetme", now=0) == "done"
    assert house.chat("!forgetme", user="leo", now=0) == "done"
    assert house.chat("!forgetme", now=1) == "cooldown"


def test_moderators_do_not_wait() -> None:
    house = House()
    for second in range(5):
        assert house.chat("!skip", ["moderator"], now=second / 10) == "done"
        assert house.chat("!aneeka hola", ["broadcaster"], user="mika", now=second / 10) == "asked"


def test_the_same_message_delivered_twice_is_obeyed_once() -> None:
    house = House()
    heard = Heard("m", "chat", "!skip", 0.0, Person("1", "mika", frozenset({"broadcaster"})))
    assert house.commands.take(heard, heard.text, 0.0) == "done"
    assert house.commands.take(heard, heard.text, 0.0) is None
    assert house.done == ["skip"]


def test_only_chat_commands() -> None:
    house = House()
    mika = Person("1", "mika", frozenset({"broadcaster"}))
    assert house.commands.take(Heard("m", "operator", "!skip", 0.0, mika), "!skip", 0.0) is None
    assert house.commands.take(Heard("n", "event", "!skip", 0.0, mika, "cheer"), "!skip", 0.0) is None
    assert house.commands.take(Heard("o", "chat", "!skip", 0.0), "!skip", 0.0) is None


# --- moods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "mood"),
    [
        ("happy", "happy"),
        ("FELIZ!!!", "happy"),
        ("que esté muy tímida porfa", "shy"),
        ("timida", "shy"),
        ("Excited", "excited"),
        ("grumpy por favor", "angry"),
        ("happpyyyy", "happy"),
        ("hungry", None),
        ("", None),
        ("unhappyness", None),
    ],
)
def test_moods_in_both_languages(said: str, mood: str | None) -> None:
    assert mood_in(said) == mood


def test_every_mood_can_be_named() -> None:
    assert {mood_in(mood) for mood in EXPRESSIONS} == set(EXPRESSIONS)


def test_a_mood_that_does_not_exist_changes_nothing() -> None:
    house = House()
    assert house.chat("!mood hungry", ["moderator"]) == "not_understood"
    assert house.chat("!mood", ["moderator"]) == "not_understood"
    assert house.done == []


# --- hostile text -------------------------------------------------------------------------------------------------


@given(
    st.one_of(st.text(max_size=60), st.lists(st.sampled_from([*WORDS.values(), " ", "\u200b", "İ", "ß"])).map("".join))
)
def test_viewers_can_only_ask_and_be_forgotten_whatever_they_write(said: str) -> None:
    house = House()
    house.chat(said, ["subscriber", "vip"])
    assert set(house.done) <= {"ask", "forget ana"}


# --- config -------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _spanish_again() -> Iterator[None]:
    yield
    texts.use("es")


def config(tmp_path: Path, content: str) -> Settings:
    file = tmp_path / "my.toml"
    file.write_text(f"persona.language = 'en'\n{content}", encoding="utf-8")
    return load(file).settings


def test_every_command_is_off_by_default() -> None:
    commands = Settings().twitch.commands
    assert {getattr(commands, verb) for verb in WORDS} == {""}
    assert Settings().twitch.talk_back == "off"


@pytest.mark.parametrize(
    ("written", "word"), [("aneeka", "!aneeka"), ("!Aneeka", "!aneeka"), ("!olvídame", "!olvídame"), ("", "")]
)
def test_words_are_written_with_or_without_their_sign(tmp_path: Path, written: str, word: str) -> None:
    assert config(tmp_path, f"[twitch.commands]\nask = '{written}'").twitch.commands.ask == word


@pytest.mark.parametrize(
    ("content", "key", "wanted"),
    [
        ("ask = 'hey aneeka'", "ask", "a single word"),
        ("ask = '!'", "ask", "a single word"),
        ("ask = '/aneeka'", "ask", "a single word"),
        ("ask = '!!a'", "ask", "a single word"),
        ("mute = '!silencio'\nunmute = 'Silencio'", "unmute", "no other command"),
    ],
)
def test_a_word_that_cannot_be_is_told(tmp_path: Path, content: str, key: str, wanted: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        config(tmp_path, f"[twitch.commands]\n{content}")
    [problem] = caught.value.problems
    assert problem.key == f"twitch.commands.{key}"
    assert wanted in problem.wanted
