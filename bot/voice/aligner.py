"""Mouth shapes and word times for a voice that tells none: espeak-ng's reading of the phrase, fitted to its sound.

The reading is sound too, with known times (``bot.voice.speller``). Every 10 ms of what the voice says are compared with
every 10 ms of the reading, and the cheapest path through both, so far, tells where in the text the voice is: dynamic
time warping, as in Sakoe and Chiba, "Dynamic programming algorithm optimization for spoken word recognition" (1978).
Weights were chosen by ``tests/bench/mouth.py`` on voices and languages that are not the reader's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.vocabulary import Pcm, Shape, Word

STEP_S = 0.01
_WINDOW_S = 0.025
_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 26, 80.0, 7600.0
_CEPSTRA = 12
FEATURES = 1 + _CEPSTRA
"""Numbers in a row."""
_PREEMPHASIS = 0.97

_CEPSTRA_WEIGHT, _LOUDNESS_WEIGHT = 0.35, 0.05
_OFF_TEMPO = 0.6
"""What it costs to stay on a row of the reading, and to skip one."""
_SPEECH_DB = 25.0
"""Down to so much under its loudest moment a sound shows the voice's own colour."""
_QUIET_DB, _PAUSE_COST, _PAUSE_WEIGHT = 30.0, 1.0, 0.3
"""A pause costs the least, and more for every dB above so much under the voice's own level."""
_BEFORE_COST, _BEFORE_ROWS = 2.2, 80
"""A pause before the first word costs no more, for so long: a breath or a hiss may be loud. Below 2 words are lost."""
_FAINTEST_DB = -20.0
"""A voice's level is never taken for lower (dBFS): a room alone is no voice."""
_PAUSE_ROWS = 3
_FAR = np.float32(1e9)

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Script:
    """How a phrase sounds when it is read: a row of ``Features`` every 10 ms; every place for a pause is one row.

    ``shapes`` are (row, viseme) and ``words`` (row, start, end in the text): where they begin.
    """

    rows: Rows
    pauses: tuple[int, ...]
    shapes: tuple[tuple[int, int], ...]
    words: tuple[tuple[int, int, int], ...]


class Features:
    """Loudness in dBFS and twelve cepstra of every 10 ms of a sound that comes in pieces of any size."""

    def __init__(self, rate_hz: int) -> None:
        self._hop = rate_hz * STEP_S
        self._window = round(rate_hz * _WINDOW_S)
        self._size = 1 << (self._window - 1).bit_length()
        self._hamming = np.hamming(self._window).astype(np.float32)
        self._bands = _mel_bands(rate_hz, self._size).T
        angles = np.outer(np.arange(_BANDS) + 0.5, np.arange(1, _CEPSTRA + 1)) * np.pi / _BANDS
        self._cosines = (np.cos(angles) * np.sqrt(2 / _BANDS)).astype(np.float32)
        # A row is the middle of its window, so the first window begins before the sound.
        self._held: Rows = np.zeros(round((self._window - self._hop) / 2), np.float32)
        self._dropped = self._made = 0

    def feed(self, pcm: Pcm) -> Rows:
        """Return the rows that have become complete, shape (n, 13)."""
        self._held = np.concatenate((self._held, pcm.astype(np.float32) / 32768))
        starts: list[int] = []
        while (start := round(self._made * self._hop) - self._dropped) + self._window <= len(self._held):
            starts.append(start)
            self._made += 1
        if not starts:
            return np.zeros((0, FEATURES), np.float32)
        windows = self._held[np.array(starts)[:, None] + np.arange(self._window)]
        used = round(self._made * self._hop) - self._dropped
        self._held = self._held[used:]
        self._dropped += used
        windows -= windows.mean(axis=1, keepdims=True)
        loudness = 10 * np.log10((windows**2).mean(axis=1) + 1e-10)
        windows[:, 1:] -= _PREEMPHASIS * windows[:, :-1]
        power = np.abs(np.fft.rfft(windows * self._hamming, self._size)) ** 2
        cepstra = np.log(power.astype(np.float32) @ self._bands + 1e-9) @ self._cosines
        return np.concatenate((loudness[:, None], cepstra), axis=1).astype(np.float32)


class Aligner:
    """Fits one phrase's script to the sound of a voice while it streams, about 10 ms of work a second of sound.

    What ``feed`` has returned stands. It is surest in pieces of half a second or more: the end of a piece is judged
    before anybody knows what follows. ``rate_hz``: of the sound.
    """

    def __init__(self, script: Script, rate_hz: int) -> None:
        self._hop = rate_hz * STEP_S
        self._features = Features(rate_hz)
        count = len(script.rows)
        self._pauses = np.zeros(count, np.bool_)
        self._pauses[list(script.pauses)] = True
        begins = [(row, Shape(0, viseme)) for row, viseme in script.shapes]
        begins += [(row, Shape(0, 0)) for row in script.pauses]
        self._marks: list[tuple[int, Shape | Word]] = [
            *((row, Word(0, start, end)) for row, start, end in script.words),
            *begins,
        ]
        self._marks.sort(key=lambda mark: mark[0])
        self._next = 0
        self._reading = _centred(script.rows, ~self._pauses)
        after_pause = np.concatenate(([False], self._pauses[:-1]))
        self._stay = np.where(self._pauses, 0.0, _OFF_TEMPO).astype(np.float32)
        self._skip = np.where(after_pause, 0.0, _OFF_TEMPO).astype(np.float32)
        self._heard: Rows = np.zeros((0, FEATURES), np.float32)
        self._costs: Rows = np.full(count, _FAR, np.float32)
        self._steps: list[npt.NDArray[np.int8]] = []
        self._samples = 0
        self._told = 0
        self._viseme = 0

    def feed(self, pcm: Pcm, last: bool) -> tuple[list[Shape], list[Word]]:
        """Take the next sound; return the shapes and words that begin in it, counted from the phrase's first sample.

        ``last``: nothing follows, and everything that the phrase has begins by now.
        """
        self._told = max(self._told, self._samples)
        self._samples += len(pcm)
        fresh = self._features.feed(pcm)
        if not len(self._costs):
            return [], []
        if len(fresh):
            self._heard = np.concatenate((self._heard, fresh))
            self._walk(len(fresh))
        path = self._path(last)
        shapes: list[Shape] = []
        words: list[Word] = []
        while self._next < len(self._marks):
            row, mark = self._marks[self._next]
            step = int(np.searchsorted(path, row))
            if step == len(path) and not last:
                break
            self._next += 1
            at = min(max(round((step - 1) * self._hop), self._told), self._samples)
            if isinstance(mark, Word):
                words.append(Word(at, mark.start, mark.end))
            elif self._pauses[row] and np.searchsorted(path, row, "right") - step < _PAUSE_ROWS:
                continue
            elif mark.viseme != self._viseme:
                self._viseme = mark.viseme
                shapes.append(Shape(at, mark.viseme))
                self._told = min(at + round(self._hop), self._samples)  # a closure must not fall out of the track
        if last and self._viseme:
            shapes.append(Shape(self._samples, 0))
        return shapes, words

    def _walk(self, count: int) -> None:
        """Go on with the cheapest way to every row of the reading, for the newest ``count`` rows of the voice."""
        loud = self._heard[:, 0]
        voice = _centred(self._heard, loud > loud.max() - _SPEECH_DB)[-count:]
        apart = (voice**2).sum(axis=1)[:, None] + (self._reading**2).sum(axis=1) - 2 * voice @ self._reading.T
        apart -= np.subtract.outer(voice[:, 0], self._reading[:, 0]) ** 2
        costs = np.sqrt(np.maximum(apart, 0) / _CEPSTRA) * _CEPSTRA_WEIGHT
        costs += np.abs(np.subtract.outer(voice[:, 0], self._reading[:, 0])) * _LOUDNESS_WEIGHT
        above = np.maximum(voice[:, :1] + _QUIET_DB, 0)
        costs = np.where(self._pauses, _PAUSE_COST + _PAUSE_WEIGHT * above, costs)
        early = costs[: max(_BEFORE_ROWS - len(self._steps), 0), 0]
        np.minimum(early, _BEFORE_COST, out=early)
        for row in costs:
            step = np.zeros(len(row), np.int8)
            if self._steps:
                before = self._costs
                best = before + self._stay
                moves = (before[:-1], before[:-2] + self._skip[2:], before[:-3] + self._skip[3:] + _OFF_TEMPO)
                for width, moved in enumerate(moves, 1):
                    step[width:][moved < best[width:]] = width
                    np.minimum(best[width:], moved, out=best[width:])
            else:
                best = np.where(np.arange(len(row)) < 2, np.float32(0), _FAR)  # a pause or none before the first word
            self._costs = best + row
            self._steps.append(step)

    def _path(self, last: bool) -> npt.NDArray[np.int64]:
        """Return the row of the reading at every 10 ms so far; with ``last`` the path that ends with the phrase."""
        ends = last and self._costs[-1] < _FAR
        row = len(self._costs) - 1 if ends else int(self._costs.argmin())
        path = np.zeros(len(self._steps), np.int64)
        for index in range(len(self._steps) - 1, -1, -1):
            path[index] = row
            row -= int(self._steps[index][row])
        return path


def _centred(rows: Rows, speech: npt.NDArray[np.bool_]) -> Rows:
    """Return rows without the colour of the voice (the mean over its speech) and with loudness against its level."""
    if not len(rows):
        return rows
    shown: Rows = rows.copy()
    shown[:, 1:] -= rows[speech, 1:].mean(axis=0)
    shown[:, 0] = np.maximum(rows[:, 0] - max(float(np.percentile(rows[:, 0], 95)), _FAINTEST_DB), -_QUIET_DB)
    return shown


def _mel_bands(rate_hz: int, size: int) -> Rows:
    """Return triangles over the spectrum's bins that lie evenly on the mel scale, shape (bands, bins)."""
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    corners = 700 * (10 ** (np.linspace(lowest, highest, _BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(size, 1 / rate_hz)
    rising = (bins - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - bins) / np.diff(corners)[1:, None]
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)
