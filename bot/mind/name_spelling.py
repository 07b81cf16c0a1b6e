"""Holds a small model to the spelling of names: one that it has begun, it goes on as it was written, and no further."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BEGUN = 2
"""Tokens of a name that the model must have written by itself: one alone may begin another word."""


class NameSpelling:
    """A logits processor of llama-cpp-python."""

    def __init__(self, names: Sequence[Sequence[int]], prompt_tokens: int, within: npt.NDArray[np.bool_]) -> None:
        """``names``: the tokens of each behind a blank; ``within``: of each token, whether it goes on a word."""
        self._names = [list(name) for name in names if len(name) >= BEGUN]
        self._longest = max(map(len, self._names), default=0)
        self._prompt_tokens, self._within = prompt_tokens, within

    def __call__(self, ids: npt.NDArray[np.intc], logits: npt.NDArray[np.single]) -> npt.NDArray[np.single]:
        """Return the logits without what would misspell the name that is being written."""
        written = ids[max(self._prompt_tokens, len(ids) - self._longest) :].tolist()
        wanted: set[int] = set()
        complete = False
        for name in self._names:
            for begun in range(min(len(written), len(name)), BEGUN - 1, -1):
                if written[-begun:] == name[:begun]:
                    complete = complete or begun == len(name)
                    wanted.update(name[begun : begun + 1])
                    break
        if not wanted and not complete:
            return logits
        allowed = ~self._within if complete else np.zeros_like(self._within)
        allowed[list(wanted)] = True
        logits[~allowed] = -np.inf
        return logits
