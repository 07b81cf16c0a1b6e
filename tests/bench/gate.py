"""Measures the gate: what it catches, what it stops by mistake, and how long a line takes.

``python -m tests.bench.gate FILE.csv [--json] [--out] [--strictness …]``: columns ``text``, ``label`` (empty or
``clean`` for a clean line, else a class) and ``language``. ``--out`` judges the lines as her own words.

``python -m tests.bench.gate --own [--chat FOLDER] [--json]``: severe listed words in every evasion of
``gate_evasions`` and ``gate_heldout``, and clean lines: the folder's recorded chat, and what the demo brain's grammar
says and hears.
Recorded or written lines that are rightly stopped are told apart by ``gate_labels.txt``: a hash and a class each.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
import re
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.mind.demo import grammar
from bot.safety.gate import Gate
from bot.safety.listing import Row, rows
from bot.vocabulary import Heard, Language, Phrase
from tests.bench.gate_evasions import EVASIONS as KNOWN
from tests.bench.gate_heldout import EVASIONS as HELD_OUT

LABELS = Path(__file__).with_name("gate_labels.txt")
CLEAN = frozenset(("", "clean"))
SHORTEST_TERM = 4
SPOKEN_PER_INTENT = 120
WARMING = 500


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    label: str
    language: str
    out: bool = False


@dataclass(slots=True)
class Tally:
    """What became of the lines of one label."""

    lines: int = 0
    stopped: int = 0
    same_class: int = 0
    times_us: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        times = sorted(self.times_us)
        return {
            "lines": self.lines,
            "stopped_percent": round(100 * self.stopped / self.lines, 3),
            "same_class_percent": round(100 * self.same_class / self.lines, 3),
            "median_us": round(statistics.median(times), 1),
            "p95_us": round(times[int(0.95 * (len(times) - 1))], 1),
            "worst_us": round(times[-1], 1),
        }


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def labels() -> dict[str, str]:
    """Read the hash and class of lines that are rightly stopped."""
    pairs = (row.split() for row in LABELS.read_text("utf-8").splitlines() if row and not row.startswith("#"))
    return {pair[0]: pair[1] for pair in pairs}


def severe_terms() -> list[Row]:
    """Return the listed slurs of one word that the gate is judged on."""
    return [
        row
        for row in rows()
        if row.kind == "slurs" and row.severity > 1 and " " not in row.words and len(row.words) >= SHORTEST_TERM
    ]


def recorded(folder: Path) -> Iterator[Line]:
    """Yield the chat of a folder, each text once; orders to bots and whole addresses are labelled by their look."""
    seen: set[str] = set()
    for file in sorted(folder.glob("*.jsonl")):
        for row in file.read_text("utf-8").splitlines():
            said = json.loads(row)["text"]
            if said in seen:
                continue
            seen.add(said)
            is_link = "http" in said or "www." in said
            label = "bot_commands" if re.match(r"![A-Za-z]", said) else "links" if is_link else ""
            yield Line(said, label, "en")


def generated() -> Iterator[Line]:
    """Yield what the grammar hears and says, each text once."""
    languages: tuple[Language, ...] = ("es", "en")
    for language in languages:
        known = grammar.read(language)
        chance = random.Random(7)
        for intent in known.intents.values():
            heard = (known.spoken(intent, "Aneeka", chance) for _ in range(SPOKEN_PER_INTENT if intent.heard else 0))
            said = [answer.filled("Ana", "Aneeka").partition("] ")[2] for answer in intent.said]
            said += [grammar.fill(clause, "Ana", "Aneeka") for clause in intent.clauses]
            yield from (Line(text, "", language) for text in dict.fromkeys(heard))
            yield from (Line(text.replace("<", "").replace(">", ""), "", language, out=True) for text in said)


def clean_lines(chat: Path | None) -> list[Line]:
    """Return all clean lines, with those that are rightly stopped under their class."""
    known = labels()
    lines = [*(recorded(chat) if chat else ()), *generated()]
    return [Line(one.text, known.get(hash_of(one.text), one.label), one.language, one.out) for one in lines]


def measure(gate: Gate, lines: Iterable[Line]) -> tuple[dict[str, Tally], list[tuple[Line, str]]]:
    """Judge all lines; return the tallies by label, and the clean lines that were stopped."""
    tallies: dict[str, Tally] = {}
    mistaken = []
    for number, line in enumerate(lines):
        heard, phrase = Heard("1", "chat", line.text, 0.0), Phrase(str(number), 0, line.text)
        start = time.perf_counter()
        reason = gate.goes_out(phrase) if line.out else gate.comes_in(heard)
        spent = time.perf_counter() - start
        label = "clean" if line.label in CLEAN else line.label
        tally = tallies.setdefault(label, Tally())
        tally.lines += 1
        tally.stopped += reason is not None
        tally.same_class += reason == label or (reason == "command" and label == "bot_commands")
        tally.times_us.append(1e6 * spent)
        if label == "clean" and reason is not None:
            mistaken.append((line, reason))
    return tallies, mistaken


def warm(gate: Gate) -> None:
    """Build what is built at first use, so that no line is timed with it."""
    for number in range(WARMING):
        gate.comes_in(Heard("1", "chat", f"hola n{number}! what a day, señor ｗide", 0.0))


def evaded(gate: Gate) -> dict[str, dict[str, float]]:
    """Return the percentage of severe words stopped by evasion, for the known and the held-out ones."""
    terms = severe_terms()
    found: dict[str, dict[str, float]] = {"known": {}, "held_out": {}}
    for name, evasions in (("known", KNOWN), ("held_out", HELD_OUT)):
        for evasion, write in evasions.items():
            stopped = sum(gate.judge(f"hey {write(row.words)} hey") is not None for row in terms)
            found[name][evasion] = round(100 * stopped / len(terms), 2)
        found[name]["all"] = round(statistics.mean(found[name].values()), 3)
    return found


def report(asked: argparse.Namespace) -> dict[str, Any]:
    gate = Gate(asked.strictness)
    warm(gate)
    if not asked.own:
        with Path(asked.file).open(encoding="utf-8", newline="") as file:
            lines = [
                Line(row["text"], (row.get("label") or "").strip().lower(), row.get("language") or "", asked.out)
                for row in csv.DictReader(file)
            ]
    else:
        lines = clean_lines(asked.chat)
    tallies, mistaken = measure(gate, lines)
    told: dict[str, Any] = {"by_label": {label: tallies[label].summary() for label in sorted(tallies)}}
    by_language: dict[str, list[Line]] = {}
    for line in lines:
        by_language.setdefault(line.language, []).append(line)
    told["by_language"] = {}
    for language, some in sorted(by_language.items()):
        parts, _ = measure(gate, some)
        bad = [tally for label, tally in parts.items() if label != "clean"]
        clean = parts.get("clean", Tally())
        told["by_language"][language] = {
            "bad_lines": sum(tally.lines for tally in bad),
            "recall_percent": round(100 * sum(t.stopped for t in bad) / max(1, sum(t.lines for t in bad)), 3),
            "clean_lines": clean.lines,
            "false_positive_percent": round(100 * clean.stopped / max(1, clean.lines), 3),
        }
    if asked.own:
        told["severe_terms"] = len(severe_terms())
        told["evasions"] = evaded(gate)
        told["mistaken"] = {hash_of(line.text): reason for line, reason in mistaken}
    return told


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gate", description=__doc__)
    parser.add_argument("file", nargs="?", metavar="FILE.csv")
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--chat", type=Path, metavar="FOLDER", help="recorded chat (*.jsonl), with --own")
    parser.add_argument("--out", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--strictness", choices=("family", "standard", "relaxed"), default="standard")
    asked = parser.parse_args()
    if not asked.own and not asked.file:
        parser.error("FILE.csv or --own")
    told = report(asked)
    if asked.json:
        print(json.dumps(told, indent=1))
        return
    print(f"{'label':<20}{'lines':>8}{'stopped %':>11}{'class %':>9}{'median µs':>11}{'p95 µs':>9}{'worst µs':>10}")
    for label, row in told["by_label"].items():
        print(
            f"{label:<20}{row['lines']:>8}{row['stopped_percent']:>11.3f}{row['same_class_percent']:>9.1f}"
            f"{row['median_us']:>11.1f}{row['p95_us']:>9.1f}{row['worst_us']:>10.1f}"
        )
    for language, row in told["by_language"].items():
        print(f"{language or '?'}: {row}")
    if asked.own:
        print(f"severe words: {told['severe_terms']}")
        for name, found in told["evasions"].items():
            print(f"{name}: {found.pop('all')} %; " + ", ".join(f"{e} {p}" for e, p in found.items() if p < 100))
        print("stopped by mistake:", told["mistaken"])


if __name__ == "__main__":
    main()
