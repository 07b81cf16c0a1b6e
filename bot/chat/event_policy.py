"""The one table of what she does about channel events, and the lines that she has ready for them.

``always``: she answers it, whatever else goes on; ``maybe``: only while chat is calm; ``never``: it is shown in the
studio and that is all. ``template``: one of the written lines of ``prompts/<language>/events.toml``, at once and with
the right figures; ``brain``: the brain answers, and is told the figures.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from jinja2 import Environment
from jinja2.meta import find_undeclared_variables

from bot.event_lane import WAITING, EventRule
from bot.likeness import remember
from bot.mind.quoting import clean_name, clean_text
from bot.mind.templates import PromptError, PromptTemplate, read
from bot.texts import text
from bot.vocabulary import Heard, Language, Person

Say = Literal["always", "maybe", "never"]
By = Literal["template", "brain"]


@dataclass(frozen=True, slots=True)
class Row:
    """What she does about one kind of event."""

    say: Say
    by: By
    priority: int
    cooldown_s: float = 0.0
    max_age_s: float = 120.0
    group: str = ""


TABLE: dict[str, Row] = {
    "raid": Row("always", "brain", 90, max_age_s=180.0),
    "gift": Row("always", "template", 80, max_age_s=180.0),
    "charity": Row("always", "template", 75, max_age_s=180.0),
    "sub": Row("always", "template", 70),
    "resub": Row("always", "brain", 70),
    "hype_train": Row("always", "template", 65, max_age_s=60.0, group="hype_train"),
    "hype_train_level": Row("maybe", "template", 50, cooldown_s=60.0, max_age_s=45.0, group="hype_train"),
    "hype_train_end": Row("always", "template", 55, max_age_s=60.0, group="hype_train"),
    "cheer": Row("always", "brain", 60),
    "stream_online": Row("maybe", "template", 50, cooldown_s=600.0, group="stream"),
    "stream_offline": Row("never", "template", 50, max_age_s=30.0, group="stream"),
    "ad_break": Row("maybe", "template", 45, max_age_s=20.0),
    "poll": Row("maybe", "template", 45, max_age_s=60.0),
    "prediction": Row("maybe", "template", 45, max_age_s=60.0),
    "redemption": Row("never", "template", 40, cooldown_s=30.0, max_age_s=60.0),
    "first_timer": Row("maybe", "brain", 35, max_age_s=60.0),
    "shoutout": Row("maybe", "template", 30, cooldown_s=60.0),
    "follow": Row("maybe", "template", 30, cooldown_s=20.0, max_age_s=60.0),
    "watch_streak": Row("maybe", "template", 20, cooldown_s=60.0, max_age_s=60.0),
    "announcement": Row("never", "brain", 20, cooldown_s=60.0, max_age_s=60.0),
    "notice": Row("never", "brain", 10, cooldown_s=60.0, max_age_s=60.0),
    "shared_chat": Row("never", "brain", 0),
}
"""By event. Money and people who arrive come first; what only decorates waits for calm.

``first_timer`` and ``shared_chat`` are chat messages: ``maybe`` leaves them to the choice among chat (a newcomer's
counts for more there), ``always`` makes a newcomer's an event; what another channel of a shared chat says is chat or
nothing.
"""

THANKED = frozenset(("raid", "gift", "charity", "sub", "resub", "cheer", "watch_streak"))
"""Deeds that get their thanks even where the words that came with them may not be read."""

FIGURES = (
    "amount bits charity count level minutes months name recipient seconds streams tier title user viewers votes winner"
).split()
"""What a line may name; one that names what nobody knows is not used."""
_CHAT = frozenset(("shared_chat",))
"""What stays chat and needs no lines."""
_NAME_LIKE = frozenset(("recipient", "user"))
_TITLE_LIMIT = 80
_SAID_LIMIT = 400
_jinja = Environment(autoescape=False)  # noqa: S701 - only parses


@dataclass(frozen=True, slots=True)
class Happening:
    """One channel event as its source tells it: what is unknown is left out, never guessed."""

    id: str
    event: str
    at_s: float
    person: Person | None = None
    said: str = ""
    """The viewer's own words."""
    figures: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Line:
    template: PromptTemplate
    names: frozenset[str]


@dataclass(slots=True)
class _Lines:
    """What is ready for one kind of event; ``recent``: lines not to be said again yet."""

    told: list[_Line]
    said: list[_Line]
    recent: deque[_Line] = field(default_factory=deque)


class EventPolicy:
    """Says what becomes of every channel event."""

    def __init__(
        self, folder: Path, language: Language, name: str, choices: Mapping[str, str] | None = None, seed: int = 0
    ) -> None:
        """Load ``folder/<language>/events.toml``. Raises ``PromptError``.

        ``choices``: the user's, over the table: event to ``never``, ``always``, ``maybe template`` and the like.
        """
        self._name = name
        self._random = random.Random(seed)
        self._rows = {event: _chosen(row, (choices or {}).get(event, "")) for event, row in TABLE.items()}
        self._lines = _load(folder / language / "events.toml")
        self._known: OrderedDict[str, dict[str, object]] = OrderedDict()

    def rules(self) -> dict[str, EventRule]:
        """Return how each kind waits in the inbox."""
        return {
            event: EventRule(row.max_age_s, row.cooldown_s, row.say == "maybe", row.group)
            for event, row in self._rows.items()
        }

    def say(self, event: str) -> Say:
        """Whether she speaks about such an event."""
        return self._rows[event].say

    def heard(self, happening: Happening) -> Heard:
        """Return what the inbox is to take in: the viewer's words, and the figures for the brain."""
        figures = _fit(happening.figures)
        told = self._first(self._lines[happening.event].told, figures)
        said = clean_text(happening.said, _SAID_LIMIT)
        whole = f"{said} ({told})" if said and told else said or told
        remember(self._known, happening.id, figures, 2 * WAITING)
        return Heard(
            happening.id,
            "event",
            whole,
            happening.at_s,
            happening.person,
            happening.event,
            self._rows[happening.event].priority,
        )

    def learn(self, heard_id: str, figures: Mapping[str, int | str]) -> None:
        """Another source tells more of a happening: what it adds can be said if she has not spoken yet."""
        if heard_id in self._known:
            self._known[heard_id] = _fit(figures) | self._known[heard_id]

    def line(self, heard: Heard) -> str | None:
        """Return what she says to an event, with its expression tag; ``None``: the brain is to answer it."""
        row = self._rows.get(heard.event)
        if row is None or row.by == "brain":
            return None
        figures = dict(self._known.get(heard.id, {}))
        user = clean_name(heard.person.name) if heard.person else ""
        known = {"name": self._name, **figures, **({"user": user} if user else {})}
        lines = self._lines[heard.event]
        usable = [line for line in lines.said if line.names <= known.keys()]
        if not usable:
            return None
        telling = max(len(line.names) for line in usable)
        fresh = [line for line in usable if len(line.names) == telling]
        line = self._random.choice([line for line in fresh if line not in lines.recent] or fresh)
        lines.recent.append(line)
        if len(lines.recent) > len(fresh) // 2:
            lines.recent.popleft()
        return line.template.render(known)

    def _first(self, lines: Iterable[_Line], figures: Mapping[str, object]) -> str:
        return next((line.template.render(figures) for line in lines if line.names <= figures.keys()), "")


def _chosen(row: Row, choice: str) -> Row:
    """Return a row as the user wants it; ``choice`` is words such as ``never`` or ``always brain``."""
    for word in choice.split():
        row = replace(row, by=word) if word in get_args(By) else replace(row, say=word)  # type: ignore[arg-type]
    return row


def _fit(figures: Mapping[str, int | str]) -> dict[str, object]:
    """Return the figures fit to be quoted and spoken, without the empty ones."""
    fitting: dict[str, object] = {}
    for name, value in figures.items():
        if isinstance(value, str):
            value = clean_name(value) if name in _NAME_LIKE else clean_text(value, _TITLE_LIMIT)
        if value != "":
            fitting[name] = value
    return fitting


def _load(file: Path) -> dict[str, _Lines]:
    raw = read(file)
    try:
        tables = tomllib.loads(raw)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        raise PromptError(text("prompts.broken", file=file, line=at[1] if at else 1, reason=str(error))) from None
    loaded: dict[str, _Lines] = {}
    for event in TABLE.keys() - _CHAT:
        table = tables.get(event)
        if not isinstance(table, dict) or not table.get("said"):
            last = raw.count("\n") + 1
            raise PromptError(text("prompts.section_missing", file=file, line=last, section=f"[{event}]"))
        loaded[event] = _Lines(_lines(table.get("told"), raw, file), _lines(table["said"], raw, file))
    return loaded


def _lines(sources: object, raw: str, file: Path) -> list[_Line]:
    lines = []
    for source in map(str, sources if isinstance(sources, list) else []):
        number = raw[: max(raw.find(source), 0)].count("\n") + 1
        template = PromptTemplate(source, file, FIGURES, number)
        template.render(dict.fromkeys(FIGURES, 2))
        lines.append(_Line(template, frozenset(find_undeclared_variables(_jinja.parse(source)))))
    return lines
