"""A name that was begun is spelt to its end, and not beyond."""

import numpy as np
import pytest

from bot.mind.name_spelling import NameSpelling

ANA, MARIA, MARIO = [10, 11, 12], [20, 21, 22], [20, 21, 23, 23]
WITHIN = np.arange(30) >= 10
"""Tokens below 10 begin something new."""


TAG_END = 3


def offered(written: list[int], names: list[list[int]], leads_behind: int | None = None) -> set[int]:
    ids = np.array([7, *ANA[:2], *written], np.intc)
    spelling = NameSpelling(names, 3, WITHIN, leads_behind)
    return set(np.flatnonzero(np.isfinite(spelling(ids, np.zeros(30, np.single)))).tolist())


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ([], set(range(30))),
        ([1, 10], set(range(30))),
        ([1, 10, 11], {12}),
        ([1, 10, 11, 12], set(range(10))),
        ([1, 10, 11, 12, 5], set(range(30))),
        ([20, 21], {22, 23}),
        ([20, 21, 23], {23}),
        ([20, 21, 23, 23], set(range(10))),
    ],
)
def test_what_may_come_next(written, wanted):
    assert offered(written, [ANA, MARIA, MARIO]) == wanted


def test_a_name_that_goes_on_as_another_may():
    assert offered([20, 21, 22], [MARIA, [*MARIA, 24]]) == {*range(10), 24}


def test_a_name_of_one_token_holds_nothing_back():
    assert offered([13], [[13]]) == set(range(30))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ([1, 2], set(range(30))),
        ([1, 2, TAG_END], {10}),
        ([1, 2, TAG_END, 10], {11}),
        ([1, 2, TAG_END, *ANA], set(range(10))),
        ([1, 2, TAG_END, *ANA, 5], set(range(30))),
        ([1, 2, TAG_END, *ANA, TAG_END], set(range(30))),
    ],
)
def test_a_name_that_leads_stands_right_behind_the_tag(written, wanted):
    assert offered(written, [ANA], TAG_END) == wanted


def test_also_a_leading_name_of_one_token():
    assert offered([TAG_END], [[13]], TAG_END) == {13}
    assert offered([TAG_END, 13], [[13]], TAG_END) == set(range(10))
