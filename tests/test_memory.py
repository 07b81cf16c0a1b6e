"""What she remembers: only what the audience heard, nothing that was withdrawn, and not for ever."""

from bot.mind.memory import Memory
from bot.vocabulary import Cue, Heard, Message, Person, Spoken
from bot.withdrawal import Withdrawal


def cue(*ids: str, person: str = "p1", at_s: float = 1.0) -> Cue:
    return Cue("chat_one", tuple(Heard(one, "chat", "hola", at_s, Person(person, person)) for one in ids), at_s)


def filled(turns: int) -> Memory:
    memory = Memory()
    for turn in range(turns):
        memory.remember(cue(f"m{turn}"), f"heard {turn}", Spoken(f"r{turn}", f"said {turn}.", None))
    return memory


def said(memory: Memory) -> list[str]:
    return [message.content for message in memory.messages() if message.role == "assistant"]


def test_a_turn_becomes_a_pair_of_messages():
    memory = Memory()
    memory.remember(cue("m1"), "heard", Spoken("r", "Hola. ", None))
    assert memory.messages() == (Message("user", "heard"), Message("assistant", "Hola."))


def test_what_nobody_heard_is_not_remembered():
    memory = Memory()
    memory.remember(cue("m1"), "heard", Spoken("r", " ", "barge_in"))
    assert memory.messages() == ()


def test_a_cut_answer_shows_that_it_was_cut():
    memory = Memory()
    memory.remember(cue("m1"), "heard", Spoken("r", "Pues yo creo", "barge_in"))
    memory.remember(cue("m2"), "heard", Spoken("r", "Pues yo creo.", "barge_in"))
    memory.remember(cue("m3"), "heard", Spoken("r", "Pues yo creo.", None))
    assert said(memory) == ["Pues yo creo…", "Pues yo creo…", "Pues yo creo."]


def test_the_expression_leads_her_words():
    memory = Memory()
    memory.remember(cue("m1"), "heard", Spoken("r", "¡Hola!", None), "happy")
    assert said(memory) == ["[happy] ¡Hola!"]


def test_a_withdrawn_line_takes_every_turn_that_answered_it_with_it():
    memory = filled(3)
    memory.remember(cue("a", "m1", "b"), "many", Spoken("r", "A los tres.", None))
    assert memory.forget(Withdrawal(frozenset(("m1", "never seen")))) == 2
    assert said(memory) == ["said 0.", "said 2."]


def test_an_answer_to_a_line_withdrawn_meanwhile_is_not_remembered():
    memory = Memory()
    assert memory.forget(Withdrawal(frozenset(("m1",)))) == 0
    memory.remember(cue("m1"), "heard", Spoken("r", "Hola…", "withdrawn"))
    assert memory.messages() == ()


def test_the_oldest_half_goes_at_once_when_the_prompt_gets_too_large():
    memory = filled(10)
    assert not memory.fit(prompt_tokens=750, budget=1000)
    assert memory.fit(prompt_tokens=751, budget=1000)
    assert said(memory) == [f"said {turn}." for turn in range(5, 10)]


def test_without_a_count_the_length_is_estimated():
    memory = Memory()
    for turn in range(8):
        memory.remember(cue(f"m{turn}"), "h" * 150, Spoken("r", "s" * 150, None))
    assert not memory.fit(prompt_tokens=0, budget=1100)
    assert memory.fit(prompt_tokens=0, budget=1000)
    assert len(memory.turns) == 4


def test_shrinking_ends_when_nothing_is_left():
    memory = filled(5)
    left = []
    while memory.shrink():
        left.append(len(memory.turns))
    assert left == [2, 1, 0]


def test_shrinking_is_rare_over_a_long_stream():
    memory, shrinks = Memory(), 0
    for turn in range(2000):
        memory.remember(cue(f"m{turn}"), "h" * 60, Spoken("r", "s" * 120, None))
        shrinks += memory.fit(prompt_tokens=0, budget=8192)
    assert 2 < shrinks < 60
    assert memory.remembered == 2000
