"""How unsure a model was of what it wrote."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class Doubt:
    """A logits processor of llama-cpp-python that changes nothing: it adds up how improbable each drawn token was."""

    def __init__(self) -> None:
        self.nats = 0.0
        """Of all drawn tokens but the last, the sum of -ln p."""
        self._logits: npt.NDArray[np.single] | None = None

    def __call__(self, ids: npt.NDArray[np.intc], logits: npt.NDArray[np.single]) -> npt.NDArray[np.single]:
        """Take note of the token drawn last, and of what may be drawn now."""
        if self._logits is not None:
            self.nats -= float(self._logits[ids[-1]])
        most = logits.max()
        self._logits = logits - most - np.log(np.exp(logits - most).sum())
        return logits
