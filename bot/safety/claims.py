"""Finds claims about protected groups, denial of atrocities and minors in sexual contexts: what needs no listed word.

Every word of a sentence becomes one letter of what it is there for (``G`` a group, ``I`` an insult, ``S`` should, …;
``K`` a minor, also by age, ``Z`` something sexual), and a handful of patterns are looked for in these letters. The
words lie in ``lists/claims.txt``, in rot13. Who reports or refutes such a claim ("it is wrong to say …") is let
through; about minors nobody is.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from bot.safety.listing import expand

Claim = Literal["hate", "denial", "sexual"]

LISTED = Path(__file__).with_name("lists") / "claims.txt"
MOST_WORDS = 200
LONGEST_PHRASE = 4
ABOUT_MINORS = "KZU"
"""The roles of words about minors, of sexual ones, and of phrases that only look like these."""

_SENTENCE_END = re.compile(r"[.!?;:]+(?:\s|$)")
_WORD = re.compile(r"[a-z]+")

_AGE = re.compile(r"(?<!\d)(?:[1-9]|1[0-7])(?: ?-? ?)(?:anos|anitos|years?[ -]old|yrs? old|yo)\b")
_MINORS = re.compile(r"K.{0,6}Z|Z.{0,6}K")
_HATE = re.compile(
    r"(?<![NC])(?<![NC].)(?<!N[.A]S.)(?<!NS[.A])(?<!N[.A]S)[Hh][.AM]{0,3}G|(?<!N)G[AMWG]{0,2}h"
    r"|(?<![NC])(?<![NC].)(?<![NC]..)G[AWGMN]{0,2}(?<!N)B[AM]{0,4}I"
    r"|(?<![NC])(?<![NC].)G[.AMGW]{0,3}S[.ABW]{0,3}v"
    r"|(?:^|(?<![NC])[SW]|(?<![NC])S[.AW]W)[.A]{0,1}V[.AM]{0,3}G"
    r"|(?:^|(?<![NC])[SW])[.A]{0,2}O[.AM]{0,3}G|^GO"
    r"|G[.A]{0,2}N[.AB]{0,2}R|G[.A]{0,2}BN[.A]{0,1}R|NG[.A]{0,2}R"
    r"|BIA{0,2}G|GM|MG|(?<![NC])W[.AMG]{0,3}G[.AWB]{0,3}v|(?<![NC])W[.A]{0,3}v[.AM]{0,3}G"
)
_ABOUT_THEM = re.compile(r"G[^NCP]*P[AW]{0,2}B?[AM]{0,4}I|G[^NCP]*(?<!N)H[.A]{0,2}P")
_DENIAL = re.compile(
    r"X[^NXDC]{0,4}N[.A]{0,2}[ER]|N[.AE]{0,3}E[.A]{0,2}X|B?NX|(?<!N)X[.A]{0,4}B[.A]{0,3}D|X[.AB]{0,2}DA*$"
    r"|(?:^|[^N])(?:^|.)D[.A]{0,3}X(?!.*N)|X.{0,4}B[.A]{0,2}D[.A]{0,2}$|Q[.A]{0,4}X|BA{0,2}D[.A]{0,2}X"
)
_COUNTER = re.compile(r"C.{0,6}X|X.{0,8}C|D[.A]{0,4}X[.A]{0,4}N|N[.AB]{0,3}D|DB?N")


@dataclass(frozen=True)
class _Roles:
    """What words and phrases are there for, and the first words of the phrases."""

    of: dict[str, str]
    openings: frozenset[str]

    def letters(self, words: list[str]) -> str:
        """Return one letter a word or phrase; ``.`` for what is not listed."""
        found, at = [], 0
        while at < len(words):
            length = 1
            if words[at] in self.openings:
                for longer in range(LONGEST_PHRASE, 1, -1):
                    if " ".join(words[at : at + longer]) in self.of:
                        length = longer
                        break
            found.append(self.of.get(" ".join(words[at : at + length]), "."))
            at += length
        return "".join(found)


@cache
def _roles(*, minors: bool) -> _Roles:
    """Return the roles for minors in sexual contexts, or those for all other claims."""
    roles: dict[str, str] = {}
    for line in LISTED.read_text(encoding="utf-8").splitlines():
        role, _, entry = codecs.decode(line, "rot13").partition(" ")
        if (role in ABOUT_MINORS) is minors:
            for words in expand(entry):
                roles.setdefault(words.replace("ñ", "n"), role)
    return _Roles(roles, frozenset(words.split()[0] for words in roles if " " in words))


@cache
def _sexual() -> frozenset[str]:
    """Return the words without one of which nothing is sexual."""
    return frozenset(words.split()[0] for words, role in _roles(minors=True).of.items() if role == "Z")


def _is_about_minors(sentence: str) -> bool:
    if _sexual().isdisjoint(_WORD.findall(sentence)):
        return False
    words = _WORD.findall(_AGE.sub(" underage ", sentence))[:MOST_WORDS]
    return _MINORS.search(_roles(minors=True).letters(words)) is not None


def claims(text: str) -> Iterator[tuple[Claim, int, int]]:
    """Yield ``hate``, ``denial`` or ``sexual`` and where, for a text folded by ``bot.safety.folding.fold``."""
    start, said = 0, ""
    ends = [end.end() for end in _SENTENCE_END.finditer(text)]
    for end in [*ends, len(text)]:
        sentence = text[start:end].replace("ñ", "n")
        if _is_about_minors(sentence):
            yield "sexual", start, end
        letters = _roles(minors=False).letters(_WORD.findall(sentence)[:MOST_WORDS])
        if "G" in letters and "C" not in letters and _HATE.search(letters) is not None:
            yield "hate", start, end
        start = end
        said += letters
    if "G" in said and "P" in said and "C" not in said and _ABOUT_THEM.search(said) is not None:
        yield "hate", 0, len(text)
    if "X" in said and _COUNTER.search(said) is None and _DENIAL.search(said) is not None:
        yield "denial", 0, len(text)
