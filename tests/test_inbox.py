"""What waits, what wins, and that nothing leaves without a reason."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import inbox
from bot.chat_choice import ChatRules
from bot.inbox import Inbox
from bot.vocabulary import Heard, Person, Role


class Desk:
    def __init__(self, **rules: object) -> None:
        self.drops: list[tuple[str, str]] = []
        self.inbox = Inbox(ChatRules(**rules), lambda i, why: self.drops.append((i, why)), seed=1)  # type: ignore[arg-type]
        self.number = 0

    def chat(self, text: str, user: str = "ana", now: float = 0.0, *roles: Role, id: str = "") -> str | None:
        self.number += 1
        heard = Heard(id or f"m{self.number}", "chat", text, now, Person(user, user, frozenset(roles)))
        return self.inbox.add(heard, now)

    def ready(self, now: float = 0.0) -> list[str]:
        return [h.text for h in self.inbox.chat_ready(now)]


def test_the_same_id_counts_once() -> None:
    desk = Desk()
    assert desk.chat("hola a todo el mundo", id="x") is None
    assert desk.chat("hola a todo el mundo", id="x") == "duplicate"
    assert (desk.inbox.received, desk.inbox.duplicates) == (1, 1)
    for kind in ("operator", "event"):
        heard = Heard(kind, kind, "hola", 0.0)
        assert [desk.inbox.add(heard, 0.0) for _ in range(2)] == [None, "duplicate"]
    assert desk.inbox.duplicates == 1, "what is no chat is no duplicate of chat"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("qué juego tan bonito", "QUE JUEGO TAN BONITO!!!"),
        ("PogChamp PogChamp PogChamp nice one", "PogChamp nice one"),
        ("nooooooo way that happened", "no way that happened"),
        ("this is the best stream of the whole week my friends", "this is the best stream of the whole week friends"),
    ],
)
def test_near_identical_text_is_repeated_also_by_others(first: str, second: str) -> None:
    desk = Desk()
    assert desk.chat(first, "ana") is None
    assert desk.chat(second, "leo", 3.0) == "repeated"
    assert desk.chat(second, "eva", 60.0) is None, "the window is over"


def test_short_greetings_of_different_viewers_all_count_in_calm_chat_only() -> None:
    desk = Desk()
    assert desk.chat("hola", "ana") is None
    assert desk.chat("hola!", "leo", 1.0) is None
    assert desk.chat("hola", "ana", 2.0) == "repeated"
    for n in range(30):
        desk.chat(f"mensaje distinto número {n * 7919}", f"v{n}", 3.0)
    assert desk.chat("hola", "eva", 3.0) == "repeated"


@pytest.mark.parametrize(
    ("text", "user", "roles", "reason"),
    [
        ("!discord", "ana", (), "command"),
        ("  !quote 112", "ana", (), "command"),
        ("Follow the channel!", "Nightbot", (), "bot"),
        ("beep", "r2", ("bot",), "bot"),
        ("hola soy yo", "Aneeka", (), "herself"),
        ("hola", "Pesado", (), "ignored"),
        ("😂😂😂", "ana", (), "empty"),
        ("???", "ana", (), "empty"),
    ],
)
def test_what_she_never_answers(text: str, user: str, roles: tuple[Role, ...], reason: str) -> None:
    desk = Desk(ignored_users=frozenset({"pesado"}))
    assert desk.chat(text, user, 0.0, *roles) == reason
    assert desk.inbox.dropped == {reason: 1}
    assert desk.drops == [("m1", reason)]


def test_who_wins() -> None:
    desk = Desk()
    desk.chat("bonito mapa el de hoy", "uno")
    desk.chat("cuál es tu comida favorita?", "dos")
    desk.chat("mi primera vez por este canal", "tres", 0.0, "first_timer")
    desk.chat("aneeka eres genial de verdad", "cuatro")
    assert desk.ready() == [
        "aneeka eres genial de verdad",
        "mi primera vez por este canal",
        "cuál es tu comida favorita?",
        "bonito mapa el de hoy",
    ]


def test_the_newer_of_two_alike_wins() -> None:
    desk = Desk()
    desk.chat("me gusta el rojo", "uno", 0.0)
    desk.chat("prefiero el verde", "dos", 20.0)
    assert desk.ready(20.0)[0] == "prefiero el verde"


def test_a_regular_who_was_passed_over_rises() -> None:
    desk = Desk()
    for n in range(4):
        desk.chat(f"comentario {n} sobre la partida", "fiel", float(n))
    desk.chat("otra cosa muy distinta hoy", "nuevo", 4.0)
    assert desk.ready(4.0)[0] == "comentario 3 sobre la partida"


def test_the_cooldown_starts_when_she_has_finished() -> None:
    desk = Desk(viewer_cooldown_s=5.0)
    desk.chat("primera pregunta", "ana", 0.0)
    first = desk.inbox.chat_ready(0.0)
    desk.inbox.take(first)
    desk.chat("segunda pregunta distinta", "ana", 1.0)
    assert desk.ready(9.0) == [], "she is still speaking to ana"
    desk.inbox.finished(first, True, 10.0)
    assert desk.inbox.next_change(10.0) == 15.0
    assert desk.ready(14.9) == []
    assert desk.ready(15.0) == ["segunda pregunta distinta"]


def test_what_waits_too_long_leaves_with_the_true_reason() -> None:
    desk = Desk(max_age_s=60.0, viewer_cooldown_s=100.0)
    desk.chat("una pregunta cualquiera", "ana", 0.0)
    desk.chat("otra cosa de leo", "leo", 0.0)
    first = [h for h in desk.inbox.chat_ready(0.0) if h.person and h.person.id == "ana"]
    desk.inbox.take(first)
    desk.inbox.finished(first, True, 1.0)
    desk.chat("y la continuación de ana", "ana", 2.0)
    desk.inbox.expire(70.0)
    assert desk.inbox.dropped == {"too_old": 1, "cooldown": 1}
    assert desk.inbox.waiting(70.0) == []


def test_a_full_inbox_keeps_the_best() -> None:
    desk = Desk(max_waiting=3)
    for n, text in enumerate(["vale uno", "aneeka hola preciosa", "ok dos", "qué hora es?", "pues nada tres"]):
        desk.chat(text, f"v{n}", 0.0)
    assert "aneeka hola preciosa" in desk.ready()
    assert "qué hora es?" in desk.ready()
    assert len(desk.ready()) == 3
    assert desk.inbox.dropped == {"crowded_out": 2}


def test_withdrawn_leaves_and_never_comes_back() -> None:
    desk = Desk()
    desk.chat("algo que borra un moderador", id="bad")
    assert desk.inbox.withdraw("bad") is True
    assert desk.ready() == []
    assert desk.inbox.withdraw("late") is False
    assert desk.chat("llega después de borrarse", "leo", id="late") == "withdrawn"


def test_what_is_put_back_is_not_what_was_withdrawn_meanwhile() -> None:
    desk = Desk()
    desk.chat("algo que borra un moderador", "ana", id="bad")
    desk.chat("otra cosa muy distinta", "leo", id="good")
    chosen = desk.inbox.chat_ready(0.0)
    desk.inbox.take(chosen)
    desk.inbox.withdraw("bad")
    desk.inbox.put_back(chosen, 1.0)
    assert desk.ready(1.0) == ["otra cosa muy distinta"]
    assert desk.inbox.dropped == {"withdrawn": 1}


def test_reply_chance_spares_who_asks_or_names_her() -> None:
    desk = Desk(reply_chance=0.0)
    assert desk.chat("vaya partida") == "chance"
    assert desk.chat("¿qué juego es este?") is None
    assert desk.chat("ANEEKA mira esto de aquí") is None


def test_in_a_flood_memory_is_bounded_and_every_message_accounted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "REMEMBERED_IDS", 2000)
    monkeypatch.setattr(inbox, "REMEMBERED_PEOPLE", 500)
    desk, taken = Desk(max_waiting=50), 0
    for n in range(3000):
        now = n * 0.006
        desk.chat(f"mensaje {n} de {n % 97}", f"viewer{n % 701}", now)
        if n % 100 == 0:
            desk.inbox.expire(now)
            chosen = desk.inbox.chat_ready(now)[:5]
            desk.inbox.take(chosen)
            desk.inbox.finished(chosen, True, now)
            taken += len(chosen)
    box = desk.inbox
    assert box.answered == taken > 0
    assert box.received == 3000 == box.answered + sum(box.dropped.values()) + len(box.waiting(18.0))
    assert (len(box._seen), len(box._people)) == (2000, 500), "full, and no fuller"
    assert len(box._chat) <= 50


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.text(max_size=30), st.booleans()), max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_chat_adds_up(lines: list[tuple[str, str, bool]]) -> None:
    desk = Desk(max_waiting=5, reply_chance=0.7)
    for n, (user, text, answer) in enumerate(lines):
        desk.chat(text, user, float(n))
        if answer:
            chosen = desk.inbox.chat_ready(float(n))[:2]
            desk.inbox.take(chosen)
            desk.inbox.finished(chosen, n % 3 > 0, float(n))
    desk.inbox.expire(10_000.0)
    box = desk.inbox
    assert box.received == len(lines) == box.answered + sum(box.dropped.values())
    assert Counter(reason for _, reason in desk.drops) == box.dropped
