"""The operator's hand: answers that wait for approval, blocked viewers, whether the operator is there, and the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.reply import Outcome
from bot.safety.approval import Approvals, Draft
from bot.safety.away import Away
from bot.safety.blocks import Blocks
from bot.safety.decisions import Decisions, Who
from bot.texts import text
from bot.vocabulary import Cue, Person, Reply
from bot.withdrawal import Withdrawal

if TYPE_CHECKING:
    from bot.app import Aneeka


class Hand:
    """What the operator decides beside the desk's verbs (see ``bot.studio.hand_api.Hand``)."""

    def __init__(self, aneeka: Aneeka, data: Path) -> None:
        safety = aneeka.settings.safety
        self._aneeka = aneeka
        self.approvals = Approvals(safety.hold, safety.hold_expires_s)
        self._saying: Draft | None = None
        self._blocks = Blocks(data / "blocked.json")
        self.log = Decisions(data / "decisions.jsonl")
        self._away = Away(safety.away_minutes, aneeka.now())

    # ------------------------------------------------------------------ answers that wait

    def hold(self, reply: Reply, outcome: Outcome) -> bool:
        """Let a written answer wait for approval; ``False``: it was cut short, or has no words."""
        now, said = self._aneeka.now(), outcome.spoken.text
        if outcome.spoken.cut is not None or not said:
            return False
        tag = "" if outcome.expression == "neutral" else f"[{outcome.expression}] "
        tagged = tag + said if outcome.blocked else outcome.generated
        why, expires_s = text(f"app.why_{reply.cue.why}"), now + self.approvals.patience_s
        draft = Draft(reply.id, reply.cue, said, tagged, why, tuple(outcome.blocked), expires_s)
        left = self.approvals.add(draft)
        self._aneeka.live.tell({"type": "held", **draft.as_json(now)})
        if left is not None:
            self._over([left], "crowded_out", "clock")
        return True

    def next_approved(self) -> Cue | None:
        """Take the oldest approved answer's cue."""
        self._saying = self.approvals.next()
        return self._saying.cue if self._saying is not None else None

    def approved_for(self, cue: Cue) -> Draft | None:
        """Return the approved answer that is said for this cue, if there is one."""
        return self._saying if self._saying is not None and self._saying.cue is cue else None

    def held(self) -> list[dict[str, Any]]:
        """The answers that wait, oldest first."""
        now = self._aneeka.now()
        return [draft.as_json(now) for draft in self.approvals.waiting]

    def approve(self, draft_id: str, edited: str | None, who: Who) -> bool:
        """Let her say it, or these words instead; ``False``: it does not wait (any more)."""
        draft = self.approvals.approve(draft_id, edited)
        if draft is None:
            return False
        self._decided(draft, "approve" if edited is None else "edit", who)
        self._aneeka.wake()
        return True

    def reject(self, draft_id: str, who: Who) -> bool:
        """She will not say it; ``False``: it does not wait (any more)."""
        draft = self.approvals.reject(draft_id)
        if draft is not None:
            self._over([draft], "reject", who)
        return draft is not None

    def take_back(self, what: Withdrawal) -> frozenset[str]:
        """Drop every answer to something withdrawn; return the withdrawn messages' ids."""
        inbox, gone = self._aneeka.inbox, self.approvals.take_back(what)
        ids = frozenset(heard.id for draft in gone for heard in draft.cue.heard if what.takes(heard))
        inbox.unwanted.bury(ids)
        for draft in gone:
            self._decided(draft, "withdrawn", "moderator")
            inbox.put_back(draft.cue.heard, self._aneeka.now())
        if gone:
            self._aneeka.wake()
        return ids

    def _over(self, drafts: Sequence[Draft], what: str, who: Who) -> None:
        for draft in drafts:
            self._decided(draft, what, who)
            self._aneeka.inbox.finished(draft.cue.heard, False, self._aneeka.now())
        if drafts:
            self._aneeka.wake()

    def _decided(self, draft: Draft, what: str, who: Who) -> None:
        self.log.note(what, who, held=draft.id, heard=" ".join(heard.id for heard in draft.cue.heard))
        self._aneeka.live.tell({"type": "decided", "id": draft.id, "what": what, "who": who})

    # ------------------------------------------------------------------ viewers

    def blocks(self, person: Person | None) -> bool:
        """Whether the operator has blocked this person."""
        return person in self._blocks

    def blocked(self) -> list[dict[str, str]]:
        """The blocked viewers, newest first."""
        return [{"user_id": person_id, "name": name} for person_id, name in self._blocks.names().items()]

    async def block(self, person_id: str, name: str, who: Who) -> None:
        """Hear nothing of a viewer any more, and take back what they wrote.

        Raises ``OSError`` when it cannot be kept: then it counts until the program ends.
        """
        self._blocks.block(person_id, name)
        self._aneeka.moderation.withdraw_person(person_id, name, for_s=0)
        self.log.note("block", who, user_id=person_id, user=name)
        self._tell_blocks()
        await asyncio.to_thread(self._blocks.save)

    async def unblock(self, person_id: str, who: Who) -> None:
        """Hear a viewer again. Raises ``OSError`` when it cannot be kept; asked again, it is tried again."""
        if self._blocks.unblock(person_id):
            self.log.note("unblock", who, user_id=person_id)
            self._tell_blocks()
        await asyncio.to_thread(self._blocks.save)

    def _tell_blocks(self) -> None:
        self._aneeka.live.tell({"type": "viewers", "blocked": self.blocked()})

    # ------------------------------------------------------------------ the operator

    @property
    def away(self) -> bool:
        """Whether she is silent because nothing is seen of the operator."""
        return self._aneeka.director.away

    def seen(self) -> None:
        """The operator did or said something."""
        self._away.seen(self._aneeka.now())
        self._look()

    def note(self, verb: str, who: Who) -> None:
        """Keep in the log that somebody used one of the desk's verbs."""
        self.log.note(verb, who)

    def decisions(self, limit: int) -> list[dict[str, Any]]:
        """Who decided what in this session, newest first."""
        return self.log.newest(limit)

    def panicked(self) -> None:
        """What was approved before a panic is not said after it."""
        self._over(self.approvals.drop_approved(), "panic", "guard")

    def tick(self) -> None:
        """Look at the clock: answers grow stale, and the operator may have left."""
        self._over(self.approvals.expire(self._aneeka.now()), "expired", "clock")
        self._look()

    def _look(self) -> None:
        director, away = self._aneeka.director, self._away.is_away(self._aneeka.now())
        if director.away != away:
            director.away = away
            self.log.note("away" if away else "back", "clock")
            self._aneeka.wake()

    def close(self) -> None:
        """Put the log on disk."""
        self.log.close()
