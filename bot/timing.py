"""Marks of a reply: what happened when, as the turn record and the latency strip show it."""

from __future__ import annotations

from collections.abc import Mapping

MARKS = (
    "speech_ended",
    "turn_ended",
    "transcript_ready",
    "heard",
    "cue",
    "prompt_ready",
    "first_token",
    "first_phrase",
    "first_sound",
    "first_audible",
    "last_audible",
)
"""In the order in which they happen; those that do not apply to a reply are left out."""


def mark(marks: dict[str, float], name: str, at_s: float) -> None:
    """Set a mark unless it is set already: the first time counts."""
    marks.setdefault(name, at_s)


def marks_ms(marks: Mapping[str, float]) -> dict[str, float]:
    """Return the marks in order, in milliseconds from the first that applies."""
    known = [(name, marks[name]) for name in MARKS if name in marks]
    start = known[0][1] if known else 0.0
    return {name: round((at - start) * 1000.0, 3) for name, at in known}


def percentile(values: list[float], share: float) -> float:
    """Return the nearest-rank percentile (``share`` 0 to 1) of a list that is not empty."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, round(share * len(ranked) + 0.5) - 1))]
