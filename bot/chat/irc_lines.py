"""Reads the lines of Twitch's chat over IRC: who says what, and what happens that chat tells of.

Grammar: RFC 1459 with IRCv3 message tags; tags and commands: Twitch, "IRC Concepts" and "IRC Tags".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from bot.chat.channel import ANONYMOUS, Channel, Line, roles_of
from bot.chat.emotes import emote, joined, part_without_emotes, without_cheermotes
from bot.chat.event_policy import Happening
from bot.chat.payload import LONGEST, figures, number, words
from bot.vocabulary import Person
from bot.withdrawal import SILENCED_S

_ESCAPES = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_ACTION = re.compile("\x01ACTION (.*)\x01", re.DOTALL)
_MOST_EMOTES = 500


@dataclass(frozen=True, slots=True)
class IrcLine:
    """One line, taken apart. ``text``: what stands behind the colon."""

    command: str
    login: str
    tags: Mapping[str, str]
    params: tuple[str, ...]
    text: str


def parse(line: str) -> IrcLine:
    """Take a line apart; one that is no IRC has an odd command."""
    tags: dict[str, str] = {}
    if line.startswith("@"):
        written, _, line = line[1:].partition(" ")
        for tag in written.split(";"):
            name, _, value = tag.partition("=")
            tags[name] = _unescaped(value)
    login = ""
    line = line.lstrip(" ")
    if line.startswith(":"):
        prefix, _, line = line[1:].partition(" ")
        login = prefix.partition("!")[0]
    head, _, text = line.lstrip(" ").partition(" :")
    command, *params = head.split() or [""]
    return IrcLine(command.upper(), login, tags, tuple(params), text)


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.?)", lambda sign: _ESCAPES.get(sign[1], sign[1]), value) if "\\" in value else value


class ChannelLines:
    """Hands on to a ``Channel`` what every line means."""

    def __init__(self, channel: Channel, keep: Collection[str]) -> None:
        """``keep``: names that are no emotes, whatever they look like."""
        self._channel = channel
        self._keep = keep

    def deliver(self, line: IrcLine, at_s: float) -> None:
        """Take one line; a command that tells nothing of chat is passed over."""
        tags = line.tags
        match line.command:
            case "PRIVMSG":
                self._said(line, at_s)
            case "USERNOTICE" if not _is_foreign(tags):
                self._notice(line, at_s)
            case "CLEARMSG":
                self._channel.deleted(words(tags, "target-msg-id"))
            case "CLEARCHAT" if words(tags, "target-user-id"):
                for_s = number(tags, "ban-duration")  # without one it is for ever, but nobody would tell of its end
                self._channel.banned(words(tags, "target-user-id"), line.text, SILENCED_S if for_s is None else for_s)
            case "CLEARCHAT":
                self._channel.all_cleared()

    def _said(self, line: IrcLine, at_s: float) -> None:
        tags = line.tags
        id_ = words(tags, "id")
        if not id_ or not words(tags, "user-id"):
            return
        action = _ACTION.fullmatch(line.text)
        original = (action[1] if action else line.text)[:LONGEST]
        bits = number(tags, "bits") or 0
        text = self._readable(original, words(tags, "emotes"))
        self._channel.says(
            Line(
                id_,
                at_s,
                _person(line),
                without_cheermotes(text, bits) if bits else text,
                original,
                bits=bits,
                reward=words(tags, "custom-reward-id"),
                is_foreign=_is_foreign(tags),
                is_first=tags.get("first-msg") == "1",
            )
        )

    def _readable(self, text: str, places: str) -> str:
        """Return a text with emotes by their meaning; ``places`` counts in code points, ends inclusive."""
        parts: list[str] = []
        done = 0
        for start, end in sorted(_places(places)):
            if done <= start <= end < len(text):
                parts += [part_without_emotes(text[done:start], self._keep), f" {emote(text[start : end + 1])} "]
                done = end + 1
        return joined([*parts, part_without_emotes(text[done:], self._keep)])

    def _notice(self, line: IrcLine, at_s: float) -> None:
        tags = line.tags
        id_ = words(tags, "id")
        if not id_:
            return
        person = _person(line)
        said = self._readable(line.text[:LONGEST], words(tags, "emotes"))
        who = person.id if person else ""

        def happens(event: str, told: dict[str, int | str] | None = None) -> None:
            self._channel.happens(Happening(id_, event, at_s, person, said, told or {}), (event, who), "irc")

        match words(tags, "msg-id"):
            case "sub" | "giftpaidupgrade" | "primepaidupgrade":
                happens("sub", figures(tier=_tier(tags)))
            case "resub":
                happens("resub", figures(months=number(tags, "msg-param-cumulative-months"), tier=_tier(tags)))
            case "submysterygift":
                told = figures(count=number(tags, "msg-param-mass-gift-count"))
                self._channel.gives(Happening(id_, "gift", at_s, person, "", told), _bomb(tags), "irc")
            case "subgift":
                bomb = _bomb(tags)
                told = {} if bomb else figures(recipient=words(tags, "msg-param-recipient-display-name"))
                self._channel.gives(Happening(id_, "gift", at_s, person, "", told), bomb, "irc", is_part=bool(bomb))
            case "raid":
                happens("raid", figures(viewers=number(tags, "msg-param-viewerCount")))
            case "announcement":
                happens("announcement")
            case "viewermilestone" if tags.get("msg-param-category") == "watch-streak":
                happens("watch_streak", figures(streams=number(tags, "msg-param-value")))
            case "charitydonation":
                happens("charity", figures(charity=words(tags, "msg-param-charity-name")))
            case "unraid":
                pass
            case _:
                said = said or words(tags, "system-msg")
                happens("notice")


def _person(line: IrcLine) -> Person | None:
    tags = line.tags
    id_, login = words(tags, "user-id"), words(tags, "login") or line.login
    if not id_ or login in ANONYMOUS:
        return None
    badges = (badge.partition("/")[0] for badge in words(tags, "badges").split(","))
    return Person(id_, words(tags, "display-name") or login or id_, roles_of(badges))


def _is_foreign(tags: Mapping[str, str]) -> bool:
    source = words(tags, "source-room-id")
    return bool(source) and source != words(tags, "room-id")


def _bomb(tags: Mapping[str, str]) -> str:
    return words(tags, "msg-param-community-gift-id")


def _tier(tags: Mapping[str, str]) -> int | None:
    """Return 2 or 3: the first tier goes without saying."""
    return {"2000": 2, "3000": 3}.get(words(tags, "msg-param-sub-plan"))


def _places(written: str) -> Iterator[tuple[int, int]]:
    """Yield where emotes stand: ``id:start-end,start-end/id:start-end``."""
    for found in re.findall(r"(\d{1,5})-(\d{1,5})", written)[:_MOST_EMOTES]:
        yield int(found[0]), int(found[1])
