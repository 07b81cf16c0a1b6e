"""The one table of events, the written lines, and how events wait."""

from __future__ import annotations

import re
import shutil
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.event_policy import FIGURES, TABLE, EventPolicy, Happening
from bot.chat_choice import ChatRules
from bot.config.channel import Events
from bot.event_lane import WAITING, EventLane, EventRule
from bot.inbox import Inbox
from bot.mind.templates import PromptError
from bot.texts import use
from bot.vocabulary import EXPRESSIONS, Heard, Language, Person

PROMPTS = Path(__file__).parent.parent / "prompts"
LANGUAGES: tuple[Language, ...] = ("es", "en")
SPOKEN = [event for event in TABLE if event != "shared_chat"]
ANA = Person("1", "Ana")
KNOWN: dict[str, dict[str, int | str]] = {
    "raid": {"viewers": 1234},
    "gift": {"count": 100},
    "charity": {"amount": "12.50 EUR", "charity": "Médicos"},
    "sub": {"tier": 3},
    "resub": {"months": 14},
    "hype_train_level": {"level": 3},
    "hype_train_end": {"level": 4},
    "cheer": {"bits": 250},
    "ad_break": {"minutes": 3},
    "poll": {"title": "¿Qué juego?", "winner": "Tetris"},
    "prediction": {"title": "¿Gana?", "winner": "Nunca"},
    "redemption": {"title": "Beber agua"},
    "watch_streak": {"streams": 9},
}


@pytest.fixture(autouse=True)
def spanish_texts():
    use("es")


@cache
def policy(language: Language = "es", **choices: str) -> EventPolicy:
    return EventPolicy(PROMPTS, language, "Aneeka", choices)


def written(language: Language = "es") -> EventPolicy:
    """One that answers everything with a line."""
    return policy(language, **dict.fromkeys(SPOKEN, "always template"))


def happening(event: str, person: Person | None = ANA, said: str = "", **figures: int | str) -> Happening:
    return Happening(f"id-{event}", event, 10.0, person, said, figures)


def line(made: EventPolicy, what: Happening) -> str:
    said = made.line(made.heard(what))
    assert said is not None
    return said


# --- the table ----------------------------------------------------------------------------------------------------


def test_the_config_offers_every_event_and_says_what_the_table_says() -> None:
    defaults = Events().model_dump()
    assert list(defaults) == list(TABLE)
    made = EventPolicy(PROMPTS, "es", "Aneeka", defaults)
    assert made.rules() == policy().rules()
    for event, row in TABLE.items():
        assert defaults[event].startswith(row.say)
        assert defaults[event] in (row.say, f"{row.say} {row.by}")


@pytest.mark.parametrize(
    ("choice", "say", "written"),
    [
        ("never", "never", True),
        ("always", "always", True),
        ("maybe brain", "maybe", False),
        ("always template", "always", True),
    ],
)
def test_the_user_may_choose_otherwise(choice: str, say: str, written: bool) -> None:
    made = policy(follow=choice)
    assert made.say("follow") == say
    assert made.rules()["follow"].maybe is (say == "maybe")
    assert (made.line(made.heard(happening("follow"))) is not None) is written


def test_people_and_money_go_before_decoration() -> None:
    order = sorted(SPOKEN, key=lambda event: -TABLE[event].priority)
    assert order[:2] == ["raid", "gift"]
    assert order.index("sub") < order.index("cheer") < order.index("hype_train_level") < order.index("follow")


# --- the lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("event", SPOKEN)
@pytest.mark.parametrize("person", [ANA, None], ids=["named", "anonymous"])
@pytest.mark.parametrize("is_told", [True, False], ids=["figures", "no figures"])
def test_there_is_always_a_line_and_its_figures_are_those_that_were_told(
    language: Language, event: str, person: Person | None, is_told: bool
) -> None:
    made = written(language)
    figures = KNOWN.get(event, {}) if is_told else {}
    for _ in range(12):
        said = line(made, happening(event, person, **figures))
        tag = re.match(r"\[(\w+)\] \S", said)
        assert tag
        assert tag[1] in EXPRESSIONS
        assert set(re.findall(r"\d+", said)) <= set(re.findall(r"\d+", " ".join(map(str, figures.values()))))
        assert "{" not in said
        if person is None:
            assert "Ana" not in said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("event", "figure"), [("gift", "100"), ("raid", "1234"), ("sub", "3"), ("cheer", "250")])
def test_a_known_figure_and_a_known_name_are_always_said(language: Language, event: str, figure: str) -> None:
    made = written(language)
    for _ in range(12):
        said = line(made, happening(event, **KNOWN[event]))
        assert figure in said
        assert "Ana" in said


def test_one_and_many_are_told_apart() -> None:
    made = written()
    months = {line(made, happening("resub", months=1)) for _ in range(12)}
    assert all("1 mes" in said and "meses" not in said for said in months)


def test_no_line_is_said_twice_in_a_row() -> None:
    made = written()
    lines = [line(made, happening("follow")) for _ in range(60)]
    assert all(a != b for a, b in pairwise(lines))
    assert len(set(lines)) >= 4


def test_the_name_is_the_one_that_the_gate_let_through() -> None:
    made = written()
    heard = made.heard(happening("follow", Person("1", "something_ugly")))
    shown = Heard(heard.id, heard.kind, heard.text, heard.at_s, Person("1", "alguien"), heard.event, heard.priority)
    said = made.line(shown)
    assert said is not None
    assert "ugly" not in said


def test_what_another_telling_adds_is_said_as_well() -> None:
    made = written()
    heard = made.heard(happening("gift", count=1))
    made.learn(heard.id, {"recipient": "Leo", "count": 999})
    said = {made.line(heard) for _ in range(20)}
    assert any("Leo" in one for one in said if one)
    assert not any("999" in one for one in said if one), "what was told first stands"


def test_the_brain_reads_the_words_and_the_figures() -> None:
    es, en = policy("es"), policy("en")
    assert es.heard(happening("cheer", said="gran partida", bits=100)).text == "gran partida (100 bits)"
    assert en.heard(happening("raid", viewers=1)).text == "one person arrives"
    assert es.heard(happening("resub", said="hola")).text == "hola"
    assert es.heard(happening("follow")).text == ""
    assert es.line(es.heard(happening("raid", viewers=3))) is None


@given(
    st.text(max_size=600), st.dictionaries(st.sampled_from(FIGURES), st.one_of(st.integers(), st.text()), max_size=5)
)
def test_hostile_words_and_figures_are_only_quoted(said: str, figures: dict[str, int | str]) -> None:
    made = written()
    for event in ("poll", "raid", "charity"):
        heard = made.heard(Happening("x", event, 0.0, Person("1", said), said, figures))
        spoken = made.line(heard)
        assert spoken is not None
        assert spoken.count("[") == 1
        assert '"' not in heard.text


def test_both_languages_have_the_same_lines() -> None:
    spanish, english = (tomllib.loads((PROMPTS / name / "events.toml").read_text("utf-8")) for name in LANGUAGES)
    assert spanish.keys() == english.keys() == set(SPOKEN)
    for event in SPOKEN:
        assert len(spanish[event]["said"]) == len(english[event]["said"]), event


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[raid]", "[rade]", "[raid]"),
        ("¡Nos hacen un raid!", "¡Nos hacen un {{ raider }}!", "raider"),
        ("¡Nos hacen un raid!", "¡Nos hacen un {{ raid!", "events.toml"),
        ("[gift]", "[gift", "events.toml"),
    ],
)
def test_a_mistake_in_the_file_is_told_at_start(tmp_path: Path, old: str, new: str, told: str) -> None:
    folder = Path(shutil.copytree(PROMPTS, tmp_path / "prompts"))
    file = folder / "es" / "events.toml"
    file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(PromptError, match=re.escape(told)):
        EventPolicy(folder, "es", "Aneeka")


# --- how events wait ----------------------------------------------------------------------------------------------


class Desk:
    def __init__(self, **rules: EventRule) -> None:
        self.drops: dict[str, str] = {}
        self.inbox = Inbox(ChatRules(), self.drops.__setitem__, seed=1, events=rules)
        self.number = 0

    def event(self, event: str, now: float, priority: int = 0, user: str = "") -> Heard:
        self.number += 1
        who = user or f"u{self.number}"
        heard = Heard(f"e{self.number}", "event", "", now, Person(who, who), event, priority)
        self.inbox.add(heard, now)
        return heard

    def answer(self, now: float, until: float | None = None, *, said: bool = True) -> str | None:
        """Choose, and have finished at ``until``; return the id of what was answered."""
        self.inbox.expire(now)
        heard = self.inbox.first_event()
        if heard is None:
            return None
        self.inbox.take([heard])
        self.inbox.finished([heard], said, now if until is None else until)
        return heard.id

    def busy(self, now: float) -> None:
        for n in range(40):
            self.inbox.add(Heard(f"c{now}-{n}", "chat", f"mensaje {n * 7919} distinto", now, Person(f"v{n}", "v")), now)


def test_the_most_important_first_and_of_those_alike_the_oldest() -> None:
    desk = Desk()
    desk.event("follow", 0.0, 30)
    desk.event("sub", 1.0, 70)
    desk.event("raid", 2.0, 90)
    desk.event("sub", 3.0, 70)
    assert [desk.answer(4.0) for _ in range(5)] == ["e3", "e2", "e4", "e1", None]


def test_a_kind_cools_from_the_end_of_the_answer() -> None:
    desk = Desk(follow=EventRule(cooldown_s=20.0))
    desk.event("follow", 0.0)
    desk.event("follow", 0.0)
    desk.event("sub", 0.0)
    assert desk.answer(0.0, 5.0) == "e1"
    assert desk.answer(6.0) == "e3", "another kind does not wait"
    assert desk.inbox.next_change(6.0) == 25.0
    assert desk.answer(24.9) is None
    assert desk.answer(25.0) == "e2"


def test_an_answer_that_nobody_heard_starts_no_cooldown() -> None:
    desk = Desk(follow=EventRule(cooldown_s=20.0))
    desk.event("follow", 0.0)
    desk.event("follow", 0.0)
    assert desk.answer(0.0, said=False) == "e1"
    assert desk.drops == {"e1": "unsaid"}
    assert desk.answer(1.0) == "e2"


def test_what_is_too_old_leaves_with_the_true_reason() -> None:
    desk = Desk(follow=EventRule(30.0, 100.0), sub=EventRule(30.0), streak=EventRule(30.0, maybe=True))
    desk.event("follow", 0.0)
    desk.answer(0.0)
    for event in ("follow", "sub", "streak"):
        desk.event(event, 1.0)
    desk.busy(31.0)
    desk.inbox.expire(31.5)
    assert desk.drops["e2"] == "cooldown"
    assert desk.drops["e3"] == "too_old"
    assert desk.drops["e4"] == "busy"
    assert desk.inbox.events_dropped == {"cooldown": 1, "too_old": 1, "busy": 1}


def test_maybe_waits_for_calm_and_the_director_is_told_when_that_is() -> None:
    desk = Desk(follow=EventRule(60.0, maybe=True))
    desk.busy(0.0)
    desk.event("follow", 1.0)
    assert desk.answer(1.0) is None
    calm_at = desk.inbox.next_change(1.0)
    assert calm_at is not None
    assert 20.0 < calm_at < 21.0
    assert desk.answer(calm_at) == "e1"


def test_of_a_group_only_the_newest_waits() -> None:
    desk = Desk(level=EventRule(group="train", cooldown_s=60.0), end=EventRule(group="train"))
    desk.event("level", 0.0)
    desk.event("level", 5.0)
    assert desk.drops == {"e1": "outdated"}
    assert desk.answer(6.0) == "e2"
    desk.event("level", 10.0)
    assert desk.answer(11.0) is None, "it cools"
    desk.event("end", 12.0)
    assert desk.drops["e3"] == "outdated"
    assert desk.answer(13.0) == "e4", "the end does not wait for the cooldown of the levels"


def test_old_news_that_is_put_back_gives_way_to_the_newer() -> None:
    desk = Desk(level=EventRule(group="train"))
    old = desk.event("level", 0.0)
    desk.inbox.take([old])
    desk.event("level", 5.0)
    desk.inbox.put_back([old], 6.0)
    assert desk.drops == {old.id: "outdated"}
    assert desk.answer(6.0) == "e2"


def test_one_person_cannot_have_her_alone() -> None:
    desk = Desk()
    for n in range(50):
        desk.event("cheer", float(n), 60, "rich")
    desk.event("gift", 50.0, 80, "rich")
    desk.event("sub", 51.0, 70, "modest")
    assert desk.inbox.events_dropped == {"too_many": 49}
    assert [desk.answer(60.0) for _ in range(4)] == ["e51", "e52", "e1", None]


def test_a_flood_of_follows_neither_grows_nor_pushes_out_a_raid() -> None:
    desk = Desk()
    desk.event("raid", 0.0, 90)
    for n in range(500):
        desk.event("follow", 1.0 + n * 0.01, 30)
    assert len(list(desk.inbox._events)) == WAITING
    assert desk.answer(6.0) == "e1"


def test_an_event_cut_before_its_first_word_waits_again_unless_it_was_withdrawn() -> None:
    desk = Desk()
    first, second = desk.event("sub", 0.0), desk.event("cheer", 0.0)
    desk.inbox.take([first, second])
    desk.inbox.withdraw(second.id)
    desk.inbox.put_back([first, second], 1.0)
    assert desk.answer(1.0) == first.id
    assert desk.answer(1.0) is None
    assert desk.drops[second.id] == "withdrawn"


def test_a_withdrawn_event_does_not_come_in_again() -> None:
    desk = Desk()
    desk.inbox.withdraw("e1")
    desk.event("cheer", 0.0)
    assert desk.answer(0.0) is None
    assert desk.inbox.events_received == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["raid", "follow", "level"]),
            st.integers(0, 3),
            st.sampled_from("abc"),
            st.sampled_from(["add", "add", "answer", "cut", "expire"]),
        ),
        max_size=60,
    )
)
def test_any_run_of_events_adds_up(steps: list[tuple[str, int, str, str]]) -> None:
    drops: list[str] = []
    rules = {"follow": EventRule(20.0, 5.0, maybe=True), "level": EventRule(10.0, group="train")}
    lane = EventLane(rules, lambda heard, reason: drops.append(heard.id))
    added = answered = 0
    for n, (event, priority, user, step) in enumerate(steps):
        now = float(n)
        if step == "add":
            lane.add(Heard(f"e{n}", "event", "", now, Person(user, user), event, priority))
            added += 1
        elif step == "expire":
            lane.expire(now, None, busy=False)
        elif (best := lane.best(now, busy=False)) is not None:
            lane.take(best)
            if step == "answer":
                lane.finished(best, True, now)
                answered += 1
            else:
                lane.put_back(best)
    assert added == answered + len(drops) + len(list(lane))
    assert len(drops) == len(set(drops))
