"""What she has said aloud, written in chat too, within what Twitch allows.

Limits are those of Twitch's "Send Chat Message" reference and of its chat guide ("Rate limits"): 500 characters; 20
messages in 30 s, 100 as moderator or broadcaster; about one a second in one channel unless one is either of these; the
same text within 30 s is dropped.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from bot.chat.login import DELETE_SCOPE
from bot.chat.twitch_words import Helix, LoginLost, TwitchBusy, TwitchRefused
from bot.likeness import remember
from bot.texts import text
from bot.vocabulary import Cue, Role, Spoken

TalksTo = Literal["asked", "all"]
OnDrop = Callable[[str, str], None]
"""Called with a reason code and a sentence for people."""

LIMIT = 500
ROOM_FOR_NAMES = 100
LONGEST_WORD = 300
MOST_PARTS = 3
GOES_ON = "…"
ORDERS = frozenset("/.!\\／．！")
"""What makes a text an order to Twitch or to somebody's bot when it stands first."""
UNSEEN = frozenset({"Cf", "Mn", "Me"})
"""Categories of characters that may stand before an order and hide it."""

WINDOW_S = 30.0
ORDINARY, TRUSTED = 18, 90
"""Messages in a window: Twitch's limits less what is left for the person who writes with the same account."""
GAP_S = 1.2
STALE_S = 30.0
ECHO_S = 60.0
WAITING = 16
REMEMBERED = 500
BUSY_S, BUSY_MOST_S = 1.0, 16.0

SILENCED = frozenset({"withdrawn", "skip", "mute", "panic", "closing"})
"""Cuts after which what was heard is not to be read either."""


@dataclass(slots=True, eq=False)
class _Message:
    heard: frozenset[str]
    parts: deque[str]
    at_s: float
    written: list[str] = field(default_factory=list)
    """The ids of the parts that are in chat."""


class TalkBack:
    """Writes her answers in chat. It is given nothing but what the audience has already heard."""

    def __init__(self, helix: Helix, to: TalksTo, on_drop: OnDrop, now: Callable[[], float]) -> None:
        """``to``: ``asked`` = answers to those who used the command, ``all`` = everything she says."""
        self._helix = helix
        self._to = to
        self._on_drop = on_drop
        self._now = now
        self._asked: OrderedDict[str, None] = OrderedDict()
        self._withdrawn: OrderedDict[str, None] = OrderedDict()
        self._waiting: deque[_Message] = deque()
        self._something = asyncio.Event()
        self._sent_at: deque[float] = deque(maxlen=TRUSTED)
        self._texts: OrderedDict[str, float] = OrderedDict()
        self._tried: OrderedDict[str, float] = OrderedDict()
        """Texts that are in chat, or may be: Twitch's answer can get lost."""
        self._written: OrderedDict[str, frozenset[str]] = OrderedDict()
        """The ids of her messages, and of what each answers."""
        self._to_delete: deque[str] = deque()
        self._hold_until = 0.0
        self._busy_s = BUSY_S
        self._is_trusted = False
        self._is_lost = False
        self.sent = 0
        self.dropped: Counter[str] = Counter()

    def asked(self, heard_id: str) -> None:
        """This message asked by command: its answer is written too."""
        remember(self._asked, heard_id, None, REMEMBERED)

    def own_roles(self, roles: Collection[Role]) -> None:
        """The roles that a message of hers came back with: they decide which of Twitch's limits is hers."""
        self._is_trusted = "moderator" in roles or "broadcaster" in roles

    def wrote(self, original: str) -> bool:
        """Whether a message from her account is one of hers, and not of the person who uses the account too."""
        return self._tried.get(original.strip().casefold(), -ECHO_S) > self._now() - ECHO_S

    def said(self, cue: Cue, spoken: Spoken) -> None:
        """A reply has ended: write what was heard of it, if anybody wants to read it."""
        ids = frozenset(heard.id for heard in cue.heard)
        asking = [heard for heard in cue.heard if heard.id in self._asked]
        if spoken.cut in SILENCED or not ids.isdisjoint(self._withdrawn) or (self._to == "asked" and not asking):
            return
        whole = spoken.text if spoken.cut is None else f"{spoken.text} {GOES_ON}"
        parts = parts_of(whole, [heard.person.name for heard in asking if heard.person]) if spoken.text.strip() else []
        if not parts:
            return
        message = _Message(ids, deque(parts), self._now())
        self._waiting.append(message)
        if self._is_lost:
            self._drop(message, "login_lost")
        elif len(self._waiting) > WAITING:
            self._drop(self._waiting[0], "crowded_out")
        self._something.set()

    def withdraw(self, heard_ids: Iterable[str]) -> None:
        """A moderator took these messages back: nothing more is written about them, and what was written goes.

        The id of one of her own messages stands for the rest of that answer.
        """
        gone = frozenset(heard_ids)
        for heard_id in gone:
            remember(self._withdrawn, heard_id, None, REMEMBERED)
            self._written.pop(heard_id, None)
        for message in [m for m in self._waiting if not gone.isdisjoint([*m.heard, *m.written])]:
            self._drop(message, "withdrawn")
        self._take_down([message for message, heard in self._written.items() if not gone.isdisjoint(heard)])

    def cleared(self) -> None:
        """A moderator cleared the whole chat, and with it what she wrote."""
        self._written.clear()

    def _take_down(self, messages: Sequence[str]) -> None:
        for message in messages:
            del self._written[message]
        if not messages:
            return
        if self._helix.bot.id == self._helix.channel.id:
            self._on_drop("left", text("talk_back.left_own"))
        elif not self._helix.may("bot", DELETE_SCOPE):
            self._on_drop("left", text("talk_back.left_no_scope"))
        else:
            self._to_delete += messages
            self._something.set()

    async def run(self) -> None:
        """Send what waits, and delete what is to go, for ever. Raises ``LoginLost``."""
        self._is_lost = False
        while True:
            self._something.clear()
            now = self._now()
            for message in [m for m in self._waiting if m.at_s < now - STALE_S]:
                self._drop(message, "stale")
            if not self._waiting and not self._to_delete:
                await self._something.wait()
            elif (pause_s := self._hold_until - now if self._to_delete else self._pause_s(now)) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._something.wait()
            elif self._to_delete:
                await self._delete(self._to_delete[0])
            else:
                await self._send(self._waiting[0])

    def _pause_s(self, now: float) -> float:
        trusted = self._is_trusted or self._helix.bot.id == self._helix.channel.id
        limit = TRUSTED if trusted else ORDINARY
        until = self._hold_until
        if len(self._sent_at) >= limit:
            until = max(until, self._sent_at[-limit] + WINDOW_S)
        if self._sent_at and not trusted:
            until = max(until, self._sent_at[-1] + GAP_S)
        return until - now

    async def _send(self, message: _Message) -> None:
        part = message.parts[0]
        if not self._helix.may("bot", "user:write:chat"):
            self._drop(message, "no_scope")
            return
        if self._texts.get(part.casefold(), -WINDOW_S) > self._now() - WINDOW_S:
            self._drop(message, "repeated")
            return
        remember(self._tried, part.casefold(), self._now(), REMEMBERED)
        try:
            written = await self._helix.send(part)
        except TwitchRefused as refused:
            self._drop(message, "refused", refused.reason)
        except TwitchBusy as busy:
            self._hold(busy)
        except LoginLost:
            self._is_lost = True
            for one in list(self._waiting):
                self._drop(one, "login_lost")
            raise
        else:
            self.sent += 1
            self._busy_s = BUSY_S
            remember(self._texts, part.casefold(), self._now(), REMEMBERED)
            message.parts.popleft()
            self._is_in_chat(message, written)
        finally:
            self._sent_at.append(self._now())  # Twitch has counted it by now, also where it took it for nothing

    def _is_in_chat(self, message: _Message, written: str) -> None:
        if written:
            message.written.append(written)
            remember(self._written, written, message.heard, REMEMBERED)
            if not message.heard.isdisjoint(self._withdrawn):
                self._take_down([written])
        if not message.parts and message in self._waiting:
            self._waiting.remove(message)

    async def _delete(self, written: str) -> None:
        try:
            await self._helix.delete(written)
        except TwitchRefused as refused:
            self._on_drop("left", text("talk_back.left", reason=refused.reason))
        except TwitchBusy as busy:
            self._hold(busy)
            return
        self._to_delete.popleft()

    def _hold(self, busy: TwitchBusy) -> None:
        self._hold_until = self._now() + max(busy.retry_after_s, self._busy_s)
        self._busy_s = min(2 * self._busy_s, BUSY_MOST_S)

    def _drop(self, message: _Message, reason: str, detail: str = "") -> None:
        if message in self._waiting:
            self._waiting.remove(message)
            self.dropped[reason] += 1
            self._on_drop(reason, text(f"talk_back.{reason}", detail=detail))


def parts_of(said: str, names: Sequence[str] = ()) -> list[str]:
    """Return a text as chat messages for people with these names: folded white space, cut between words, no orders.

    What is too long for three messages ends in an ellipsis.
    """
    words = [word[at : at + LONGEST_WORD] for word in _plain(said).split() for at in range(0, len(word), LONGEST_WORD)]
    if not words:
        return []
    lines = [_addressed(names)]
    for word in words:
        if _length(f"{lines[-1]} {word} {GOES_ON}") > LIMIT:
            lines.append(GOES_ON)
        lines[-1] = f"{lines[-1]} {word}".strip()
    if len(lines) > MOST_PARTS:
        lines[MOST_PARTS - 1 :] = [f"{lines[MOST_PARTS - 1]} {GOES_ON}"]
    return lines


def _addressed(names: Sequence[str]) -> str:
    line = ""
    for name in dict.fromkeys("".join(_plain(name).split()) for name in names):
        longer = f"{line} @{name}".strip()
        if name and name != text("safety.someone") and len(longer) <= ROOM_FOR_NAMES:
            line = longer
    return line


def _plain(said: str) -> str:
    """Drop control characters, and before the first word what could make an order of it."""
    shown = "".join(c for c in said if c.isspace() or unicodedata.category(c) != "Cc")
    starts = (at for at, c in enumerate(shown) if not (c.isspace() or c in ORDERS or unicodedata.category(c) in UNSEEN))
    return shown[next(starts, len(shown)) :]


def _length(line: str) -> int:
    """Count as the strictest reader of "500 characters" would: in UTF-16."""
    return len(line.encode("utf-16-le")) // 2
