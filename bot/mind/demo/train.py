"""Makes the demo brain again from the line grammar: ``reader.npz`` and ``demo.gguf``.

``uv run --group training python -m bot.mind.demo.train``: under an hour on two cores. The reader learns what is meant
by lines (``bot.mind.demo.reading``); the small Llama learns to answer prompts in which that is told, and to copy names.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from itertools import chain, islice
from pathlib import Path

import torch
import torch.nn.functional as F
from llama_cpp import Llama as LlamaFile
from torch import Tensor

from bot.mind.chat_tokens import ChatTokens
from bot.mind.demo import reading
from bot.mind.demo.batches import IGNORED, lessons
from bot.mind.demo.brain import MODEL
from bot.mind.demo.copying import Circuit
from bot.mind.demo.drills import drills
from bot.mind.demo.grammar import read
from bot.mind.demo.lessons import School
from bot.mind.demo.model import Llama, Shape, write_gguf
from bot.mind.demo.reader import told
from bot.mind.demo.tokenizer import Vocabulary, learn

SEED = 20
VOCABULARY = 2304
VOCABULARY_LESSONS = 12_000
HINTED = 2_000
"""How often each hint is shown beside the lessons, so that it becomes one token: cut in several, it is not heeded."""
STEPS = 8000
RATE, VECTOR_RATE = 0.008, 5e-3
"""Of matrices, and of embeddings and the rest."""
LAST_SHARE, WARM_STEPS = 0.02, 100
DRILL_SHARE, DRILL_EVERY = 0.3, 2


def main() -> None:
    """Train and write both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=MODEL.parent, help="the folder to write to")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True)
    reading.learn(args.out / reading.WEIGHTS.name, SEED + 2)
    vocabulary = _vocabulary()
    shape = Shape()
    model = Llama(shape, len(vocabulary.tokens))
    circuit = Circuit(model)
    print(f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.2f} M weights")
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "vocabulary.gguf"
        write_gguf(bare, vocabulary, shape, None)
        tokens = ChatTokens(LlamaFile(str(bare), vocab_only=True, verbose=False))
        _train(model, circuit, tokens, args.steps)
    file = args.out / MODEL.name
    write_gguf(file, vocabulary, shape, model)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


def _vocabulary() -> Vocabulary:
    lessons = islice(School(SEED).lessons(), VOCABULARY_LESSONS)
    texts = (text for each in lessons for text in (each.messages[-1]["content"], *each.answers))
    hints = (told("", intent, brief=True) for intent in read("es").intents)
    return learn(chain(texts, (each for each in hints for _ in range(HINTED))), VOCABULARY)


def _train(model: Llama, circuit: Circuit, tokens: ChatTokens, steps: int) -> None:
    heard, drill = lessons(tokens, SEED + 1), drills(len(model.token_embd.weight), SEED + 3)
    matrices = [weight for weight in model.blk.parameters() if weight.dim() == 2]
    others = [model.token_embd.weight, *(weight for weight in model.parameters() if weight.dim() == 1)]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, lr=RATE, weight_decay=0.01),
        torch.optim.AdamW(others, lr=VECTOR_RATE, betas=(0.9, 0.97), weight_decay=0.0),
    ]
    full = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    start, mean = time.monotonic(), torch.full((2,), torch.nan)
    for step in range(1, steps + 1):
        batch = next(heard)
        learnt = batch.wanted != IGNORED
        states = model(batch.ids, batch.positions, batch.visible)
        parts = [F.cross_entropy(model.logits(states[learnt]), batch.wanted[learnt]), torch.tensor(torch.nan)]
        if step % DRILL_EVERY == 0:
            row = next(drill)
            told = model(row.ids, row.positions, row.visible)[row.foretold].flatten(0, 1)
            parts[1] = DRILL_SHARE * F.cross_entropy(model.logits(told), row.wanted)
        losses = torch.stack(parts)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        losses.nansum().backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for optimizer, lr in zip(optimizers, full, strict=True):
            optimizer.param_groups[0]["lr"] = lr * _share(step, steps)
            optimizer.step()
        circuit.keep()
        mean = _followed(mean, losses.detach())
        if step % 50 == 0 or step == steps:
            minutes = (time.monotonic() - start) / 60
            left = minutes / step * (steps - step)
            shown = " ".join(f"{loss:.3f}" for loss in mean)
            print(f"answering {step}/{steps}  {shown}  {minutes:.1f} min, {left:.1f} left", flush=True)


def _followed(mean: Tensor, now: Tensor) -> Tensor:
    """Return the running mean of what is known of each loss."""
    return torch.where(mean.isnan(), now, torch.where(now.isnan(), mean, 0.98 * mean + 0.02 * now))


def _share(step: int, steps: int) -> float:
    """Return the share of the learning rate: up in a line, then down in half a cosine."""
    if step < WARM_STEPS:
        return step / WARM_STEPS
    done = (step - WARM_STEPS) / max(1, steps - WARM_STEPS)
    return LAST_SHARE + (1 - LAST_SHARE) * (1 + math.cos(math.pi * done)) / 2


if __name__ == "__main__":
    main()
