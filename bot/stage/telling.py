"""Tells what begins to be heard, when it does: phrases, words, and the expression that goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.stage.captions import Line
from bot.vocabulary import Tell


def announce(
    lines: Sequence[Line], position: int, reply: str, tell: Tell, on_expression: Callable[[str], None]
) -> bool:
    """Tell once what is audible at ``position``. Return whether another phrase has begun."""
    begun = False
    for line in lines:
        if not line.announced and position >= line.at and line.complete and not line.samples:
            line.announced = begun = True  # nothing of it can be pronounced, so nobody will ever hear it begin
        if not line.announced and position > line.at:
            line.announced = begun = True
            on_expression(line.phrase.expression)
            shown = {"text": line.phrase.text, "expression": line.phrase.expression}
            tell({"type": "phrase", "reply": reply, "index": line.phrase.index, **shown})
        while line.told < len(line.words) and position >= line.words[line.told].at and line.announced:
            word = line.words[line.told]
            line.told += 1
            tell({"type": "word", "reply": reply, "index": line.phrase.index, "start": word.start, "end": word.end})
    return begun


def next_position(lines: Sequence[Line], position: int, written: int) -> int | None:
    """Return the next position at which something is to be told."""
    ahead = [written] if written > position else []
    for line in lines:
        if not line.announced:
            ahead.append(line.at + 1)
        if line.told < len(line.words):
            ahead.append(line.words[line.told].at)
    return min((p for p in ahead if p > position), default=None)
