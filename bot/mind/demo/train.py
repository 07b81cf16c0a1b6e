"""Makes the demo brain again, from the line grammar to ``demo.gguf``.

``uv run --group training python -m bot.mind.demo.train``: under an hour on two cores. She first learns to read: what is
meant by single lines, with the lower layers alone, which is quick, and drills in copying. Then she learns to answer
whole prompts, while she goes on reading.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from llama_cpp import Llama as LlamaFile
from torch import Tensor, nn

from bot.mind.chat_tokens import ChatTokens
from bot.mind.demo.batches import IGNORED, lessons, lines
from bot.mind.demo.copying import Circuit
from bot.mind.demo.drills import drills
from bot.mind.demo.grammar import read
from bot.mind.demo.lessons import School
from bot.mind.demo.model import Llama, Shape, write_gguf
from bot.mind.demo.tokenizer import Vocabulary, learn
from bot.vocabulary import Language

TARGET = Path(__file__).with_name("demo.gguf")
SEED = 20
LANGUAGES: tuple[Language, ...] = ("es", "en")
VOCABULARY = 2048
VOCABULARY_LESSONS = 12_000
READING_STEPS, ANSWERING_STEPS = 5000, 5000
READING_LAYERS = 2
READING_RATE, READING_VECTOR_RATE = 0.02, 5e-3
ANSWERING_RATE, ANSWERING_VECTOR_RATE = 0.02, 2e-3
"""Of matrices, and of embeddings and the rest. Slower lower layers learn too few of the answers by heart."""
LAST_SHARE, WARM_STEPS = 0.02, 100
DRILL_SHARE = 0.3
MEANING_SHARE = 0.5
"""Weight of understanding beside that of answering: answers alone teach it far too slowly what is meant."""
READS_EVERY = 2
"""While she learns to answer, every so many steps also bring single lines and a drill."""


def main() -> None:
    """Train and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--steps", type=int, nargs=2, default=(READING_STEPS, ANSWERING_STEPS))
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True)
    vocabulary = _vocabulary()
    shape = Shape()
    model = Llama(shape, len(vocabulary.tokens))
    circuit = Circuit(model)
    print(f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.2f} M weights")
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "vocabulary.gguf"
        write_gguf(bare, vocabulary, shape, None)
        tokens = ChatTokens(LlamaFile(str(bare), vocab_only=True, verbose=False))
        _Training(model, circuit, tokens).run(*args.steps)
    write_gguf(args.out, vocabulary, shape, model)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


def _vocabulary() -> Vocabulary:
    source = islice(School(SEED).lessons(), VOCABULARY_LESSONS)
    return learn((text for each in source for text in (each.messages[-1]["content"], *each.answers)), VOCABULARY)


class _Meaning(nn.Module):
    """Names what is meant: from the lower layers' view of a line, and from where an answer begins."""

    def __init__(self, width: int, intents: int) -> None:
        super().__init__()
        self.line, self.opening = nn.Linear(width, intents), nn.Linear(width, intents)


class _Training:
    """Two courses, one after the other."""

    def __init__(self, model: Llama, circuit: Circuit, tokens: ChatTokens) -> None:
        intents = sorted({name for language in LANGUAGES for name in read(language).intents})
        self.model, self.circuit = model, circuit
        self.meaning = _Meaning(model.shape.width, len(intents))
        self.lines = lines(tokens, intents, SEED + 2)
        self.lessons = lessons(tokens, intents, SEED + 1)
        self.drills = drills(len(model.token_embd.weight), SEED + 3)
        self.vectors = [weight for weight in model.parameters() if weight.dim() == 1]

    def run(self, reading: int, answering: int) -> None:
        """Read, then answer, so many steps."""
        model = self.model
        lower, upper = _matrices(model.blk[:READING_LAYERS]), _matrices(model.blk[READING_LAYERS:])
        self._course("reading", reading, self._read, {READING_RATE: lower}, READING_VECTOR_RATE)
        rates = {ANSWERING_RATE: [*lower, *upper]}
        self._course("answering", answering, self._answer, rates, ANSWERING_VECTOR_RATE)

    def _course(
        self, name: str, steps: int, losses: Callable[[int], Tensor], rates: dict[float, list[Tensor]], rate: float
    ) -> None:
        others = [self.model.token_embd.weight, *self.vectors, *self.meaning.parameters()]
        optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(weights, lr=lr, weight_decay=0.01) for lr, weights in rates.items()
        ]
        optimizers.append(torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.97), weight_decay=0.0))
        full = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
        start, mean = time.monotonic(), torch.full((4,), torch.nan)
        for step in range(1, steps + 1):
            parts = losses(step)
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            parts.nansum().backward()
            torch.nn.utils.clip_grad_norm_(others, 1.0)
            for optimizer, lr in zip(optimizers, full, strict=True):
                optimizer.param_groups[0]["lr"] = lr * _share(step, steps)
                optimizer.step()
            self.circuit.keep()
            now = parts.detach()
            mean = _followed(mean[: len(now)], now)
            if step % 50 == 0 or step == steps:
                minutes = (time.monotonic() - start) / 60
                left = minutes / step * (steps - step)
                shown = " ".join(f"{loss:.3f}" for loss in mean)
                print(f"{name} {step}/{steps}  {shown}  {minutes:.1f} min, {left:.1f} left", flush=True)

    def _read(self, step: int) -> Tensor:
        """Return the losses of naming what lines mean, and of foretelling a drill."""
        model, heard, drill = self.model, next(self.lines), next(self.drills)
        seen = model.output_norm(model.through(heard.ids, heard.positions, heard.visible, READING_LAYERS))
        read = F.cross_entropy(self.meaning.line(heard.whole(seen)), heard.meant)
        copied = model.output_norm(model.through(drill.ids, drill.positions, drill.visible, READING_LAYERS))
        told = model.logits(copied[drill.foretold].flatten(0, 1))
        return torch.stack((read, DRILL_SHARE * F.cross_entropy(told, drill.wanted)))

    def _answer(self, step: int) -> Tensor:
        """Return the losses of answering, of knowing at an answer's start what is meant, and at times of reading."""
        batch = next(self.lessons)
        learnt = batch.wanted != IGNORED
        states = self.model(batch.ids, batch.positions, batch.visible)
        answering = F.cross_entropy(self.model.logits(states[learnt]), batch.wanted[learnt])
        opening = F.cross_entropy(self.meaning.opening(states[tuple(batch.openings)]), batch.meant)
        reading = self._read(step) if step % READS_EVERY == 0 else torch.full((2,), torch.nan)
        return torch.cat((torch.stack((answering, MEANING_SHARE * opening)), MEANING_SHARE * reading))


def _followed(mean: Tensor, now: Tensor) -> Tensor:
    """Return the running mean of what is known of each loss."""
    return torch.where(mean.isnan(), now, torch.where(now.isnan(), mean, 0.98 * mean + 0.02 * now))


def _matrices(layers: nn.ModuleList) -> list[Tensor]:
    return [weight for weight in layers.parameters() if weight.dim() == 2]


def _share(step: int, steps: int) -> float:
    """Return the share of the learning rate: up in a line, then down in half a cosine."""
    if step < WARM_STEPS:
        return step / WARM_STEPS
    done = (step - WARM_STEPS) / max(1, steps - WARM_STEPS)
    return LAST_SHARE + (1 - LAST_SHARE) * (1 + math.cos(math.pi * done)) / 2


if __name__ == "__main__":
    main()
