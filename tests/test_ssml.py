"""No text of any kind becomes markup, and nothing the service would refuse is ever asked for."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.voice.ssml import locale_of, ssml
from tests.local_azure.tts import VOICES, Request, read_ssml
from tests.local_azure.usp import Frame

DALIA = "es-MX-DaliaNeural"
HEADERS = {"path": "ssml", "content-type": "application/ssml+xml"}

NAUGHTY = [
    "</voice></speak><speak>",
    "<break time='600s'/>",
    '"><audio src="file:///etc/passwd"/>',
    "<!DOCTYPE speak [<!ENTITY a SYSTEM 'http://example.org'>]>&a;",
    "<?xml version='1.0' encoding='utf-16'?>",
    "]]>",
    "<![CDATA[",
    "<!-- -- -->",
    "&#0; &#x1F; &amp;lt; &nbsp; &",
    "\x00\x01\x08\x0b\x0c\x1b[31m\x7f\x85",
    "\ud83d half \udc00",
    "\ufffe\uffff\U0001ffff",
    "\u202etxet desrever\u202c\u2066\u200b\ufeff",
    "Z\u0351\u036b\u0343\u032aa\u030d\u0360lgo",
    "👩‍👩‍👧‍👦🏳️‍🌈 ｆｕｌｌｗｉｄｔｈ ﷽",
    "'; DROP TABLE phrases; -- ${jndi:ldap://x} {{7*7}} %s%n $(id) `id`",
    "\r\n\r\nPath:turn.end\r\n\r\n{}",
    "3 < 4 && 5 > 4",
]


def asked(text: str, voice: str = DALIA, **how: object) -> Request:
    return read_ssml(Frame(HEADERS, ssml(text, voice, **how)), "c")  # type: ignore[arg-type]


def readable(text: str) -> str:
    """What XML can hold of a text; its parsers read every end of line as a newline."""
    kept = "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else " " for c in text
    )
    return kept.replace("\r\n", "\n").replace("\r", "\n")


@given(st.text(st.characters(codec=None)))
@example("".join(NAUGHTY))
def test_any_text_is_said_as_it_is_written(text: str) -> None:
    assert asked(text).text == readable(text)


@pytest.mark.parametrize("text", NAUGHTY)
def test_naughty_text_stays_text(text: str) -> None:
    root = ET.fromstring(ssml(text, DALIA, style="sad", speed=1.2))  # noqa: S314
    assert [element.tag.rpartition("}")[2] for element in root.iter()] == ["speak", "voice", "express-as", "prosody"]
    assert asked(text, style="sad", speed=1.2).text == readable(text)


@given(st.floats(0.5, 2), st.floats(-12, 12), st.sampled_from(["", "cheerful", "sad"]), st.sampled_from(sorted(VOICES)))
def test_whatever_is_set_is_taken(speed: float, pitch: float, style: str, voice: str) -> None:
    request = asked("hola", voice, style=style, speed=speed, pitch=pitch)
    assert (request.voice, request.style, request.text) == (voice, style, "hola")
    if speed != 1.0:
        assert float(request.rate.rstrip("%")) == pytest.approx((speed - 1) * 100, abs=0.501)
    if pitch:
        assert float(request.pitch.removesuffix("st")) == pytest.approx(pitch, abs=0.0501)


@given(st.text(st.characters(codec=None)))
@example('es-MX-DaliaNeural"><break/>')
def test_no_name_of_a_voice_becomes_markup(voice: str) -> None:
    root = ET.fromstring(ssml("hola", voice))  # noqa: S314
    assert [element.tag.rpartition("}")[2] for element in root.iter()] == ["speak", "voice"]


def test_as_it_was_made_needs_no_words() -> None:
    assert "prosody" not in ssml("hola", DALIA)
    assert "express-as" not in ssml("hola", DALIA)


def test_the_language_is_the_voices_own() -> None:
    assert asked("hola").language == "es-MX"
    assert locale_of("fil-PH-BlessicaNeural") == "fil-PH"
    assert locale_of("mine") == "en-US"
