"""Commands that viewers and moderators write in chat, such as ``!aneeka hola`` or ``!skip``."""

from __future__ import annotations

import unicodedata
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal, Protocol

from bot.chat.moods import mood_in
from bot.likeness import first_word, plain, remember
from bot.vocabulary import Heard, Person, Role

Verb = Literal["ask", "forget", "mood", "mute", "unmute", "skip"]
Taken = Literal["asked", "done", "cooldown", "not_allowed", "not_understood"]

FOR_EVERYBODY: frozenset[Verb] = frozenset({"ask", "forget"})
STAFF: frozenset[Role] = frozenset({"broadcaster", "moderator"})
REMEMBERED = 5_000


class Verbs(Protocol):
    """What commands can do."""

    def ask(self, heard: Heard) -> None:
        """Hear this, which is addressed to her."""
        ...

    def mute(self) -> None:
        """Be silent until unmuted."""
        ...

    def unmute(self) -> None:
        """Speak again."""
        ...

    def skip(self) -> None:
        """End what she is saying."""
        ...

    def forget(self, person: Person) -> None:
        """Forget all that this person said."""
        ...

    def mood(self, expression: str) -> None:
        """Show one of ``EXPRESSIONS``."""
        ...


class ViewerCommands:
    """Obeys the first word of a message, and nothing else in it.

    What somebody may do follows from ``Person.roles`` alone. Other bots are never obeyed: viewers can make them write.
    """

    def __init__(
        self,
        words: Mapping[Verb, str],
        verbs: Verbs,
        name: str,
        *,
        cooldown_s: float,
        viewer_cooldown_s: float,
        bots: Collection[str] = (),
    ) -> None:
        """``words``: each verb's command, empty for none. ``name``: hers. ``bots``: names of accounts to disregard."""
        self._verbs_by_word = {unicodedata.normalize("NFC", word).lower(): verb for verb, word in words.items() if word}
        self._verbs = verbs
        self._name = name
        self._cooldown_s = cooldown_s
        self._viewer_cooldown_s = viewer_cooldown_s
        self._bots = frozenset(plain(bot) for bot in bots)
        self._ask_again_at = 0.0
        self._again_at: OrderedDict[str, float] = OrderedDict()
        self._seen: OrderedDict[str, None] = OrderedDict()

    def take(self, heard: Heard, original: str, now: float, *, ignored: bool = False) -> Taken | None:
        """Obey a chat message if it is a command; ``None``: it is none of hers.

        ``ignored``: its viewer may be forgotten, and nothing else.
        ``original``: the text as it was sent, before anything was taken out of it. After ``asked`` the message has gone
        on to ``Verbs.ask``; after anything else it is to be heard as ever, and the inbox counts it as ``command``.
        """
        word = first_word(original)
        verb = next((verb for command, verb in self._verbs_by_word.items() if _is(word, command)), None)
        person = heard.person
        if verb is None or person is None or heard.kind != "chat" or heard.id in self._seen:
            return None
        remember(self._seen, heard.id, None, REMEMBERED)
        if "bot" in person.roles or plain(person.name) in self._bots or (ignored and verb != "forget"):
            return "not_allowed"
        is_staff = bool(person.roles & STAFF)
        if verb not in FOR_EVERYBODY and not is_staff:
            return "not_allowed"
        if not is_staff and not self._is_time(verb, person, now):
            return "cooldown"
        _, found, rest = heard.text.partition(word)
        return self._obey(verb, heard, person, (rest if found else heard.text).strip())

    def _is_time(self, verb: Verb, person: Person, now: float) -> bool:
        key = f"{verb} {person.id}"
        if now < self._again_at.get(key, now) or (verb == "ask" and now < self._ask_again_at):
            return False
        remember(self._again_at, key, now + self._viewer_cooldown_s, REMEMBERED)
        if verb == "ask":
            self._ask_again_at = now + self._cooldown_s
        return True

    def _obey(self, verb: Verb, heard: Heard, person: Person, rest: str) -> Taken:
        if verb == "ask":
            self._verbs.ask(replace(heard, text=f"{self._name}, {rest}" if rest else self._name))
            return "asked"
        if verb == "mood":
            expression = mood_in(rest)
            if expression is None:
                return "not_understood"
            self._verbs.mood(expression)
        elif verb == "forget":
            self._verbs.forget(person)
        elif verb == "mute":
            self._verbs.mute()
        elif verb == "unmute":
            self._verbs.unmute()
        else:
            self._verbs.skip()
        return "done"


def _is(word: str, command: str) -> bool:
    """Whether a word is this command in any case; letters that only look or fold alike are others."""
    return len(word) == len(command) and all(a in (b, b.upper()) for a, b in zip(word, command, strict=True))
