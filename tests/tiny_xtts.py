"""A tiny XTTS2 model with random weights: the real code from text to sound in a second; what it says is noise."""

from __future__ import annotations

import functools
import importlib
import wave
from pathlib import Path
from typing import Any

import numpy as np

from bot.voice.xtts_engine import XttsEngine

LANGUAGES = "en es fr de it pt pl tr ru nl cs ar zh-cn hu ko ja hi".split()
CHANNELS = 32
"""Of the vocoder; its width is not in the config of a model (the real one has 512)."""


def libraries() -> tuple[Any, Any, Any]:
    """Import torch, XTTS2 and its config as the engine does, with the small vocoder."""
    torch, model, config = importlib.import_module("bot.voice.xtts_engine")._libraries()
    module: Any = importlib.import_module("TTS.tts.models.xtts")
    if not isinstance(module.HifiDecoder, functools.partial):
        module.HifiDecoder = functools.partial(module.HifiDecoder, upsample_initial_channel_decoder=CHANNELS)
    return torch, model, config


def write_model(folder: Path, *, speakers: bool = True) -> None:
    """Write model.pth, config.json, vocab.json and the model's own speakers."""
    torch, model_class, config_class = libraries()
    tokenizers: Any = importlib.import_module("tokenizers")
    xtts: Any = importlib.import_module("TTS.tts.models.xtts")
    folder.mkdir(parents=True, exist_ok=True)
    special = ["[STOP]", "[UNK]", "[SPACE]", "[START]", *(f"[{language}]" for language in LANGUAGES)]
    letters = "abcdefghijklmnopqrstuvwxyzáéíóúüñ¿¡.,!?'-:;"
    vocabulary = {token: index for index, token in enumerate([*special, *letters])}
    tokens = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokens.add_special_tokens(special)
    tokens.save(str(folder / "vocab.json"))
    config = config_class()
    shape = config.model_args
    shape.gpt_layers, shape.gpt_n_model_channels, shape.gpt_n_heads, shape.decoder_input_dim = 2, 64, 2, 64
    shape.gpt_num_audio_tokens, shape.gpt_start_audio_token, shape.gpt_stop_audio_token = 66, 64, 65
    shape.gpt_use_perceiver_resampler, shape.gpt_max_audio_tokens = True, 605
    shape.tokenizer_file = str(folder / "vocab.json")
    config.save_json(str(folder / "config.json"))
    torch.manual_seed(1)
    model = model_class(config)
    model.tokenizer = xtts.VoiceBpeTokenizer(str(folder / "vocab.json"))
    model.init_models()
    model.gpt.mel_head.bias.data[65] = -30.0  # random weights would stop at once; the engine's own limit ends it
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    if speakers:
        voice = {"gpt_cond_latent": torch.randn(1, 32, 64), "speaker_embedding": torch.randn(1, 512, 1)}
        torch.save({"Clara": voice, "Bruno": voice}, folder / "speakers_xtts.pth")


def write_sample(file: Path, seconds: float = 6.0) -> None:
    """Write a swept tone, which is all that a model of noise needs."""
    rate_hz = 22_050
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = np.sin(2 * np.pi * (200 * time_s + 40 * time_s**2)) * 8000
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, rate_hz, 0, "NONE", ""))
        out.writeframes(sound.astype("<i2").tobytes())


class TinyEngine(XttsEngine):
    """The engine, with the small vocoder."""

    def __init__(self, options: dict[str, Any]) -> None:
        libraries()
        super().__init__(options)
