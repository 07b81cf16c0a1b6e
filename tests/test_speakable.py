"""What she says for what is written: real chat's manners, and strings that break things."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.vocabulary import Language
from bot.voice.espeak_engine import EspeakEngine
from bot.voice.phrases import PhraseCutter
from bot.voice.speakable import speakable

TABLES: dict[Language, list[tuple[str, str]]] = {}
for _language in ("es", "en"):
    _lines = (Path(__file__).parent / f"speakable_{_language}.txt").read_text("utf-8").splitlines()
    TABLES[_language] = [tuple(part.strip() for part in line.split("→")) for line in _lines]  # type: ignore[misc]

NAUGHTY = [
    "",
    " ",
    "undefined NULL nil NaN -Infinity 0x0 1e400 -0.0 0/0 1/0",
    "<script>alert('x')</script> <speak> </voice> & &amp; ]]> <!-- --> <![CDATA[",
    "<break time='99999s'/> \"><prosody rate='x-fast'>",
    "'; DROP TABLE users; -- ${7*7} {{7*7}} %s %d %n %x",
    "../../etc/passwd C:\\con\\con $(rm -rf /) `ls`",
    "Ω≈ç√∫˜µ≤≥÷ åß∂ƒ©˙∆˚¬…æ œ∑´®†¥¨ˆøπ“‘ ¡™£¢∞§¶•ªº–≠ ¸˛Ç◊ı˜Â¯˘¿ ÅÍÎÏ˝ÓÔÒÚÆ☃",
    "０１２３４５６７８９ ٠١٢٣٤٥٦٧٨٩ ⁰⁴⁵ ₀₁₂ ½⅛⅜ Ⅷ ④ 🅰",
    "ﷺ ﷽ ̗̺͖̹̯͓Ṯ̤͍̥͇͈h̲́e͏͓̼̗̙̼̣͔ ͇̜̱̠͓͍ͅN͕͠e̗̱z̘̝̜̺͙p̤̺̹͍̯͚e̠̻̠͜r̨̤͍̺̖͔̖̖d̠̟̭̬̝͟",
    "˙ɐnbᴉlɐ ɐuƃɐɯ ᴛʜᴇ ǫᴜɪᴄᴋ 𝐓𝐡𝐞 𝕼𝖚𝖎𝖈𝖐 🇪🇸 👨‍👩‍👧‍👦 \u202eoipmet\u202c \u200b\u200d\ufeff\u00ad",
    "田中さんにあげて下さい パーティーへ 사회과학원 Ⱥ Ⱦ الذِّكْر שלום สวัสดี हिन्दी ქართული",
    "\x00\x01\x07\x1b[31m\x7f\x85\u2028\u2029\ufffe\uffff\ud800",
    "a" * 2000,
    "ja" * 1000 + "x",
    "9" * 5000,
    "$" + "9" * 5000 + " €" * 50,
    "1,2.3,4.5,6 " * 60,
    "1/2/3/4/5 1-2-3-4-5 1:2:3:4:5 1.2.3.4.5 +-+-5 --5 5--5 5%%5 €€5€€",
    "99/99/9999 31/02/2024 00:00 24:60 25:00 13pm 0am 0th 0º 1000000000000th",
    "X" * 300 + " " + "Aa" * 150 + " " + "áÁ" * 150,
    "http:// https:///// www. www.. http://a http://[::1]:99/?%00 a.b/ x.com/ @ @@ # ## #1# @_@",
    "MMMMMMM IIII VVVV XXI Hola XXII a III.",
    "½½½ 5½½ ²³ m²² °°° 5°°C",
    ".... !!!! ???? ,,,, ;;;; :::: ---- ____ **** //// \\\\\\\\ ¿¿¿¿ ¡¡¡¡ …………",
    "(((((((((( )))))))))) [[[[ ]]]] {{{{ }}}} \"\"\"\" '''' «»«»",
]
FIT = re.compile(r"[^\W_]|[\s.,;:!?¡¿…'’\"“”«»()/@–—-]|[\u0300-\u036f]")


def say(line: str, language: Language) -> str:
    """What is said for a line: cut and cleaned as a brain's text is, then made speakable."""
    cutter = PhraseCutter(language)
    cuts = cutter.feed(line, eager=False) + cutter.finish()
    return " ".join(filter(None, (speakable(cut.text, language).text for cut in cuts)))


@pytest.mark.parametrize(
    ("language", "written", "said"), [(language, *line) for language, table in TABLES.items() for line in table]
)
def test_she_says(language: Language, written: str, said: str) -> None:
    assert say(written, language) == said


def test_the_table_is_long() -> None:
    assert all(len({written for written, _ in table}) >= 130 for table in TABLES.values())


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("written", [written for table in TABLES.values() for written, _ in table][::3])
def test_what_is_speakable_stays_as_it_is(language: Language, written: str) -> None:
    said = speakable(written, language).text
    assert speakable(said, language).text == said


def check(written: str, language: Language) -> str:
    made = speakable(written, language)
    assert all(map(FIT.match, made.text)), [char for char in made.text if not FIT.match(char)]
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "So", "Co", "Cn") for char in made.text)
    assert made.text == made.text.strip()
    assert "  " not in made.text
    ElementTree.fromstring(f"<speak>{made.text}</speak>")  # noqa: S314
    before = (0, 0)
    for match in re.finditer(r"\S+", made.text):
        start, end = made.written(*match.span())
        assert 0 <= start < end <= len(written)
        assert (start, end) >= before, "words stand for the written ones in their order"
        before = (start, end)
    return made.text


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("written", NAUGHTY)
def test_naughty_strings_break_nothing(written: str, language: Language) -> None:
    check(written, language)


@given(st.text(max_size=120), st.sampled_from(["es", "en"]))
@settings(max_examples=150, deadline=None)
def test_any_text_becomes_fit_for_a_voice(written: str, language: Language) -> None:
    check(written, language)


@given(st.text("0123456789.,:/-+%$€kKMxv°º'\" aApmh", max_size=40), st.sampled_from(["es", "en"]))
@settings(max_examples=250, deadline=None)
def test_any_heap_of_digits_and_signs_becomes_words(written: str, language: Language) -> None:
    said = check(written, language)
    assert not re.search(r"\d", said)


def test_words_lead_back_to_what_is_written() -> None:
    written = "¡Faltan 3,5 GB y $20.50, @Ana_G! jajajajaja"
    made = speakable(written, "es")
    shown = [written[slice(*made.written(*match.span()))] for match in re.finditer(r"\S+", made.text)]
    assert shown[0] == "¡Faltan"
    assert shown[-1] == "jajajajaja"
    assert set(shown) == {"¡Faltan", "3,5 GB", "y", "$20.50,", "@Ana_G!", "jajajajaja"}


def test_espeak_pronounces_the_naughtiest() -> None:
    engine = EspeakEngine({"voice": None, "language": "es", "speed": 1.0})
    for written in NAUGHTY:
        items = list(engine.run({"text": speakable(written[:220], "es").text}, b""))
        assert items[-1][0]["last"]
