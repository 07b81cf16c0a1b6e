"""The voice that is always there: real espeak-ng, in this process and in its own."""

from __future__ import annotations

import asyncio
import itertools
import wave

import numpy as np
import pytest

from bot.texts import text, use
from bot.vocabulary import EngineDown, Phrase
from bot.voice.espeak import EspeakVoice
from bot.voice.espeak_engine import EspeakEngine
from bot.voice.espeak_library import as_data
from bot.voice.ipa import visemes
from bot.voice.polish import Polisher, gain_for, pause_after
from bot.voice.speller_engine import ScriptReader, SpellerEngine
from tests.conftest import HANGS_S, REAL_TIME

pytestmark = REAL_TIME

RATE_HZ = 22_050
OPTIONS = {"voice": None, "language": "es", "speed": 1.0}
SPANISH = "¡Hola, Ana! Mi mamá y mi papá quieren mucho al bebé."
ENGLISH = "Hi Ana! A pepper on the bumper, my baby boy."


class Clip:
    def __init__(self, engine, spoken):
        self.text = spoken
        self.items = list(engine.run({"text": spoken}, b""))
        self.pcm = np.concatenate([np.frombuffer(data, "<i2") for _, data in self.items]).astype(np.int32)
        self.shapes = [tuple(shape) for header, _ in self.items for shape in header["shapes"]]
        self.words = [tuple(word) for header, _ in self.items for word in header["words"]]


# The library is one of a kind in a process: only the newest engine may speak.


@pytest.fixture
def spanish():
    return EspeakEngine(OPTIONS)


@pytest.fixture(scope="module")
def hola():
    return Clip(EspeakEngine(OPTIONS), SPANISH)


def test_the_clip_begins_at_once_and_ends_with_a_pause(hola):
    audible = np.flatnonzero(np.abs(hola.pcm) > 110)
    assert audible[0] / RATE_HZ <= 0.010
    assert 0.145 <= (len(hola.pcm) - audible[-1]) / RATE_HZ <= 0.17
    assert hola.pcm[0] == hola.pcm[-1] == 0


def test_clips_join_without_a_click(hola):
    assert np.abs(np.diff(hola.pcm[:60])).max() < 2500
    assert np.abs(hola.pcm[-round(0.14 * RATE_HZ) :]).max() == 0
    assert abs(hola.pcm.mean()) < 104  # -50 dBFS


def level_db(pcm):
    blocks = (pcm[: len(pcm) // 441 * 441].reshape(-1, 441) / 32768) ** 2
    power = blocks.mean(axis=1)
    return 10 * np.log10(power[power > 1.5e-4].mean())


@pytest.mark.parametrize("voice", ["es-419+f3", "es", "en-gb-x-rp+f2", "en-us"])
def test_every_voice_is_equally_loud(voice):
    engine = EspeakEngine(OPTIONS | {"voice": voice})
    pcm = Clip(engine, "Hola a todos, hoy vamos a jugar un rato muy largo y muy bueno.").pcm
    assert -20.5 <= level_db(pcm) <= -15.5
    assert np.abs(pcm).max() <= 0.98 * 32768


def pitch_hz(pcm):
    """Median of the voiced blocks, by autocorrelation."""
    found = []
    for block in pcm[: len(pcm) // 1024 * 1024].reshape(-1, 1024).astype(float):
        echo = np.correlate(block, block, "full")[1023:]
        lag = 44 + int(np.argmax(echo[44:245]))
        if echo[lag] > 0.5 * echo[0] > 1e9:
            found.append(RATE_HZ / lag)
    return np.median(found)


def test_the_pitch_is_in_semitones():
    low, high = (Clip(EspeakEngine(OPTIONS | {"pitch": pitch}), SPANISH).pcm for pitch in (-3.0, 3.0))
    assert 5 <= 12 * np.log2(pitch_hz(high) / pitch_hz(low)) <= 7


def test_words_are_those_of_the_text_in_order(hola):
    assert [SPANISH[start:end] for _, start, end in hola.words] == SPANISH.split()
    times = [at for at, _, _ in hola.words]
    assert times == sorted(times)
    assert times[0] == 0
    assert times[-1] < len(hola.pcm) - 0.4 * RATE_HZ


@pytest.mark.parametrize(
    "spoken",
    [
        "ese. ahí; casa; pan. su si. ese, fin.",
        "fuego, no hola, fuego, sí… hoy. casa; si…",
    ],
)
def test_no_word_is_lost_between_short_sentences(spanish, spoken):
    """There espeak-ng's words begin at the space before them."""
    assert [spoken[start:end] for _, start, end in Clip(spanish, spoken).words] == spoken.split()
    assert [spoken[start:end] for _, start, end in ScriptReader("es").script(spoken).words] == spoken.split()


def test_offsets_of_words_are_characters_beyond_the_first_plane_too(spanish):
    clip = Clip(spanish, "a 😀 ñu 𝐁 mañana [sol] fin")
    assert [clip.text[start:end] for _, start, end in clip.words][-3:] == ["mañana", "[sol]", "fin"]


def test_shapes_are_in_order_never_equal_twice_and_end_at_rest(hola):
    assert all(0 <= viseme <= 21 for _, viseme in hola.shapes)
    assert all(a[0] <= b[0] and a[1] != b[1] for a, b in itertools.pairwise(hola.shapes))
    assert hola.shapes[-1][1] == 0
    assert hola.shapes[-1][0] <= len(hola.pcm)


def test_shapes_and_words_never_come_after_their_sound(spanish):
    made = 0
    for header, data in spanish.run({"text": "Hoy hay muy buenas aguas, mamá. ¿Oíste? Aún no, Raúl."}, b""):
        assert all(spot[0] >= made for spot in header["shapes"] + header["words"])
        made += len(data) // 2


def test_lips_close_on_every_p_b_and_m(hola):
    assert [viseme for _, viseme in hola.shapes].count(21) == 9  # mi ma-má mi pa-pá mu-cho be-bé
    assert [viseme for _, viseme in Clip(EspeakEngine(OPTIONS | {"language": "en"}), ENGLISH).shapes].count(21) >= 7


def test_spanish_shapes_of_a_known_word(spanish):
    assert [viseme for _, viseme in Clip(spanish, "pala").shapes] == [21, 2, 14, 2, 0]


def test_a_diphthong_has_two_shapes(spanish):
    assert [viseme for _, viseme in Clip(spanish, "hoy").shapes] == [8, 6, 0]


@pytest.mark.parametrize("silent", ["", "   ", "… ¿?", "\x00\x01", "-", "\ud83d"])
def test_what_cannot_be_spoken_is_an_empty_last_piece(spanish, silent):
    Clip(spanish, "antes")
    (header, data), *more = spanish.run({"text": silent}, b"")
    assert (header["last"], header["shapes"], header["words"], data, more) == (True, [], [], b"", [])


def test_text_is_never_a_command(spanish):
    assert as_data("a[[h@l]]\x00b\n") == "a  h@l   b "
    plain = Clip(spanish, "uno dos")
    marked = Clip(spanish, '<break time="3s"/> uno dos')
    assert len(marked.pcm) > len(plain.pcm) * 1.5  # the markup is read out, not obeyed
    assert np.abs(marked.pcm[: RATE_HZ // 2]).max() > 3000


def test_a_cancelled_phrase_ends_and_leaves_nothing_in_the_next(spanish):
    expected = len(Clip(spanish, "sol").pcm)
    stream = spanish.run({"text": "Una frase muy larga, " * 200}, b"")
    next(stream)
    spanish.cancel()
    assert len(list(stream)) <= 1
    assert len(Clip(spanish, "sol").pcm) == pytest.approx(expected, abs=200)


def test_speed(hola):
    quick = Clip(EspeakEngine(OPTIONS | {"speed": 1.5}), SPANISH)
    assert len(quick.pcm) < 0.8 * len(hola.pcm)


@pytest.mark.parametrize(
    ("voice", "near"), [("es-mx", "es-419"), ("en-usa", "en-us"), ("es-419+f33", "es-419+f3"), ("qqq", "es-419+f3")]
)
def test_an_unknown_voice_is_refused_with_those_that_are_near(voice, near):
    use("es")
    with pytest.raises(EngineDown) as refused:
        EspeakEngine(OPTIONS | {"voice": voice})
    assert voice in refused.value.reason
    assert near in refused.value.repair


@pytest.mark.parametrize("engine", [EspeakEngine, SpellerEngine])
def test_a_library_that_does_not_load_may_lack_windows_own_runtime(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("espeakng_loader.get_library_path", lambda: str(tmp_path / "espeak-ng.dll"))
    with pytest.raises(EngineDown) as down:
        engine(OPTIONS)
    assert "espeak-ng.dll" in down.value.reason
    assert "winget install Microsoft.VCRedist" in down.value.repair


@pytest.mark.parametrize(
    ("ipa", "language", "expected"),
    [
        ("ˈa", "es", [2]),
        ("ˈa", "en", [1]),
        ("", "es", [0]),
        ("ˈoɪ", "es", [8, 6]),
        ("ˈɔɪ", "en", [10]),
        ("aɪɚ", "en", [11]),
        ("tʃ", "es", [19, 16]),
        ("tʃ", "en", [16]),
        ("ɑːɹ", "en", [2, 13]),
        ("n̩", "en", [19]),
        ("x", "es", [12]),
        ("x", "en", [20]),
        ("ʔ", "en", []),
        ("β", "es", [21]),
        ("ʘ", "es", [19]),
    ],
)
def test_visemes(ipa, language, expected):
    assert visemes(ipa, language) == expected


@pytest.mark.parametrize(("spoken", "pause_s"), [("Hola.", 0.15), ('"¿Qué?"', 0.15), ("Bueno,", 0.06), ("hola", 0.02)])
def test_pauses(spoken, pause_s):
    assert pause_after(spoken) == pause_s


def test_a_clip_polished_in_pieces_is_the_clip_polished_whole():
    noise = np.random.default_rng(1).normal(0, 9000, 5000).clip(-32768, 32767).astype(np.int16)
    clip = np.concatenate((np.zeros(3000, np.int16), noise, np.zeros(4000, np.int16), noise, np.zeros(900, np.int16)))
    whole = Polisher(RATE_HZ, 1.3, 0.1)
    expected = np.concatenate((whole.feed(clip), whole.finish()))
    pieces = Polisher(RATE_HZ, 1.3, 0.1)
    got = [pieces.feed(part) for part in np.array_split(clip, 37)]
    assert np.array_equal(np.concatenate((*got, pieces.finish())), expected)
    assert whole.skipped == pytest.approx(3000 - 0.005 * RATE_HZ, abs=2)
    assert np.abs(expected.astype(int)).max() <= 0.98 * 32768


def test_the_gain_of_silence_is_one():
    assert gain_for(np.zeros(RATE_HZ, np.int16), RATE_HZ) == 1.0


async def test_speaks_through_its_own_process(tmp_path):
    told = []
    voice = EspeakVoice(None, "es", on_health=told.append)
    await voice.start()
    try:
        assert await voice.ready(HANGS_S)
        sounds = [sound async for sound in voice.speak(Phrase("r", 0, SPANISH))]
        assert [sound.last for sound in sounds] == [False] * (len(sounds) - 1) + [True]
        pcm = np.concatenate([sound.pcm for sound in sounds])
        assert 2.0 < len(pcm) / sounds[0].rate_hz < 6.0
        assert [SPANISH[w.start : w.end] for sound in sounds for w in sound.words] == SPANISH.split()

        cut = voice.speak(Phrase("r", 1, "Una frase larga, " * 500))
        await anext(cut)
        await cut.aclose()
        assert (await anext(voice.speak(Phrase("r", 2, "Hola.")))).pcm.any()

        infos = {info.name: info for info in await voice.list_voices()}
        assert {"es-419", "es", "en-us", "es-419+f3"} <= set(infos)
        assert infos["es-419+f3"].languages == ("es",)
        assert voice.health.state == "ok"
        with wave.open(str(tmp_path / "hola.wav"), "wb") as file:
            file.setparams((1, 2, sounds[0].rate_hz, 0, "NONE", ""))
            file.writeframes(pcm.tobytes())
    finally:
        await voice.close()
    assert voice.pid is None


async def test_an_unknown_voice_is_told_through_the_process():
    use("es")
    voice = EspeakVoice("es-mx", "es", on_health=lambda health: None)
    await voice.start()
    try:
        async with asyncio.timeout(HANGS_S):
            while voice.health.state != "down":
                await asyncio.sleep(0.01)
        assert not await voice.ready(0.1)
        assert voice.health.reason == text("voice.espeak_unknown_voice", voice="es-mx")
        with pytest.raises(EngineDown):
            await anext(voice.speak(Phrase("r", 0, "Hola")))
    finally:
        await voice.close()
