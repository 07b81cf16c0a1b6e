"""Moderators are obeyed: what they take back is unsaid, cut off, forgotten, blanked and shown no more.

Whatever was heard waits in the inbox, is being answered, or has been: all three are looked through at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.texts import text
from bot.vocabulary import Phrase, Reply
from bot.withdrawal import SILENCED_S, Withdrawal, folded_names

if TYPE_CHECKING:
    from bot.app import Aneeka


class Moderation:
    """A moderator's deeds. Each returns where it found something: ``speaking``, ``spoken``, ``waiting``, ``unknown``.

    ``speaking``: she was answering it. ``spoken``: it was in her history or records, or she named the person.
    """

    def __init__(self, aneeka: Aneeka) -> None:
        self._aneeka = aneeka
        self.on_withdrawn: Callable[[frozenset[str]], None] = lambda ids: None
        """Called with the ids of what was taken back, for whoever answers in another way than by her voice."""
        self._reply: Reply | None = None
        self._phrases: list[str] = []
        self._gone: list[Withdrawal] = []

    def withdraw(self, heard_id: str) -> str:
        """A message was deleted. It stays unsaid if it comes only later."""
        return self._take_back(Withdrawal(frozenset((heard_id,))))

    def withdraw_person(self, person_id: str, name: str = "", for_s: float = SILENCED_S) -> str:
        """A person was banned or timed out: all that they wrote, and what she said that names them.

        ``name``: as shown, if it is known. What they write in the next ``for_s`` seconds (``math.inf``: ever) is
        unsaid too, unless they are allowed before; 0 only forgets them.
        """
        a = self._aneeka
        if not person_id:
            return "unknown"
        if for_s > 0:
            a.inbox.unwanted.silence(person_id, a.now() + for_s)
        what = Withdrawal(person_id=person_id)
        names = {name, a.inbox.name_of(person_id), *(line["user"] for line in a.recorder.answered(what))}
        return self._take_back(replace(what, names=folded_names(names - {text("safety.someone")})))

    def withdraw_all(self) -> str:
        """The chat was cleared: every line of it."""
        return self._take_back(Withdrawal(chat=True))

    def allow_person(self, person_id: str) -> None:
        """Listen to this person again."""
        self._aneeka.inbox.unwanted.allow(person_id)

    def refuses(self, phrase: Phrase) -> bool:
        """Whether this phrase of the current reply names somebody who was withdrawn since the reply began."""
        self._follow()
        self._phrases.append(phrase.text)
        return any(what.names_in(phrase.text) for what in self._gone)

    def _follow(self) -> None:
        """Count phrases and withdrawals from the beginning of the current reply."""
        if self._reply is not self._aneeka.reply:
            self._reply, self._phrases, self._gone = self._aneeka.reply, [], []

    def _take_back(self, what: Withdrawal) -> str:
        a, reply = self._aneeka, self._aneeka.reply
        self._follow()
        if reply is not None:
            self._gone.append(what)
        answering = frozenset(h.id for h in reply.cue.heard if what.takes(h)) if reply else frozenset()
        cut = bool(answering) or any(map(what.names_in, self._phrases))
        if cut:
            a.cut("withdrawn")
        answered = frozenset(line["id"] for line in a.recorder.answered(what))
        held = a.hand.take_back(what)
        what = replace(what, ids=what.ids | answering | answered | held)
        waiting = a.inbox.take_back(what) | held
        forgotten = a.memory.forget(what)
        turns = a.recorder.withdraw(what)
        if reply is not None and not cut and forgotten and reply.cue.mode != "say" and not a.stage.position:
            cut = True  # its prompt holds what was forgotten, and nobody has heard anything of it yet
            a.cut("withdrawn")
        if reply is not None and cut:
            turns.append(reply.id)
        self._show(what, what.ids | waiting, turns, over=reply is None or cut)
        self.on_withdrawn(what.ids | waiting)
        if turns or forgotten:
            a.thinking.forget()
        return "speaking" if answering else "spoken" if turns or forgotten else "waiting" if waiting else "unknown"

    def _show(self, what: Withdrawal, ids: frozenset[str], turns: list[str], *, over: bool) -> None:
        """Let every page drop it; ``over``: nothing else is being said."""
        a = self._aneeka
        a.pages.show({"type": "withdrawn", "replies": turns[-1:]})
        if turns and over:
            a.pages.show({"type": "card"})
            for body in a.bodies.values():
                body.says("")
        whose = {"user_id": what.person_id, "chat": what.chat, "at_ms": round(time.time() * 1000)}
        a.live.tell({"type": "withdrawn", "ids": sorted(ids), "turns": turns, **whose})
