"""What the brain is asked: the persona, what was said before, what was just heard, and the instruction last.

A model reads again only what follows the first changed token, so the order is the speed: the persona never changes,
the history only grows, and a turn's message starts with exactly the words that later stand for it in the history.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.mind.memory import Memory
from bot.mind.quoting import CHAT_LIMIT, OPERATOR_LIMIT, clean_name, clean_text
from bot.mind.templates import PromptError, PromptTemplate, read
from bot.vocabulary import EXPRESSIONS, Cue, Heard, Kind, Language, Message, Mode, Person, Prompt

__all__ = ["PromptBook", "PromptError", "Situation"]

MODES: tuple[Mode, ...] = ("operator", "chat_one", "chat_many", "event", "idle")
"""The modes that ask a brain; ``say`` needs none."""
OVERHEARD_LIMIT = 160
"""Characters kept of the end of each thing that her streamer said to others: a model reads all of it every time."""
TALK: frozenset[Mode] = frozenset({"operator", "chat_one", "chat_many"})
"""The modes in which she is told what her streamer said to others."""
_OFFERED = ("name", "heard", "users", "event", "chat_per_min", "waiting", "silent_s", "turn")


@dataclass(frozen=True, slots=True)
class Situation:
    """What surrounds a turn."""

    chat_per_min: float = 0.0
    """Viewers' lines in the last minute."""
    waiting: int = 0
    """Lines that wait for an answer."""
    silent_s: float = 0.0
    """Seconds since anybody said anything."""
    overheard: tuple[Heard, ...] = ()
    """What her streamer said to others lately."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One ``Heard`` as the templates see it: cleaned, and fit to be quoted."""

    kind: Kind
    user: str
    text: str
    event: str
    first_timer: bool


class PromptBook:
    """The persona and the templates of one language."""

    def __init__(self, folder: Path, language: Language, name: str, secret: str = "") -> None:
        """Load ``folder/<language>/*.md``; ``secret`` is said to her last in the persona.

        Raises ``PromptError`` if a file is missing, broken, or fails on a sample.
        """
        folder = folder / language
        self._name = name
        self._heard = _load(folder / "heard.md", ("name", "heard"))
        self._overheard = _load(folder / "overheard.md", ("name", "overheard"))
        self._modes = {mode: _load(folder / f"{mode}.md", _OFFERED) for mode in MODES}
        persona = _load(folder / "persona.md", ("name", "expressions"))
        who = persona.render({"name": name, "expressions": EXPRESSIONS})
        self._persona = Message("system", f"{who}\n\n{secret}".strip())
        for cue in _samples():
            self.build(cue, Memory(), Situation(overheard=cue.heard))

    def build(self, cue: Cue, memory: Memory, situation: Situation) -> Prompt:
        """Return the prompt for a cue of any mode in ``MODES``. Raises ``PromptError``."""
        instruction = self._modes[cue.mode].render(
            {
                "name": self._name,
                "heard": [_line(heard) for heard in cue.heard],
                "users": names(cue.heard),
                "event": clean_name(cue.heard[0].event) if cue.heard else "",
                "chat_per_min": situation.chat_per_min,
                "waiting": situation.waiting,
                "silent_s": situation.silent_s,
                "turn": memory.remembered,
            }
        )
        if cue.mode in TALK and situation.overheard:
            lines = [_end_of(heard.text) for heard in situation.overheard]
            instruction = f"{self._overheard.render({'name': self._name, 'overheard': lines})}\n\n{instruction}"
        asked = Message("user", f"{self.heard_lines(cue)}\n\n{instruction}")
        return Prompt((self._persona, *memory.messages(), asked), cue)

    @property
    def persona(self) -> str:
        """The system prompt, which nobody is to hear."""
        return self._persona.content

    def warm_prompt(self, memory: Memory) -> Prompt:
        """Return the beginning that the next prompt will share, whatever is heard: to be read ahead."""
        return Prompt((self._persona, *memory.messages()), Cue("idle", (), 0.0))

    def heard_lines(self, cue: Cue) -> str:
        """Return what was heard, one quoted line each: the cue's message in the history, always the same bytes."""
        return self._heard.render({"name": self._name, "heard": [_line(heard) for heard in cue.heard]})


def short_persona(folder: Path, language: Language, name: str) -> str:
    """Return the persona in two sentences, for a model that is too small for the whole one. Raises ``PromptError``."""
    return _load(folder / language / "persona_short.md", ("name",)).render({"name": name})


def names(heard: Iterable[Heard]) -> list[str]:
    """Return the names of the people heard, cleaned, each person once."""
    people = {one.person.id: clean_name(one.person.name) for one in heard if one.person}
    return [name for name in people.values() if name]


def _load(file: Path, offered: tuple[str, ...]) -> PromptTemplate:
    return PromptTemplate(read(file), file, offered)


def _line(heard: Heard) -> _Line:
    person = heard.person
    return _Line(
        kind=heard.kind,
        user=clean_name(person.name) if person else "",
        text=clean_text(heard.text, CHAT_LIMIT if heard.kind in ("chat", "event") else OPERATOR_LIMIT),
        event=clean_name(heard.event),
        first_timer=bool(person and "first_timer" in person.roles),
    )


def _end_of(text: str) -> str:
    """Return the last words of a text, fit to be quoted."""
    said = clean_text(text, OPERATOR_LIMIT)
    return said if len(said) <= OVERHEARD_LIMIT else f"… {said[-OVERHEARD_LIMIT:].partition(' ')[2]}"


def _samples() -> list[Cue]:
    """One cue a mode, so that a template that cannot be filled in fails at start and not on air."""
    ana = Person("1", "Ana", frozenset({"first_timer"}))
    chat = (Heard("1", "chat", "hola", 0.0, ana), Heard("2", "chat", "hola", 0.0, Person("2", "Leo")))
    return [
        Cue("operator", (Heard("3", "operator", "hola", 0.0),), 0.0),
        Cue("chat_one", chat[:1], 0.0),
        Cue("chat_many", chat, 0.0),
        Cue("event", (Heard("4", "event", "", 0.0, ana, "raid"),), 0.0),
        Cue("idle", (Heard("5", "silence", "", 0.0),), 0.0),
    ]
