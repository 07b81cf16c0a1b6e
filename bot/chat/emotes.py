"""Emote names turned into what people know: an emoji where their meaning is known, else nothing.

Twitch marks its own emotes. Those of browser extensions (7TV, BetterTTV, FrankerFaceZ) come as plain words, told by
their shape: in recorded chat nearly every word with a capital letter inside it (``monkaS``, ``catJAM``,
``FeelsBadMan``) is one. Emoji mean the same in every language, models know them, and the voice leaves them out.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

_MEANINGS = tuple(
    (emoji, re.compile(names, re.IGNORECASE))
    for emoji, names in (
        ("😂", r"lul|kek|lmao|icant|laugh|giggle|ha(ha)+"),
        ("😭", r"sad|cry|thump|feelsbad|pepehands|notlikethis|failfish"),
        ("❤", r"love|heart|luv|bleedpurple|hug|kiss|seemsgood"),
        ("👋", r"heyguys|hello|vohiyo|wave|hi$|hey$|bye$"),
        ("👏", r"clap|applause"),
        ("🎉", r"pog|hype|party|feelsgood|feelsamazing|twitchlit|danc|jam$|pls$|rave$"),
        ("😠", r"rage|angry|madge|dansgame|salt"),
        ("😴", r"sleep|bedge|yawn"),
        ("😏", r"kappa|smug|keepo|jebait|cop(ium|ege)"),
        ("😮", r"wutface|shock|gasp|wow|susge|[45]head|pausechamp"),
        ("😨", r"monka|scare|panic"),
    )
)
"""What an emote means, by a part of its name; the first that fits counts."""

_SHAPED_LIKE_WORDS = frozenset(
    "Kappa Keepo Kreygasm LUL LULW KEKW KEKL OMEGALUL ICANT ANELE Pog POG POGGERS POGGIES Sadge SADGE Madge Bedge "
    "Gladge Okayge Susge Deadge Prayge Copege Gayge Weirdge Copium COPIUM Hopium GIGACHAD EZ Clap Pepega peepo "
    "Jebaited NODDERS NOPERS AYAYA HYPERS HYPERCLAP WAYTOODANK PJSalt SMOrc DBstyle donowall BOOBA PETPET".split()
)
"""Emotes that no capital letter inside gives away."""

_ORDINARY = frozenset(
    "youtube facebook minecraft tiktok xbox playstation microsoft github chatgpt openai macos javascript typescript "
    "paypal linkedin whatsapp iphone ipad ipod icloud itunes ebay starcraft warcraft overwatch deadlock geforce "
    "iphones mrbeast vtuber vtubers ingame wifi bluesky aftereffects onedrive powerpoint rezero mcdonalds".split()
)
"""Words that people write with a capital inside."""

_INNER_CAPITAL = re.compile(r"[a-zà-ÿ][A-ZÀ-Þ]|^\d[A-Z][a-z]{3}")
_CAPS_LOCK = re.compile(r"[a-zà-ÿ][A-ZÀ-Þ]+|Ma?c[A-Z][a-z]+")
"""``hELLO``: typed with the capitals locked. And surnames such as MacLeod."""
_LAUGHTER = re.compile(r"[jh]?(?:[aeiou]+[jh]+)+[aeiou]*|x+d+|l+o+l+", re.IGNORECASE)
_WORD = re.compile(r"(?<![@\w./])[^\W_]{2,40}(?![\w/]|\.\w)")
_CHEERMOTE = re.compile(r"(?<!\S)[A-Za-z]+(\d+)(?!\S)")
_SHORTEST = 4


def emote(name: str) -> str:
    """Return what stands for an emote of this name: an emoji, a smiley as it is, or nothing."""
    if not any(c.isalpha() for c in name[1:]) or len(name) <= 2:
        return name
    return _emoji(name)


def without_emotes(text: str, keep: Collection[str] = ()) -> str:
    """Return a text in which every word that looks like an emote is what it means; ``keep``: words that are none."""
    return joined([part_without_emotes(text, keep)])


def part_without_emotes(text: str, keep: Collection[str]) -> str:
    """Do the same with a part of a message, to be ``joined`` with the others."""
    return _WORD.sub(lambda word: _replaced(word[0], keep), text)


def without_cheermotes(text: str, bits: int) -> str:
    """Return the words of a cheer without what stands for its bits, such as ``Cheer100``; ``PS5`` is a word."""
    stands_for = set()
    for found in sorted(_CHEERMOTE.finditer(text), key=lambda found: -int(found[1])):
        if 0 < int(found[1]) <= bits:
            bits -= int(found[1])
            stands_for.add(found.start())
    return joined([_CHEERMOTE.sub(lambda found: "" if found.start() in stands_for else found[0], text)])


def joined(parts: Collection[str]) -> str:
    """Return the parts of a message as one text: blanks folded, and an emoji that follows itself said once."""
    words: list[str] = []
    for word in "".join(parts).split():
        if not (words and word == words[-1] and not word.isascii() and not any(c.isalnum() for c in word)):
            words.append(word)
    return " ".join(words)


def _replaced(word: str, keep: Collection[str]) -> str:
    return f" {_emoji(word)} " if looks_like_emote(word) and word not in keep else word


@lru_cache(4096)
def looks_like_emote(word: str) -> bool:
    """Whether a word of letters and digits has the shape of an emote's name."""
    if word in _SHAPED_LIKE_WORDS:
        return True
    capital = _INNER_CAPITAL.search(word)
    if capital is None or len(word) < _SHORTEST or word.casefold() in _ORDINARY:
        return False
    is_stretched = capital[0][0] == capital[0][1].lower()
    return not is_stretched and not any(shape.fullmatch(word) for shape in (_CAPS_LOCK, _LAUGHTER))


@lru_cache(1024)
def _emoji(name: str) -> str:
    return next((emoji for emoji, names in _MEANINGS if names.search(name)), "")
