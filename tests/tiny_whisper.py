"""A Whisper model without weights from anywhere: real shapes and files, and a transcript written into its positions.

The decoder's embedding of each position holds the token that comes next, whatever the sound is, so that the whole way
through faster-whisper and CTranslate2 (features, encoder, language, decoder, tokeniser) runs and its result is known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs.whisper_spec import WhisperSpec
from tokenizers import AddedToken, Tokenizer, decoders, models

WIDTH = 64
TEXT_TOKENS = 50_257
CODES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml "
    "cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am "
    "yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su"
).split()
SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in CODES),
    *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nocaptions|>", "<|notimestamps|>"),
]
SOT = TEXT_TOKENS + 1
TIMES = [f"<|{i * 0.02:.2f}|>" for i in range(1501)]
NOISE = 0.02


def write(
    folder: Path,
    words: list[str],
    *,
    languages: tuple[str, ...] = ("fr", "es", "en"),
    no_speech: bool = False,
    hotwords: bool = False,
) -> Path:
    """Write a model that hears ``words`` in everything.

    ``languages``: from the most probable down. ``no_speech``: it is sure that nobody spoke, and unsure of each word.
    ``hotwords``: the recogniser is given some (the tokeniser knows none of their letters, which leaves their mark).
    """
    filling = [f"Ġ{i}" for i in range(TEXT_TOKENS - len(words) - 1)]
    vocabulary = [*words, *filling, "", *SPECIAL, *TIMES]  # the empty one is how CTranslate2 knows many languages
    ids = {token: i for i, token in enumerate(vocabulary)}
    random = np.random.default_rng(7)
    spec = WhisperSpec(1, 2, 1, 2)

    def matrix(*shape: int) -> Any:
        return (random.standard_normal(shape) * NOISE).astype(np.float32)

    def norm(layer: Any, gain: float = 1.0) -> None:
        layer.gamma, layer.beta = np.full(WIDTH, gain, np.float32), np.zeros(WIDTH, np.float32)

    def linear(layer: Any, out: int, inside: int) -> None:
        layer.weight, layer.bias = matrix(out, inside), np.zeros(out, np.float32)

    def attention(layer: Any, *widths: int) -> None:
        norm(layer.layer_norm)
        for part, out in zip(layer.linear, widths, strict=True):
            linear(part, out, WIDTH)

    for side in (spec.encoder, spec.decoder):
        norm(side.layer_norm, 5.0 if side is spec.decoder else 1.0)
        for layer in side.layer:
            attention(layer.self_attention, 3 * WIDTH, WIDTH)
            if side is spec.decoder:
                attention(layer.attention, WIDTH, 2 * WIDTH, WIDTH)
            norm(layer.ffn.layer_norm)
            linear(layer.ffn.linear_0, 2 * WIDTH, WIDTH)
            linear(layer.ffn.linear_1, WIDTH, 2 * WIDTH)
    spec.encoder.conv1.weight, spec.encoder.conv1.bias = matrix(WIDTH, 80, 3), np.zeros(WIDTH, np.float32)
    spec.encoder.conv2.weight, spec.encoder.conv2.bias = matrix(WIDTH, WIDTH, 3), np.zeros(WIDTH, np.float32)
    spec.encoder.position_encodings.encodings = matrix(1500, WIDTH)

    tokens = (random.standard_normal((len(vocabulary), WIDTH)) / np.sqrt(WIDTH)).astype(np.float32)
    places = np.zeros((448, WIDTH), np.float32)
    for rank, code in enumerate(languages):
        tokens[ids[f"<|{code}|>"]] = np.eye(WIDTH, dtype=np.float32)[rank]
        places[0] += tokens[ids[f"<|{code}|>"]] * (12 - 2 * rank)
    before = 1 if hotwords else 0
    if no_speech:
        places[before] += tokens[ids["<|nocaptions|>"]] * 2000
    for i, word in enumerate([*words, "<|endoftext|>"]):
        rivals = [f"Ġ{4 * i + k}" for k in range(3)] if no_speech else []
        for k, token in enumerate([word, *rivals]):
            tokens[ids[token]] = np.eye(WIDTH, dtype=np.float32)[8 + 4 * i + k]
            places[before + 3 + i] += tokens[ids[token]] * (12 if token == word else 11.9)
    spec.decoder.embeddings.weight = tokens
    spec.decoder.projection.weight, spec.decoder.projection.bias = tokens.copy(), np.zeros(len(tokens), np.float32)
    spec.decoder.position_encodings.encodings = places
    spec.register_vocabulary(vocabulary)
    spec.config.suppress_ids = [SOT]
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [ids[f"<|{code}|>"] for code in CODES]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize(quantization="int8")
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    tokenizer = Tokenizer(models.BPE(vocab={t: i for t, i in ids.items() if i < TEXT_TOKENS}, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in [*SPECIAL, *TIMES]])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
