"""Lessons as tensors: whole prompts with their answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from bot.mind.chat_tokens import ChatTokens
from bot.mind.demo.lessons import School

BATCH_TOKENS = 1200
POOL = 1024
"""Lessons that are sorted by length before they are cut into batches."""
LONGEST = 900
IGNORED = -100


@dataclass(frozen=True, slots=True)
class _Ids:
    """A lesson in token ids."""

    asked: list[int]
    answers: list[list[int]]

    def __len__(self) -> int:
        return len(self.asked) + sum(map(len, self.answers))


class Batch:
    """Some lessons. A prompt stands once; each of its answers sees the prompt and itself, not the others."""

    def __init__(self, lessons: list[_Ids]) -> None:
        shape = (len(lessons), max(map(len, lessons)))
        self.ids = torch.zeros(shape, dtype=torch.long)
        self.positions = torch.zeros(shape)
        self.wanted = torch.full(shape, IGNORED)
        part = torch.full(shape, -1)
        for row, lesson in enumerate(lessons):
            begin = len(lesson.asked)
            self.ids[row, :begin] = torch.tensor(lesson.asked)
            self.positions[row, :begin] = torch.arange(begin)
            part[row, :begin] = 0
            for number, answer in enumerate(lesson.answers, 1):
                # The prompt's last token, once more: each answer's first token follows it.
                whole = torch.tensor([lesson.asked[-1], *answer])
                spot = slice(begin, begin + len(answer))
                self.ids[row, spot] = whole[:-1]
                self.wanted[row, spot] = whole[1:]
                self.positions[row, spot] = torch.arange(len(answer)) + len(lesson.asked) - 1
                part[row, spot] = number
                begin += len(answer)
            part[row, len(lesson.asked) - 1] = -2
        self.visible = _visible(part)


def _visible(part: Tensor) -> Tensor:
    """Return what each token sees: of what is earlier, part 0 and its own part."""
    length = part.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool).tril()
    seen, sees = part[:, None, :], part[:, :, None]
    return earlier & ((seen == 0) | (seen == sees))


def lessons(tokens: ChatTokens, seed: int) -> Iterator[Batch]:
    """Yield batches of lessons of about the same length, without end."""
    end = next(token for token in sorted(tokens.markers) if tokens.ends(token))
    source = School(seed).lessons()
    while True:
        pool = []
        for lesson in islice(source, POOL):
            answers = [[*tokens.content(answer), end] for answer in lesson.answers]
            ids = _Ids(tokens.prompt(lesson.messages), answers)
            if len(ids) <= LONGEST:
                pool.append(ids)
        pool.sort(key=len)
        groups: list[list[_Ids]] = [[]]
        for each in pool:
            if (len(groups[-1]) + 1) * len(each) > BATCH_TOKENS:
                groups.append([])
            groups[-1].append(each)
        for at in torch.randperm(len(groups)).tolist():
            yield Batch(groups[at])
