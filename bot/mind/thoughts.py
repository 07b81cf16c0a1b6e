"""Models that think first write their thoughts between marks before they answer: nobody is to hear these."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

BEGIN, END = "<think>", "</think>"


async def spoken_of(answer: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Yield an answer without the thoughts that it begins with; nothing of one that is cut off amid them."""
    begun = ""
    passes = False
    async with aclosing(answer) as pieces:
        async for piece in pieces:
            if passes:
                yield piece
                continue
            begun += piece
            said = begun.lstrip()
            if said.startswith(BEGIN):
                _, end, rest = said.partition(END)
                passes = bool(end)
            else:
                passes, rest = not BEGIN.startswith(said), begun
            if passes and rest:
                yield rest
    if begun and not passes and not begun.lstrip().startswith(BEGIN):
        yield begun
