"""Lessons for the demo brain: situations as the real prompts put them, each with the answer she should give.

Every prompt is built by ``PromptBook`` from the files in ``prompts/``, and shortened as it is on air.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.mind.demo import people
from bot.mind.demo.brain import CROWD, HER_NAME, MOST_NAMED, requests
from bot.mind.demo.grammar import Grammar, Intent, fill, read
from bot.mind.demo.reader import EVENT_NAMES, READ_MODES, Meant
from bot.mind.memory import Memory
from bot.mind.prompts import PromptBook, Situation, short_persona
from bot.mind.quoting import clean_name
from bot.vocabulary import Cue, Heard, Language, Person, Prompt

PROMPTS = Path(__file__).resolve().parents[3] / "prompts"
OTHER_LANGUAGE: dict[Language, Language] = {"es": "en", "en": "es"}

CROWD_SHARE = 0.06
"""Of lessons in short answers, those that speak to all who could not be named."""
_MODE_WEIGHTS = {"chat": 0.36, "many": 0.20, "operator": 0.22, "event": 0.17, "idle": 0.05}
"""How often a lesson in answering is of each mode; events have the fewest answers in common with the others."""
_LINE_WEIGHTS = {"chat": 0.5, "many": 0.35, "operator": 0.15}
"""How often a line to be read comes from each mode."""
_OPEN_WEIGHTS = {"unknown": 12.0, "statement": 5.0, "screen": 2.5, "request": 2.0, "dilemma": 1.5}
"""Intents that people fill with anything need many more examples than the others."""
_NO_GREETING = (
    "greet",
    "goodbye",
    "good_night",
    "back",
    "emotes",
    "laugh",
    "agree",
    "disagree",
    "op_say_hi",
    "op_start",
)
_NAMELESS = ("hype_train", "poll", "other_event", "announcement")
_IDLE = (
    "idle_computer idle_question idle_memory idle_space idle_dilemma idle_body idle_cats idle_compliment "
    "idle_future idle_music idle_fans idle_first_game"
).split()
"""In the order of the ideas in ``prompts/*/idle.md``."""


ANSWERS = 4
"""Answers to each prompt, at most: what it reads is the same, so several are learnt at once."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the model reads, and some answers to it that are equally good."""

    messages: list[dict[str, str]]
    answers: list[str]


@dataclass(frozen=True, slots=True)
class Line:
    """What one person says to her, in a mode of the grammar."""

    text: str
    mode: str
    intent: str


@dataclass(frozen=True, slots=True)
class _Scene:
    """What is heard, and what makes one more answer to it."""

    cue: Cue
    answer: Callable[[], str]
    intents: tuple[str, ...]
    turn: int = 0


class School:
    """Makes lessons without end; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._grammars: dict[Language, Grammar] = {"es": read("es"), "en": read("en")}
        self._books = {language: PromptBook(PROMPTS, language, HER_NAME) for language in self._grammars}

    def lessons(self) -> Iterator[Lesson]:
        """Yield lesson after lesson."""
        while True:
            language, scene = self._scene(_MODE_WEIGHTS)
            meant = [Meant(intent, 1.0) for intent in scene.intents]
            asked = requests(self._prompt(language, scene), _persona(language), meant)[-1]
            messages = [{"role": one.role, "content": one.content} for one in asked.messages]
            yield Lesson(messages, list(dict.fromkeys(scene.answer() for _ in range(ANSWERS))))

    def lines(self) -> Iterator[Line]:
        """Yield line after line of what is heard, with what is meant."""
        while True:
            _, scene = self._scene(_LINE_WEIGHTS)
            mode = READ_MODES[scene.cue.mode]
            heard = zip(scene.cue.heard, scene.intents, strict=True)
            yield from (Line(one.text, mode, intent) for one, intent in heard)

    def _scene(self, weights: dict[str, float]) -> tuple[Language, _Scene]:
        chance = self._chance
        scenes = {
            "chat": self._chat,
            "many": self._many,
            "operator": self._operator,
            "event": self._event,
            "idle": self._idle,
        }
        language: Language = chance.choice(("es", "en"))
        mode = chance.choices(list(weights), list(weights.values()))[0]
        return language, scenes[mode](self._grammars[language])

    def _prompt(self, language: Language, scene: _Scene) -> Prompt:
        chance = self._chance
        silent_s = chance.choice([30.0, 60.0, 120.0, 400.0])
        situation = Situation(chance.choice([0.0, 3.0, 20.0, 90.0]), chance.choice([0, 0, 0, 3, 30]), silent_s)
        memory = Memory()
        memory.remembered = scene.turn
        return self._books[language].build(scene.cue, memory, situation)

    # ------------------------------------------------------------------ one mode each

    def _chat(self, grammar: Grammar) -> _Scene:
        intent = self._pick(grammar.serving("chat"))
        user = self._name()
        first = self._chance.random() < 0.12

        def answer() -> str:
            if not first:
                return self._answer(intent, user)
            tag, _, rest = self._answer(intent, "").partition(" ")
            welcome = self._chance.choice(grammar.intents["welcome"].clauses)
            return f"{tag} {fill(welcome, user, HER_NAME)} {rest}"

        return _Scene(Cue("chat_one", (self._line(grammar, intent, user, first),), 0.0), answer, (intent.name,))

    def _many(self, grammar: Grammar) -> _Scene:
        """Return one of several viewers, to be answered in a clause, or more of them than can be named."""
        chance = self._chance
        crowd = chance.random() < CROWD_SHARE
        intents = [
            self._pick(grammar.serving("many"), (CROWD, "welcome")) for _ in range(MOST_NAMED + 1 if crowd else 1)
        ]
        users = [self._name() for _ in intents]
        heard = tuple(
            self._line(grammar, intent, user, chance.random() < 0.05)
            for intent, user in zip(intents, users, strict=True)
        )
        answered = grammar.intents[CROWD] if crowd else intents[0]

        def answer() -> str:
            expression = "happy" if crowd else chance.choice(answered.said).expression
            return f"[{expression}] {fill(chance.choice(answered.clauses), '' if crowd else users[0], HER_NAME)}"

        return _Scene(Cue("chat_many", heard, 0.0), answer, tuple(intent.name for intent in intents))

    def _operator(self, grammar: Grammar) -> _Scene:
        intent = self._pick(grammar.serving("operator"))
        said = self._spoken(grammar, intent)
        if self._chance.random() < 0.5:
            said = people.typed(said, grammar.language, HER_NAME, self._chance)
        cue = Cue("operator", (Heard("1", "operator", said, 0.0),), 0.0)
        return _Scene(cue, lambda: self._answer(intent, ""), (intent.name,))

    def _event(self, grammar: Grammar) -> _Scene:
        chance = self._chance
        name = chance.choice(list(EVENT_NAMES))
        intent = grammar.intents[name]
        if (said := grammar.intents.get(f"{name}_said")) and chance.random() < 0.5:
            intent = said
        user = "" if name in _NAMELESS and chance.random() < 0.6 else self._name()
        text = people.typed(self._spoken(grammar, intent), grammar.language, HER_NAME, chance) if intent.heard else ""
        person = Person("1", user) if user else None
        heard = Heard("1", "event", text, 0.0, person, chance.choice(EVENT_NAMES[name]))
        return _Scene(Cue("event", (heard,), 0.0), lambda: self._answer(intent, user), (intent.name,))

    def _idle(self, grammar: Grammar) -> _Scene:
        turn = self._chance.randrange(len(_IDLE))
        intent = grammar.intents[_IDLE[turn]]
        return _Scene(Cue("idle", (), 0.0), lambda: self._answer(intent, ""), (intent.name,), turn)

    # ------------------------------------------------------------------ parts

    def _pick(self, intents: list[Intent], without: tuple[str, ...] = ()) -> Intent:
        offered = [intent for intent in intents if intent.name not in without]
        weights = [_OPEN_WEIGHTS.get(intent.name, 1.0) for intent in offered]
        return self._chance.choices(offered, weights)[0]

    def _name(self) -> str:
        return clean_name(people.a_name(self._chance))

    def _spoken(self, grammar: Grammar, intent: Intent) -> str:
        """Return one way of saying it: sometimes behind a greeting, or about a thing that nobody has heard of."""
        said = grammar.spoken(intent, HER_NAME, self._chance)
        if intent.name == "statement" and self._chance.random() < 0.15:
            said = f"{said}, {grammar.spoken(intent, HER_NAME, self._chance)}"
        elif intent.name not in _NO_GREETING and self._chance.random() < 0.07:
            greeting = grammar.spoken(grammar.intents["greet"], HER_NAME, self._chance)
            said = f"{greeting}{self._chance.choice([',', ''])} {said}"
        if intent.name == "unknown" and self._chance.random() < 0.25:
            words = said.split()
            long = [at for at, word in enumerate(words) if len(word) > 5]
            if long:
                words[self._chance.choice(long[-2:])] = people.an_unknown_word(self._chance)
            said = " ".join(words)
        return said

    def _line(self, grammar: Grammar, intent: Intent, user: str, first: bool) -> Heard:
        chance = self._chance
        spoken_in = grammar
        if chance.random() < 0.05:
            spoken_in = self._grammars[OTHER_LANGUAGE[grammar.language]]
        if intent.name == "emotes" and chance.random() < 0.5:
            text = people.an_emote(chance)
        else:
            said = self._spoken(spoken_in, spoken_in.intents[intent.name])
            text = people.typed(said, spoken_in.language, HER_NAME, chance)
        person = Person(user, user, frozenset(("first_timer",)) if first else frozenset())
        return Heard(user, "chat", text, 0.0, person)

    def _answer(self, intent: Intent, user: str) -> str:
        answer = self._chance.choice(intent.said)
        if user and "{user}" not in answer.text:
            return f"[{answer.expression}] {fill(addressed(answer.text), user, HER_NAME)}"
        return answer.filled(user, HER_NAME)


@cache
def _persona(language: Language) -> str:
    return short_persona(PROMPTS, language, HER_NAME)


def addressed(text: str) -> str:
    """Return an answer that calls the viewer by name at the end of its first sentence."""
    end = re.search(r"(?=[.!?…:;])", text)
    at = end.start() if end else len(text)
    return f"{text[:at]}, {{user}}{text[at:]}"
