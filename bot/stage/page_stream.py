"""What pages are told of a reply. A reply that was held and goes on is a new stream for them, with its own positions.

Inside the program positions are those of the reply; pages and outputs count from where their stream began.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.stage.captions import Line
from bot.vocabulary import Tell, Word


class PageStream:
    """The messages of the stream in progress (see ``bot.studio.pages``); none are sent between streams."""

    def __init__(self, show: Tell) -> None:
        self.serial = 0
        self.start = 0
        """The reply's sample at which this stream begins."""
        self._show = show
        self._shown: list[dict[str, Any]] = []
        self._open = False

    def begin(self, reply: str, start: int = 0) -> None:
        """Start the next stream: of another reply, or of the same one from a later sample."""
        self.serial += 1
        self.start = start
        self._shown = []
        self._open = True
        self._put({"type": "begin", "reply": reply})

    def none(self) -> None:
        """No stream, as far as pages know, until the next ``begin``."""
        self.start = 0
        self._open = False

    def phrase(self, line: Line) -> None:
        """A phrase, with the words that are known of it."""
        phrase = line.phrase
        shown = {"text": phrase.text, "expression": phrase.expression, "words": self._spots(line.words)}
        self._put({"type": "phrase", "index": phrase.index, "at": line.at - self.start, **shown})

    def words(self, line: Line, words: Sequence[Word]) -> None:
        """More words of a phrase."""
        if words:
            self._put({"type": "words", "index": line.phrase.index, "words": self._spots(words)})

    def mouth(self, at: int, step: int, rows: list[list[int]]) -> None:
        """Rows of the mouth track, one each ``step`` samples."""
        if rows:
            self._put({"type": "mouth", "at": at - self.start, "step": step, "frames": rows})

    def end(self, samples: int) -> None:
        """The reply has so many samples in all."""
        self._put({"type": "end", "samples": samples - self.start})

    def cut(self) -> None:
        """Silence now."""
        self._put({"type": "cut"})
        self._open = False

    def clock(self, played: int, now_s: float) -> None:
        """How much is audible; for pages that do not sound."""
        if self._open:
            self._show(self._clock(played, now_s))

    def snapshot(self, played: int, now_s: float) -> list[dict[str, Any]]:
        """Return the messages that bring a page which comes in mid-stream to the present."""
        return [*self._shown, self._clock(played, now_s)] if self._open else []

    def _spots(self, words: Sequence[Word]) -> list[list[int]]:
        return [[word.at - self.start, word.start, word.end] for word in words]

    def _clock(self, played: int, now_s: float) -> dict[str, Any]:
        at = {"played": played - self.start, "server_ms": round(now_s * 1000)}
        return {"type": "clock", "serial": self.serial, **at}

    def _put(self, message: dict[str, Any]) -> None:
        if self._open:
            message["serial"] = self.serial
            self._shown.append(message)
            self._show(message)
