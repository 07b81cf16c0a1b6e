"""Drills in copying: random tokens that stand twice, so that the second time each is told by what went before."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

DRILLS, LENGTH = 12, 20


class Drill:
    """Some rows of random tokens, each row twice; ``wanted`` is what the second time must be foretold."""

    def __init__(self, vocabulary: int, chance: torch.Generator) -> None:
        once = torch.randint(vocabulary, (DRILLS, LENGTH), generator=chance)
        gap = torch.randint(vocabulary, (DRILLS, LENGTH), generator=chance)
        self.ids = torch.cat((once, gap, once), 1)
        length = self.ids.shape[1]
        self.positions = torch.arange(length).float().expand(DRILLS, length)
        self.visible = torch.ones(length, length, dtype=torch.bool).tril().expand(DRILLS, length, length)
        self.wanted: Tensor = once[:, 1:].reshape(-1)
        self.foretold = (slice(None), slice(2 * LENGTH, 3 * LENGTH - 1))
        """The places from which ``wanted`` is told."""


def drills(vocabulary: int, seed: int) -> Iterator[Drill]:
    """Yield drills without end."""
    chance = torch.Generator().manual_seed(seed)
    while True:
        yield Drill(vocabulary, chance)
