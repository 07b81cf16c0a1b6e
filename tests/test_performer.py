"""The face at rest and on air: alive, never repeating, never jumping, the same at any frame rate."""

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest

from avatar.expressions import DECAY_S, EVENT_MOODS, HOLD_S, LOOKS, RISE_S
from avatar.idle import Blinks, Breath, Saccades, Wander
from avatar.lipsync import REST as SHUT
from avatar.lipsync import MouthShape
from avatar.performer import MANNERS, FaceFrame, Performer
from bot.vocabulary import EXPRESSIONS

START = 5000.0


def mouth(opened: float, form: float = 0.0) -> MouthShape:
    return MouthShape(opened, form, (0.0, 0.0, 0.0, 0.0, 0.0))


def times(seconds: float, rate_hz: float) -> list[float]:
    return [START + index / rate_hz for index in range(int(seconds * rate_hz))]


def watch(performer: Performer, seconds: float, rate_hz: float = 60.0) -> list[FaceFrame]:
    return [performer.frame(now, SHUT) for now in times(seconds, rate_hz)]


def blink_starts(blinks: Blinks, seconds: float) -> list[tuple[float, float]]:
    """When the lids leave and when they are fully up again, to a millisecond."""
    shut = [(now, blinks.at(now) > 0.0) for now in times(seconds, 1000)]
    edges = [now for (now, now_shut), (_, was_shut) in zip(shut[1:], shut, strict=False) if now_shut != was_shut]
    return list(zip(edges[::2], edges[1::2], strict=False))


def test_blinks_come_and_go_as_peoples_do():
    blinks = blink_starts(Blinks("blinks"), 300)
    # Two of a double blink are 60 ms apart; all others 2 to 6 s.
    gaps = [after[0] - before[1] for before, after in pairwise(blinks)]
    doubles = [gap for gap in gaps if gap < 0.1]
    starts = [blinks[0][0]] + [after[0] for (_, after), gap in zip(pairwise(blinks), gaps, strict=True) if gap > 0.1]
    intervals = np.diff(starts)
    assert 2.0 <= intervals.min() < 2.6
    assert 4.8 < intervals.max() <= 6.001
    assert 3.0 < np.mean(intervals) < 4.2
    assert 0.04 < len(doubles) / len(starts) < 0.3
    lengths = [up - down for down, up in blinks]
    assert min(lengths) > 0.115
    assert max(lengths) < 0.185


def test_eyes_shut_in_a_blink_and_are_open_otherwise():
    lids = np.array([frame.blink[0] for frame in watch(Performer(7), 120)])
    assert lids.max() > 0.95
    assert np.mean(lids > 0.0) < 0.08


def test_gaze_rests_between_one_and_four_seconds_near_the_viewer():
    saccades = Saccades("gaze")
    places = [saccades.at(now) for now in times(300, 100)]
    moved = [index for index, (before, after) in enumerate(pairwise(places)) if before != after]
    starts = [index for before, index in zip([-99, *moved], moved, strict=False) if index - before > 20]
    rests = np.diff(starts) / 100
    assert 0.98 < rests.min() < 1.5
    assert 3.5 < rests.max() < 4.02
    assert abs(np.mean(places)) < 0.15


def test_breath_stays_between_a_fifth_and_three_tenths_of_a_hertz():
    breath = Breath("one")
    samples = np.array([breath.at(now) for now in times(600, 50)])
    tops = [at for at in range(1, len(samples) - 1) if samples[at - 1] < samples[at] >= samples[at + 1]]
    lengths = np.diff(tops) / 50
    assert lengths.min() > 1 / 0.3 - 0.1
    assert lengths.max() < 1 / 0.2 + 0.1
    assert np.std(lengths) > 0.05
    assert samples.min() >= 0.0
    assert samples.max() <= 1.0


def test_the_head_never_repeats_itself_in_ten_minutes():
    for path in np.array([frame.head for frame in watch(Performer(7), 600, 10)]).T:
        path -= path.mean()
        whole = np.correlate(path, path, "full")[len(path) - 1 :]
        overlap = np.arange(len(path), 0, -1)
        correlation = (whole / overlap) / (whole[0] / len(path))
        assert np.abs(correlation[100:3000]).max() < 0.4
        assert np.std(path) > 0.4


def test_a_wander_stays_within_its_bounds_and_slope():
    wander = Wander("seed", 2.0)
    path = np.array([wander.at(now) for now in times(2000, 20)])
    assert np.abs(path).max() <= 1.0
    assert np.abs(np.diff(path)).max() <= 2.0 / 2.0 / 20 + 1e-9


def test_everything_stays_in_range_whatever_happens():
    performer = Performer(3)
    rng = np.random.default_rng(1)
    for now in times(90, 60):
        if rng.random() < 0.02:
            performer.set_state(str(rng.choice(list(MANNERS))), now)
        if rng.random() < 0.02:
            performer.set_expression(str(rng.choice(EXPRESSIONS)), now)
        if rng.random() < 0.02:
            performer.notices(str(rng.choice(("chat", "operator", "event"))), str(rng.choice(list(EVENT_MOODS))), now)
        if rng.random() < 0.02:
            performer.answers(str(rng.choice(("chat_many", "operator", "say"))), int(rng.integers(0, 500)), now)
        if rng.random() < 0.05:
            performer.says(8, now)
        frame = performer.frame(now, mouth(rng.random(), rng.uniform(-1, 1)))
        assert all(0.0 <= lid <= 1.0 for lid in frame.blink)
        assert all(abs(value) <= 1.0 for value in (*frame.gaze, *frame.sway, frame.brow, frame.smile))
        assert 0.0 <= frame.breath <= 1.0
        assert 0.0 <= frame.weight <= 1.0
        assert all(abs(angle) < 20.0 for angle in frame.head)


def test_nothing_jumps_but_eyes_and_lids():
    performer = Performer(5)
    before = performer.frame(START, SHUT)
    states = ["thinking", "speaking", "listening", "idle", "speaking", "paused", "muted"]
    for index, now in enumerate(times(120, 60)):
        if index % 97 == 0:
            performer.set_state(states[index // 97 % len(states)], now)
        if index % 61 == 0:
            performer.set_expression(EXPRESSIONS[index // 61 % len(EXPRESSIONS)], now)
        if index % 41 == 0:
            performer.notices("event", ("raid", "sub", "follow")[index // 41 % 3], now)
            performer.says(8, now)
        if index % 113 == 0:
            performer.answers(("chat_one", "operator")[index // 113 % 2], 60, now)
        frame = performer.frame(now, SHUT)
        assert max(abs(new - old) for new, old in zip(frame.head, before.head, strict=True)) < 1.5
        assert max(abs(new - old) for new, old in zip(frame.sway, before.sway, strict=True)) < 0.06
        assert abs(frame.breath - before.breath) < 0.03
        assert abs(frame.weight - before.weight) < 0.2
        assert abs(frame.brow - before.brow) < 0.2
        assert abs(frame.smile - before.smile) < 0.2
        if frame.expression != before.expression:
            assert frame.weight < 0.2
        before = frame


@pytest.mark.parametrize("rate_hz", [7.5, 30.0, 120.0])
def test_the_frame_rate_does_not_change_her_life(rate_hz: float):
    def run(rate: float) -> list[FaceFrame]:
        performer, seen = Performer(11), []
        for now in times(64, rate):
            second = now - START
            if second == 8.0:
                performer.set_state("thinking", now)
            if second == 12.0:
                performer.set_state("speaking", now)
                performer.set_expression("happy", now)
            if second == 20.0:
                performer.set_state("idle", now)
            frame = performer.frame(now, SHUT)
            if second % 2.0 == 0.0:
                seen.append(frame)
        return seen

    assert run(rate_hz) == run(60.0)


def test_two_seeds_are_two_people():
    one, other = (watch(Performer(seed), 20, 10) for seed in (1, 2))
    assert all(a.head != b.head for a, b in zip(one, other, strict=True))


def test_even_a_century_asleep_is_skipped():
    performer = Performer(1)
    performer.frame(START, SHUT)
    late = START + 3e9
    seen = [performer.frame(late + second / 60, SHUT) for second in range(600)]
    assert max(frame.blink[0] for frame in seen) > 0.8
    assert all(abs(angle) < 10.0 for frame in seen for angle in frame.head)


def test_an_expression_rises_at_once_and_leaves_some_seconds_after_the_last_phrase():
    performer = Performer(1)
    performer.set_state("speaking", START)
    performer.set_expression("happy", START)
    assert performer.frame(START, SHUT).weight == 0.0
    full = performer.frame(START + RISE_S, SHUT)
    assert (full.expression, full.weight) == ("happy", pytest.approx(1.0))
    assert full.smile > 0.5
    assert performer.frame(START + 60.0, SHUT).weight == 1.0
    performer.set_state("idle", START + 60.0)
    assert performer.frame(START + 60.0 + HOLD_S, SHUT).weight == pytest.approx(1.0)
    assert 0.0 < performer.frame(START + 60.7 + HOLD_S, SHUT).weight < 1.0
    after = performer.frame(START + 70.0, SHUT)
    assert (after.expression, after.weight) == ("neutral", 0.0)
    performer.set_state("speaking", START + 80.0)
    assert performer.frame(START + 80.5, SHUT).expression == "neutral"


def test_one_expression_gives_way_to_the_next():
    performer = Performer(1)
    performer.set_state("speaking", START)
    performer.set_expression("happy", START)
    performer.set_expression("angry", START + 1.0)
    assert performer.frame(START + 1.05, SHUT).expression == "happy"
    late = performer.frame(START + 1.0 + 2 * RISE_S, SHUT)
    assert (late.expression, late.weight) == ("angry", pytest.approx(1.0))
    assert late.brow < 0.0


def test_every_expression_looks_different_and_an_unknown_one_is_refused():
    assert tuple(LOOKS) == EXPRESSIONS
    assert len({look.smile * 10 + look.brow for look in LOOKS.values()}) == len(EXPRESSIONS)
    with pytest.raises(KeyError):
        Performer(1).set_expression("furious", START)
    with pytest.raises(KeyError):
        Performer(1).set_state("dancing", START)


def test_she_looks_up_and_aside_to_think_and_at_the_operator_to_listen():
    gaze, yaw = {}, {}
    for state in ("thinking", "listening"):
        performer = Performer(2)
        performer.set_state(state, START)
        seen = watch(performer, 30, 10)[10:]
        gaze[state] = np.array([frame.gaze for frame in seen])
        yaw[state] = np.array([frame.head[0] for frame in seen])
    assert gaze["thinking"][:, 1].min() > 0.3
    assert np.abs(gaze["thinking"][:, 0]).min() > 0.25
    assert gaze["listening"][:, 0].max() < -0.25
    assert yaw["listening"].max() < -4.0
    performer.set_state("thinking", START + 30.0)
    assert performer.frame(START + 31.5, SHUT).head[0] * performer.frame(START + 31.5, SHUT).gaze[0] > 0
    assert performer.frame(START + 31.5, SHUT).gaze[1] > 0.3


def test_the_eyes_turn_to_the_chat_first_and_the_head_follows():
    performer, still = Performer(2), Performer(2)
    performer.notices("chat", "", START)
    eyes, head = (
        np.array([getattr(a, name)[0] - getattr(b, name)[0] for a, b in zip(*seen, strict=True)])
        for seen in [(watch(performer, 4), watch(still, 4))]
        for name in ("gaze", "head")
    )
    assert np.argmax(eyes > 0.25) / 60 < 0.1
    assert 0.15 < np.argmax(head > 3.5) / 60 < 0.45
    assert abs(eyes[-1]) < 0.01
    assert abs(head[-1]) < 0.01


def test_she_glances_at_new_chat_now_and_then_but_not_at_every_line():
    performer = Performer(8)
    gaze = []
    for index, now in enumerate(times(60, 30)):
        if index % 6 == 0:
            performer.notices("chat", "", now)
        gaze.append(performer.frame(now, SHUT).gaze[0])
    away = np.array(gaze) > 0.35
    assert 6 <= np.sum(np.diff(away.astype(int)) == 1) <= 40
    assert 0.05 < away.mean() < 0.4


def test_she_reads_what_she_answers_and_looks_up_to_say_it():
    performer = Performer(3)
    performer.answers("chat_one", 80, START)
    performer.set_state("thinking", START)
    reading = np.array([performer.frame(START + 0.2 + index / 60, SHUT).gaze for index in range(90)])
    assert reading[:, 0].min() > 0.2
    steps = np.abs(np.diff(reading[:, 0]))
    assert np.sum(steps > 0.05) >= 4, "eyes that read jump from word to word"
    performer.set_state("speaking", START + 1.8)
    assert abs(performer.frame(START + 2.3, SHUT).gaze[0]) < 0.35
    short = Performer(3)
    short.answers("chat_one", 5, START)
    short.set_state("thinking", START)
    assert short.frame(START + 1.5, SHUT).gaze[1] > 0.3, "a short line is soon read, and she thinks"


def test_she_glances_at_whom_she_answers_while_she_speaks():
    aside = {}
    for mode in ("chat_one", "operator", "idle"):
        performer = Performer(5)
        performer.answers(mode, 0, START - 10.0)
        performer.set_state("speaking", START - 5.0)
        gaze = np.array([frame.gaze[0] for frame in watch(performer, 60, 30)])
        aside[mode] = (float(np.mean(gaze > 0.38)), float(np.mean(gaze < -0.38)))
    assert aside["chat_one"][0] > 0.05
    assert aside["chat_one"][1] < 0.02
    assert aside["operator"][1] > 0.05
    assert aside["operator"][0] < 0.02
    assert max(aside["idle"]) < 0.02


def test_stressed_words_move_the_head_and_sometimes_the_brows():
    def speech(letters: int) -> list[FaceFrame]:
        performer = Performer(9)
        performer.set_state("speaking", START - 5.0)
        seen = []
        for index, now in enumerate(times(30, 60)):
            if index % 24 == 0:
                performer.says(letters, now)
            seen.append(performer.frame(now, SHUT))
        return seen

    plain, stressed = speech(2), speech(8)
    nods = np.array([a.head[1] - b.head[1] for a, b in zip(plain, stressed, strict=True)])
    flashes = np.array([b.brow - a.brow for a, b in zip(plain, stressed, strict=True)])
    assert nods.max() > 1.2
    starts = np.sum(np.diff((nods > 0.4).astype(int)) == 1)
    assert 12 <= starts <= 32, "not on every word"
    assert flashes.max() > 0.15
    assert np.sum(np.diff((flashes > 0.1).astype(int)) == 1) < starts


def test_a_raid_excites_her_for_a_while():
    performer = Performer(1)
    performer.notices("event", "raid", START)
    near = performer.frame(START + 1.0, SHUT)
    assert (near.expression, near.weight) == ("excited", pytest.approx(1.0))
    assert near.brow > 0.3
    performer.set_state("speaking", START + 2.0)
    performer.set_expression("neutral", START + 2.0)
    assert performer.frame(START + 3.0, SHUT).expression == "excited", "it lies under a neutral phrase"
    performer.set_expression("sad", START + 4.0)
    assert performer.frame(START + 5.0, SHUT).expression == "sad", "what she says goes before"
    performer.set_state("idle", START + 6.0)
    assert performer.frame(START + 6.0 + HOLD_S + DECAY_S + 0.5, SHUT).expression == "excited"
    weights = [performer.frame(START + second, SHUT).weight for second in range(22, 41)]
    assert weights == sorted(weights, reverse=True)
    assert performer.frame(START + 41.0, SHUT).expression == "neutral"


def test_a_wished_mood_stays_a_minute_and_gives_way_to_the_next():
    performer = Performer(1)
    performer.feels("angry", START)
    assert performer.frame(START + 59.0, SHUT).weight == pytest.approx(1.0)
    performer.feels("happy", START + 60.0)
    assert performer.frame(START + 61.0, SHUT).expression == "happy"
    performer.feels("neutral", START + 62.0)
    assert performer.frame(START + 63.0, SHUT).expression == "neutral"
    with pytest.raises(KeyError):
        performer.feels("furious", START)


def test_speech_is_livelier_than_rest_and_listening_nods():
    def travel(state: str) -> np.ndarray:
        performer = Performer(4)
        performer.set_state(state, START - 10.0)
        return np.abs(np.diff([frame.head for frame in watch(performer, 60)], axis=0)).sum(axis=0)

    rest, listening, speaking = travel("idle"), travel("listening"), travel("speaking")
    assert (speaking > 1.3 * rest).all()
    assert listening[1] > 1.5 * rest[1]


def test_she_blinks_between_phrases_when_a_blink_is_nearly_due():
    due = blink_starts(Blinks("1/blinks"), 30)[1][0]

    def lids(phrase_at: float) -> float:
        performer = Performer(1)
        for now in times(due - START - 0.4, 60):
            performer.frame(now, SHUT)
        performer.set_state("speaking", phrase_at)
        performer.set_expression("neutral", phrase_at)
        return performer.frame(phrase_at + 0.06, SHUT).blink[0]

    assert lids(due - 0.4) > 0.5


def test_a_rounded_mouth_keeps_its_shape_in_a_smile():
    performer = Performer(1)
    performer.set_expression("happy", START)
    spread, rounded = (performer.frame(START + 1.0, mouth(0.4, form)).smile for form in (0.5, -0.9))
    assert rounded == pytest.approx(spread / 2)


def test_reduced_motion_moves_less_and_still_blinks():
    calm, lively = (watch(Performer(6, reduced_motion=reduced), 30) for reduced in (True, False))
    assert np.std([frame.head for frame in calm]) < 0.4 * np.std([frame.head for frame in lively])
    assert max(frame.blink[0] for frame in calm) > 0.9


def test_the_message_is_the_pages_face_message():
    performer = Performer(1)
    performer.set_expression("shy", START)
    shape = mouth(0.123456)
    frame = performer.frame(START + 0.5, shape)
    message = frame.message()
    assert frame.mouth is shape
    keys = {"type", "blink", "gaze", "head", "breath", "brow", "sway", "expression", "weight"}
    assert set(message) == keys
    assert (message["type"], message["expression"], message["weight"]) == ("face", "shy", 1.0)
    assert [len(message[key]) for key in ("blink", "gaze", "head", "sway")] == [2, 2, 3, 2]
    numbers = [value for key in ("blink", "gaze", "head", "sway") for value in message[key]]
    assert all(value == round(value, 3) for value in [*numbers, message["breath"], message["brow"]])
    assert {field.name for field in fields(FaceFrame)} == keys - {"type"} | {"smile", "mouth"}
