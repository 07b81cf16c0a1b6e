"""Makes the demo brain again, from the line grammar to ``demo.gguf``.

``uv run --group training python -m bot.mind.demo.train``: some 15 to 30 minutes on two cores, as busy as they are.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from llama_cpp import Llama as LlamaFile

from bot.mind.chat_tokens import ChatTokens
from bot.mind.demo.copying import teach_copying
from bot.mind.demo.lessons import School
from bot.mind.demo.model import Llama, Shape, write_gguf
from bot.mind.demo.tokenizer import Vocabulary, learn

TARGET = Path(__file__).with_name("demo.gguf")
SEED = 20
VOCABULARY = 2048
VOCABULARY_LESSONS = 12_000
STEPS = 6000
BATCH_TOKENS = 1600
POOL = 1024
"""Lessons that are sorted by length before they are cut into batches."""
LONGEST = 900
RATE, MATRIX_RATE = 2e-3, 0.005
"""Four times quicker, and within 100 steps the model forgets how to copy (see ``copying``)."""
LAST_SHARE, WARM_STEPS = 0.02, 100
IGNORED = -100

Ids = tuple[list[int], list[list[int]]]
"""A prompt's token ids, and those of each answer."""


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
        _train(model, _batches(tokens, SEED + 1), args.steps)
    write_gguf(args.out, vocabulary, shape, model)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


def _vocabulary() -> Vocabulary:
    lessons = islice(School(SEED).lessons(), VOCABULARY_LESSONS)
    return learn((text for each in lessons for text in (each.messages[-1]["content"], *each.answers)), VOCABULARY)


def _batches(tokens: ChatTokens, seed: int) -> Iterator[Batch]:
    """Yield batches of lessons of about the same length."""
    end = _end_of_turn(tokens)
    lessons = School(seed).lessons()
    while True:
        pool = []
        for lesson in islice(lessons, POOL):
            asked = tokens.prompt(lesson.messages)
            answers = [[*tokens.content(answer), end] for answer in lesson.answers]
            if len(asked) + sum(map(len, answers)) <= LONGEST:
                pool.append((asked, answers))
        pool.sort(key=_length)
        groups: list[list[Ids]] = [[]]
        for each in pool:
            if (len(groups[-1]) + 1) * _length(each) > BATCH_TOKENS:
                groups.append([])
            groups[-1].append(each)
        for at in torch.randperm(len(groups)).tolist():
            yield Batch(groups[at])


def _length(lesson: Ids) -> int:
    return len(lesson[0]) + sum(map(len, lesson[1]))


class Batch:
    """Some lessons as tensors. A prompt stands once; each of its answers sees the prompt and itself, not the others."""

    def __init__(self, lessons: list[Ids]) -> None:
        shape = (len(lessons), max(map(_length, lessons)))
        self.ids = torch.zeros(shape, dtype=torch.long)
        self.positions = torch.zeros(shape)
        self.wanted = torch.full(shape, IGNORED)
        part = torch.full(shape, -1)
        for row, (asked, answers) in enumerate(lessons):
            begin = len(asked)
            self.ids[row, :begin] = torch.tensor(asked)
            self.positions[row, :begin] = torch.arange(begin)
            part[row, :begin] = 0
            for number, answer in enumerate(answers, 1):
                # The prompt's last token, once more: each answer's first token follows it.
                whole = torch.tensor([asked[-1], *answer])
                spot = slice(begin, begin + len(answer))
                self.ids[row, spot] = whole[:-1]
                self.wanted[row, spot] = whole[1:]
                self.positions[row, spot] = torch.arange(len(asked) - 1, len(asked) - 1 + len(answer))
                part[row, spot] = number
                begin += len(answer)
            part[row, len(asked) - 1] = -2
        earlier = torch.ones(shape[1], shape[1], dtype=torch.bool).tril()
        seen, sees = part[:, None, :], part[:, :, None]
        self.visible = earlier & ((seen == 0) | (seen == sees))


def _end_of_turn(tokens: ChatTokens) -> int:
    return next(token for token in sorted(tokens.markers) if tokens.ends(token))


def _train(model: Llama, batches: Iterator[Batch], steps: int) -> None:
    matrices = [weight for weight in model.blk.parameters() if weight.dim() == 2]
    others = [model.token_embd.weight, *(weight for weight in model.parameters() if weight.dim() == 1)]
    optimizers = [
        torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=0.01),
        torch.optim.AdamW(others, lr=RATE, betas=(0.9, 0.97), weight_decay=0.0),
    ]
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    start, mean = time.monotonic(), 0.0
    for step, batch in enumerate(islice(batches, steps), 1):
        learnt = batch.wanted != IGNORED
        states = model(batch.ids, batch.positions, batch.visible)
        loss = F.cross_entropy(model.logits(states[learnt]), batch.wanted[learnt])
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        share = _rate(step, steps)
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * share
            optimizer.step()
        mean = loss.item() if step == 1 else 0.98 * mean + 0.02 * loss.item()
        if step % 50 == 0 or step == steps:
            minutes = (time.monotonic() - start) / 60
            left = minutes / step * (steps - step)
            print(f"step {step}/{steps}  loss {mean:.3f}  {minutes:.1f} min, {left:.1f} left", flush=True)


def _rate(step: int, steps: int) -> float:
    """Return the share of the learning rate: up in a line, then down in half a cosine."""
    if step < WARM_STEPS:
        return step / WARM_STEPS
    done = (step - WARM_STEPS) / max(1, steps - WARM_STEPS)
    return LAST_SHARE + (1 - LAST_SHARE) * (1 + math.cos(math.pi * done)) / 2


if __name__ == "__main__":
    main()
