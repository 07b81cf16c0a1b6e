"""Lessons as tensors: whole prompts with their answers, and single lines with what is meant by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor

from bot.mind.chat_tokens import ChatTokens
from bot.mind.demo.lessons import School

BATCH_TOKENS = 1200
ROWS, ROW_TOKENS = 16, 170
"""Of single lines: rows in a batch, and the length of a row."""
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
        self.visible = _visible(part)
        self.openings = torch.tensor(openings).T
        """Row and place of the first tokens of each answer."""
        self.meant = torch.stack(meant)
        """For each of ``openings`` what was meant: a share of 1 for every intent."""


class Lines:
    """Some lines of what is heard, each with its intent, read as they stand in a prompt: behind the persona.

    A row is a prompt's beginning and several lines; each line sees the beginning and itself, not the others.
    """

    def __init__(self, rows: list[_Row]) -> None:
        shape = (len(rows), max(map(len, rows)))
        self.ids = torch.zeros(shape, dtype=torch.long)
        self.positions = torch.zeros(shape)
        self.owner = torch.full(shape, -1)
        """The number of the line that each token belongs to, -1 for none."""
        part = torch.full(shape, -1)
        meant: list[int] = []
        for row, each in enumerate(rows):
            begin = len(each.beginning)
            self.ids[row, :begin] = torch.tensor(each.beginning)
            self.positions[row, :begin] = torch.arange(begin)
            part[row, :begin] = 0
            for number, (line, intent) in enumerate(each.lines, 1):
                spot = slice(begin, begin + len(line))
                self.ids[row, spot] = torch.tensor(line)
                self.positions[row, spot] = torch.arange(len(line)) + len(each.beginning)
                self.owner[row, spot] = len(meant)
                part[row, spot] = number
                meant.append(intent)
                begin += len(line)
        self.visible = _visible(part)
        self.meant = torch.tensor(meant)

    def whole(self, states: Tensor) -> Tensor:
        """Return the mean of ``states`` over each line: lines x width."""
        own = self.owner >= 0
        number, count = self.owner[own], len(self.meant)
        sums = torch.zeros(count, states.shape[-1]).index_add_(0, number, states[own])
        return sums / torch.bincount(number, minlength=count)[:, None]


@dataclass(slots=True)
class _Row:
    """The beginning of a prompt, and lines that may follow it."""

    beginning: list[int]
    lines: list[tuple[tuple[int, ...], int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.beginning) + sum(len(line) for line, _ in self.lines)


def _visible(part: Tensor) -> Tensor:
    """Return what each token sees: of what is earlier, part 0 and its own part."""
    length = part.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool).tril()
    seen, sees = part[:, None, :], part[:, :, None]
    return earlier & ((seen == 0) | (seen == sees))


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
    """Yield batches of lines, without end."""
    place = {name: number for number, name in enumerate(intents)}
    source = School(seed).lines()
    while True:
        open_rows: dict[str, _Row] = {}
        rows: list[_Row] = []
        for persona, line, intent in islice(source, POOL * 2):
            ids = tokens.content(line)
            if len(ids) > LONGEST_LINE:
                continue
            row = open_rows.get(persona)
            if row is None or len(row) + len(ids) > ROW_TOKENS:
                row = open_rows[persona] = _Row(_beginning(tokens, persona))
                rows.append(row)
            row.lines.append((ids, place[intent]))
        rows.sort(key=len)
        groups = [rows[at : at + ROWS] for at in range(0, len(rows), ROWS)]
        for at in torch.randperm(len(groups)).tolist():
            yield Lines(groups[at])


def _beginning(tokens: ChatTokens, persona: str) -> list[int]:
    """Return a prompt's tokens up to where what is heard begins."""
    one, other = (
        tokens.prompt([{"role": "system", "content": persona}, {"role": "user", "content": said}]) for said in "12"
    )
    return one[: next(at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])]
