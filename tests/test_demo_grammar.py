"""The demo brain's line grammar: every line is well written, in both languages, apart from its exam."""

import json
import re
from itertools import islice

import pytest

from bot.mind.demo import grammar
from bot.mind.demo.lessons import School
from tests.bench.demo import EXAM, KNOWN_EXAM


def test_both_languages_know_the_same_intents():
    spanish, english = grammar.read("es"), grammar.read("en")
    assert {i.name: i.modes for i in spanish.intents.values()} == {i.name: i.modes for i in english.intents.values()}


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_answer_can_be_said_and_without_a_name_where_there_is_none(language):
    for intent in grammar.read(language).intents.values():
        nameless = not intent.modes.isdisjoint(("operator", "idle"))
        for answer in intent.said:
            for user in ("xX_Rayo_Xx", "")[: 1 + nameless]:
                said = answer.filled(user, "Aneeka")
                assert not re.search(r"[{}<>|]", said), (intent.name, said)
                assert "  " not in said, (intent.name, said)


@pytest.mark.parametrize("exam", [EXAM, KNOWN_EXAM], ids=lambda exam: exam.stem)
def test_no_line_of_the_exam_stands_in_the_lessons(exam):
    rows = [json.loads(line) for line in exam.read_text(encoding="utf-8").splitlines()]
    heard = {one["text"] for row in rows for one in row["heard"] if len(one["text"].split()) > 4}
    read = "\n".join(lesson.messages[-1]["content"] for lesson in islice(School(7).lessons(), 800))
    assert not [text for text in heard if f'"{text}"' in read]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("< hola", "an answer begins with its [expression]"),
        ("< [joyful] hola", "an answer begins with its [expression]"),
        ("< [happy] ¡{user}!", "{user} stands at the start or behind a blank"),
        ("? hola", "a line begins with"),
        ("# greet: chat", "written twice"),
        ("# wave: everybody", "modes are"),
    ],
)
def test_a_broken_line_is_named(tmp_path, monkeypatch, line, why):
    monkeypatch.setattr(grammar, "LINES", tmp_path)
    (tmp_path / "es").mkdir()
    (tmp_path / "es" / "a.txt").write_text(f"# greet: chat\n> hola\n{line}\n", encoding="utf-8")
    with pytest.raises(grammar.GrammarError, match=r"a\.txt, 3") as error:
        grammar.read("es")
    assert why in str(error.value)
