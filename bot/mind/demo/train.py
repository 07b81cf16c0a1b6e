"""Makes the demo brain again, from the line grammar to ``demo.gguf``.

``uv run --group training python -m bot.mind.demo.train``: some 40 minutes on one core.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from llama_cpp import Llama as LlamaFile
from torch import Tensor, nn

from bot.mind.chat_tokens import ChatTokens
from bot.mind.demo.batches import IGNORED, Batch, Lines, lessons, lines
from bot.mind.demo.copying import teach_copying
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
STEPS = 6000
RATE, MATRIX_RATE = 2e-3, 0.005
"""Four times quicker, and within 100 steps the model forgets how to copy (see ``copying``)."""
LAST_SHARE, WARM_STEPS = 0.02, 100
READING_LAYERS = 2
MEANING_SHARE = 0.5
"""Weight of understanding beside that of answering: answers alone teach it far too slowly what is meant."""


def main() -> None:
    """Train and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True)
    vocabulary = _vocabulary()
    shape = Shape()
    model = Llama(shape, len(vocabulary.tokens))
    teach_copying(model)
    print(f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.2f} M weights")
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "vocabulary.gguf"
        write_gguf(bare, vocabulary, shape, None)
        tokens = ChatTokens(LlamaFile(str(bare), vocab_only=True, verbose=False))
        _train(model, tokens, args.steps)
    write_gguf(args.out, vocabulary, shape, model)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


def _vocabulary() -> Vocabulary:
    source = islice(School(SEED).lessons(), VOCABULARY_LESSONS)
    return learn((text for each in source for text in (each.messages[-1]["content"], *each.answers)), VOCABULARY)


class _Meaning(nn.Module):
    """Names what is meant: from the first layers' view of a line, and from where an answer begins."""

    def __init__(self, width: int, intents: int) -> None:
        super().__init__()
        self.line, self.opening = nn.Linear(width, intents), nn.Linear(width, intents)

    def loss(self, model: Llama, batch: Batch, states: Tensor, lines: Lines) -> Tensor:
        seen = model.through(lines.ids, lines.positions, lines.visible, READING_LAYERS)
        whole = (model.output_norm(seen) * lines.real).sum(1) / lines.real.sum(1)
        read = F.cross_entropy(self.line(whole), lines.meant)
        return read + F.cross_entropy(self.opening(states[tuple(batch.openings)]), batch.meant)


def _train(model: Llama, tokens: ChatTokens, steps: int) -> None:
    intents = sorted({name for language in LANGUAGES for name in read(language).intents})
    meaning = _Meaning(model.shape.width, len(intents))
    matrices = [weight for weight in model.blk.parameters() if weight.dim() == 2]
    others = [model.token_embd.weight, *(weight for weight in model.parameters() if weight.dim() == 1)]
    others += list(meaning.parameters())
    optimizers = [
        torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=0.01),
        torch.optim.AdamW(others, lr=RATE, betas=(0.9, 0.97), weight_decay=0.0),
    ]
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    start, mean = time.monotonic(), torch.zeros(2)
    both = zip(lessons(tokens, intents, SEED + 1), lines(tokens, intents, SEED + 2), strict=True)
    for step, (batch, heard) in enumerate(islice(both, steps), 1):
        learnt = batch.wanted != IGNORED
        states = model(batch.ids, batch.positions, batch.visible)
        answering = F.cross_entropy(model.logits(states[learnt]), batch.wanted[learnt])
        understanding = meaning.loss(model, batch, states, heard)
        model.zero_grad(set_to_none=True)
        meaning.zero_grad(set_to_none=True)
        (answering + MEANING_SHARE * understanding).backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        share = _rate(step, steps)
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * share
            optimizer.step()
        losses = torch.stack((answering, understanding)).detach()
        mean = losses if step == 1 else 0.98 * mean + 0.02 * losses
        if step % 50 == 0 or step == steps:
            minutes = (time.monotonic() - start) / 60
            left = minutes / step * (steps - step)
            shown = "  ".join(f"{name} {loss:.3f}" for name, loss in zip(("answers", "meaning"), mean, strict=True))
            print(f"step {step}/{steps}  {shown}  {minutes:.1f} min, {left:.1f} left", flush=True)


def _rate(step: int, steps: int) -> float:
    """Return the share of the learning rate: up in a line, then down in half a cosine."""
    if step < WARM_STEPS:
        return step / WARM_STEPS
    done = (step - WARM_STEPS) / max(1, steps - WARM_STEPS)
    return LAST_SHARE + (1 - LAST_SHARE) * (1 + math.cos(math.pi * done)) / 2


if __name__ == "__main__":
    main()
