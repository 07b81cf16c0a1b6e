"""The demo brain's reader: names what each line that was heard means, for the small model that answers.

A sum of weights over a line's words and letters. At this size it understands far more than a language model does: one
that learnt on the same lines for an hour named some 70 % of unseen ones, this one 90 % after minutes.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bot.mind.quoting import CHAT_LIMIT, clean_text
from bot.vocabulary import Cue, Heard

WEIGHTS = Path(__file__).with_name("reader.npz")
BUCKETS = 1 << 15
"""Words and letters share this many rows of weights, by their hash."""
PIECES = (3, 4, 5)
"""Letters in a piece of a word."""
SURE = 0.3
"""What she does not even believe with this probability, she says that she does not know."""
READ_MODES = {"chat_one": "chat", "chat_many": "many", "operator": "operator"}
"""Cues whose lines are read, and what the grammar calls them."""
EVENT_NAMES = {
    "follow": ("follow", "follower"),
    "sub": ("sub", "subscribe", "subscription"),
    "resub": ("resub", "resubscription"),
    "gift": ("gift", "sub_gift", "subgift", "community_gift", "community_sub_gift"),
    "cheer": ("cheer", "bits"),
    "raid": ("raid",),
    "redemption": ("redemption", "redeem", "reward"),
    "first_timer": ("first_timer", "first_chat", "intro"),
    "hype_train": ("hype_train", "hype_train_level", "hype_train_end", "hype train"),
    "poll": ("poll", "poll_end", "prediction", "prediction_end"),
    "shoutout": ("shoutout",),
    "announcement": ("announcement",),
    "other_event": ("goal", "watch_streak", "charity", "ad_break", "stream_online", "notice"),
}
_EVENTS = {event: intent for intent, events in EVENT_NAMES.items() for event in events}


def traits(text: str, bot: str) -> list[int]:
    """Return the rows of what a line has: words, neighbours, pieces of words. ``bot``: her name, which says nothing."""
    folded = _folded(text).replace(_folded(bot), " @ ")
    words = re.findall(r"\w+|[^\w\s]", folded)
    found = [f"w{word}" for word in words]
    found += [f"n{one} {other}" for one, other in zip(["<", *words], [*words, ">"], strict=True)]
    found += [f"o{one} {other}" for one, other in zip(words, words[2:], strict=False)]
    for word in words:
        if len(word) > 2:
            whole = f"<{word}>"
            found += [f"p{whole[at : at + size]}" for size in PIECES for at in range(len(whole) - size + 1)]
    return [zlib.crc32(each.encode()) % BUCKETS for each in found] or [0]


def _folded(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return re.sub(r"(.)\1{2,}", r"\1\1", re.sub(r"\d+", "0", plain))


def told(heard: str, meant: str, *, brief: bool = False) -> str:
    """Return what was heard with what is meant by it, as the small model reads it. ``brief``: it shall be short."""
    return f"{heard} ({hint(meant)}{', brief' if brief else ''})".lstrip()


def hint(intent: str) -> str:
    """Return an intent as one word: the small model has a token for each."""
    return intent.removeprefix("op_").replace("_", "")


class Meant(NamedTuple):
    """What a line means: an intent of the grammar, and the probability that it is this one."""

    intent: str
    sure: float


class Reader:
    """The weights that ``bot.mind.demo.reading`` learns, at work."""

    def __init__(self, bot: str, file: Path = WEIGHTS) -> None:
        """Load. Raises ``OSError`` if the file is not there."""
        self._bot = bot
        with np.load(file) as weights:
            self._names: list[str] = weights["names"].tolist()
            self._allowed: dict[str, npt.NDArray[np.bool_]] = dict(
                zip(weights["modes"].tolist(), weights["allowed"], strict=True)
            )
            self._rows, self._scales, self._shift = weights["rows"], weights["scales"], weights["shift"]
            self._last: npt.NDArray[np.float32] = weights["last"]

    def meant(self, cue: Cue) -> list[Meant]:
        """Return what each one heard means; an empty intent where nothing is read (she breaks a silence)."""
        if mode := READ_MODES.get(cue.mode):
            return [self.read(heard.text, mode) for heard in cue.heard]
        return [Meant(self._event(heard) if cue.mode == "event" else "", 1.0) for heard in cue.heard]

    def read(self, text: str, mode: str) -> Meant:
        """Return what is meant by one line, in a mode of the grammar."""
        found = traits(clean_text(text, CHAT_LIMIT), self._bot)
        sums = self._rows[found].sum(0, dtype=np.int32) * self._scales / np.sqrt(len(found)) + self._shift
        inner = len(self._last)
        scores = sums[inner:] + np.maximum(sums[:inner], 0) @ self._last
        scores = np.where(self._allowed[mode], scores, -np.inf)
        chances = np.exp(scores - scores.max())
        best = int(chances.argmax())
        sure = float(chances[best] / chances.sum())
        return Meant(self._names[best] if sure >= SURE else "unknown", sure)

    def _event(self, heard: Heard) -> str:
        intent = _EVENTS.get(heard.event, "other_event")
        with_words = f"{intent}_said"
        return with_words if heard.text and with_words in self._names else intent
