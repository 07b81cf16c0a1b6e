"""The way in: what was said or done to her is judged, shown and put where the director finds it."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from bot.chat.event_policy import THANKED
from bot.vocabulary import Heard, Kind, Person, sound_text

if TYPE_CHECKING:
    from bot.app import Aneeka


class Intake:
    """Takes in chat, events and the operator's words, in that one place for all of them."""

    def __init__(self, aneeka: Aneeka) -> None:
        self._aneeka = aneeka
        self._ids = count(1)
        self.last_s = aneeka.now()
        """When something fit to be answered came, or she fell silent."""

    def heard(self, kind: Kind, said: str, person: Person | None = None) -> Heard:
        """Make a ``Heard`` of this moment with an id of its own."""
        a = self._aneeka
        return Heard(f"{kind}-{a.session}-{next(self._ids)}", kind, said, a.now(), person)

    def hear(self, heard: Heard, unfit: str | None = None) -> None:
        """Take in something said or done to her; ``unfit``: why it is not to be answered."""
        a = self._aneeka
        now = a.now()
        heard = replace(heard, text=sound_text(heard.text))
        if heard.kind in ("operator", "say"):
            a.hand.seen()
        blocked = "ignored" if a.hand.blocks(heard.person) else a.gate.comes_in(heard)
        if blocked not in (None, "ignored") and heard.event in THANKED:
            heard, blocked = replace(heard, text=""), None  # the deed gets its thanks, the words are not answered
        name = heard.person.name if heard.person else ""
        if heard.person is not None:
            safe = a.gate.safe_name(name)
            heard = replace(heard, person=replace(heard.person, name=safe))
            a.listening.meets(safe)
        if heard.kind != "say":
            self._show(heard, name, blocked, now)
        if a.inbox.add(heard, now, blocked or unfit) is not None:
            return
        self.last_s = now
        a.director.noticed(heard, now)
        a.performer.notices(heard.kind, heard.event, now)
        if a.director.yields_to(heard):
            a.cut("operator")
        a.look()

    def _show(self, heard: Heard, name: str, blocked: str | None, now: float) -> None:
        """Let the studio see it, with what was thought of it."""
        person = heard.person
        said = "" if self._aneeka.inbox.unwanted.takes(heard, now) else heard.text
        shown = {"user": name, "roles": sorted(person.roles) if person else [], "text": said, "kind": heard.kind}
        judged = {"blocked": blocked, "bad_name": bool(name and person and person.name != name)}
        whose = {"user_id": person.id if person else "", "at_ms": round(time.time() * 1000)}
        self._aneeka.live.tell({"type": "chat", "id": heard.id, **shown, **judged, **whose})
