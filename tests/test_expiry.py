"""What waits too long leaves, also while nothing happens and she may not speak."""

import pytest

from bot.chat_choice import ChatRules
from bot.director import Director, DirectorRules
from bot.event_lane import EventRule
from bot.inbox import Inbox
from bot.vocabulary import Heard, Person
from tests.conftest import until


@pytest.mark.parametrize("held", ["muted", "paused"])
async def test_chat_that_she_may_not_answer_leaves_the_studio_when_it_is_too_old(go_live, held):
    house = await go_live(chat={"idle_after_s": 0.0, "max_age_s": 1.0})
    live = await house.live()
    await house.ask("POST", f"/api/control/{'mute' if held == 'muted' else 'pause'}")
    await house.ask("POST", "/api/chat", {"user": "Ana", "text": "¿me lees, Aneeka?"})
    assert (await until(live, "dropped"))["reason"] == held
    _, state = await house.ask("GET", "/api/state")
    assert state["waiting"] == []


def waiting(*heard):
    drops = {}
    inbox = Inbox(ChatRules(max_age_s=60.0), drops.__setitem__, events={"follow": EventRule(max_age_s=20.0)})
    for one in heard:
        inbox.add(one, one.at_s)
    return Director(inbox, DirectorRules(idle_after_s=0.0), 0.0), drops


def looks(director, now):
    """The times at which she looks, as the program does, until nothing is left to look for."""
    while (at := director.next_at(now)) is not None:
        assert at > now, "a hot loop"
        now = at
        assert director.decide(now) is None
        yield now


CHAT = Heard("chat", "chat", "hola", 0.0, Person("1", "Ana"))


def test_each_kind_has_its_own_patience():
    event = Heard("event", "event", "", 1.0, Person("2", "Leo"), "follow")
    director, drops = waiting(CHAT, event, Heard("said", "operator", "oye", 2.0))
    director.paused = True
    left = [(round(now), list(drops)) for now in looks(director, 2.0)]
    assert left == [(21, ["event"]), (60, ["event", "chat"]), (182, ["event", "chat", "said"])]
    assert set(drops.values()) == {"paused"}


def test_chat_leaves_too_when_all_answers_wait_for_approval():
    director, drops = waiting(CHAT)
    director.chat_full = lambda: True
    assert [round(now) for now in looks(director, 1.0)] == [60]
    assert drops == {"chat": "too_old"}
