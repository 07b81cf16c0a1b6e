"""Amounts and times as people read them."""

from __future__ import annotations

from bot.texts import chosen

UNITS = ((10**9, "GB", 1), (10**6, "MB", 0), (10**3, "kB", 0))


def amount(count: float) -> str:
    """Return bytes with a unit, such as ``4.9 GB`` (``4,9 GB`` in Spanish)."""
    for size, unit, digits in UNITS:
        if count >= size:
            figure = f"{count / size:.{digits}f}"
            return f"{figure.replace('.', ',') if chosen() == 'es' else figure} {unit}"
    return f"{count:.0f} B"


def memory(count: float) -> str:
    """Return an amount of memory as it is sold: ``16 GB`` are 16 times 2 to the 30th bytes."""
    return amount(count / 2**30 * 10**9)


def duration(seconds: float) -> str:
    """Return a time such as ``45 s``, ``12 min`` or ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
