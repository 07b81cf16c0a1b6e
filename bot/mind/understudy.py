"""The understudy: she answers from written lines when no model can, and never leaves the stage silent.

The lines live in ``prompts/<language>/understudy.txt``: headings ``## mode mood: trigger, trigger`` and below each
sentences ``- [expression] text``. Viewers' words choose a line but are never part of one; only names are.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

from bot.mind.prompts import MODES, names
from bot.mind.quoting import OPERATOR_LIMIT, clean_name
from bot.mind.templates import PromptError, PromptTemplate, read
from bot.texts import table, text
from bot.vocabulary import EXPRESSIONS, Cue, Language, Prompt

LOST_THREAD = "lost_thread"
SECTION_MODES = (*MODES, LOST_THREAD)
"""What a heading may begin with; each needs a section of the mood ``generic``."""
NAMED = 3
"""How many viewers are called by name before the rest become a number."""
_OFFERED = ("name", "user", "users", "count", "event")

_HEADING = re.compile(r"##\s*(?P<mode>\w+)\s+(?P<mood>\w+)\s*(?::(?P<triggers>.*))?$")
_SENTENCE = re.compile(r"-\s*\[(?P<expression>\w+)\]\s*(?P<text>\S.*)$")
_REPEATED = re.compile(r"(\S)\1+")
_TOKEN = re.compile(r"[^\W_]+|[^\w\s]")


@dataclass(slots=True)
class _Section:
    """One heading with its sentences; ``recent`` holds those not to be said again yet."""

    mode: str
    mood: str
    line: int
    triggers: tuple[str, ...]
    sentences: list[PromptTemplate] = field(default_factory=list)
    recent: deque[int] = field(default_factory=deque)

    def fit(self, tokens: str) -> int:
        """Return how many words of the longest trigger stand in ``tokens``; -1 if none does."""
        found = [trigger for trigger in self.triggers if trigger in tokens]
        return max((sum(word.isalnum() for word in trigger.split()) for trigger in found), default=-1)


class Understudy:
    """A ``Brain`` without a model: instant, tireless, and honest about what it cannot do."""

    name = "understudy"
    prompt_tokens = 0

    def __init__(self, folder: Path, language: Language, name: str, seed: int = 0) -> None:
        """Load ``folder/<language>/understudy.txt``. Raises ``PromptError``."""
        self._name = name
        self._words = table(language)
        self._random = random.Random(seed)
        self._sections = _parse(folder / language / "understudy.txt")
        for section in self._sections:
            for sentence in section.sentences:
                sentence.render(self._values(Cue("idle", (), 0.0)))

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Stream one line, word by word, without waiting."""
        for piece in re.findall(r"\s*\S+", self._say(self._choose(prompt.cue), prompt.cue)):
            yield piece

    async def warm(self, prompt: Prompt) -> None:
        """Nothing needs to be read ahead."""

    def rescue(self, cue: Cue) -> str:
        """Return a line, with its expression tag, for when the real brain fails in the middle of an answer."""
        return self._say(self._section(LOST_THREAD), cue)

    def _choose(self, cue: Cue) -> _Section:
        """Return the section that fits best: the longest trigger wins, and of two alike the one higher in the file."""
        mode = cue.mode
        if mode == "chat_many" and len({heard.person.id for heard in cue.heard if heard.person}) == 1:
            mode = "chat_one"
        said = " ".join(heard.event if mode == "event" else heard.text for heard in cue.heard)
        tokens = f" {_tokens(said[:OPERATOR_LIMIT])} "
        candidates = [section for section in self._sections if section.mode == mode]
        best = max(candidates, key=lambda section: section.fit(tokens))
        return best if best.fit(tokens) >= 0 else self._section(mode)

    def _section(self, mode: str) -> _Section:
        return next(section for section in self._sections if (section.mode, section.mood) == (mode, "generic"))

    def _say(self, section: _Section, cue: Cue) -> str:
        fresh = [index for index in range(len(section.sentences)) if index not in section.recent]
        index = self._random.choice(fresh)
        section.recent.append(index)
        if len(section.recent) > len(section.sentences) // 2:
            section.recent.popleft()
        return section.sentences[index].render(self._values(cue))

    def _values(self, cue: Cue) -> dict[str, object]:
        people = names(cue.heard) or [self._words["prompts.someone"]]
        return {
            "name": self._name,
            "user": people[-1],
            "users": self._joined(people),
            "count": len(people),
            "event": clean_name(cue.heard[0].event).replace("_", " ") if cue.heard else "",
        }

    def _joined(self, people: list[str]) -> str:
        if len(people) == 1:
            return people[0]
        if len(people) <= NAMED:
            return self._words["prompts.users_two"].format(first=", ".join(people[:-1]), last=people[-1])
        first = ", ".join(people[:NAMED])
        return self._words["prompts.users_more"].format(first=first, count=len(people) - NAMED)


def _tokens(said: str) -> str:
    """Return words and signs apart, without accents, capitals or repeated letters: ``¡Holaaa!`` is ``¡ hola !``."""
    plain = "".join(sign for sign in unicodedata.normalize("NFD", said.casefold()) if not unicodedata.combining(sign))
    return " ".join(_TOKEN.findall(_REPEATED.sub(r"\1", plain)))


def _trigger(written: str) -> str:
    """Return a trigger as it is looked for among tokens; a ``*`` at its end lets the last word go on."""
    return f" {_tokens(written.rstrip('*'))}" + ("" if written.endswith("*") else " ")


def _parse(file: Path) -> list[_Section]:
    sections: list[_Section] = []
    for number, row in enumerate(read(file).splitlines(), start=1):
        line = row.strip()
        if not line or (line.startswith("#") and not line.startswith("##")):
            continue
        if heading := _HEADING.match(line):
            sections.append(_open(heading, file, number))
        elif sentence := _SENTENCE.match(line):
            if not sections:
                raise PromptError(text("prompts.line_without_section", file=file, line=number))
            sections[-1].sentences.append(_sentence(sentence, file, number))
        else:
            raise PromptError(text("prompts.unexpected_line", file=file, line=number))
    _check(sections, file)
    return sections


def _open(heading: re.Match[str], file: Path, number: int) -> _Section:
    mode = heading["mode"]
    if mode not in SECTION_MODES:
        raise PromptError(
            text("prompts.unknown_mode", file=file, line=number, mode=mode, modes=", ".join(SECTION_MODES))
        )
    written = (part.strip() for part in (heading["triggers"] or "").split(","))
    return _Section(mode, heading["mood"], number, tuple(_trigger(part) for part in written if part))


def _sentence(sentence: re.Match[str], file: Path, number: int) -> PromptTemplate:
    expression = sentence["expression"]
    if expression not in EXPRESSIONS:
        known = ", ".join(EXPRESSIONS)
        raise PromptError(
            text("prompts.unknown_expression", file=file, line=number, name=expression, expressions=known)
        )
    return PromptTemplate(f"[{expression}] {sentence['text']}", file, _OFFERED, number)


def _check(sections: list[_Section], file: Path) -> None:
    for section in sections:
        if not section.sentences:
            title = f"{section.mode} {section.mood}"
            raise PromptError(text("prompts.section_empty", file=file, line=section.line, section=title))
    last = max((section.line for section in sections), default=1)
    for mode in SECTION_MODES:
        if not any((section.mode, section.mood) == (mode, "generic") for section in sections):
            raise PromptError(text("prompts.section_missing", file=file, line=last, section=f"{mode} generic"))
