"""The demo brain as it learns: a small Llama in torch, and the same weights as a GGUF.

llama.cpp's ``llama`` architecture: RMSNorm, rotary positions on neighbouring pairs, SwiGLU, tied embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bot.mind.demo.tokenizer import CONTROL, TEMPLATE, Vocabulary

EPSILON = 1e-5
ROPE_BASE = 500_000.0
"""As in Llama 3: more pairs hardly turn over the length of a prompt, so that tokens can be found again."""
CONTEXT = 2048
"""Positions that the file promises; lessons are mostly shorter than 300."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How big the model is."""

    width: int = 192
    layers: int = 4
    heads: int = 6
    feed: int = 512


class _Norm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight, EPSILON)


class _Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.attn_norm, self.ffn_norm = _Norm(width), _Norm(width)
        self.attn_q, self.attn_k, self.attn_v, self.attn_output = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )
        self.ffn_gate, self.ffn_up = (nn.Linear(width, shape.feed, bias=False) for _ in range(2))
        self.ffn_down = nn.Linear(shape.feed, width, bias=False)

    def forward(self, x: Tensor, turn: Tensor, visible: Tensor) -> Tensor:
        rows, length, width = x.shape
        near = self.attn_norm(x)
        q, k, v = (
            part(near).view(rows, length, self.heads, -1).transpose(1, 2)
            for part in (self.attn_q, self.attn_k, self.attn_v)
        )
        seen = F.scaled_dot_product_attention(_turned(q, turn), _turned(k, turn), v, visible)
        x = x + self.attn_output(seen.transpose(1, 2).reshape(rows, length, width))
        near = self.ffn_norm(x)
        fed: Tensor = self.ffn_down(F.silu(self.ffn_gate(near)) * self.ffn_up(near))
        return x + fed


class Llama(nn.Module):
    """The model; ``forward`` returns the final states, ``logits`` what follows each of some states."""

    def __init__(self, shape: Shape, vocabulary: int) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(vocabulary, shape.width)
        self.blk = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))
        self.output_norm = _Norm(shape.width)
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=0.02)
        for layer in self.blk:
            for last in (layer.attn_output, layer.ffn_down):
                nn.init.normal_(last.weight, std=0.02 / (2 * shape.layers) ** 0.5)

    def forward(self, ids: Tensor, positions: Tensor, visible: Tensor) -> Tensor:
        """Return rows x length x width.

        ``ids`` and ``positions``: rows x length. ``visible``: rows x length x length, whether a token (last but one
        axis) sees another.
        """
        states: Tensor = self.output_norm(self.through(ids, positions, visible, len(self.blk)))
        return states

    def through(self, ids: Tensor, positions: Tensor, visible: Tensor, layers: int) -> Tensor:
        """Return the states after some of the layers, before the last norm."""
        turn = _turn(positions, self.shape.width // self.shape.heads)
        x: Tensor = self.token_embd(ids)
        for layer in self.blk[:layers]:
            x = layer(x, turn, visible[:, None])
        return x

    def logits(self, states: Tensor) -> Tensor:
        """Return the weights of all tokens after each of ``states``."""
        return F.linear(states, self.token_embd.weight)


def _turn(positions: Tensor, size: int) -> Tensor:
    """Return cosine and sine of each position and pair: 2 x rows x 1 x length x size / 2."""
    speed = ROPE_BASE ** (-torch.arange(0, size, 2).float() / size)
    angle = positions[:, None, :, None] * speed
    return torch.stack((angle.cos(), angle.sin()))


def _turned(x: Tensor, turn: Tensor) -> Tensor:
    even, odd = x[..., 0::2], x[..., 1::2]
    cos, sin = turn
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


def write_gguf(path: Path, vocabulary: Vocabulary, shape: Shape, model: Llama | None) -> None:
    """Write a GGUF with half-precision weights; without a model, the vocabulary alone."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Aneeka demo brain")
    writer.add_license("Apache-2.0")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed)
    writer.add_head_count(shape.heads)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_vocab_size(len(vocabulary.tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(vocabulary.tokens)
    kinds = [gguf.TokenType.CONTROL if token in CONTROL else gguf.TokenType.NORMAL for token in vocabulary.tokens]
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{left} {right}" for left, right in vocabulary.merges])
    writer.add_bos_token_id(vocabulary.tokens.index(CONTROL[0]))
    writer.add_eos_token_id(vocabulary.tokens.index(CONTROL[-1]))
    writer.add_chat_template(TEMPLATE)
    weights: dict[str, Any] = model.state_dict() if model else {}
    for name, weight in weights.items():
        exact = weight.dim() == 1
        writer.add_tensor(name, weight.numpy().astype(np.float32 if exact else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
