"""The page's word is the clock; a page that vanishes or comes back loses nothing but its own time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bot.stage.browser import LOST_S, TRUST_S, BrowserOutput
from bot.stage.silent import RATE_HZ
from bot.studio.pages import OLDEST_S, _Page
from bot.vocabulary import Pcm

SECOND: Pcm = np.ones(RATE_HZ, np.int16)


class Page:
    def __init__(self) -> None:
        self.there = True
        self.sent: list[tuple[int, int, int]] = []

    def send_sound(self, serial: int, at: int, pcm: Pcm) -> bool:
        if self.there:
            self.sent.append((serial, at, len(pcm)))
        return self.there


class Rig:
    def __init__(self) -> None:
        self.time = 50.0
        self.page = Page()
        self.output = BrowserOutput(self.page, lambda: self.time)

    def seconds(self) -> float:
        return self.output.played() / RATE_HZ


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.output.begin(1)
    return rig


def test_nothing_is_audible_before_the_page_says_so(rig: Rig) -> None:
    rig.output.write(SECOND)
    rig.time += 0.3
    assert rig.seconds() == 0.0
    rig.output.reported(1, 480)
    assert rig.output.played() == 480


def test_between_reports_the_clock_carries_on_but_not_far(rig: Rig) -> None:
    rig.output.write(SECOND)
    rig.output.reported(1, 0)
    rig.time += 0.1
    assert rig.seconds() == pytest.approx(0.1, abs=1e-4)
    rig.time += 0.9
    assert rig.seconds() == pytest.approx(TRUST_S, abs=1e-4)


def test_the_position_never_goes_back_nor_past_what_was_written(rig: Rig) -> None:
    rig.output.write(SECOND)
    rig.output.reported(1, 24_000)
    rig.time += 0.2
    before = rig.output.played()
    rig.output.reported(1, 25_000)
    assert rig.output.played() == before
    rig.output.reported(1, 10**9)
    assert rig.output.played() == RATE_HZ
    rig.output.reported(0, 3)
    assert rig.output.played() == RATE_HZ


def test_a_page_that_leaves_is_followed_by_the_clock(rig: Rig) -> None:
    rig.output.write(SECOND)
    rig.output.reported(1, 12_000)
    rig.page.there = False
    rig.output.lost()
    rig.time += 0.5
    assert rig.seconds() == pytest.approx(0.75, abs=0.01)
    rig.output.write(SECOND)
    rig.time += 2.0
    assert rig.seconds() == 2.0


def test_a_frozen_page_is_taken_as_lost(rig: Rig) -> None:
    rig.output.write(SECOND)
    for _ in range(math.ceil(LOST_S / 0.2)):
        rig.time += 0.2
        assert rig.seconds() == 0.0
    rig.time += 1.1
    assert rig.seconds() == 1.0


def test_when_we_were_frozen_the_page_is_not_lost_and_its_word_still_counts(rig: Rig) -> None:
    rig.output.write(SECOND)
    rig.output.reported(1, 480)
    rig.time += 5.0
    assert rig.output.played() < 480 + TRUST_S * RATE_HZ + 1
    rig.output.reported(1, 40_000)
    assert rig.output.cut() == 40_000


def test_without_a_page_the_reply_still_takes_its_time(rig: Rig) -> None:
    rig.page.there = False
    rig.output.write(SECOND)
    rig.time += 0.4
    assert rig.seconds() == pytest.approx(0.4, abs=1e-4)


def test_a_page_that_comes_back_joins_where_the_sound_is(rig: Rig) -> None:
    rig.output.write(SECOND)
    rig.output.reported(1, 0)
    rig.page.there = False
    rig.output.lost()
    rig.time += 0.5
    rig.page.there = True
    rig.output.joined()
    assert rig.page.sent[-1] == (1, 24_000, 24_000)
    rig.output.write(SECOND)
    assert rig.page.sent[-1] == (1, RATE_HZ, RATE_HZ)
    rig.output.reported(1, 30_000)
    assert rig.output.played() == 30_000


def test_cut_drops_what_was_not_audible(rig: Rig) -> None:
    rig.output.write(SECOND)
    rig.output.reported(1, 4_800)
    assert rig.output.cut() == 4_800
    rig.time += 5.0
    assert rig.output.played() == 4_800
    rig.output.begin(2)
    rig.output.reported(1, 40_000)
    assert rig.output.played() == 0


def test_after_a_dry_spell_only_the_page_knows_when_it_goes_on(rig: Rig) -> None:
    rig.output.write(SECOND[:4800])
    rig.output.reported(1, 4_800)
    rig.time += 0.2
    rig.output.write(SECOND)
    assert rig.output.played() == 4_800
    rig.time += 0.05
    assert rig.output.played() == 4_800
    rig.output.reported(1, 5_000)
    rig.time += 0.01
    assert rig.output.played() == pytest.approx(5_480, abs=2)


def test_a_report_counts_from_when_it_was_true_not_from_when_it_came(rig: Rig) -> None:
    rig.output.write(SECOND)
    rig.time += 0.5
    rig.output.reported(1, 4_800, age_s=0.06)
    assert rig.seconds() == pytest.approx(0.16, abs=1e-4)


def test_a_page_that_is_slow_to_say_it_is_not_taken_for_one_that_sounds_late() -> None:
    page = _Page(1)
    delays = (0.004, 0.001, 0.09, 0.002, 0.03)
    ages = [page.age_s((100.0 + n) * 1000, 7.0 + n + delay) for n, delay in enumerate(delays)]
    assert ages[1:] == pytest.approx([0.0, 0.089, 0.001, 0.029], abs=1e-4)
    assert [page.age_s(nonsense, 20.0) for nonsense in (None, "1", float("nan"), float("inf"), 10**400)] == [0.0] * 5
    assert page.age_s(-1e14, 20.0) <= OLDEST_S
