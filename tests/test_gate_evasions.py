"""Severe words stay stopped however they are written, and everyday lines are not mistaken for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.safety.gate import Gate
from tests.bench.gate import Line, generated, hash_of, labels, measure, severe_terms
from tests.bench.gate_evasions import EVASIONS
from tests.bench.gate_heldout import EVASIONS as HELD_OUT

TERMS = [row.words for row in severe_terms()]


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


def test_there_are_enough_severe_words_and_evasions() -> None:
    assert len(TERMS) >= 200
    assert len(EVASIONS) + len(HELD_OUT) >= 40
    assert len(HELD_OUT) >= (len(EVASIONS) + len(HELD_OUT)) / 3


@pytest.mark.parametrize("name", EVASIONS)
def test_every_known_evasion_is_seen_through(gate: Gate, name: str) -> None:
    assert [term for term in TERMS if gate.judge(f"eh {EVASIONS[name](term)} eh") is None] == []


def test_nearly_every_held_out_evasion_is_seen_through(gate: Gate) -> None:
    passed = [1 for write in HELD_OUT.values() for term in TERMS if gate.judge(f"eh {write(term)} eh") is None]
    assert len(passed) <= 0.01 * len(HELD_OUT) * len(TERMS)


def test_everyday_lines_pass(gate: Gate) -> None:
    known = labels()
    lines = [Line(line.text, known.get(hash_of(line.text), ""), line.language, line.out) for line in generated()]
    tallies, mistaken = measure(gate, lines)
    assert tallies["clean"].lines > 10_000
    assert len(mistaken) <= 0.0005 * tallies["clean"].lines, mistaken


@pytest.mark.parametrize(
    "write",
    [
        lambda term: "".join(f"%{ord(c):02x}" for c in term),
        lambda term: "1".join(term),
        lambda term: "\u202e" + term[::-1],
        lambda term: f"#Los{term.title()}Son",
        lambda term: f"{term}ito",
        lambda term: f"super{term}",
        lambda term: term * 2,
        lambda term: f"x{term}x",
        lambda term: "".join(c for c in term if c not in "aeiou"),
        lambda term: term[:2] + term[3] + term[2] + term[4:],
        lambda term: "\n".join(term),
        lambda term: f"{term}™",
    ],
)
def test_long_slurs_are_also_found_glued_misspelt_and_encoded(gate: Gate, write: Callable[[str], str]) -> None:
    worst = [row.words for row in severe_terms() if row.severity == 3]
    long = [term for term in worst if len(term) >= 8 and sum(c not in "aeiou" for c in term) >= 4]
    assert [term for term in long if gate.judge(write(term)) is None] == []
