"""Finds many words in one pass over a text (Aho and Corasick), in steps that grow with the text alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Automaton(Generic[T]):
    """A set of patterns, each with what it stands for."""

    def __init__(self, patterns: Iterable[tuple[str, T]]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._found: list[list[tuple[int, T]]] = [[]]
        for pattern, meaning in patterns:
            state = 0
            for letter in pattern:
                state = self._step(state, letter)
            self._found[state].append((len(pattern), meaning))
        self._link()

    def _step(self, state: int, letter: str) -> int:
        if letter not in self._next[state]:
            self._next[state][letter] = len(self._next)
            self._next.append({})
            self._found.append([])
        return self._next[state][letter]

    def _link(self) -> None:
        """Point every state to where the search goes on when its letter does not follow."""
        back = [0] * len(self._next)
        order = deque(self._next[0].values())
        while order:
            state = order.popleft()
            for letter, after in self._next[state].items():
                order.append(after)
                behind = back[state]
                while behind and letter not in self._next[behind]:
                    behind = back[behind]
                back[after] = self._next[behind].get(letter, 0)
                self._found[after] = self._found[after] + self._found[back[after]]
        self._back = back

    def _learn(self, state: int, letter: str) -> int:
        """Return where a letter leads that does not follow in any pattern, and remember it."""
        behind = state
        while behind and letter not in self._next[behind]:
            behind = self._back[behind]
        after = self._next[state][letter] = self._next[behind].get(letter, 0)
        return after

    def __len__(self) -> int:
        return len(self._next)

    def search(self, letters: str) -> Iterator[tuple[int, int, T]]:
        """Yield the first and last index and the meaning of every pattern in ``letters``, by where it ends."""
        state, follow, found = 0, self._next, self._found
        for at, letter in enumerate(letters):
            after = follow[state].get(letter)
            state = self._learn(state, letter) if after is None else after
            if found[state]:
                for length, meaning in found[state]:
                    yield at - length + 1, at, meaning
