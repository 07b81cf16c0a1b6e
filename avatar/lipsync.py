"""The mouth of one reply: viseme events and sound in, a smooth track of mouth shapes out, on the sound's own clock.

Measured limits: a mouth that is late by more than 15 ms or early by more than 45 ms is noticed (ATSC IS-191), so every
movement begins ahead of its sound. Lips that do not close on p, b and m are noticed even sooner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bot.vocabulary import Pcm, Shape

STEP_S = 0.01
"""Seconds from one row of the track to the next."""

EASE_S = 0.06
LEAD_S = 0.05
"""How long before its sound a shape begins to form."""
SHUT_S = 0.06
"""How long lips stay closed at least; on the 10 ms grid at least 50 ms of it are seen."""
SHUT_EARLY_S = 0.02
SHUTTING_S = 0.05
HALVES_S = 0.14
"""A diphthong longer than this is shown as its two vowels."""
PAUSE_S = 0.05
"""Shorter pauses, such as espeak-ng's breaks between two vowels, do not close the mouth."""
LOST_S = 0.4
"""A shape held longer than this under audible sound means lost events; the sound's loudness moves the mouth then."""
SHAPE_REACH_S = 0.09
"""How far ahead of a shape its influence on the track begins."""

OPEN_MOST = 0.85
QUIET = 0.55
"""The part of the opening that is left when speech is hardly audible."""
FLOOR_DB, RANGE_DB, CURVE = -45.0, 33.0, 1.4
"""Loudness: -45 dBFS shuts the mouth, -12 opens it. Fixed, never per clip: a whisper must stay smaller than a shout."""
FLOOR = 10 ** (FLOOR_DB / 10)
ATTACK_S, RELEASE_S = 0.02, 0.09
_RISE, _FALL = (1 - math.exp(-STEP_S / tau_s) for tau_s in (ATTACK_S, RELEASE_S))
AHEAD_ROWS = 3
"""The smoothing of attack and release is 20 ms late; loudness is read 30 ms ahead to make up for it."""

_VISEMES = np.array(
    # open, form, A, I, U, E, O; ids are Azure's
    [
        (0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00),  # 0 silence
        (0.55, 0.15, 0.55, 0.00, 0.00, 0.15, 0.00),  # 1 æ ə ʌ
        (0.85, 0.00, 0.90, 0.00, 0.00, 0.00, 0.00),  # 2 ɑ, Spanish a
        (0.60, -0.45, 0.00, 0.00, 0.00, 0.00, 0.80),  # 3 ɔ
        (0.45, 0.25, 0.00, 0.00, 0.00, 0.65, 0.00),  # 4 ɛ ʊ, Spanish e
        (0.35, -0.25, 0.00, 0.00, 0.20, 0.30, 0.00),  # 5 ɝ
        (0.25, 0.70, 0.00, 0.80, 0.00, 0.00, 0.00),  # 6 j i ɪ
        (0.20, -0.90, 0.00, 0.00, 0.90, 0.00, 0.00),  # 7 w u
        (0.45, -0.70, 0.00, 0.00, 0.00, 0.00, 0.90),  # 8 o
        (0.75, -0.20, 0.60, 0.00, 0.00, 0.00, 0.35),  # 9 aʊ
        (0.50, -0.20, 0.00, 0.25, 0.00, 0.00, 0.60),  # 10 ɔɪ
        (0.70, 0.20, 0.60, 0.30, 0.00, 0.00, 0.00),  # 11 aɪ
        (0.30, 0.00, 0.25, 0.00, 0.00, 0.00, 0.00),  # 12 h, Spanish j
        (0.25, -0.40, 0.00, 0.00, 0.40, 0.00, 0.00),  # 13 ɹ
        (0.30, 0.10, 0.00, 0.00, 0.00, 0.25, 0.00),  # 14 l
        (0.12, 0.45, 0.00, 0.35, 0.00, 0.00, 0.00),  # 15 s z
        (0.18, -0.55, 0.00, 0.00, 0.45, 0.00, 0.00),  # 16 ʃ tʃ dʒ ʒ
        (0.20, 0.10, 0.00, 0.00, 0.00, 0.20, 0.00),  # 17 ð
        (0.02, 0.15, 0.00, 0.10, 0.00, 0.00, 0.00),  # 18 f v: teeth on the lip, seen as shut
        (0.18, 0.15, 0.00, 0.00, 0.00, 0.20, 0.00),  # 19 d t n θ
        (0.25, 0.00, 0.20, 0.00, 0.00, 0.00, 0.00),  # 20 k g ŋ
        (0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00),  # 21 p b m
    ]
)
_CLOSURES = (18, 21)
_HALVES = {9: (2, 7), 10: (3, 6), 11: (2, 6)}
_LOUDNESS = 22
"""Stands for a viseme where none is known: the loudness moves the mouth."""
_TARGETS = np.zeros((23, 8))
_TARGETS[:22, :7] = _VISEMES
_TARGETS[_LOUDNESS, 7] = 1.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MouthShape:
    """``open`` 0..1, ``form`` -1 (pucker) .. 1 (spread), ``vowels`` weights 0..1 of A, I, U, E, O."""

    open: float
    form: float
    vowels: tuple[float, float, float, float, float]


REST = MouthShape(0.0, 0.0, (0.0, 0.0, 0.0, 0.0, 0.0))


class _Ease(NamedTuple):
    """A movement towards a viseme, from ``begin_s`` to ``end_s``."""

    begin_s: float
    end_s: float
    viseme: int


class MouthTrack:
    """One reply's mouth, a row every ``STEP_S``. Sound comes in pieces; how it is split changes nothing.

    ``rate_hz``: of the sound; a multiple of 100.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._step = rate_hz // 100
        self._rows: Floats = np.zeros((0, 7))
        self._phrase_s = -1.0
        self._last: Shape | None = None
        self._eases: list[_Ease] = [_Ease(-1.0, -0.5, 0)]
        self._hold_s = 0.0
        self._samples = 0
        self._rest: Pcm = np.zeros(0, np.int16)
        self._energy: Floats = np.zeros(0)
        self._loudness = 0.0

    def add(self, at: int, shapes: Sequence[Shape], pcm: Pcm, last: bool) -> None:
        """Append sound and shapes of the phrase that begins at sample ``at``.

        Shapes are absolute in the reply, in order, never behind the sound they belong to. ``last`` ends the phrase:
        the mouth returns to rest.
        """
        if self._last is None:
            self._phrase_s = at / self._rate_hz
            self._last = Shape(at, _LOUDNESS)
        self._listen(pcm)
        for shape in shapes:
            self._settle(shape)
        if last:
            self._settle(Shape(self._samples, 0))
            self._move(self._eases, self._samples / self._rate_hz, 0, math.inf)
            self._last = None
        self._advance(last)

    def rows(self, start: int) -> list[list[int]]:
        """Return the final rows from row ``start`` on: open, form, A, I, U, E, O in hundredths."""
        final: list[list[int]] = np.rint(self._rows[start:] * 100).astype(int).tolist()
        return final

    def at(self, sample: float) -> MouthShape:
        """Return the shape at a sample of the reply; at rest outside the track."""
        place = sample / self._step
        index = int(place)
        if place < 0 or index >= len(self._rows):
            return REST
        row = self._rows[index]
        if index + 1 < len(self._rows):
            row = row + (self._rows[index + 1] - row) * (place - index)
        opened, form, *vowels = row.tolist()
        return MouthShape(opened, form, (vowels[0], vowels[1], vowels[2], vowels[3], vowels[4]))

    def _listen(self, pcm: Pcm) -> None:
        """Note the mean square of every whole step of sound."""
        self._samples += len(pcm)
        sound = np.concatenate((self._rest, pcm)) if len(self._rest) else pcm
        whole = len(sound) // self._step * self._step
        self._rest = sound[whole:]
        if whole:
            blocks = sound[:whole].astype(np.float32).reshape(-1, self._step)
            heard = np.vecdot(blocks, blocks) / (self._step * 32768.0**2)
            self._energy = np.concatenate((self._energy, heard))

    def _settle(self, shape: Shape) -> None:
        """Take the next shape; the one before it has its end now, and so its movements are certain."""
        if self._last is not None and shape.at > self._last.at:
            self._plan(self._eases, self._last, shape.at / self._rate_hz)
        if self._last is None or shape.at >= self._last.at:
            self._last = shape

    def _plan(self, eases: list[_Ease], shape: Shape, end_s: float) -> None:
        """Append the movements of one shape that lasts until ``end_s``."""
        start_s = shape.at / self._rate_hz
        lasts_s = end_s - start_s
        if shape.viseme == 0 and lasts_s < PAUSE_S:
            return
        lost_s = start_s + LOST_S + LEAD_S
        lost = end_s > lost_s and shape.viseme != _LOUDNESS
        halves = _HALVES.get(shape.viseme) if lasts_s > HALVES_S else None
        self._move(eases, start_s, halves[0] if halves else shape.viseme, lost_s if lost else end_s)
        if halves and math.isfinite(lasts_s):
            self._move(eases, start_s + lasts_s / 2, halves[1], end_s)
        if lost:
            self._move(eases, lost_s, _LOUDNESS, end_s)

    def _move(self, eases: list[_Ease], start_s: float, viseme: int, end_s: float) -> None:
        hold_s = max(self._hold_s, self._phrase_s)
        if viseme in _CLOSURES:
            open_s = max(end_s - SHUT_EARLY_S, start_s + SHUT_S - 2 * SHUT_EARLY_S)
            shut_s = min(start_s - SHUT_EARLY_S, open_s - SHUT_S)
            begin_s = max(shut_s - SHUTTING_S, hold_s)
            shut_s = max(shut_s, begin_s + STEP_S)
            eases.append(_Ease(begin_s, shut_s, viseme))
            if eases is self._eases:
                self._hold_s = max(open_s, shut_s + SHUT_S)
        else:
            begin_s = max(start_s - LEAD_S, hold_s)
            eases.append(_Ease(begin_s, begin_s + EASE_S, viseme))

    def _advance(self, ended: bool) -> None:
        """Compute the rows that no later shape or sound can change."""
        sound_s = self._samples / self._rate_hz
        eases = self._eases
        if ended:
            energy = self._energy
            if len(self._rest):
                left = self._rest.astype(np.float64) / 32768
                energy = np.append(energy, np.dot(left, left) / len(left))
            end = -(-self._samples // self._step)
        else:
            energy = self._energy
            end = self._certain_rows(sound_s)
            if self._last is not None:
                eases = list(eases)
                self._plan(eases, self._last, math.inf)
        begin = len(self._rows)
        if end <= begin:
            return
        loudness = _loudness(energy, begin, end)
        eases = [ease for ease in eases if ease.begin_s < end * STEP_S]
        shapes = _blend(eases, np.arange(begin, end, dtype=np.float64) * STEP_S)
        self._rows = np.concatenate((self._rows, self._mix(shapes, loudness)))
        done_s = end * STEP_S
        while len(self._eases) > 1 and any(ease.end_s <= done_s for ease in self._eases[1:]):
            del self._eases[0]

    def _certain_rows(self, sound_s: float) -> int:
        """Return how many rows are certain while more of the phrase is to come."""
        known_s = max(sound_s, self._last.at / self._rate_hz) if self._last else sound_s
        certain_s = min(sound_s - (AHEAD_ROWS + 1) * STEP_S, known_s - SHAPE_REACH_S)
        if self._last:
            start_s = self._last.at / self._rate_hz
            lasts_s = known_s - start_s
            halves = self._last.viseme in _HALVES
            if lasts_s <= (HALVES_S if halves else SHUT_S):
                certain_s = min(certain_s, start_s - SHAPE_REACH_S)
            elif halves:
                certain_s = min(certain_s, start_s + lasts_s / 2 - LEAD_S)
        return int(certain_s / STEP_S)

    def _mix(self, shapes: Floats, loudness: Floats) -> Floats:
        """Scale shapes by the loudness and, where shapes are unknown, let the loudness itself open the mouth."""
        rows = shapes[:, :7]
        rows[:, 0] *= QUIET + (1 - QUIET) * loudness[: len(rows)]
        ahead = loudness[AHEAD_ROWS:].tolist()
        for index, (target, unknown) in enumerate(zip(ahead, shapes[:, 7].tolist(), strict=True)):
            self._loudness += (target - self._loudness) * (_RISE if target > self._loudness else _FALL)
            if unknown:
                rows[index, 0] += unknown * self._loudness
                rows[index, 2] += unknown * self._loudness * OPEN_MOST
        np.minimum(rows[:, 0], OPEN_MOST, out=rows[:, 0])
        vowels = rows[:, 2:]
        vowels[vowels < np.partition(vowels, 3, axis=1)[:, 3:4]] = 0.0
        return rows


def _loudness(energy: Floats, begin: int, end: int) -> Floats:
    """Return the loudness 0..1 at rows ``begin`` to ``end + AHEAD_ROWS``, over 20 ms around each; silence outside."""
    known = np.zeros(end - begin + AHEAD_ROWS + 1)
    heard = energy[max(begin - 1, 0) : end + AHEAD_ROWS]
    known[begin == 0 :][: len(heard)] = heard
    over_floor = np.maximum((known[:-1] + known[1:]) * (0.5 / FLOOR), 1.0)
    near: Floats = np.minimum(np.log10(over_floor) * (10 / RANGE_DB), 1.0) ** CURVE
    return near


def _blend(eases: Sequence[_Ease], times_s: Floats) -> Floats:
    """Return a row a time: seven columns of shape and the weight of "unknown".

    Each movement starts from wherever those before it have brought the mouth.
    """
    begin_s = np.array([ease.begin_s for ease in eases])[:, None]
    end_s = np.array([ease.end_s for ease in eases])[:, None]
    done = np.minimum(np.maximum((times_s - begin_s) / (end_s - begin_s), 0.0), 1.0)
    share = done * done * (3 - 2 * done)
    if len(eases) > 1:
        share[:-1] *= np.multiply.accumulate(1 - share[:0:-1], axis=0)[::-1]
    rows: Floats = share.T @ _TARGETS[[ease.viseme for ease in eases]]
    return rows
