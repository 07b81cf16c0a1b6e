"""The mouth track of the reply in progress: computed when it is needed soon, and told to the pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from bot.stage.captions import Line
from bot.stage.page_stream import PageStream
from bot.stage.silent import RATE_HZ
from bot.vocabulary import Pcm, Shape

LEAD = RATE_HZ // 10
"""Samples that the mouth track must be ahead of what is audible."""
STEP = RATE_HZ // 100
"""Samples between two rows of the mouth track."""


class Mouth(Protocol):
    """The mouth track of one reply (``avatar.lipsync.MouthTrack``)."""

    def add(self, at: int, shapes: Sequence[Shape], pcm: Pcm, last: bool) -> None:
        """Append a piece of a phrase that begins at sample ``at``; shapes are absolute in the reply."""
        ...

    def rows(self, start: int) -> list[list[int]]:
        """Return the final rows from row ``start`` on."""
        ...

    def at(self, sample: float) -> Any:
        """Return the shape at a sample; at rest outside the track."""
        ...


class Lips:
    """Moves one reply's mouth track on, in few long steps: they cost least."""

    def __init__(self, mouth: Mouth, pages: PageStream) -> None:
        self._mouth = mouth
        self._pages = pages
        self._rows = 0

    def at(self, sample: float) -> Any:
        """Return the mouth's shape at a sample of the reply."""
        return self._mouth.at(sample)

    def due(self) -> int:
        """Return the position at which the track must be moved on."""
        return self._rows * STEP - LEAD

    def follow(self, line: Line, position: int) -> None:
        """Move the track on by what has come of a phrase, if that is due or the phrase is complete."""
        if not line.unmouthed or (not line.complete and self.due() > position):
            return
        pcm = line.unmouthed[0] if len(line.unmouthed) == 1 else np.concatenate(line.unmouthed)
        self._mouth.add(line.at, line.shapes, pcm, line.complete)
        line.shapes, line.unmouthed = [], []
        rows = self._mouth.rows(self._rows)
        self._pages.mouth(self._rows * STEP, STEP, rows)
        self._rows += len(rows)

    def tell_again(self, start: int) -> None:
        """Tell the pages' new stream all that is known from sample ``start`` on."""
        row = -(-start // STEP)
        self._pages.mouth(row * STEP, STEP, self._mouth.rows(row)[: self._rows - row])
