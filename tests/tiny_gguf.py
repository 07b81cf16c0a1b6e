"""Writes a tiny Llama with random weights as a GGUF: real tokeniser, real template, meaningless text."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

CONTROL = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end_of_text|>")
MARKER = "<|thought|>"
"""A marker that the vocabulary calls user-defined: llama.cpp reads it in any text, however it is tokenised."""
TEMPLATE = (
    "{% for message in messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
    " + message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.first %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
    "{# <|thought|> #}"
)
CONTEXT = 8192


def byte_letters() -> list[str]:
    """Return the printable letter that byte-level BPE writes for each of the 256 bytes."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    shifted = {byte: 256 + i for i, byte in enumerate(b for b in range(256) if b not in plain)}
    return [chr(shifted.get(byte, byte)) for byte in range(256)]


MERGES = [("o", "l"), ("h", "ol"), ("hol", "a"), ("u", "e"), ("e", "n"), ("Ġ", "q"), ("Ġ", "a"), ("Ã", "±"), ("<", "|")]


def vocabulary() -> list[str]:
    """Return all tokens in order of their ids: bytes, merged ones, control tokens, the marker."""
    return [*byte_letters(), *(a + b for a, b in MERGES), *CONTROL, MARKER]


def write(
    path: Path, *, dim: int = 64, layers: int = 2, template: str | None = TEMPLATE, says: str = "", add_bos: bool = True
) -> Path:
    """Write the model; the same arguments give the same weights.

    With ``says`` it answers exactly that and ends its turn (every byte of it only once); otherwise it never ends.
    """
    tokens = vocabulary()
    control = range(256 + len(MERGES), 256 + len(MERGES) + len(CONTROL))
    kinds = [gguf.TokenType.CONTROL if i in control else gguf.TokenType.NORMAL for i in range(len(tokens) - 1)]
    heads, feed = 4, 2 * dim
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(dim)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(feed)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(dim // heads)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types([*kinds, gguf.TokenType.USER_DEFINED])
    writer.add_token_merges([f"{a} {b}" for a, b in MERGES])
    writer.add_bos_token_id(tokens.index("<|begin_of_text|>"))
    writer.add_eos_token_id(tokens.index("<|eot_id|>"))
    writer.add_add_bos_token(add_bos)
    if template is not None:
        writer.add_chat_template(template)

    random = np.random.default_rng(7)

    def matrix(rows: int, columns: int) -> npt.NDArray[np.float16]:
        return (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float16)

    embedding = matrix(len(tokens), dim) * np.float16(4)
    output = matrix(len(tokens), dim) * np.float16(8)
    output[control.start :] = 0  # so that greedy text never ends by itself
    if says:
        output[:] = 0
        chain = [ord("\n"), *says.encode(), tokens.index("<|eot_id|>")]
        ids = [tokens.index(byte_letters()[link]) if link < 256 else link for link in chain]
        for link, following in pairwise(ids):
            output[following] = embedding[link]
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(dim, np.float32))
    for n in range(layers):
        for name, rows, columns in (
            ("attn_q", dim, dim),
            ("attn_k", dim // 2, dim),
            ("attn_v", dim // 2, dim),
            ("attn_output", dim, dim),
            ("ffn_gate", feed, dim),
            ("ffn_up", feed, dim),
            ("ffn_down", dim, feed),
        ):
            weights = matrix(rows, columns)
            writer.add_tensor(f"blk.{n}.{name}.weight", weights * 0 if says else weights)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{n}.{name}.weight", np.ones(dim, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]))
