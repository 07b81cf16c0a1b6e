"""A start that can copy: two layers of hand-made weights which find what stood behind the present token before.

Names must be copied, not known. A model this small does not find out how within an hour (after 4,400 steps it still
knew only the names of its lessons), so it starts with the circuit that bigger ones learn by themselves, called
induction head (Olsson et al. 2022, "In-context Learning and Induction Heads"), and training only fits it in. In the
first layer two heads look at the token before and the one before that, and note them in parts of the state kept free
for them. In the second layer two heads look for the place whose notes are the present token and, if there are several,
the one before it, and bring the token that stands there. Training goes around it (``Circuit.keep``): left to itself it
would tear the circuit down within some hundred steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bot.mind.demo.model import ROPE_BASE, Llama

SPREAD = 0.05
"""Standard deviation of the token embeddings."""
CONSTANT = 6.0
"""Of the first number of each embedding, in ``SPREAD``: heads that look at places, not at tokens, live on it."""
NEAREST = (12.0, 12.0, 6.0, 6.0)
"""How much each of the quickest rotary pairs adds to the score of the token before."""
FOUND, ALSO, BROUGHT = 14.0, 7.0, 6.0
"""The score of a note that is the present token, of one that is the token before it too, and how loudly the token at
that place is brought."""
SLOW = 0.01
"""Radians a token, below which a rotary pair hardly turns over the length of a prompt."""


class Circuit:
    """The copying circuit of a model: made with it, and kept through its training."""

    def __init__(self, model: Llama) -> None:
        """Overwrite the embeddings and the first two heads of the first two layers."""
        with torch.no_grad():
            width, size = model.shape.width, model.shape.width // model.shape.heads
            speed = ROPE_BASE ** (-torch.arange(0, size, 2).float() / size)
            free, last, older = (
                slice(1, width - 2 * size),
                slice(width - 2 * size, width - size),
                slice(width - size, None),
            )
            notes = slice(last.start, None)
            embeddings = model.token_embd.weight
            embeddings.normal_(std=SPREAD)
            embeddings[:, 0] = CONSTANT * SPREAD
            embeddings[:, notes] = 0
            one = math.sqrt(width / (CONSTANT**2 + free.stop - 1))
            """What the norm makes of one ``SPREAD``."""
            noted = _part_of(free.stop - 1, size)
            first, second = model.blk[0], model.blk[1]
            for head, note in enumerate((last, older)):
                _look_back(model, head, speed, one, free, note, noted)
            for head in range(2):
                _find(model, head, speed, one, free, last, older, noted)
            heads, everything = slice(0, 2 * size), slice(None)
            first.attn_output.weight[notes, heads.stop :] = 0
            first.ffn_down.weight[notes] = 0
            places = [
                (part.weight, (heads, everything))
                for layer in (first, second)
                for part in (layer.attn_q, layer.attn_k, layer.attn_v)
            ]
            places += [(first.attn_output.weight, (everything, heads)), (first.attn_output.weight, (notes, everything))]
            places += [(first.ffn_down.weight, (notes, everything)), (embeddings, (everything, notes))]
            self._kept = [(weight, place, weight[place].clone()) for weight, place in places]

    def keep(self) -> None:
        """Put back what a step of training has changed of it."""
        with torch.no_grad():
            for weight, place, was in self._kept:
                weight[place] = was


def _look_back(model: Llama, head: int, speed: Tensor, one: float, free: slice, note: slice, noted: Tensor) -> None:
    """Make this head of the first layer note the token that stands ``head + 1`` places before."""
    layer, size = model.blk[0], len(noted)
    mine = slice(head * size, (head + 1) * size)
    for part in (layer.attn_q, layer.attn_k, layer.attn_v):
        part.weight[mine] = 0
    strength = torch.zeros(size // 2)
    strength[: len(NEAREST)] = (torch.tensor(NEAREST) * math.sqrt(size)).sqrt() / (CONSTANT * one)
    turned = speed * (head + 1)
    layer.attn_q.weight[mine.start : mine.stop : 2, 0] = strength
    layer.attn_k.weight[mine.start : mine.stop : 2, 0] = strength * turned.cos()
    layer.attn_k.weight[mine.start + 1 : mine.stop : 2, 0] = strength * turned.sin()
    layer.attn_v.weight[mine, free] = noted
    layer.attn_output.weight[:, mine] = 0
    layer.attn_output.weight[note, mine] = torch.eye(size) * SPREAD


def _find(
    model: Llama, head: int, speed: Tensor, one: float, free: slice, last: slice, older: slice, noted: Tensor
) -> None:
    """Make this head of the second layer bring the token that followed when the present ones stood there before."""
    layer, size = model.blk[1], len(noted)
    mine = slice(head * size, (head + 1) * size)
    for part in (layer.attn_q, layer.attn_k, layer.attn_v):
        part.weight[mine] = 0
    slow = [number for number in range(size) if speed[number // 2] < SLOW]
    rows = [mine.start + number for number in slow]
    strength, also = (math.sqrt(score * math.sqrt(size) / len(slow)) / one for score in (FOUND, ALSO))
    compared, compared_too = (_part_of(size, len(slow)) for _ in range(2))
    layer.attn_q.weight[rows, free] = compared @ noted * strength
    layer.attn_k.weight[rows, last] = compared * strength
    layer.attn_q.weight[rows, last] = compared_too * also
    layer.attn_k.weight[rows, older] = compared_too * also
    brought = _part_of(free.stop - 1, size)
    layer.attn_v.weight[mine, free] = brought
    layer.attn_output.weight[:, mine] = 0
    layer.attn_output.weight[free, mine] = brought.T * BROUGHT * SPREAD


def _part_of(width: int, size: int) -> Tensor:
    """Return a random view of ``size`` numbers on ``width``: size x width, orthonormal rows."""
    view: Tensor = torch.linalg.qr(torch.randn(width, size))[0].T
    return view
