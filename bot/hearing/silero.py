"""Speech or not, 32 ms at a time: the Silero voice activity model (version 6) on onnxruntime, without torch.

The model beside this file comes from the Silero VAD project (licence in ``silero_vad.LICENSE``) in the form in which
faster-whisper carries it: a block is 512 new samples after the 64 before them, and two states go from block to block.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.texts import text
from bot.vocabulary import EngineDown, Pcm

RATE_HZ = 16_000
BLOCK = 512
BLOCK_S = BLOCK / RATE_HZ
SILENCE_DB = -96.0
"""The level of digital silence."""
_CONTEXT = 64
_MODEL = Path(__file__).with_name("silero_vad.onnx")


class Silero:
    """Listens to one stream of sound, block after block, about 0.1 ms each. Raises ``EngineDown``."""

    def __init__(self) -> None:
        try:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.enable_cpu_mem_arena = False
            self._session: Any = onnxruntime.InferenceSession(str(_MODEL), options, providers=["CPUExecutionProvider"])
        except ModuleNotFoundError as missing:
            raise EngineDown(text("hearing.no_onnxruntime"), text("hearing.no_onnxruntime_repair")) from missing
        except Exception as broken:  # onnxruntime raises errors of its own, without a common base
            reason = text("hearing.vad_broken", error=type(broken).__name__)
            raise EngineDown(reason, text("hearing.vad_broken_repair")) from broken
        self.reset()

    def reset(self) -> None:
        """Forget what was heard: another stream begins."""
        self._h = self._c = np.zeros((1, 1, 128), np.float32)
        self._samples: npt.NDArray[np.float32] = np.zeros((1, _CONTEXT + BLOCK), np.float32)

    def probability(self, block: Pcm) -> float:
        """Return how likely the next 512 samples (16 kHz) hold speech, 0 to 1."""
        self._samples[0, :_CONTEXT] = self._samples[0, BLOCK:]
        self._samples[0, _CONTEXT:] = block / np.float32(32768)
        state = {"input": self._samples, "h": self._h, "c": self._c}
        likely, self._h, self._c = self._session.run(None, state)
        return float(likely.flat[0])


def level_db(pcm: Pcm) -> float:
    """Return the level of a piece of sound in dBFS (RMS), ``SILENCE_DB`` at least."""
    power = float(np.mean(np.square(pcm, dtype=np.float32))) if len(pcm) else 0.0
    return max(SILENCE_DB, 10.0 * float(np.log10(power / 32768.0**2 + 1e-12)))
