"""The demo brain's own byte-level BPE, in the shape that llama.cpp reads (``tokenizer.ggml.pre = llama-bpe``).

Merges stay inside words: signs are never part of a longer token, so that a name is cut into the same tokens whatever
stands behind it, and can be copied. Llama 3's control tokens and chat template make prompt building the same for both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

CONTROL = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
TEMPLATE = (
    "{% for message in messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
    " + message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.first %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
"""Llama 3's turns; documented at llama.com, "Llama 3 Model Cards and Prompt formats"."""
_WORDS = r" ?\p{L}+|\p{N}|\s|."


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens in the order of their ids, the control tokens first, and the merges by rank."""

    tokens: list[str]
    merges: list[tuple[str, str]]


def learn(texts: Iterable[str], size: int) -> Vocabulary:
    """Learn a vocabulary of ``size`` tokens; the same texts give the same one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(CONTROL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    by_id = {index: token for token, index in tokenizer.get_vocab().items()}
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return Vocabulary([by_id[index] for index in range(len(by_id))], [tuple(merge) for merge in merges])
