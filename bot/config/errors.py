"""What is wrong with a configuration, told to a person: the key, what was found, what is wanted, what to do."""

from __future__ import annotations

from dataclasses import dataclass

from bot.texts import text


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. ``where`` is ``file:line``, or the environment variable. No secret is ever in it.

    ``key`` is the dotted name, or empty where a whole file, or a line without a key, is meant.
    """

    key: str
    found: str
    wanted: str
    suggestion: str
    where: str

    def __str__(self) -> str:
        place = ": ".join(filter(None, (self.where, self.key)))
        line = text("config.problem", place=place, found=self.found, wanted=self.wanted, suggestion=self.suggestion)
        return _printable(line)


class ConfigErrors(Exception):
    """All mistakes of a configuration at once; as text, one line each."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def _printable(line: str) -> str:
    """Show what a terminal would obey or choke on (control characters, half characters) as escapes."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
