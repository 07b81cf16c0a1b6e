"""Questions and answers in a terminal, and a line that shows how long something still waits."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bot.texts import text

LINE_S = 60.0
"""How often a waiting line is written where nobody watches (a file, a pipe)."""


class NoAnswer(Exception):
    """Nobody is there to answer a question that has no default."""


class Terminal:
    """The user's terminal; without one, questions are answered by their defaults."""

    def __init__(self, read: Callable[[str], str] = input) -> None:
        self._read = read
        self._live = sys.stdout.isatty()
        self._width = 0
        self._next_line_s = float("inf")

    def say(self, line: str = "") -> None:
        """Write one line."""
        self._end_waiting()
        print(line, flush=True)

    def ask(self, question: str, default: str = "") -> str:
        """Return the answer, or the default when there is none. Raises ``NoAnswer``."""
        self._end_waiting()
        try:
            answer = self._read(f"{question} [{default}]: " if default else f"{question}: ").strip()
        except EOFError:
            print(flush=True)
            if not default:
                raise NoAnswer from None
            answer = ""
        return answer or default

    def agrees(self, question: str) -> bool:
        """Return whether the user says yes, which a mere Enter is; nobody there means no."""
        try:
            answer = self.ask(f"{question} {text('twitch_setup.yes_no')}", "")
        except NoAnswer:
            return False
        return answer[:1].lower() in ("", *text("twitch_setup.yes"))

    def waiting(self, line: str, left_s: float) -> None:
        """Show that something waits: a line that is written over in a terminal, elsewhere a new one now and then."""
        if self._live:
            print("\r" + line.ljust(self._width), end="", flush=True)
            self._width = len(line)
        elif left_s <= self._next_line_s:
            self._next_line_s = left_s - LINE_S
            print(line, flush=True)

    def _end_waiting(self) -> None:
        if self._width:
            print(flush=True)
        self._width, self._next_line_s = 0, float("inf")
