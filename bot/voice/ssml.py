"""SSML, written so that no text can become markup.

Source: Azure Speech documentation, "Speech Synthesis Markup Language (SSML) overview" and "Customize voice and sound
with SSML"; which characters XML can hold at all: XML 1.0, section 2.2.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

_NAMESPACES = 'xmlns="http://www.w3.org/2001/10/synthesis" xmlns:mstts="http://www.w3.org/2001/mstts"'
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LANGUAGE = re.compile(r"[a-z]{2,3}-[A-Z]{2}(?![A-Za-z])")


def locale_of(voice: str) -> str:
    """Return the locale that an Azure voice's name begins with; ``en-US`` when it has none."""
    found = _LANGUAGE.match(voice)
    return found.group() if found else "en-US"


def ssml(text: str, voice: str, *, style: str = "", speed: float = 1.0, pitch: float = 0.0) -> str:
    """Return one request: ``text`` said by ``voice``, in a speaking style that it has or in none.

    ``speed``: 1.0 is as the voice was made; ``pitch``: semitones. Characters that XML cannot hold become spaces.
    """
    said = escape(_NOT_XML.sub(" ", text))
    changes = ""
    if speed != 1.0:
        changes += f' rate="{(speed - 1) * 100:+.0f}%"'
    if pitch:
        changes += f' pitch="{pitch:+.1f}st"'
    if changes:
        said = f"<prosody{changes}>{said}</prosody>"
    if style:
        said = f"<mstts:express-as style={quoteattr(style)}>{said}</mstts:express-as>"
    language, name = quoteattr(locale_of(voice)), quoteattr(_NOT_XML.sub(" ", voice))
    return f'<speak version="1.0" {_NAMESPACES} xml:lang={language}><voice name={name}>{said}</voice></speak>'
