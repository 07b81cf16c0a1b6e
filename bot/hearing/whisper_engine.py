"""The child's half of ``bot.hearing.whisper``: faster-whisper's model, one encoding a window, no retries.

The library's own ``transcribe`` encodes a second time to find the language and tries again at higher temperatures;
both cost as much as the answer itself, so its parts are used one by one here: features, encoder, decoder, tokeniser.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.mind.llama_engine import physical_cores
from bot.texts import text
from bot.vocabulary import EngineDown

try:
    import ctranslate2
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer
except ImportError as missing:
    raise EngineDown(text("whisper.missing"), text("whisper.missing_repair")) from missing

log = logging.getLogger(__name__)

RATE_HZ = 16_000
WINDOW_S = 30
"""What the model reads at once; shorter sound is filled up with silence."""
CUT_S = 10
"""A longer utterance is cut at its quietest moment within the last seconds of a window."""
TOKENS_PER_S = 10.0
"""More than anybody says; the model writes no further when it has lost itself in a loop."""
FEWEST_TOKENS = 24
CHOSEN = ("es", "en")
"""Languages that ``auto`` chooses among."""
THREADS = 8
"""More make CTranslate2's decoder no quicker."""

Floats = npt.NDArray[np.float32]


class WhisperEngine:
    """Options: ``folder`` (a CTranslate2 model), ``device``, ``language`` (``auto``: es or en), ``hotwords``.

    Raises ``EngineDown`` when the model cannot be loaded or the graphics card, if it is insisted on, cannot be used.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._language: str = options["language"]
        self._hotwords: str = options["hotwords"]
        self._cancelled = False
        self.device, self._model = _load(Path(options["folder"]), options["device"])
        self._tokenizers: dict[str, Tokenizer] = {}
        began = time.perf_counter()
        for _ in self._windows(np.zeros(RATE_HZ, dtype=np.float32)):
            pass
        self._window_s = time.perf_counter() - began

    def run(self, request: dict[str, Any], payload: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Write down ``payload`` (16 bits, 16 kHz): one item a window; without sound, tell the pace.

        Items: ``text``, ``language``, ``seconds``, ``no_speech``, ``mean_logprob``, or ``window_s`` and ``device``.
        """
        self._cancelled = False
        if not payload:
            yield {"window_s": self._window_s, "device": self.device}, b""
            return
        began = time.perf_counter()
        count = 0
        for item in self._windows(np.frombuffer(payload, "<i2") * np.float32(1 / 32768)):
            count += 1
            yield item, b""
        self._window_s += 0.3 * ((time.perf_counter() - began) / max(count, 1) - self._window_s)
        yield {"window_s": self._window_s, "device": self.device}, b""

    def cancel(self) -> None:
        """Stop before the next window: one that is being encoded cannot be left."""
        self._cancelled = True

    def _windows(self, sound: Floats) -> Iterator[dict[str, Any]]:
        language = "" if self._language == "auto" else self._language.split("-")[0]
        for window in windows(sound):
            if self._cancelled:
                return
            encoded = self._model.encode(self._features(window))
            language = language or self._detect(encoded)
            yield {**self._write(encoded, language, len(window) / RATE_HZ), "language": language}

    def _features(self, window: Floats) -> Floats:
        """Return the mel features of a window, filled up with silence to its full length."""
        frames = self._model.feature_extractor.nb_max_frames
        features: Floats = self._model.feature_extractor(window)[..., :frames]
        return np.pad(features, [(0, 0), (0, frames - features.shape[-1])])

    def _detect(self, encoded: Any) -> str:
        """Return the more probable one of the languages she speaks."""
        if not self._model.model.is_multilingual:
            return "en"
        probabilities = dict(self._model.model.detect_language(encoded)[0])
        return max(CHOSEN, key=lambda code: probabilities.get(f"<|{code}|>", 0.0))

    def _write(self, encoded: Any, language: str, seconds: float) -> dict[str, Any]:
        tokenizer = self._tokenizer(language)
        prompt = self._model.get_prompt(tokenizer, [], without_timestamps=True, hotwords=self._hotwords or None)
        room = max(FEWEST_TOKENS, round(TOKENS_PER_S * seconds))
        result = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=1,
            max_length=min(self._model.max_length, len(prompt) + room),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=[-1],
        )[0]
        tokens = result.sequences_ids[0]
        return {
            "text": tokenizer.decode(tokens).strip(),
            "seconds": seconds,
            "no_speech": result.no_speech_prob,
            "mean_logprob": result.scores[0] * len(tokens) / (len(tokens) + 1),
        }

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            known = self._model.hf_tokenizer.token_to_id(f"<|{language}|>") is not None
            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer,
                self._model.model.is_multilingual,
                task="transcribe",
                language=language if known else "en",
            )
        return self._tokenizers[language]


def windows(sound: Floats) -> Iterator[Floats]:
    """Cut sound into windows the model can read, each as long as possible, never inside a loud stretch."""
    most, block = WINDOW_S * RATE_HZ, RATE_HZ // 10
    while len(sound) > most:
        tail = sound[most - CUT_S * RATE_HZ : most].reshape(-1, block)
        cut = most - CUT_S * RATE_HZ + int(np.argmin((tail**2).mean(axis=1))) * block + block // 2
        yield sound[:cut]
        sound = sound[cut:]
    yield sound


def _load(folder: Path, device: str) -> tuple[str, WhisperModel]:
    """Load the model on the graphics card if it is wanted and works, else on the processor."""
    if device in ("auto", "cuda") and ctranslate2.get_cuda_device_count() > 0:
        try:
            model = WhisperModel(str(folder), device="cuda", compute_type="int8_float16", local_files_only=True)
            model.encode(np.zeros((model.model.n_mels, model.feature_extractor.nb_max_frames), np.float32))
        except (RuntimeError, ValueError) as error:
            if device == "cuda":
                raise EngineDown(text("whisper.no_cuda"), text("whisper.no_cuda_repair")) from error
            log.warning("the graphics card cannot be used: %s", error)
        else:
            return "cuda", model
    elif device == "cuda":
        raise EngineDown(text("whisper.no_cuda"), text("whisper.no_cuda_repair"))
    threads = min(THREADS, max(1, physical_cores() - 1))
    try:
        return "cpu", WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
        )
    except (RuntimeError, ValueError, OSError) as error:
        reason = text("whisper.broken", folder=folder)
        raise EngineDown(reason, text("whisper.broken_repair")) from error
