"""A start that can copy: two layers of hand-made weights which find what stood behind the present token before.

Names must be copied, not known. A model this small does not find out how within an hour (after 4,400 steps it still
knew only the names of its lessons), so it starts with the circuit that bigger ones learn by themselves, called
induction head (Olsson et al. 2022, "In-context Learning and Induction Heads"), and training only fits it in. In the
first layer one head looks at the token before, and notes it in a part of the state kept free for it. In the second
layer two heads look for the place whose note is the present token, and bring the token that stands there. Training
goes around it (``Circuit.keep``): left to itself it would tear the circuit down within some hundred steps.
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
FOUND, BROUGHT = 14.0, 6.0
"""The score of a note that is the present token, and how loudly the token at that place is brought."""
SLOW = 0.01
"""Radians a token, below which a rotary pair hardly turns over the length of a prompt."""


class Circuit:
    """The copying circuit of a model: made with it, and kept through its training."""

    def __init__(self, model: Llama) -> None:
        """Overwrite the embeddings, the first head of the first layer and two heads of the second."""
        with torch.no_grad():
            size = model.shape.width // model.shape.heads
            speed = ROPE_BASE ** (-torch.arange(0, size, 2).float() / size)
            free = slice(1, model.shape.width - size)
            embeddings = model.token_embd.weight
            embeddings.normal_(std=SPREAD)
            embeddings[:, 0] = CONSTANT * SPREAD
            embeddings[:, free.stop :] = 0
            one = math.sqrt(model.shape.width / (CONSTANT**2 + free.stop - 1))
            """What the norm makes of one ``SPREAD``."""
            noted = _part_of(free.stop - 1, size)
            _look_back(model, speed, one, free, noted)
            _find(model, speed, one, free, noted)
            first, second, note = model.blk[0], model.blk[1], slice(free.stop, None)
            first.attn_output.weight[note, size:] = 0
            first.ffn_down.weight[note] = 0
            everything, looking, finding = slice(None), slice(0, size), slice(0, 2 * size)
            places = [(part.weight, (looking, everything)) for part in (first.attn_q, first.attn_k, first.attn_v)]
            places += [(part.weight, (finding, everything)) for part in (second.attn_q, second.attn_k, second.attn_v)]
            places += [
                (first.attn_output.weight, (everything, looking)),
                (first.attn_output.weight, (note, everything)),
            ]
            places += [(first.ffn_down.weight, (note, everything)), (embeddings, (everything, note))]
            self._kept = [(weight, place, weight[place].clone()) for weight, place in places]

    def keep(self) -> None:
        """Put back what a step of training has changed of it."""
        with torch.no_grad():
            for weight, place, was in self._kept:
                weight[place] = was


def _look_back(model: Llama, speed: Tensor, one: float, free: slice, noted: Tensor) -> None:
    layer, size = model.blk[0], len(noted)
    mine = slice(0, size)
    for part in (layer.attn_q, layer.attn_k, layer.attn_v):
        part.weight[mine] = 0
    strength = torch.zeros(size // 2)
    strength[: len(NEAREST)] = (torch.tensor(NEAREST) * math.sqrt(size)).sqrt() / (CONSTANT * one)
    layer.attn_q.weight[0:size:2, 0] = strength
    layer.attn_k.weight[0:size:2, 0] = strength * speed.cos()
    layer.attn_k.weight[1:size:2, 0] = strength * speed.sin()
    layer.attn_v.weight[mine, free] = noted
    layer.attn_output.weight[:, mine] = 0
    layer.attn_output.weight[free.stop :, mine] = torch.eye(size) * SPREAD


def _find(model: Llama, speed: Tensor, one: float, free: slice, noted: Tensor) -> None:
    layer, size = model.blk[1], len(noted)
    slow = [number for number in range(size) if speed[number // 2] < SLOW]
    strength = math.sqrt(FOUND * math.sqrt(size) / len(slow)) / one
    for head in range(2):
        mine = slice(head * size, (head + 1) * size)
        for part in (layer.attn_q, layer.attn_k, layer.attn_v):
            part.weight[mine] = 0
        rows = [mine.start + number for number in slow]
        compared = _part_of(size, len(slow))
        layer.attn_q.weight[rows, free] = compared @ noted * strength
        layer.attn_k.weight[rows, free.stop :] = compared * strength
        brought = _part_of(free.stop - 1, size)
        layer.attn_v.weight[mine, free] = brought
        layer.attn_output.weight[:, mine] = 0
        layer.attn_output.weight[free, mine] = brought.T * BROUGHT * SPREAD


def _part_of(width: int, size: int) -> Tensor:
    """Return a random view of ``size`` numbers on ``width``: size x width, orthonormal rows."""
    view: Tensor = torch.linalg.qr(torch.randn(width, size))[0].T
    return view
