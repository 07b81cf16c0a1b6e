"""A text that is rewritten step by step, and still knows which written characters each of its own stands for."""

from __future__ import annotations

import re
from collections.abc import Callable


class Draft:
    """Begins as the written text."""

    def __init__(self, written: str) -> None:
        self.text = written
        self._spans = [(at, at + 1) for at in range(len(written))]

    def sub(self, pattern: re.Pattern[str], spoken: Callable[[re.Match[str]], str] | str) -> None:
        """Replace every match."""
        text: list[str] = []
        spans: list[tuple[int, int]] = []
        at = 0
        for match in pattern.finditer(self.text):
            new = spoken if isinstance(spoken, str) else spoken(match)
            if new != match[0]:
                start, end = match.span()
                text += [self.text[at:start], new]
                spans += self._spans[at:start]
                spans += [self._place(start, end)] * len(new)
                at = end
        if text:
            self.text = "".join([*text, self.text[at:]])
            self._spans = spans + self._spans[at:]

    def _place(self, start: int, end: int) -> tuple[int, int]:
        if start == end:  # what is inserted belongs to the character before it
            start = max(start - 1, 0)
        return self.written(start, max(end, start + 1))

    def written(self, start: int, end: int) -> tuple[int, int]:
        """Return the written characters that ``text[start:end]`` stands for."""
        spans = self._spans[start:end]
        return (min(span[0] for span in spans), max(span[1] for span in spans)) if spans else (0, 0)
