"""Which of a model's own expressions and hotkeys shows which of her moods."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

FILE_END = ".exp3.json"

_NAMES = {
    "happy": (
        "happy joy smile feliz alegre contenta contento alegria sonrisa ureshii yorokobi egao nikoniko waku"
        " tanoshii tanoshi laugh risa warau fun 笑顔 笑い 喜び 嬉しい 喜 楽しい"
    ),
    "excited": (
        "excited excitement emocionada emocionado emocion sparkle sparkles starry star stars brillo estrella"
        " wakuwaku kirakira koufun hype キラキラ ワクワク 興奮"
    ),
    "sad": (
        "sad sadness unhappy cry crying tears triste tristeza llorar llorando llanto lagrimas kanashii kanashimi"
        " naki naku namida shobon 悲しい 悲しみ 哀 泣き 泣 涙"
    ),
    "angry": (
        "angry anger mad enfadada enfadado enojada enojado enojo enfado rabia furia furiosa molesta okori ikari"
        " okoru puku pout 怒り 怒 怒る"
    ),
    "surprised": (
        "surprised surprise shock shocked sorprendida sorprendido sorpresa susto asombro odoroki bikkuri gaan"
        " 驚き 驚 びっくり ビックリ"
    ),
    "shy": (
        "shy blush blushing embarrassed embarrassment timida timido verguenza sonrojo sonrojada rubor tere tereru"
        " hazukashii terere 照れ 照れる 恥ずかしい 恥"
    ),
}
NAMES: dict[str, tuple[str, ...]] = {mood: tuple(names.split()) for mood, names in _NAMES.items()}
"""Names that riggers give, best first: English, Spanish without accents, Japanese in Latin letters and in its own."""
STOPS = frozenset(("off", "reset", "remove", "clear", "quitar", "sin", "no"))
"""A name with one of these undoes a mood."""
WHOLE_NAME, WHOLE_WORD, BEGINNING = 3, 2, 1
BEGINNING_LETTERS = 5
"""A shorter word must stand alone: "sad" is not in "sadako"."""


class Hotkey(NamedTuple):
    """One hotkey of the model. ``file``: the expression or animation it plays, if it plays one."""

    id: str
    name: str
    type: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """What shows a mood: an expression file, which can be switched off again, or else a hotkey."""

    expression: str = ""
    hotkey: str = ""


def propose_moods(hotkeys: Sequence[Hotkey], expressions: Sequence[str]) -> dict[str, str]:
    """Return a table {mood: expression file or hotkey name} from the names that the model's maker gave.

    Moods without a fitting name are left out; nothing is proposed for two moods. Expression files come first: they
    can be switched off for certain, a hotkey can not.
    """
    offers = [(file, _words(file.removesuffix(FILE_END))) for file in expressions]
    for hotkey in hotkeys:
        if hotkey.type == "ToggleExpression" and hotkey.file:
            offers.append((hotkey.file, _words(hotkey.name)))
        elif hotkey.type == "TriggerAnimation" and hotkey.name:
            offers.append((hotkey.name, _words(hotkey.name)))
    ranked = sorted(
        (-score, place, order, mood, target)
        for order, (target, words) in enumerate(offers)
        for mood in NAMES
        for score, place in [_fit(mood, words)]
        if score
    )
    table: dict[str, str] = {}
    for *_, mood, target in ranked:
        if mood not in table and target not in table.values():
            table[mood] = target
    return {mood: table[mood] for mood in NAMES if mood in table}


def resolve(
    table: Mapping[str, str], hotkeys: Sequence[Hotkey], expressions: Sequence[str]
) -> tuple[dict[str, Act], list[str]]:
    """Return what to do for each mood of a table, and the moods whose target this model does not have.

    Targets are expression files (the ending may be left out), hotkey names or hotkey ids; capitals do not matter. A
    hotkey that toggles an expression stands for the expression, which is switched rather than toggled.
    """
    files = {name: file for file in expressions for name in (file.casefold(), file.casefold().removesuffix(FILE_END))}
    keys: dict[str, Hotkey] = {}
    for key in hotkeys:
        for name in (key.id.casefold(), key.name.casefold()):
            keys.setdefault(name, key)
    acts: dict[str, Act] = {}
    missing: list[str] = []
    for mood, target in table.items():
        wanted = target.strip().casefold()
        if not wanted:
            continue
        file, hotkey = files.get(wanted), keys.get(wanted)
        if file is None and hotkey and hotkey.type == "ToggleExpression" and hotkey.file in expressions:
            file = hotkey.file
        if file is not None:
            acts[mood] = Act(expression=file)
        elif hotkey:
            acts[mood] = Act(hotkey=hotkey.id)
        else:
            missing.append(mood)
    return acts, missing


def _fit(mood: str, words: list[str]) -> tuple[int, int]:
    """Return how well a name fits a mood (0: not) and how usual the name is (less is more usual)."""
    if STOPS.intersection(words):
        return 0, 0
    fits = [(0, 0)]
    for place, name in enumerate(NAMES[mood]):
        if words == [name]:
            fits.append((WHOLE_NAME, place))
        elif name in words:
            fits.append((WHOLE_WORD, place))
        elif any(_begins(word, name) for word in words):
            fits.append((BEGINNING, place))
    return max(fits, key=lambda fit: (fit[0], -fit[1]))


def _begins(word: str, name: str) -> bool:
    """Tell whether a word is made of a name; Japanese writes no spaces, so there the name may stand anywhere."""
    return len(name) >= BEGINNING_LETTERS and word.startswith(name) if name.isascii() else name in word


def _words(name: str) -> list[str]:
    """Split a name into words without accents, capitals, digits and separators."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    plain = re.sub(r"[\u0300-\u036f]", "", unicodedata.normalize("NFD", apart))
    return re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", plain).casefold())
