"""The mouth against the sound, measured on real speech."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import soxr

from avatar.lipsync import REST, STEP_S, MouthTrack
from bot.stage.playback import Stage
from bot.stage.silent import SilentOutput
from bot.vocabulary import Cue, Phrase, Reply, Shape, Sound
from bot.voice.espeak_engine import EspeakEngine
from tests.virtual_time import play

RATE_HZ = 48_000
STEP = 480
KNOWN_AHEAD_S = 0.11
"""With so much sound to come, a mouth can know what to do now."""
SENTENCES = [
    ("es", "Mamá, papá, bebé."),
    ("es", "Muchas gracias por la suscripción, eres un sol."),
    ("es", "¡Hola, Ana! ¿Qué tal estás hoy?"),
    ("en", "Pepper bumper."),
    ("en", "Thank you so much for the subscription, you are amazing."),
    ("en", "We never have five very funny fish."),
]


def speech(language, text):
    """Return real sound and shapes at the stage's rate."""
    engine = EspeakEngine({"voice": None, "language": language, "speed": 1.0})
    items = list(engine.run({"text": text}, b""))
    pcm = np.concatenate([np.frombuffer(data, "<i2") for _, data in items])
    scale = RATE_HZ / items[0][0]["rate_hz"]
    shapes = [Shape(round(at * scale), viseme) for header, _ in items for at, viseme in header["shapes"]]
    return soxr.resample(pcm, items[0][0]["rate_hz"], RATE_HZ), shapes


@pytest.fixture(scope="module", params=SENTENCES, ids=[text[:12] for _, text in SENTENCES])
def spoken(request):
    return speech(*request.param)


def track_of(pcm, shapes, at=0):
    track = MouthTrack(RATE_HZ)
    track.add(at, shapes, pcm, True)
    return track


def opening(track):
    return np.array(track.rows(0))[:, 0] / 100


def noise(seconds, level=4000, seed=1):
    return np.random.default_rng(seed).normal(0, level, int(seconds * RATE_HZ)).clip(-32000, 32000).astype(np.int16)


def longest_shut_s(openings):
    best = run = 0
    for value in openings:
        run = run + 1 if value <= 0.02 else 0
        best = max(best, run)
    return max(best - 1, 0) * STEP_S


def test_lips_really_close(spoken):
    pcm, shapes = spoken
    openings = opening(track_of(pcm, shapes))
    closures = [shape.at // STEP for shape in shapes if shape.viseme in (18, 21)]
    for row in closures:
        assert longest_shut_s(openings[max(row - 8, 0) : row + 14]) >= 0.05


def test_the_sentences_have_closures_to_see():
    assert sum(shape.viseme == 21 for shape in speech("es", "Mamá, papá, bebé.")[1]) == 6
    assert sum(shape.viseme == 21 for shape in speech("en", "Pepper bumper.")[1]) >= 4


def test_between_closures_the_mouth_opens():
    openings = opening(track_of(*speech("es", "Mamá, papá, bebé.")))
    opened = (openings[1:] > 0.25) & (openings[:-1] <= 0.25)
    assert opened.sum() >= 4  # espeak-ng's unstressed vowels between two closures last 30 ms


def lag_s(track, pcm):
    """Return by how much the mouth's opening trails the sound's envelope (cross-correlation on a 5 ms grid)."""
    grid = np.arange(0, len(pcm), RATE_HZ // 200)
    mouth = np.array([track.at(sample).open for sample in grid])
    window = RATE_HZ // 50
    envelope = np.sqrt(np.convolve((pcm / 32768.0) ** 2, np.ones(window) / window, "same"))[grid]
    lags = range(-40, 41)
    count = len(grid)
    scores = [
        np.corrcoef(mouth[max(lag, 0) : count + min(lag, 0)], envelope[max(-lag, 0) : count - max(lag, 0)])[0, 1]
        for lag in lags
    ]
    return lags[int(np.argmax(scores))] * 0.005


def test_the_mouth_is_on_time(spoken):
    pcm, shapes = spoken
    assert -0.045 <= lag_s(track_of(pcm, shapes), pcm) <= 0.025


def test_the_measure_sees_a_late_mouth():
    pcm, shapes = speech(*SENTENCES[1])
    late = [Shape(shape.at + RATE_HZ * 15 // 100, shape.viseme) for shape in shapes]
    assert lag_s(track_of(pcm, late), pcm) > 0.06


def in_pieces(pcm, shapes, sizes):
    track = MouthTrack(RATE_HZ)
    at = turn = sent = 0
    rows = []
    while at < len(pcm):
        end = min(at + sizes[turn % len(sizes)], len(pcm))
        ready = [shape for shape in shapes[sent:] if shape.at < end]
        sent += len(ready)
        track.add(0, ready, pcm[at:end], end == len(pcm) and sent == len(shapes))
        rows += track.rows(len(rows))
        at, turn = end, turn + 1
    if sent < len(shapes):
        track.add(0, shapes[sent:], pcm[:0], True)
        rows += track.rows(len(rows))
    return track, rows


@pytest.mark.parametrize("sizes", [[4800], [2880, 17], [100, 9000, 333]])
def test_streaming_gives_the_same_rows_as_one_piece(spoken, sizes):
    pcm, shapes = spoken
    whole = track_of(pcm, shapes).rows(0)
    assert in_pieces(pcm, shapes, sizes)[1] == whole
    assert len(whole) == -(-len(pcm) // STEP)


def test_rows_follow_the_sound_closely():
    pcm, shapes = speech(*SENTENCES[1])
    track = MouthTrack(RATE_HZ)
    for start in range(0, len(pcm) - 4800, 4800):
        track.add(0, [shape for shape in shapes if start <= shape.at < start + 4800], pcm[start : start + 4800], False)
        behind_s = (start + 4800) / RATE_HZ - len(track.rows(0)) * STEP_S
        assert behind_s <= 0.2


def test_at_rest_before_and_after():
    pcm, shapes = speech(*SENTENCES[0])
    track = track_of(pcm, shapes)
    audible = np.flatnonzero(np.abs(pcm.astype(int)) > 200)[-1]
    assert track.at(audible + 0.12 * RATE_HZ).open <= 0.01
    assert track.at(len(pcm) + 1) == track.at(-1) == MouthTrack(RATE_HZ).at(0) == REST


def test_at_is_between_two_rows():
    pcm, shapes = speech(*SENTENCES[2])
    track = track_of(pcm, shapes)
    for row in range(5, 60):
        before, here, after = (track.at(sample).open for sample in (row * STEP, row * STEP + 240, (row + 1) * STEP))
        assert here == pytest.approx((before + after) / 2, abs=1e-9)


def test_the_mouth_never_jumps(spoken):
    pcm, shapes = spoken
    assert np.abs(np.diff(opening(track_of(pcm, shapes)))).max() <= 0.45


def test_louder_speech_opens_more_and_never_over_the_most():
    shapes = [Shape(0, 2), Shape(RATE_HZ // 4, 0)]
    loud, soft = (opening(track_of(noise(0.35, level), shapes)).max() for level in (15000, 150))
    assert loud == pytest.approx(0.85, abs=0.02)
    assert 0.45 <= soft <= 0.6


def test_at_most_two_vowels(spoken):
    pcm, shapes = spoken
    vowels = np.array(track_of(pcm, shapes).rows(0))[:, 2:]
    assert (np.count_nonzero(vowels, axis=1) <= 2).all()
    assert (vowels.sum(axis=1) <= 100).all()


def test_a_long_diphthong_shows_both_its_vowels():
    track = track_of(noise(0.5), [Shape(0, 9), Shape(RATE_HZ * 3 // 10, 0)])
    first, second = track.at(0.09 * RATE_HZ), track.at(0.25 * RATE_HZ)
    assert first.vowels[0] > 0.8
    assert second.form < -0.8
    short = track_of(noise(0.5), [Shape(0, 9), Shape(RATE_HZ * 12 // 100, 0)])
    assert short.at(0.06 * RATE_HZ).vowels[4] > 0.2


def test_a_break_between_two_vowels_does_not_close_the_mouth():
    def middle(pause_s):
        shapes = [Shape(0, 2), Shape(9600, 0), Shape(9600 + round(pause_s * RATE_HZ), 2), Shape(24000, 0)]
        return opening(track_of(noise(0.6), shapes))[15:30].min()

    assert middle(0.02) > 0.5
    assert middle(0.1) < 0.1


def test_without_shapes_the_loudness_moves_the_mouth():
    pcm = np.concatenate((np.zeros(RATE_HZ // 5, np.int16), noise(0.5, 8000), np.zeros(RATE_HZ // 2, np.int16)))
    openings = opening(track_of(pcm, []))
    assert openings[:16].max() == 0
    # RMS 8000 is -12.2 dBFS: ((-12.2 + 45) / 33) ** 1.4 = 0.99, capped
    assert openings[35:60] == pytest.approx(0.85, abs=0.02)
    assert openings[85:].max() <= 0.25
    assert openings[110:].max() <= 0.02


def test_loudness_known_answers():
    def steady(level):
        return opening(track_of(noise(1.0, level), []))[50:80].mean()

    assert steady(1000) == pytest.approx(0.338, abs=0.04)  # -30.3 dBFS: 0.445 ** 1.4 = 0.322, and noise
    assert steady(100) == 0


def test_loudness_takes_over_where_shapes_are_lost_and_gives_way_when_they_return():
    shapes = [Shape(0, 21), Shape(RATE_HZ * 3 // 2, 21), Shape(RATE_HZ * 8 // 5, 0)]
    openings = opening(track_of(noise(2.0, 8000), shapes))
    assert openings[5:35].max() <= 0.02
    assert openings[55:140].min() > 0.7
    assert openings[150:155].max() <= 0.02


def test_a_silent_gap_between_shapes_stays_shut():
    pcm = np.concatenate((noise(0.3), np.zeros(RATE_HZ, np.int16), noise(0.3)))
    shapes = [Shape(0, 2), Shape(RATE_HZ * 3 // 10, 0), Shape(RATE_HZ * 13 // 10, 2)]
    assert opening(track_of(pcm, shapes))[45:120].max() <= 0.02


def test_phrases_follow_one_another():
    first, first_shapes = speech(*SENTENCES[0])
    second, second_shapes = speech(*SENTENCES[2])
    track = MouthTrack(RATE_HZ)
    track.add(0, first_shapes, first, True)
    before = track.rows(0)
    shifted = [Shape(shape.at + len(first), shape.viseme) for shape in second_shapes]
    track.add(len(first), shifted, second, True)
    assert track.rows(0)[: len(before)] == before
    alone = opening(track_of(second, second_shapes))
    together = opening(track)[len(before) :]
    assert np.corrcoef(alone[: len(together)], together[: len(alone)])[0, 1] > 0.95


def test_a_phrase_of_no_sound_changes_nothing():
    track = MouthTrack(RATE_HZ)
    track.add(0, [], np.zeros(0, np.int16), True)
    track.add(0, [], noise(0.3, 8000), True)
    assert opening(track)[10:20].min() > 0.7


def test_rows_are_whole_numbers_in_range(spoken):
    pcm, shapes = spoken
    for opened, form, *vowels in track_of(pcm, shapes).rows(0):
        assert 0 <= opened <= 85
        assert -100 <= form <= 100
        assert all(isinstance(v, int) and 0 <= v <= 100 for v in vowels)


@pytest.mark.parametrize("chunk_s", [0.2, 0.25, 0.35, 0.5, 0.9])
@pytest.mark.parametrize("pace", [0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_a_mouth_is_never_behind_the_sound_of_a_voice_that_comes_in_long_chunks(chunk_s, pace):
    """Voices without word times give the stage nothing else to wake up for."""

    async def scene():
        now = asyncio.get_running_loop().time
        stage = Stage(SilentOutput(now), lambda: MouthTrack(RATE_HZ), lambda m: None, lambda m: None, now)
        reply = Reply("r", Cue("say", (), now()))
        phrase = Phrase("r", 0, "aaaa")
        stage.begin(reply)

        async def voice():
            for _ in range(12):
                stage.play(reply, phrase, Sound(noise(chunk_s), RATE_HZ))
                await asyncio.sleep(chunk_s * pace)

        speaking = asyncio.create_task(voice())
        await asyncio.sleep(0.05)
        shut = []
        for _ in range(int(chunk_s * 11 / 0.01)):
            if stage.ahead_s() > KNOWN_AHEAD_S and stage.mouth_now().open < 0.05:
                shut.append(stage.position / RATE_HZ)
            await asyncio.sleep(0.01)
        await speaking
        assert shut == []
        stage.cut(reply)
        stage.close(reply)

    play(scene())
