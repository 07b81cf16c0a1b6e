"""Every sentence exists in both languages, with the same values, and every sentence that is asked for exists."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path
from typing import Any, get_args

import pytest

import avatar
import bot
from bot.safety import gate, second_opinion
from bot.texts import table

KEYS = sorted(set(table("es")) | set(table("en")))


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("key", KEYS)
def test_both_languages_say_it_with_the_same_values(key: str) -> None:
    spanish, english = table("es").get(key), table("en").get(key)
    assert spanish
    assert english
    assert fields(spanish) == fields(english)


def test_what_the_code_asks_for_exists_and_nothing_else_does() -> None:
    folders = [Path(package.__file__).parent for package in (bot, avatar)]
    source = "\n".join(file.read_text("utf-8") for folder in folders for file in folder.rglob("*.py"))
    asked = set(re.findall(r"""["']([a-z_]+\.[a-z0-9_]+)["']""", source)) & set(KEYS)
    literal = set(re.findall(r"""\btext\(\s*["']([a-z_]+\.[a-z0-9_]+)["']""", source))
    built = set(re.findall(r"""["']([a-z_]+\.[a-z_]*)\{""", source))
    assert literal <= set(KEYS)
    unused = {key for key in set(KEYS) - asked if not any(key.startswith(prefix) for prefix in built)}
    assert unused == set()


def test_the_studio_page_says_everything_in_both_languages() -> None:
    folder = Path(bot.__file__).parent / "studio" / "page"
    spanish, english = (json.loads((folder / f"texts-{name}.json").read_text("utf-8")) for name in ("es", "en"))

    def flat(texts: dict[str, Any], before: str = "") -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for name, value in texts.items():
            found |= flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: fields(value)}
        return found

    assert flat(spanish) == flat(english)
    assert len(flat(spanish)) > 100


def test_the_studio_page_has_words_for_every_reason_of_the_gate_and_for_the_second_opinion() -> None:
    def names(kind: Any) -> set[str]:
        return set().union(*(names(each) if get_args(each) else {each} for each in get_args(kind)))

    texts = json.loads((Path(bot.__file__).parent / "studio/page/texts-es.json").read_text("utf-8"))
    wanted = {f"blocked.{reason}" for reason in names(gate.Class) | {second_opinion.REASON}}
    wanted |= {f"engine.{kind}" for kind in get_args(second_opinion.Kind)}
    assert wanted | {"part.second_opinion"} <= set(texts)
