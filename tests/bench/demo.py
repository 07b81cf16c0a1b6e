"""Examines the demo brain on prompts written apart from its grammar.

``python -m tests.bench.demo [--model FILE] [--exam FILE] [--show]``: asks every line of an exam through the real
prompts and llama.cpp, and prints the scores, by language and together. An answer is known by the line of the grammar
that it is nearest to: one that is near to none of its own language fits nothing, however it sounds.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bot.mind.demo import grammar
from bot.mind.demo.brain import MODEL, DemoBrain
from bot.mind.demo.lessons import PROMPTS, addressed
from bot.mind.demo.reader import WEIGHTS
from bot.mind.memory import Memory
from bot.mind.prompts import PromptBook, Situation, short_persona
from bot.mind.quoting import clean_name
from bot.vocabulary import EXPRESSIONS, Cue, Heard, Language, Person, Prompt

EXAM = Path(__file__).with_name("demo_exam_fresh.jsonl")
"""Nobody who worked on the grammar or the training has looked at it."""
KNOWN_EXAM = Path(__file__).with_name("demo_exam.jsonl")
"""Written apart from the grammar as well, but its mistakes have been looked at since."""
HER_NAME = "Aneeka"
NEAR = 0.8
LONGEST = 400
TAG = re.compile(r"\[(\w+)\] ")
DEFLECTING = frozenset(("unknown", "screen"))


@dataclass(slots=True)
class Marks:
    """Right answers and all that were asked, by what is examined."""

    right: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def note(self, what: str, is_right: bool) -> None:
        self.right[what] += is_right
        self.asked[what] += 1

    def percent(self) -> dict[str, float]:
        return {what: round(100 * self.right[what] / self.asked[what], 1) for what in self.asked}


@dataclass(frozen=True, slots=True)
class Answered:
    row: dict[str, Any]
    text: str
    seconds: float


def prompt_of(row: dict[str, Any], book: PromptBook) -> Prompt:
    """Build the prompt of one line of the exam."""
    kind = {"chat_one": "chat", "chat_many": "chat", "operator": "operator", "event": "event"}.get(row["mode"], "chat")
    heard = []
    for number, one in enumerate(row["heard"]):
        roles = frozenset(("first_timer",)) if one.get("first_timer") else frozenset()
        person = Person(str(number), one["user"], roles) if one["user"] else None
        heard.append(Heard(str(number), kind, one["text"], 0.0, person, one.get("event", "")))
    memory = Memory()
    memory.remembered = row.get("turn", 0)
    return book.build(Cue(row["mode"], tuple(heard), 0.0), memory, Situation(chat_per_min=20.0))


async def answers(rows: list[dict[str, Any]], model: Path) -> Iterator[Answered]:
    """Ask everything."""
    found = []
    for language in ("es", "en"):
        book = PromptBook(PROMPTS, language, HER_NAME)
        persona, weights = short_persona(PROMPTS, language, HER_NAME), model.with_name(WEIGHTS.name)
        brain = DemoBrain(persona, HER_NAME, on_health=lambda health: None, model=model, weights=weights)
        await brain.start()
        if not await brain.ready(60):
            raise SystemExit(brain.health.reason)
        for row in rows:
            if row["language"] == language:
                prompt = prompt_of(row, book)
                start = time.monotonic()
                said = "".join([piece async for piece in brain.think(prompt)])
                found.append(Answered(row, said, time.monotonic() - start))
        await brain.close()
    return iter(found)


def examine(answered: Answered, marks: Marks) -> bool:
    """Mark one answer; return whether it fits."""
    row, language = answered.row, answered.row["language"]
    tags = TAG.findall(answered.text)
    said = TAG.sub("", answered.text)
    marks.note("tag", bool(TAG.match(answered.text)) and set(tags) <= set(EXPRESSIONS))
    marks.note("length", 0 < len(said.strip()) <= LONGEST)
    users = [clean_name(one["user"]) for one in row["heard"] if one["user"]]
    if users and row["mode"] != "operator":
        marks.note("name", sum(_names(said, user) for user in users) >= min(2, len(users)))
    if row["mode"] == "chat_many":
        fits, right_language = _many_fits(said, users, row["fits"], language)
    else:
        if users:
            said = said.replace(users[0], "{user}")
        if any(one.get("first_timer") for one in row["heard"]):
            said = _unwelcomed(said, language)
        intents = nearest(said, language, clauses=False)
        fits = bool(intents & set(row["fits"]))
        right_language = bool(intents) or not nearest(said, "en" if language == "es" else "es", clauses=False)
        if set(row["fits"]) <= DEFLECTING:
            marks.note("unknown deflected", bool(intents & DEFLECTING))
    marks.note("language", right_language)
    marks.note("fits", fits)
    marks.note(f"fits in {row['mode']}", fits)
    return fits


def _names(said: str, user: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(user)}(?!\w)", said) is not None


def _many_fits(said: str, users: list[str], fits: list[list[str]], language: Language) -> tuple[bool, bool]:
    """Every viewer named must get a clause that fits; return that and whether the language is right."""
    spots = sorted((said.find(user), at) for at, user in enumerate(users) if _names(said, user))
    sentences = [(m.start(), m.end()) for m in re.finditer(r"[^.!?…]+[.!?…]+\s*|[^.!?…]+$", said)]
    good, known = 0, 0
    for place, at in spots:
        begin, end = next(((a, b) for a, b in sentences if a <= place < b), (0, len(said)))
        intents: set[str] = set()
        for stretch in range(3):
            ends = [b for a, b in sentences if a >= begin][stretch : stretch + 1]
            clause = said[begin : ends[0] if ends else end].replace(users[at], "{user}").strip()
            intents = intents or nearest(clause, language, clauses=True)
        known += bool(intents)
        good += bool(intents & set(fits[at]))
    return len(spots) >= 2 and good == len(spots), known > 0


def _unwelcomed(said: str, language: Language) -> str:
    """Take the welcome of a first-timer away."""
    for clause in _lines(language)[2]:
        if said.startswith(clause):
            return said[len(clause) :].strip()
    return said


def nearest(said: str, language: Language, *, clauses: bool) -> set[str]:
    """Return the intents of the line of the grammar that is nearest, empty if none is near."""
    lines, by_word, _ = _lines(language)
    votes: dict[int, int] = defaultdict(int)
    for word in _words(said):
        for at in by_word.get(word, ()):
            votes[at] += 1
    likely = sorted(votes, key=lambda at: -votes[at] / (3 + len(lines[at][0])))[:25]
    likely += sorted(votes, key=lambda at: -votes[at])[:25]
    best, found = NEAR, set()
    for at in dict.fromkeys(likely):
        line, is_clause, intent = lines[at]
        if is_clause != clauses:
            continue
        likeness = difflib.SequenceMatcher(None, _plain(said), _plain(line), autojunk=False).ratio()
        if likeness > best + 1e-9:
            best, found = likeness, {intent}
        elif abs(likeness - best) < 1e-9:
            found.add(intent)
    return found


@cache
def _lines(language: Language) -> tuple[list[tuple[str, bool, str]], dict[str, list[int]], list[str]]:
    lines: list[tuple[str, bool, str]] = []
    book = grammar.read(language)
    for intent in book.intents.values():
        for answer in intent.said:
            for variant in {answer.text, addressed(answer.text)}:
                lines.append((grammar.fill(variant, "{user}", HER_NAME), False, intent.name))
            if "<" in answer.text:
                lines.append((grammar.fill(answer.text, "", HER_NAME), False, intent.name))
        lines += [(clause, True, intent.name) for clause in intent.clauses]
    by_word: dict[str, list[int]] = defaultdict(list)
    for at, (line, _, _) in enumerate(lines):
        for word in set(_words(line)):
            by_word[word].append(at)
    return lines, by_word, [grammar.fill(c, "{user}", HER_NAME) for c in book.intents["welcome"].clauses]


def _plain(text: str) -> str:
    return " ".join(_words(text))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL, help="with its reader.npz beside it")
    parser.add_argument("--exam", type=Path, default=EXAM)
    parser.add_argument("--show", action="store_true", help="print every answer that does not fit")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.exam.read_text(encoding="utf-8").splitlines()]
    marks: dict[str, Marks] = {"es": Marks(), "en": Marks(), "both": Marks()}
    seconds = []
    for answered in asyncio.run(answers(rows, args.model)):
        seconds.append(answered.seconds)
        fits = examine(answered, marks["both"])
        examine(answered, marks[answered.row["language"]])
        if args.show and not fits:
            heard = " | ".join(f"{one['user']}: {one['text']}" for one in answered.row["heard"])
            print(f"{answered.row['mode']} {answered.row['fits']}  {heard}\n    {answered.text}")
    report = {language: each.percent() for language, each in marks.items()}
    seconds.sort()
    report["prompts"] = {"number": len(rows)}
    report["whole_reply_ms"] = {
        "p50": round(statistics.median(seconds) * 1000, 1),
        "p95": round(seconds[int(len(seconds) * 0.95)] * 1000, 1),
        "max": round(seconds[-1] * 1000, 1),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
