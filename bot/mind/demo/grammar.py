"""The line grammar of the demo brain: what people say and what she answers, by intent, in plain text files.

The files lie in ``lines/<language>/``. ``# intent: modes`` opens an intent; ``>`` is a pattern of what people say,
``<`` an answer with its expression, ``~`` a short clause for an answer to several viewers; ``= name`` opens a list
of words. In patterns ``(a|b)`` is one of these, ``{list}`` a word of a list. In answers ``{user}`` is the viewer,
``{bot}`` she herself, and ``<…>`` is left out where there is no name to say.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from pathlib import Path

from bot.vocabulary import EXPRESSIONS, Language

LINES = Path(__file__).parent / "lines"
MODES = frozenset(("chat", "operator", "many", "event", "idle"))

_SAID = re.compile(r"\[(\w+)\] (\S.*)")
_CHOICE = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}")
_NAMED = re.compile(r"<([^<>]*)>")
_MISPLACED_NAME = re.compile(r"[^\s<]\{user\}")


class GrammarError(Exception):
    """A line of the grammar is not written as it should be; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: ``text`` with its marks for names, in an expression."""

    expression: str
    text: str

    def filled(self, user: str, bot: str) -> str:
        """Return what she says to ``user``, empty for nobody, with its tag."""
        return f"[{self.expression}] {fill(self.text, user, bot)}"


@dataclass(slots=True)
class Intent:
    """What people may mean, how they say it, and what she answers."""

    name: str
    modes: frozenset[str]
    heard: list[str] = field(default_factory=list)
    said: list[Answer] = field(default_factory=list)
    clauses: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Grammar:
    """All intents and word lists of one language."""

    language: Language
    intents: dict[str, Intent] = field(default_factory=dict)
    words: dict[str, list[str]] = field(default_factory=dict)

    def serving(self, mode: str) -> list[Intent]:
        """Return the intents of a mode, in the order of the files."""
        return [intent for intent in self.intents.values() if mode in intent.modes]

    def spoken(self, intent: Intent, bot: str, chance: random.Random) -> str:
        """Return one way of saying an intent."""
        return " ".join(self._expand(chance.choice(intent.heard), bot, chance).split())

    def _expand(self, pattern: str, bot: str, chance: random.Random) -> str:
        while choice := _CHOICE.search(pattern):
            pattern = pattern[: choice.start()] + chance.choice(choice[1].split("|")) + pattern[choice.end() :]
        return _SLOT.sub(lambda slot: bot if slot[1] == "bot" else chance.choice(self.words[slot[1]]), pattern)


def read(language: Language) -> Grammar:
    """Read all files of a language. Raises ``GrammarError``."""
    grammar = Grammar(language)
    for file in sorted((LINES / language).glob("*.txt")):
        _read_file(file, grammar)
    for intent in grammar.intents.values():
        for pattern in intent.heard:
            unknown = set(_SLOT.findall(pattern)) - set(grammar.words) - {"bot"}
            if unknown or pattern.count("(") != pattern.count(")"):
                raise GrammarError(f"{language}, {intent.name}: {pattern!r} {sorted(unknown)}")
    return grammar


def fill(text: str, user: str, bot: str) -> str:
    """Put names into an answer; without a user, what depends on the name goes."""
    text = _NAMED.sub(r"\1" if user else "", text)
    text = text.replace("{user}", user).replace("{bot}", bot).strip()
    if user:
        return text
    first = next((at for at, sign in enumerate(text) if sign.isalpha()), 0)
    return text[:first] + text[first : first + 1].upper() + text[first + 1 :]


def _read_file(file: Path, grammar: Grammar) -> None:
    intent: Intent | None = None
    words: list[str] | None = None
    for number, row in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        line = row.strip()
        if not line or line.startswith("//"):
            continue
        mark, rest = line[0], line[1:].strip()
        try:
            if mark == "#":
                intent, words = _open(rest, grammar), None
            elif mark == "=":
                words = grammar.words.setdefault(rest, [])
            elif words is not None:
                words.append(line)
            elif intent is None:
                raise ValueError("no intent is open")
            elif mark == ">":
                intent.heard.append(rest)
            elif mark == "<":
                intent.said.append(_answer(rest))
            elif mark == "~":
                intent.clauses.append(_placed(rest))
            else:
                raise ValueError("a line begins with // # = > < or ~")
        except ValueError as error:
            raise GrammarError(f"{file.name}, {number}: {line!r}: {error}") from None


def _open(heading: str, grammar: Grammar) -> Intent:
    name, *modes = heading.replace(":", " ").split()
    if not modes or not MODES.issuperset(modes):
        raise ValueError(f"modes are {sorted(MODES)}")
    if name in grammar.intents:
        raise ValueError("written twice")
    intent = grammar.intents[name] = Intent(name, frozenset(modes))
    return intent


def _answer(written: str) -> Answer:
    parts = _SAID.fullmatch(written)
    if parts is None or parts[1] not in EXPRESSIONS:
        raise ValueError("an answer begins with its [expression]")
    return Answer(parts[1], _placed(parts[2]))


def _placed(text: str) -> str:
    """Return the text; a name must be a word of its own, so that it is the same tokens as where it was read."""
    if _MISPLACED_NAME.search(text):
        raise ValueError("{user} stands at the start or behind a blank")
    return text
