"""Mouth shapes and word times fitted to voices that tell none, against sounds whose times are known."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import pytest

from bot.vocabulary import Shape, Word
from bot.voice.aligner import Aligner, Features, Script
from bot.voice.ipa import CLOSED
from bot.voice.speller import Speller
from bot.voice.speller_engine import ScriptReader
from tests.bench.mouth import aligned, judge
from tests.bench.mouth_clips import LINES, Clip, flite_clips, stranger_clips
from tests.conftest import HANGS_S, REAL_TIME

pytestmark = REAL_TIME

SPANISH = "Mi mamá me mima, y papá bebe leche con mucho pan."


@pytest.fixture(scope="module")
def strangers() -> list[Clip]:
    return list(stranger_clips("es", LINES["es"][:3]))


@pytest.fixture(scope="module")
def script() -> Script:
    return ScriptReader("es").script(SPANISH)


@pytest.fixture(scope="module")
def said() -> Clip:
    """The phrase by another speaker."""
    clips = stranger_clips("es", lines=(SPANISH,))
    return next(clips)


def fit(script: Script, pcm: np.ndarray, rate_hz: int, piece: int) -> tuple[list[Shape], list[Word]]:
    aligner = Aligner(script, rate_hz)
    shapes: list[Shape] = []
    words: list[Word] = []
    for at in range(0, max(len(pcm), 1), piece):
        told = aligner.feed(pcm[at : at + piece], at + piece >= len(pcm))
        begun = [spot.at for spot in (*told[0], *told[1])]
        assert all(at <= spot <= min(at + piece, len(pcm)) for spot in begun), "never behind its sound"
        shapes += told[0]
        words += told[1]
    for spots in (shapes, words):
        assert all(a.at <= b.at for a, b in itertools.pairwise(spots))
    return shapes, words


@pytest.mark.parametrize("piece_s", [0.93, 0.2])
def test_other_speakers_at_other_speeds(strangers, piece_s):
    found = judge(strangers, aligned(piece_s))
    assert found["missed"] <= 0.01
    assert abs(found["median_ms"]) <= 20
    assert found["p95_abs_ms"] <= 40
    assert found["shut"] >= 0.9


@pytest.mark.skipif(shutil.which("flite") is None, reason="needs the program flite")
def test_voices_made_from_people():
    found = judge(list(itertools.islice(flite_clips(), 4)), aligned(0.93))
    assert found["missed"] <= 0.03
    assert abs(found["median_ms"]) <= 20
    assert found["p95_abs_ms"] <= 90
    assert found["shut"] >= 0.95


@pytest.mark.parametrize("piece", [480, 4_000, 20_000, 10**6])
def test_every_word_and_every_closure_is_told_in_time(script, said, piece):
    shapes, words = fit(script, said.pcm, said.rate_hz, piece)
    assert [SPANISH[word.start : word.end] for word in words] == SPANISH.split()
    closures = [n for n, shape in enumerate(shapes) if shape.viseme == CLOSED]
    assert len(closures) == 12  # mi ma-má me mi-ma pa-pá be-be mu-cho pan
    assert all(shapes[n + 1].at - shapes[n].at >= said.rate_hz // 100 for n in closures)
    assert shapes[-1].viseme == 0


def test_silence_before_and_within_is_no_speech(script, said):
    rate_hz = said.rate_hz
    comma = next(word for word in fit(script, said.pcm, rate_hz, 20_000)[1] if SPANISH[word.start : word.end] == "y").at
    silence = np.zeros(rate_hz * 3 // 5, np.int16)
    pcm = np.concatenate((silence, said.pcm[:comma], silence, said.pcm[comma:]))
    shapes, words = fit(script, pcm, rate_hz, 20_000)
    assert 0.5 <= next(shape.at for shape in shapes if shape.viseme) / rate_hz <= 0.75
    middle = len(silence) + comma + len(silence) // 2
    before = [shape for shape in shapes if shape.at <= middle]
    assert before[-1].viseme == 0
    after = next(word.at for word in words if SPANISH[word.start : word.end] == "papá")
    assert after > len(silence) * 2 + comma


@pytest.mark.parametrize(("seconds", "level_db"), [(0.4, -35.0), (0.25, -28.0)])
def test_a_breath_before_the_first_word_is_no_speech(strangers, seconds, level_db):
    for clip in strangers[:6]:
        breath = np.random.default_rng(1).normal(0, 1, round(seconds * clip.rate_hz)) * np.hanning(
            round(seconds * clip.rate_hz)
        )
        breath *= 32768 * 10 ** (level_db / 20) / np.sqrt((breath**2).mean())
        pcm = np.concatenate((breath.astype(np.int16), clip.pcm))
        shapes, words = fit(ScriptReader("es").script(clip.text), pcm, clip.rate_hz, round(0.93 * clip.rate_hz))
        spoken = seconds + next(at for at, shape in clip.truth if shape)
        assert words[0].at / clip.rate_hz == pytest.approx(spoken, abs=0.05)
        assert next(shape.at for shape in shapes if shape.viseme) / clip.rate_hz == pytest.approx(spoken, abs=0.05)


def test_how_the_sound_is_cut_does_not_move_what_was_heard_before(said):
    whole = Features(said.rate_hz).feed(said.pcm)
    parts = Features(said.rate_hz)
    pieces = np.concatenate([parts.feed(piece) for piece in np.array_split(said.pcm, 53)])
    assert np.allclose(whole, pieces, atol=1e-3)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 44_100, 48_000])
def test_any_rate(script, said, rate_hz):
    times = np.arange(int(len(said.pcm) * rate_hz / said.rate_hz)) * said.rate_hz / rate_hz
    pcm = np.interp(times, np.arange(len(said.pcm)), said.pcm).astype(np.int16)
    shapes, _ = fit(script, pcm, rate_hz, rate_hz)
    expected, _ = fit(script, said.pcm, said.rate_hz, said.rate_hz)
    assert [shape.viseme for shape in shapes] == [shape.viseme for shape in expected]
    late = [a.at / rate_hz - b.at / said.rate_hz for a, b in zip(shapes, expected, strict=True)]
    assert np.median(np.abs(late)) <= 0.01


@pytest.mark.parametrize("seconds", [0.0, 0.004, 0.05, 0.3, 4.0])
def test_a_voice_that_babbles_something_else_harms_nothing(script, seconds):
    noise = np.random.default_rng(1).normal(0, 4000, int(seconds * 24_000)).astype(np.int16)
    shapes, words = fit(script, noise, 24_000, 9_600)
    assert all(0 <= shape.viseme <= 21 for shape in shapes)
    assert len(words) in (0, len(SPANISH.split()))


@pytest.mark.parametrize("text", ["", "…", "¡¿!?", "\x00"])
def test_what_cannot_be_read_has_no_shapes(text, said):
    assert fit(ScriptReader("es").script(text), said.pcm, said.rate_hz, 20_000) == ([], [])


async def test_scripts_come_from_a_process_of_their_own(script):
    speller = Speller("es")
    assert (await speller.script(SPANISH)).shapes == (), "before it is ready there is none, and nobody waits"
    await speller.start()
    try:
        assert await speller.ready(HANGS_S)
        read = await speller.script(SPANISH)
        assert [viseme for _, viseme in read.shapes] == [viseme for _, viseme in script.shapes]
        assert [span for _, *span in read.words] == [span for _, *span in script.words]
        assert read.rows.shape[1] == script.rows.shape[1]
        assert abs(len(read.rows) - len(script.rows)) <= 2, "espeak-ng never reads a phrase twice to the sample"
        assert (await speller.script("…")).shapes == ()
    finally:
        await speller.close()
    assert speller.pid is None
