"""Scenes of the one decision: who is answered, when, and what may cut what. No clock runs here."""

from __future__ import annotations

from itertools import pairwise

from bot.chat_choice import ChatRules
from bot.director import Director, DirectorRules
from bot.inbox import Inbox
from bot.vocabulary import Cue, Heard, Kind, Person, Spoken


class Scene:
    def __init__(self, **rules: float) -> None:
        self.inbox = Inbox(ChatRules(viewer_cooldown_s=5.0), lambda i, why: None, seed=1)
        self.director = Director(self.inbox, DirectorRules(**rules), 0.0)  # type: ignore[arg-type]
        self.number = 0

    def hear(self, kind: Kind, text: str, now: float, user: str = "ana") -> Heard:
        self.number += 1
        person = Person(user, user) if kind == "chat" else None
        heard = Heard(f"h{self.number}", kind, text, now, person, "raid" if kind == "event" else "")
        self.inbox.add(heard, now)
        self.director.noticed(heard, now)
        return heard

    def decide(self, now: float) -> Cue | None:
        return self.director.decide(now)

    def finish(self, cue: Cue, now: float, text: str = "dicho", cut: str | None = None) -> None:
        self.director.finished(cue, Spoken("r", text, cut), now)


def test_operator_before_events_before_chat() -> None:
    scene = Scene()
    scene.hear("chat", "hola guapa", 0.0)
    scene.hear("event", "leo llega con 50", 0.1)
    scene.hear("operator", "¿cómo vas?", 0.2)
    modes = []
    for now in (1.0, 2.0, 3.0):
        cue = scene.decide(now)
        assert cue is not None
        modes.append(cue.mode)
        scene.finish(cue, now)
    assert modes == ["operator", "event", "chat_one"]


def test_only_one_reply_at_a_time() -> None:
    scene = Scene()
    scene.hear("operator", "una", 0.0)
    scene.hear("operator", "dos", 0.0)
    assert scene.decide(0.0) is not None
    assert scene.decide(0.1) is None
    assert scene.director.next_at(0.1) is None


def test_calm_chat_is_answered_at_once_one_by_one() -> None:
    scene = Scene()
    scene.hear("chat", "hola aneeka", 0.0, "ana")
    scene.hear("chat", "buenas a ti", 0.2, "leo")
    first = scene.decide(0.2)
    assert first is not None
    assert (first.mode, len(first.heard)) == ("chat_one", 1)
    scene.finish(first, 4.0)
    second = scene.decide(4.0)
    assert second is not None
    assert second.mode == "chat_one"
    assert {first.heard[0].text, second.heard[0].text} == {"hola aneeka", "buenas a ti"}


def test_several_who_wait_get_one_answer() -> None:
    scene = Scene(max_many=3)
    for n, user in enumerate(["ana", "leo", "eva", "sol"]):
        scene.hear("chat", f"pregunta distinta {n * 17}?", 0.0, user)
    cue = scene.decide(0.0)
    assert cue is not None
    assert cue.mode == "chat_many"
    assert len({h.person.id for h in cue.heard if h.person}) == 3


def test_busy_chat_is_gathered_for_a_moment() -> None:
    scene = Scene(window_s=1.5)
    for n in range(12):
        heard = scene.hear("chat", f"!comando{n}", n * 0.1, f"v{n}")
        assert heard
    scene.hear("chat", "esto sí es un mensaje", 2.0, "ana")
    assert scene.decide(2.0) is None
    assert scene.director.next_at(2.0) == 3.5
    scene.hear("chat", "y esto es otro distinto", 2.5, "leo")
    cue = scene.decide(3.5)
    assert cue is not None
    assert cue.mode == "chat_many"


def test_the_operator_cuts_chat_and_idle_but_not_events_or_himself() -> None:
    for kind, cut in (("chat", True), ("event", False), ("operator", False)):
        scene = Scene()
        scene.hear(kind, "algo que contestar", 0.0)  # type: ignore[arg-type]
        assert scene.decide(0.0) is not None
        words = scene.hear("operator", "escucha", 1.0)
        assert scene.director.yields_to(words) is cut, kind
        assert scene.director.yields_to(Heard("c", "chat", "hola", 1.0)) is False


def test_chat_cut_before_its_first_word_waits_again() -> None:
    scene = Scene()
    scene.hear("chat", "¿me lees?", 0.0)
    cue = scene.decide(0.0)
    assert cue is not None
    scene.hear("operator", "un momento", 0.1)
    scene.finish(cue, 0.1, text="", cut="operator")
    operator = scene.decide(0.1)
    assert operator is not None
    assert operator.mode == "operator"
    scene.finish(operator, 3.0)
    again = scene.decide(3.0)
    assert again is not None
    assert again.heard == cue.heard


def test_patience_grows_and_is_fresh_after_somebody_speaks() -> None:
    scene = Scene(idle_after_s=60.0, idle_max_s=100.0)
    assert scene.director.next_at(0.0) == 60.0
    assert scene.decide(59.0) is None
    starts = []
    now = 0.0
    for _ in range(4):
        now = scene.director.next_at(now) or 0.0
        cue = scene.decide(now)
        assert cue is not None
        assert cue.mode == "idle"
        starts.append(now)
        now += 5.0
        scene.finish(cue, now)
    waits = [b - a - 5.0 for a, b in pairwise(starts)]
    assert waits == [90.0, 100.0, 100.0]
    scene.hear("chat", "!so leo", now)
    assert scene.director.next_at(now) == now + 60.0 - 5.0 + 5.0


def test_the_others_of_a_cut_answer_wait_again_when_one_was_withdrawn() -> None:
    scene = Scene()
    for user in ("ana", "leo", "eva"):
        scene.hear("chat", f"pregunta de {user} sobre algo?", 0.0, user)
    cue = scene.decide(0.0)
    assert cue is not None
    scene.inbox.withdraw(cue.heard[0].id)
    scene.finish(cue, 0.1, text="", cut="withdrawn")
    assert {h.id for h in scene.inbox.chat_ready(0.1)} == {h.id for h in cue.heard[1:]}


def test_patience_survives_the_longest_night() -> None:
    scene = Scene(idle_after_s=1.0, idle_max_s=1.0)
    now = 0.0
    for _ in range(3000):
        now = scene.director.next_at(now) or 0.0
        cue = scene.decide(now)
        assert cue is not None
        scene.finish(cue, now)


def test_no_idle_talk_when_switched_off() -> None:
    scene = Scene(idle_after_s=0.0)
    assert scene.director.next_at(0.0) is None
    assert scene.decide(1e6) is None


def test_muted_and_paused_she_stays_silent_and_stale_chat_says_why() -> None:
    scene = Scene()
    scene.director.muted = True
    scene.hear("chat", "¿hola?", 0.0)
    assert scene.decide(1.0) is None
    assert scene.decide(100.0) is None
    assert scene.inbox.dropped == {"muted": 1}
    scene.director.muted = False
    scene.director.paused = True
    scene.hear("operator", "¿sigues ahí?", 101.0)
    assert scene.decide(101.0) is None
    scene.director.paused = False
    cue = scene.decide(102.0)
    assert cue is not None
    assert cue.mode == "operator"
