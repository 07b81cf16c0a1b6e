"""Finds commands for bots, and text that is only noise: drawings, scrambled marks, walls of one sign."""

from __future__ import annotations

import re

DRAWN = 20
"""So many braille, block or box signs are a drawing."""
LONGEST_WORD = 150
MARKS_A_LETTER = 2

_COMMAND = re.compile(
    r"\s*(?:![a-zA-Zñ]\w*|[/.](?:ban|unban|timeout|untimeout|mod|unmod|vip|unvip|clear|raid|unraid|host|"
    r"announce|w|whisper|block|slow|followers|subscribers|emoteonly|commercial|delete|marker|shoutout|so)\b)"
)
_DRAWING = re.compile(r"[\u2800-\u28ff\u2580-\u259f\u2500-\u257f]")
_MARK = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
_LONG = re.compile(rf"[^\s\u0e00-\u9fff\uac00-\ud7af\u1100-\u11ff]{{{LONGEST_WORD},}}")


def is_command(text: str) -> bool:
    """Whether a text is an order to a chat bot or to the chat itself."""
    return _COMMAND.match(text) is not None


def is_noise(text: str) -> bool:
    """Whether a text is nothing that anybody could read aloud."""
    if _LONG.search(text) is not None and "://" not in text:
        return True
    if text.isascii():
        return False
    if len(_DRAWING.findall(text)) >= DRAWN:
        return True
    marks = len(_MARK.findall(text))
    return marks > DRAWN and marks > MARKS_A_LETTER * (len(text) - marks)
