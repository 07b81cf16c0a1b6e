"""One phrase on its way through the voices that share it: what has come, what has gone out, where it may be cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bot.vocabulary import Pcm, Phrase, Shape, Sound, Word
from bot.voice.speakable import Speakable

FADE_S = 0.005
"""So much is held back of what has come, so that a voice that breaks off can be faded out."""
JOIN_S = 0.08
"""Silence after a voice that broke off: the mouth closes, and the ear takes the next voice for a new breath."""
SHAPES_AHEAD_S = 0.1
"""Mouth shapes go out so long before their sound: the mouth begins to move ahead of it."""

_OPENERS = "¿¡\"'“‘«("


class Progress:
    """How much of one phrase has gone out, over all voices. Positions are characters of the spoken text."""

    def __init__(self, phrase: Phrase, said: Speakable) -> None:
        self.from_char = 0
        self.gone_s = 0.0
        self._phrase = phrase
        self._said = said
        self._last_spot = (-1, -1)

    def rest(self) -> Phrase:
        """Return what is still to be spoken."""
        return replace(self._phrase, text=self._said.text[self.from_char :])

    def spoken_until(self, char: int) -> None:
        """Go on from here: everything before it was spoken."""
        text = self._said.text
        while char < len(text) and not (text[char].isalnum() or text[char] in _OPENERS):
            char += 1
        self.from_char = char

    @property
    def done(self) -> bool:
        """Whether nothing is left to be spoken."""
        return not any(map(str.isalnum, self._said.text[self.from_char :]))

    def written(self, at: int, start: int, end: int) -> Word | None:
        """Return a spoken word as the written one it stands for; None: a further word for the same writing."""
        spot = self._said.written(start, end)
        if spot == self._last_spot:
            return None
        self._last_spot = spot
        return Word(at, *spot)


class Take:
    """One voice's sound for the rest of a phrase. Positions are samples of this voice's sound, at its own rate.

    ``letters_per_s``: its usual pace, to guess how far it came where it gives no word times.
    """

    def __init__(self, progress: Progress, letters_per_s: float) -> None:
        self.complete = False
        self.audible = False
        self.rate_hz = 0
        self.come = 0
        self.gone = 0
        self._progress = progress
        self._base_s = progress.gone_s
        self._offset = progress.from_char
        self._letters_per_s = letters_per_s
        self._text = progress.rest().text
        self._held: Pcm = np.zeros(0, np.int16)
        self._words: list[Word] = []
        self._words_gone = 0
        self._shapes: list[Shape] = []

    @property
    def come_s(self) -> float:
        """Seconds of sound that have come."""
        return self.come / self.rate_hz if self.rate_hz else 0.0

    @property
    def held_s(self) -> float:
        """Seconds of sound that have come and not gone out."""
        return (self.come - self.gone) / self.rate_hz if self.rate_hz else 0.0

    @property
    def tells_words(self) -> bool:
        """Whether the voice gives the times of its words."""
        return bool(self._words)

    @property
    def speaks(self) -> bool:
        """Whether a whole word of it has gone out, as far as the voice tells."""
        return self.gone > 0 and (self.complete or not self._words or self._spoken_chars(self.gone) > 0)

    def add(self, sound: Sound) -> None:
        """Take what has come."""
        self.rate_hz = sound.rate_hz
        self.complete = sound.last
        self.come += len(sound.pcm)
        self.audible = self.audible or bool(sound.pcm.any())
        self._held = np.concatenate((self._held, sound.pcm)) if len(self._held) else sound.pcm
        self._words += sound.words
        self._shapes += sound.shapes

    def whole_words(self) -> int:
        """Return how far the sound consists of whole words, as far as the voice tells."""
        if self.complete:
            return self.come
        return max((word.at for word in self._words if word.at <= self.come), default=0)

    def release(self, until: int) -> Sound | None:
        """Let the sound out up to a sample, with its words and shapes; None: there is nothing to let out."""
        if not self.complete:
            until = min(until, self.come - round(FADE_S * self.rate_hz))
        if until <= self.gone and not self.complete:
            return None
        pcm, self._held = self._held[: until - self.gone], self._held[until - self.gone :]
        return self._out(pcm, last=self.complete)

    def broken_off(self) -> Sound | None:
        """The voice is left: let its whole words out, if the phrase has begun, and fade; the rest is the next one's."""
        if not self.gone:
            return None
        fade = round(FADE_S * self.rate_hz)
        end = max(self.whole_words() - self.gone, min(fade, len(self._held)))
        pcm = self._held[:end].astype(np.float32)
        fade = min(fade, len(pcm))
        if fade:
            pcm[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
        silence = np.zeros(round(JOIN_S * self.rate_hz), np.int16)
        self._progress.spoken_until(self._offset + self._spoken_chars(self.gone + end))
        closes = Shape(self.gone + end, 0)
        self._shapes = [shape for shape in self._shapes if shape.at < closes.at] + [closes]
        return self._out(np.concatenate((pcm.astype(np.int16), silence)), last=False, speech=end)

    def _spoken_chars(self, spoken: int) -> int:
        """Return how many characters of the text were spoken whole in so many samples."""
        if not self._words:
            guess = int(spoken / self.rate_hz * self._letters_per_s)
            return max(self._text.rfind(" ", 0, guess + 1), 0)
        ended = zip(self._words, self._words[1:], strict=False)
        return max((word.end for word, following in ended if following.at <= spoken), default=0)

    def _out(self, pcm: Pcm, *, last: bool, speech: int | None = None) -> Sound:
        """Make a ``Sound`` of the whole phrase; of ``pcm`` only ``speech`` samples are the voice's own (None: all)."""
        self.gone += len(pcm) if speech is None else speech
        self._progress.gone_s += len(pcm) / self.rate_hz
        base = round(self._base_s * self.rate_hz)
        words: list[Word] = []
        while self._words_gone < len(self._words) and (last or self._words[self._words_gone].at < self.gone):
            word = self._words[self._words_gone]
            self._words_gone += 1
            written = self._progress.written(word.at + base, word.start + self._offset, word.end + self._offset)
            words += [written] if written else []
        reach = self.gone + SHAPES_AHEAD_S * self.rate_hz
        shapes = [shape for shape in self._shapes if last or shape.at <= reach]
        self._shapes = self._shapes[len(shapes) :]
        moved = tuple(Shape(shape.at + base, shape.viseme) for shape in shapes)
        return Sound(pcm, self.rate_hz, moved, tuple(words), last)
