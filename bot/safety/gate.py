"""The gate: what may come in and what may go out, before anything is chosen, spoken or shown.

Reason codes are the classes of ``Class``, and ``empty``, ``ignored`` and ``command``. The strictness decides from which
severity on a listed word counts; personal data, links in her own words, hate, denial, dangerous advice and secrets are
stopped at every strictness.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from bot.likeness import plain
from bot.safety.advice import AdviceClass, advice, promises_of
from bot.safety.canary import HEARD, Canary
from bot.safety.claims import claims
from bot.safety.folding import fold, unturned
from bot.safety.leaks import Leaks
from bot.safety.listing import LEAST_SEVERITY, ListClass, Row, Strictness, rows
from bot.safety.noise import is_command, is_noise
from bot.safety.private import shapes
from bot.safety.stream import leet_stream, seams, stream
from bot.safety.words import Words
from bot.texts import text as words_for
from bot.vocabulary import Heard, Person, Phrase

Class = (
    ListClass
    | AdviceClass
    | Literal["personal_data", "links", "bot_commands", "hate", "denial", "prompt_leak", "own_list"]
)
TAIL = 100
"""Characters of a reply that are looked at again together with its next phrase."""
SEAM = 40
"""Characters said before a reply that are looked at with its beginning: two requests may each ask for half a word."""
SEVERE = 3
RIGHT_TO_LEFT = "\u202e"
FILTERED_LINES = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a text is stopped: the class, how severe it is (1 to 3), and where in the text as it was folded."""

    kind: Class
    severity: int
    span: tuple[int, int]


@cache
def _listed(strictness: Strictness) -> Words:
    return Words(row for row in rows() if row.severity >= LEAST_SEVERITY[strictness])


class Gate:
    """Judges before anything is chosen, spoken or shown."""

    def __init__(
        self,
        strictness: Strictness = "standard",
        *,
        own_words: Iterable[str] = (),
        ignored_users: Iterable[str] = (),
        secrets: Iterable[str] = (),
        canary: str = "",
        streamer: Iterable[str] = (),
    ) -> None:
        """Build the gate.

        ``own_words``: the operator's words, topics and names that are neither read nor said (a real name, an address).
        ``ignored_users``: names or ids. ``secrets``: the system prompt's texts; ``canary``: a word hidden in them.
        ``streamer``: names in which she may promise nothing.
        """
        self._strictness = strictness
        self._words = _listed(strictness)
        own = tuple(Row(" ".join(fold(word).split()), "slurs", SEVERE, False) for word in own_words if word.strip())
        self._own = Words(own, trusted=True) if own else None
        self._ignored = frozenset(plain(user) for user in ignored_users)
        self._leaks = Leaks(secrets)
        self._canary = Canary(canary)
        self._promises = promises_of(tuple(fold(name) for name in streamer))
        self._reply, self._tail, self._said = "", "", ""

    def comes_in(self, heard: Heard) -> str | None:
        """Return the reason why a message may not be chosen, or ``None``.

        The streamer's own words are only asked to be there: what she answers to them is judged when it goes out.
        """
        if not heard.text.strip():
            return None if heard.kind in ("event", "silence") else "empty"
        if heard.kind not in ("chat", "event"):
            return None
        if heard.person is not None and self.is_ignored(heard.person):
            return "ignored"
        if heard.kind == "chat" and is_command(heard.text):
            return "command"
        verdict = self.judge(heard.text)
        return verdict.kind if verdict is not None else None

    def goes_out(self, phrase: Phrase) -> str | None:
        """Return the reason why a phrase may not be spoken or shown, or ``None``.

        Phrases come in order; each is judged together with the end of its reply so far, and for split words and the
        canary with what was said before that reply too.
        """
        if phrase.reply != self._reply or phrase.index == 0:
            self._reply, self._tail = phrase.reply, ""
        if not any(c.isalnum() for c in phrase.text):
            return "empty"
        verdict = self.judge_out(phrase.text, before=self._tail)
        if verdict is None and len(self._tail) < SEAM:
            verdict = next(self._split_over(self._said[-SEAM:], phrase.text), None)
        self._tail = f"{self._tail} {phrase.text}"[-TAIL:]
        self._said = f"{self._said} {phrase.text}"[-HEARD:]
        if verdict is None and self._canary.is_told(self._said):
            self._said = ""
            return "prompt_leak"
        return verdict.kind if verdict is not None else None

    def is_ignored(self, person: Person) -> bool:
        """Whether the operator wants nothing of this person."""
        return plain(person.name) in self._ignored or plain(person.id) in self._ignored

    def safe_name(self, name: str) -> str:
        """Return a viewer's name as it may be spoken, shown and prompted: itself, or "someone" when it is a bad one."""
        if not any(c.isalnum() for c in name) or self.judge(name) is not None:
            return words_for("safety.someone")
        return name

    def judge(self, text: str) -> Verdict | None:
        """Return the worst thing that is wrong with somebody's text, or ``None``."""
        return max(self._wrong(text), key=lambda verdict: verdict.severity, default=None)

    def judge_out(self, text: str, *, before: str = "") -> Verdict | None:
        """Return the worst thing that is wrong with her own text, said behind ``before``; ``None``: nothing."""
        wrong = [*self._wrong_out(f"{before} {text}".strip())]
        if is_command(text):
            wrong.append(Verdict("bot_commands", 2, (0, len(text))))
        return max(wrong, key=lambda verdict: verdict.severity, default=None)

    def _wrong(self, text: str) -> Iterator[Verdict]:
        if is_noise(text):
            yield Verdict("spam", 1, (0, len(text)))
        for shape, start, end in shapes(text):
            if shape == "personal_data" or self._strictness != "relaxed":
                yield Verdict(shape, 3 if shape == "personal_data" else 1, (start, end))
        folded = fold(seams(text))
        yield from self._listed_in(folded)
        turned = text[::-1] if RIGHT_TO_LEFT in text else unturned(text)
        if turned is not None:
            yield from self._listed_in(fold(turned))
        for claim, start, end in claims(folded):
            yield Verdict(claim, SEVERE, (start, end))

    def _wrong_out(self, text: str) -> Iterator[Verdict]:
        yield from self._wrong(text)
        if self._strictness == "relaxed":
            yield from (Verdict(shape, 2, (start, end)) for shape, start, end in shapes(text) if shape == "links")
        folded = fold(text)
        leak = self._leaks.find(folded)
        if leak is not None:
            yield Verdict("prompt_leak", SEVERE, leak)
        for kind, start, end in advice(folded, self._promises):
            yield Verdict(kind, 2 if kind == "promise" else SEVERE, (start, end))

    def _split_over(self, before: str, text: str) -> Iterator[Verdict]:
        """Yield slurs and the operator's own words that begin in ``before`` and end in ``text``."""
        said = f"{fold(seams(before))} "
        for verdict in self._listed_in(said + fold(seams(text))):
            if verdict.kind in ("slurs", "own_list") and verdict.span[0] < len(said) < verdict.span[1]:
                yield verdict

    def _listed_in(self, folded: str) -> Iterator[Verdict]:
        plain_text, leet = stream(folded), leet_stream(folded)
        for hit in self._words.find_in(folded, plain_text, leet):
            yield Verdict(hit.row.kind, hit.row.severity, (hit.start, hit.end))
        if self._own is not None:
            for hit in self._own.find_in(folded, plain_text, leet):
                yield Verdict("own_list", SEVERE, (hit.start, hit.end))


def filtered_line(turn: int) -> str:
    """Return what she says instead of a phrase that was stopped; each turn another of her lines."""
    return words_for(f"safety.filtered_{turn % FILTERED_LINES + 1}")
