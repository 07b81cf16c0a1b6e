"""What every reader of a Twitch channel shares: whose words they are, one answer for one deed, the moderators' word."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from bot.chat.event_policy import EventPolicy, Happening
from bot.chat.twitch_words import TwitchUser
from bot.likeness import remember
from bot.vocabulary import Heard, Person, Role
from bot.withdrawal import SILENCED_S

Hear = Callable[[Heard, str | None, str], None]
"""Takes in what was heard, why it is not to be answered (``None``: it is), and its words as they were sent."""
TakesReward = Callable[[str, str, str, str], bool]
"""Given a message's id, its reward's id, its writer's id and its text: whether somebody else answers it."""

JOIN_S = 30.0
"""Twitch tells of one deed in several places; what comes within this time of another telling may be the same deed."""
REMEMBERED = 5_000
ANONYMOUS = frozenset(("ananonymousgifter", "ananonymouscheerer"))
"""The accounts in whose name Twitch shows anonymous gifts and cheers."""
_ROLES: dict[str, Role] = {
    "broadcaster": "broadcaster",
    "moderator": "moderator",
    "lead_moderator": "moderator",
    "vip": "vip",
    "subscriber": "subscriber",
    "founder": "subscriber",
    "bot-badge": "bot",
}


class Moderated(Protocol):
    """What a moderator's deed does to all that she has heard, is saying and remembers."""

    def withdraw_message(self, heard_id: str) -> None:
        """Take one message back."""
        ...

    def withdraw_person(self, person_id: str, name: str, for_s: float) -> None:
        """Take back all that a person said and did, and hear nothing of them for so long (``math.inf``: ever)."""
        ...

    def allow_person(self, person_id: str) -> None:
        """Hear a person again."""
        ...

    def withdraw_all(self) -> None:
        """Take back all of chat."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """A chat message. ``text``: as she is to read it; ``original``: as it was sent."""

    id: str
    at_s: float
    person: Person | None
    text: str
    original: str
    bits: int = 0
    reward: str = ""
    """The channel-point reward that it came with."""
    is_foreign: bool = False
    """Whether it comes from another channel of a shared chat."""
    is_first: bool = False
    """Whether Twitch says that it is this person's first on the channel."""
    is_power_up: bool = False
    """Whether bits were paid for how it is shown."""


def power_up(person: Person | None, original: str) -> tuple[object, ...]:
    """Return what a power-up's chat line and the news of its bits have in common."""
    return ("power_up", person.id if person else "", " ".join(original.split()).casefold())


def _redemption(told: Happening, reward: str) -> tuple[object, ...]:
    """Return what a redemption and its chat line have in common."""
    return ("redemption", reward, told.person.id if told.person else "", " ".join(told.said.split()).casefold())


def roles_of(badges: Iterable[str]) -> frozenset[Role]:
    """Return the roles that badges stand for, by the names of their sets."""
    return frozenset(_ROLES[badge] for badge in badges if badge in _ROLES)


@dataclass(slots=True)
class _Deeds:
    """Deeds that look alike: their ids, and how often each place told of one."""

    at_s: float
    ids: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)


class Channel:
    """Takes what a reader makes out, and hands on what she is to hear."""

    def __init__(
        self,
        hear: Hear,
        moderated: Moderated,
        policy: EventPolicy,
        *,
        bot: TwitchUser | None = None,
        owner: TwitchUser | None = None,
        wrote: Callable[[str], bool] = lambda original: False,
        is_newcomer: Callable[[Person], bool] = lambda person: False,
        takes_reward: TakesReward = lambda message, reward, person, said: False,
        hears_redemptions: Callable[[], bool] = lambda: True,
        on_own: Callable[[Line], None] = lambda line: None,
    ) -> None:
        """``bot``, ``owner``: her account and the channel's, as far as there are any.

        ``wrote``: whether she wrote this text a moment ago (asked only where she shares the streamer's account).
        ``is_newcomer``: whether this person has never written here before, as far as anybody can know.
        ``hears_redemptions``: whether redemptions are told of; where they are not, their lines are chat like any other.
        ``on_own`` is told her own messages as they come back; nobody else hears of them.
        """
        self.policy = policy
        self._hear = hear
        self._moderated = moderated
        self._bot = bot
        self._has_own_account = bot is not None and bot != owner
        self._wrote = wrote
        self._is_newcomer = is_newcomer
        self._takes_reward = takes_reward
        self._hears_redemptions = hears_redemptions
        self._on_own = on_own
        self._deeds: OrderedDict[str, _Deeds] = OrderedDict()
        self._joined: OrderedDict[str, str] = OrderedDict()
        """The id of another telling to the id under which the deed was heard."""
        self._terms: OrderedDict[str, float] = OrderedDict()
        """For how many seconds people were banned, until their messages are cleared."""
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._deleted: OrderedDict[str, None] = OrderedDict()
        self._bombs: OrderedDict[str, str] = OrderedDict()
        self._gave_at: OrderedDict[str, float] = OrderedDict()
        self._begun: OrderedDict[str, Happening] = OrderedDict()
        """Bombs by their givers of which only a part is known."""

    @property
    def own_id(self) -> str:
        """The id of an account that is hers alone, or nothing."""
        return self._bot.id if self._bot is not None and self._has_own_account else ""

    def says(self, line: Line) -> None:
        """Somebody writes in chat."""
        person = line.person
        is_hers = person is not None and self._bot is not None and person.id == self._bot.id
        if is_hers and (self._has_own_account or self._wrote(line.original)):
            self._on_own(line)
            return
        if line.is_foreign:
            self._tell(line, "shared_chat" if self.policy.say("shared_chat") == "never" else None)
        elif line.reward and self._is_redemption(line):
            self._tell(line, "redemption")
        elif line.bits and self.policy.say("cheer") != "never":
            cheer = Happening(line.id, "cheer", line.at_s, person, line.text, {"bits": line.bits})
            self.happens(cheer, ("cheer", person.id if person else "", line.bits), "chat")
        elif line.is_power_up and self.policy.say("cheer") != "never":
            thanked = Happening(line.id, "cheer", line.at_s, person, line.text)
            self.happens(thanked, power_up(person, line.original), "chat")
        else:
            self._tell(line)

    def _is_redemption(self, line: Line) -> bool:
        """Whether the message is answered as the redemption that it came with."""
        who = line.person.id if line.person else ""
        if self._takes_reward(line.id, line.reward, who, line.original):
            return True
        if self.policy.say("redemption") == "never" or not self._hears_redemptions():
            return False
        written = Happening(line.id, "redemption", line.at_s, line.person, line.original)
        redemption = self._first_told(_redemption(written, line.reward), "chat", written)
        if redemption is not None:
            remember(self._joined, line.id, redemption, REMEMBERED)
        return True

    def _tell(self, line: Line, reason: str | None = None) -> None:
        person = line.person
        say = self.policy.say("first_timer")
        if person is not None and reason is None and say != "never" and (line.is_first or self._is_newcomer(person)):
            person = Person(person.id, person.name, person.roles | {"first_timer"})
            if say == "always":
                self.happens(Happening(line.id, "first_timer", line.at_s, person, line.text))
                return
        remember(self._heard, line.id, None, REMEMBERED)
        self._hear(Heard(line.id, "chat", line.text, line.at_s, person), reason, line.original)

    def happens(self, happening: Happening, key: tuple[object, ...] = (), source: str = "") -> None:
        """Something happens. ``key``: what tells the deed from others; ``source``: which place tells of it.

        Each place tells of each deed once, so the second telling from another place is the first deed again, while the
        second from the same place is another deed.
        """
        first = self._first_told(key, source, happening) if key else None
        if first is not None:
            remember(self._joined, happening.id, first, REMEMBERED)
            self.policy.learn(first, happening.figures)
            return
        remember(self._heard, happening.id, None, REMEMBERED)
        reason = "switched_off" if self.policy.say(happening.event) == "never" else None
        self._hear(self.policy.heard(happening), reason, happening.said)

    def redeems(self, redemption: Happening, reward: str) -> None:
        """Somebody redeems a reward; what they wrote with it is a line of chat as well."""
        line = self._first_told(_redemption(redemption, reward), "redemption", redemption)
        if line is not None:
            remember(self._joined, line, redemption.id, REMEMBERED)
            if line in self._deleted:
                self._moderated.withdraw_message(redemption.id)
        self.happens(redemption)

    def gives(self, gift: Happening, bomb: str, source: str, *, is_part: bool = False) -> None:
        """Somebody gives subscriptions. A bomb of a hundred is told once as a whole and a hundred times in parts.

        ``bomb``: the id that the whole and its parts share; empty for a single gift.
        """
        giver = gift.person.id if gift.person else ""
        key = ("gift", giver, gift.figures.get("count", 1))
        first = self._bombs.get(bomb) if bomb else None
        if is_part:
            just_gave = gift.at_s <= self._gave_at.get(giver, -JOIN_S) + JOIN_S
            if first is None:
                remember(self._bombs, bomb, gift.id, REMEMBERED)
                if not just_gave:
                    remember(self._begun, giver, gift, REMEMBERED)
                    self.happens(gift)
            return
        begun = self._begun.pop(giver, None)
        if not bomb and begun is not None and gift.at_s <= begun.at_s + JOIN_S:
            first = begun.id
        if bomb:
            remember(self._bombs, bomb, gift.id, REMEMBERED)
        remember(self._gave_at, giver, gift.at_s, REMEMBERED)
        if first is not None:
            self._first_told(key, source, replace(gift, id=first))
            self.policy.learn(first, gift.figures)
        else:
            self.happens(gift, key, source)

    def _first_told(self, key: tuple[object, ...], source: str, happening: Happening) -> str | None:
        name = repr(key)
        deeds = self._deeds.get(name)
        if deeds is None or happening.at_s > deeds.at_s + JOIN_S:
            deeds = _Deeds(happening.at_s)
        deeds.at_s = happening.at_s
        remember(self._deeds, name, deeds, REMEMBERED)
        deeds.told[source] += 1
        if deeds.told[source] <= len(deeds.ids):
            return deeds.ids[deeds.told[source] - 1]
        deeds.ids.append(happening.id)
        return None

    # ------------------------------------------------------------------ moderators

    def deleted(self, message_id: str) -> None:
        """One message is gone."""
        if not message_id:
            return
        remember(self._deleted, message_id, None, REMEMBERED)
        self._moderated.withdraw_message(message_id)
        if message_id in self._joined:
            self._moderated.withdraw_message(self._joined[message_id])

    def held(self, message_id: str) -> None:
        """One message is kept back: what was heard of it is taken back. If it is approved it comes as chat."""
        if message_id in self._heard:
            self.deleted(message_id)

    def banned(self, person_id: str, name: str, for_s: float) -> None:
        """A person was banned, or timed out for so long. ``cleared`` is told of it as well, before or after this."""
        if person_id:
            remember(self._terms, person_id, for_s, REMEMBERED)
            self._moderated.allow_person(person_id)
            self._moderated.withdraw_person(person_id, name, for_s)

    def unbanned(self, person_id: str) -> None:
        """A person may write again."""
        self._terms.pop(person_id, None)
        self._moderated.allow_person(person_id)

    def cleared(self, person_id: str, name: str) -> None:
        """All of one person is gone: banned, or timed out, for how long ``banned`` may have said."""
        if person_id:
            self._moderated.withdraw_person(person_id, name, self._terms.pop(person_id, SILENCED_S))

    def all_cleared(self) -> None:
        """The whole chat is gone."""
        self._moderated.withdraw_all()
