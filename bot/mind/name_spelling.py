"""Holds a small model to the spelling of names: one that it has begun, it goes on as it was written, and no further."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BEGUN = 2
"""Tokens of a name that the model must have written by itself: one alone may begin another word."""


class NameSpelling:
    """A logits processor of llama-cpp-python."""

    def __init__(
        self,
        names: Sequence[Sequence[int]],
        prompt_tokens: int,
        within: npt.NDArray[np.bool_],
        leads_behind: int | None = None,
    ) -> None:
        """``names``: the tokens of each behind a blank; ``within``: of each token, whether it goes on a word.

        With ``leads_behind``, what follows the first such token of the answer is the first of the names.
        """
        self._names = [list(name) for name in names if len(name) >= BEGUN]
        self._longest = max(map(len, self._names), default=0)
        self._prompt_tokens, self._within = prompt_tokens, within
        self._leading, self._leads_behind = list(names[0]), leads_behind

    def __call__(self, ids: npt.NDArray[np.intc], logits: npt.NDArray[np.single]) -> npt.NDArray[np.single]:
        """Return the logits without what would misspell the name that is being written."""
        written = ids[self._prompt_tokens :].tolist()
        wanted, complete = self._led(written)
        written = written[-self._longest :] if self._longest else []
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

    def _led(self, written: list[int]) -> tuple[set[int], bool]:
        """Return what must come next of the name with which the answer begins, and whether it is complete."""
        if self._leads_behind not in written:
            return set(), False
        begun = written[written.index(self._leads_behind) + 1 :]
        if begun != self._leading[: len(begun)]:
            return set(), False
        return set(self._leading[len(begun) : len(begun) + 1]), len(begun) == len(self._leading)
