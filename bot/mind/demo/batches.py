"""Lessons as tensors: whole prompts with their answers, and single lines with what is meant by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch

from bot.mind.chat_tokens import ChatTokens
from bot.mind.demo.lessons import School

BATCH_TOKENS = 1200
LINES = 120
POOL = 1024
"""Lessons that are sorted by length before they are cut into batches."""
LONGEST, LONGEST_LINE = 900, 64
IGNORED = -100
OPENING = 4
"""Tokens of an answer that decide which one it is: its tag, and its first word."""


@dataclass(frozen=True, slots=True)
class _Ids:
    """A lesson in token ids."""

    asked: list[int]
    answers: list[list[int]]
    intents: list[int]

    def __len__(self) -> int:
        return len(self.asked) + sum(map(len, self.answers))


class Batch:
    """Some lessons. A prompt stands once; each of its answers sees the prompt and itself, not the others."""

    def __init__(self, lessons: list[_Ids], intents: int) -> None:
        shape = (len(lessons), max(map(len, lessons)))
        self.ids = torch.zeros(shape, dtype=torch.long)
        self.positions = torch.zeros(shape)
        self.wanted = torch.full(shape, IGNORED)
        openings, meant = [], []
        part = torch.full(shape, -1)
        for row, lesson in enumerate(lessons):
            begin = len(lesson.asked)
            self.ids[row, :begin] = torch.tensor(lesson.asked)
            self.positions[row, :begin] = torch.arange(begin)
            part[row, :begin] = 0
            share = torch.zeros(intents).index_add_(
                0, torch.tensor(lesson.intents), torch.full((len(lesson.intents),), 1 / len(lesson.intents))
            )
            for number, answer in enumerate(lesson.answers, 1):
                # The prompt's last token, once more: each answer's first token follows it.
                whole = torch.tensor([lesson.asked[-1], *answer])
                spot = slice(begin, begin + len(answer))
                self.ids[row, spot] = whole[:-1]
                self.wanted[row, spot] = whole[1:]
                self.positions[row, spot] = torch.arange(len(answer)) + len(lesson.asked) - 1
                part[row, spot] = number
                openings += [(row, begin + at) for at in range(OPENING)]
                meant += [share] * OPENING
                begin += len(answer)
            part[row, len(lesson.asked) - 1] = -2
        earlier = torch.ones(shape[1], shape[1], dtype=torch.bool).tril()
        seen, sees = part[:, None, :], part[:, :, None]
        self.visible = earlier & ((seen == 0) | (seen == sees))
        self.openings = torch.tensor(openings).T
        """Row and place of the first tokens of each answer."""
        self.meant = torch.stack(meant)
        """For each of ``openings`` what was meant: a share of 1 for every intent."""


class Lines:
    """Some lines of what is heard, each with its intent."""

    def __init__(self, lines: list[tuple[list[int], int]]) -> None:
        shape = (len(lines), max(len(line) for line, _ in lines))
        self.ids = torch.zeros(shape, dtype=torch.long)
        self.real = torch.zeros(*shape, 1)
        for row, (line, _) in enumerate(lines):
            self.ids[row, : len(line)] = torch.tensor(line)
            self.real[row, : len(line)] = 1
        self.positions = torch.arange(shape[1]).float().expand(shape)
        self.visible = torch.ones(shape[1], shape[1], dtype=torch.bool).tril().expand(len(lines), -1, -1)
        self.meant = torch.tensor([intent for _, intent in lines])


def lessons(tokens: ChatTokens, intents: list[str], seed: int) -> Iterator[Batch]:
    """Yield batches of lessons of about the same length, without end."""
    end = next(token for token in sorted(tokens.markers) if tokens.ends(token))
    place = {name: number for number, name in enumerate(intents)}
    source = School(seed).lessons()
    while True:
        pool = []
        for lesson in islice(source, POOL):
            answers = [[*tokens.content(answer), end] for answer in lesson.answers]
            ids = _Ids(tokens.prompt(lesson.messages), answers, [place[name] for name in lesson.intents])
            if len(ids) <= LONGEST:
                pool.append(ids)
        pool.sort(key=len)
        groups: list[list[_Ids]] = [[]]
        for each in pool:
            if (len(groups[-1]) + 1) * len(each) > BATCH_TOKENS:
                groups.append([])
            groups[-1].append(each)
        for at in torch.randperm(len(groups)).tolist():
            yield Batch(groups[at], len(intents))


def lines(tokens: ChatTokens, intents: list[str], seed: int) -> Iterator[Lines]:
    """Yield batches of lines of about the same length, without end."""
    place = {name: number for number, name in enumerate(intents)}
    source = School(seed).lines()
    while True:
        pool = [(tokens.content(line), place[intent]) for line, intent in islice(source, POOL)]
        pool = sorted((each for each in pool if len(each[0]) <= LONGEST_LINE), key=lambda each: len(each[0]))
        groups = [pool[at : at + LINES] for at in range(0, len(pool), LINES)]
        for at in torch.randperm(len(groups)).tolist():
            yield Lines(groups[at])
