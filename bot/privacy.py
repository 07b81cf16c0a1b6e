"""What she knows of a viewer: found in every place that keeps something, shown to the operator, and deleted.

Kept on disk: turn records with their sounds, the book of regulars, the list of blocked viewers, the log of decisions.
Kept only while she is on: her history, what waits, answers that wait for approval, open redemptions.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.chat.regulars import Regulars
from bot.likeness import plain
from bot.safety.decisions import Who
from bot.texts import text
from bot.turn_record import Record
from bot.vocabulary import Person
from bot.withdrawal import Withdrawal, folded_names

if TYPE_CHECKING:
    from bot.app import Aneeka

log = logging.getLogger(__name__)

DAY_S = 24 * 3600.0
MOST_FOUND = 50
MOST_LINES = 200


@dataclass(slots=True)
class _Viewer:
    id: str
    names: dict[str, None] = field(default_factory=dict)
    """In the order in which they were used."""
    lines: int = 0
    first_s: float | None = None
    last_s: float | None = None

    def is_called(self, name: str) -> None:
        if name and name != text("safety.someone"):
            self.names.pop(name, None)
            self.names[name] = None

    def as_json(self) -> dict[str, Any]:
        name = next(reversed(self.names), "")
        return {"user_id": self.id, "name": name, "lines": self.lines, "last_s": self.last_s}


class Privacy:
    """Finds, shows and deletes (see ``bot.studio.viewers_api.Viewers``), and lets go of what is too old."""

    def __init__(
        self,
        aneeka: Aneeka,
        data: Path,
        between_replies: Callable[[Callable[[], None]], None],
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        """``between_replies`` runs something as soon as she is silent; ``unix_s``: the time of day."""
        self._aneeka = aneeka
        self._data = data
        self._between_replies = between_replies
        self._unix_s = unix_s
        self._keep_days = aneeka.settings.recorder.keep_days
        self._leaving: dict[str, Person] = {}
        self._forgetting: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ seen

    async def find(self, name: str) -> dict[str, Any]:
        """Return the viewers with this id, or with this in their name (empty: all), who wrote last first."""
        viewers = await self._aneeka.recorder.look(_viewers)
        for person in self._present():
            viewers.setdefault(person.id, _Viewer(person.id)).is_called(person.name)
        if name and name not in viewers and name in self._book:
            viewers[name] = _Viewer(name)
        found = [one for one in viewers.values() if name == one.id or any(_is_in(name, n) for n in one.names)]
        found = sorted(found if name else viewers.values(), key=lambda one: -(one.last_s or 0.0))
        return {"viewers": [one.as_json() for one in found[:MOST_FOUND]], "more": max(0, len(found) - MOST_FOUND)}

    async def kept(self, person_id: str) -> dict[str, Any] | None:
        """Return all that is kept of a viewer; ``None``: nothing is."""
        a, viewer = self._aneeka, await self._viewer(person_id)
        what = _withdrawal(viewer)
        lines, named = await a.recorder.look(lambda records: _written(records, what))
        twitch = a.twitch
        kept = {
            "lines": viewer.lines,
            "named": named,
            "history": sum(any(map(what.takes, t.sources)) or what.names_in(t.spoken) for t in a.memory.turns),
            "waiting": a.inbox.waiting_of(person_id),
            "held": sum(any(map(what.takes, draft.cue.heard)) for draft in a.hand.approvals.waiting),
            "redemptions": twitch.rewards.redeemed_by(person_id) if twitch and twitch.rewards else 0,
            "regular": person_id in self._book,
            "blocked": self._is_blocked(person_id),
            "decisions": await a.hand.log.about(person_id),
        }
        if not any(kept.values()):
            return None
        when = {"first_s": viewer.first_s, "last_s": viewer.last_s, "keep_days": self._keep_days}
        return {"user_id": person_id, "names": [*reversed(viewer.names)], **when, **kept, "written": lines}

    # ------------------------------------------------------------------ deleted

    async def forget(self, person_id: str, who: Who) -> None:
        """Delete all that is kept of a viewer, a block too; what they write from now on is heard.

        Raises ``OSError`` when something of it is still on disk; asked again, it is tried again.
        """
        a, viewer = self._aneeka, await self._viewer(person_id)
        a.moderation.withdraw_person(person_id, next(reversed(viewer.names), ""), for_s=0)
        self._forget_the_rest(viewer)
        a.hand.log.note("forget", who)
        was_blocked = self._is_blocked(person_id)
        await a.hand.unblock(person_id, who)
        if was_blocked:
            a.hand.log.forget(person_id)
        await self._forgotten_on_disk()

    def forget_soon(self, person: Person) -> None:
        """A viewer wants to be forgotten, and moderation has done so for this session: delete the rest.

        A block stays, with the decision to block: it is the operator's. However many want it at once, what is on disk
        is read once for all who wait.
        """
        self._leaving[person.id] = person
        if self._forgetting is None or self._forgetting.done():
            self._forgetting = asyncio.create_task(self._forget_who_leaves())

    async def _forget_who_leaves(self) -> None:
        while self._leaving:
            people, self._leaving = self._leaving, {}
            try:
                kept = await self._aneeka.recorder.look(_viewers)
                for person in people.values():
                    viewer = self._known(kept, person.id)
                    viewer.is_called(person.name)
                    self._forget_the_rest(viewer)
                await self._forgotten_on_disk()
            except OSError as error:
                log.error("viewers who want to be forgotten are not yet, on disk: %s", error.strerror)

    def _forget_the_rest(self, viewer: _Viewer) -> None:
        """Delete what a ban leaves: old files, other names, books, and the log of decisions unless a block stands."""
        a, what = self._aneeka, _withdrawal(viewer)
        a.recorder.withdraw(what, ever=True)
        if a.memory.forget(what):
            a.thinking.forget()
        if a.twitch is not None and a.twitch.rewards is not None:
            a.twitch.rewards.forget(viewer.id)
        self._book.forget(viewer.id)
        if not self._is_blocked(viewer.id):
            a.hand.log.forget(viewer.id)
        self._between_replies(lambda: a.inbox.forget(viewer.id))

    async def _forgotten_on_disk(self) -> None:
        """Raises ``OSError`` when all has been tried."""
        a = self._aneeka
        everywhere = asyncio.to_thread(self._book.save), a.recorder.forgotten(), a.hand.log.forgotten()
        ends = await asyncio.gather(*everywhere, return_exceptions=True)
        for fault in ends:
            if isinstance(fault, BaseException):
                raise fault

    async def expire(self) -> None:
        """Let go of what is older than the config allows, then wait for a day."""
        before_s = self._unix_s() - self._keep_days * DAY_S
        self._aneeka.recorder.expire(before_s)
        self._aneeka.hand.log.expire(before_s)
        await asyncio.sleep(DAY_S)

    async def close(self) -> None:
        """Wait until everybody who asked for it is forgotten; what a file held is tried once more."""
        if self._forgetting is not None:
            await self._forgetting
        try:
            await self._forgotten_on_disk()
        except OSError as error:
            log.error("what was withdrawn is not yet gone, on disk: %s", error.strerror)

    # ------------------------------------------------------------------ where to look

    async def _viewer(self, person_id: str) -> _Viewer:
        return self._known(await self._aneeka.recorder.look(_viewers), person_id)

    def _known(self, kept: dict[str, _Viewer], person_id: str) -> _Viewer:
        viewer = kept.get(person_id, _Viewer(person_id))
        for person in self._present():
            if person.id == person_id:
                viewer.is_called(person.name)
        viewer.is_called(self._aneeka.inbox.name_of(person_id))
        return viewer

    def _present(self) -> Iterator[Person]:
        """Whoever is known outside the records, the newest last."""
        a = self._aneeka
        yield from (Person(one["user_id"], one["name"]) for one in a.hand.blocked())
        heard = chain(
            chain.from_iterable(turn.sources for turn in a.memory.turns),
            chain.from_iterable(draft.cue.heard for draft in a.hand.approvals.waiting),
            (waiting for waiting, _ in a.inbox.waiting(a.now())),
        )
        yield from (one.person for one in heard if one.person is not None and one.person.id)

    @cached_property
    def _book(self) -> Regulars:
        twitch = self._aneeka.twitch
        return twitch.regulars if twitch is not None else Regulars(self._data / "regulars.json", self._unix_s)

    def _is_blocked(self, person_id: str) -> bool:
        return any(one["user_id"] == person_id for one in self._aneeka.hand.blocked())


def _withdrawal(viewer: _Viewer) -> Withdrawal:
    return Withdrawal(person_id=viewer.id, names=folded_names(viewer.names))


def _is_in(name: str, whole: str) -> bool:
    return name.casefold() in whole.casefold() or (bool(plain(name)) and plain(name) in plain(whole))


def _viewers(records: Iterable[Record]) -> dict[str, _Viewer]:
    """Return everybody who wrote something that is kept, by id."""
    viewers: dict[str, _Viewer] = {}
    for record in records:
        for line in record["heard"]:
            person_id = line.get("user_id")
            if person_id and isinstance(person_id, str):
                one = viewers.setdefault(person_id, _Viewer(person_id))
                one.is_called(str(line.get("user", "")))
                one.lines += 1
                one.first_s = record["at_s"] if one.first_s is None else one.first_s
                one.last_s = record["at_s"]
    return viewers


def _written(records: Iterable[Record], what: Withdrawal) -> tuple[list[dict[str, Any]], int]:
    """Return the newest lines of a person, newest first, and in how many other answers she names them."""
    lines: list[dict[str, Any]] = []
    named = 0
    for record in records:
        theirs = [line for line in record["heard"] if what.takes_line(line)]
        named += not theirs and what.names_in(f"{record['generated']} {record['spoken']}")
        for line in theirs:
            shown = {"text": str(line.get("text", "")), "event": str(line.get("event", ""))}
            lines.append({"at_s": record["at_s"], "kind": line["kind"], **shown, "answer": record["spoken"]})
    return lines[: -MOST_LINES - 1 : -1], named
