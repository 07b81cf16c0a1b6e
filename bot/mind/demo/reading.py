"""Teaches the demo brain's reader what lines mean: most of a million lines of the grammar, each seen about once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bot.mind.demo.brain import HER_NAME
from bot.mind.demo.grammar import read
from bot.mind.demo.lessons import School
from bot.mind.demo.reader import BUCKETS, READ_MODES, WEIGHTS, traits
from bot.mind.quoting import CHAT_LIMIT, clean_text
from bot.vocabulary import Language

__all__ = ["WEIGHTS", "learn"]

LINES, LINES_A_STEP = 800_000, 256
INNER = 64
"""Sums of traits that are seen through a bend before they are weighed; the others count as they are."""
RATE, WIDE_RATE, LAST_SHARE = 3e-3, 1.5e-2, 0.02
DROPPED, INNER_DROPPED = 0.15, 0.2
"""Shares of traits and of inner sums that a step does not see, so that none is relied upon alone."""
FORBIDDEN = -30.0
LEVELS = 31
"""Steps of a written weight on either side of nothing: as good as all that a byte has, and it packs better."""
LANGUAGES: tuple[Language, ...] = ("es", "en")


class _Reader(nn.Module):
    """Rows of traits: the first numbers are inner sums, then one for each intent."""

    def __init__(self, intents: int) -> None:
        super().__init__()
        self.inner, self.wide = (nn.EmbeddingBag(BUCKETS, size, mode="sum") for size in (INNER, intents))
        self.shift = nn.Parameter(torch.zeros(INNER + intents))
        self.last = nn.Linear(INNER, intents, bias=False)
        nn.init.normal_(self.inner.weight, std=0.05)
        nn.init.zeros_(self.wide.weight)

    def forward(self, lines: list[list[int]]) -> Tensor:
        sizes = torch.tensor([len(line) for line in lines])
        ids, starts = torch.tensor([each for line in lines for each in line]), sizes.cumsum(0) - sizes
        sums = torch.cat((self.inner(ids, starts), self.wide(ids, starts)), 1) / sizes.sqrt()[:, None] + self.shift
        bent = F.dropout(F.relu(sums[:, :INNER]), INNER_DROPPED, self.training)
        return sums[:, INNER:] + self.last(bent)


def learn(file: Path, seed: int, lines: int = LINES) -> None:
    """Train the reader and write its weights."""
    grammars = [read(language) for language in LANGUAGES]
    intents = sorted({name for grammar in grammars for name in grammar.intents})
    modes = sorted(READ_MODES.values())
    serving = {mode: {intent.name for grammar in grammars for intent in grammar.serving(mode)} for mode in modes}
    allowed = torch.tensor([[name in serving[mode] for name in intents] for mode in modes])
    model = _Reader(len(intents))
    wide = [model.wide.weight]
    others = [weight for weight in model.parameters() if weight is not model.wide.weight]
    optimizer = torch.optim.Adam([{"params": others, "lr": RATE}, {"params": wide, "lr": WIDE_RATE}])
    full = [group["lr"] for group in optimizer.param_groups]
    steps, start, mean = lines // LINES_A_STEP, time.monotonic(), 0.0
    for step, (found, asked, meant) in enumerate(islice(_batches(intents, modes, seed), steps), 1):
        scores = model(found) + FORBIDDEN * ~allowed[asked]
        loss = F.cross_entropy(scores, meant)
        optimizer.zero_grad()
        loss.backward()
        for group, rate in zip(optimizer.param_groups, full, strict=True):
            group["lr"] = rate * max(LAST_SHARE, 1 - step / steps)
        optimizer.step()
        mean = loss.item() if step == 1 else 0.98 * mean + 0.02 * loss.item()
        if step % 100 == 0 or step == steps:
            minutes = (time.monotonic() - start) / 60
            left = minutes / step * (steps - step)
            print(f"reading {step}/{steps}  {mean:.3f}  {minutes:.1f} min, {left:.1f} left", flush=True)
    _write(file, model, intents, modes, allowed)


def _batches(intents: list[str], modes: list[str], seed: int) -> Iterator[tuple[list[list[int]], list[int], Tensor]]:
    """Yield traits, modes and intents of some lines."""
    source, chance = School(seed).lines(), torch.Generator().manual_seed(seed)
    place = {name: number for number, name in enumerate(intents)}
    while True:
        some = list(islice(source, LINES_A_STEP))
        found = [traits(clean_text(line.text, CHAT_LIMIT), HER_NAME) for line in some]
        kept = [torch.tensor(line)[torch.rand(len(line), generator=chance) >= DROPPED].tolist() for line in found]
        yield (
            [few or line for few, line in zip(kept, found, strict=True)],
            [modes.index(line.mode) for line in some],
            torch.tensor([place[line.intent] for line in some]),
        )


def _write(file: Path, model: _Reader, intents: list[str], modes: list[str], allowed: Tensor) -> None:
    """Write the rows as small whole numbers, with a scale for each column."""
    with torch.no_grad():
        rows = torch.cat((model.inner.weight, model.wide.weight), 1)
        scales = rows.abs().amax(0).clamp(min=1e-9) / LEVELS
        np.savez_compressed(
            file,
            names=np.array(intents),
            modes=np.array(modes),
            allowed=allowed.numpy(),
            rows=(rows / scales).round().to(torch.int8).numpy(),
            scales=scales.numpy(),
            shift=model.shift.numpy(),
            last=model.last.weight.T.contiguous().numpy(),
        )
