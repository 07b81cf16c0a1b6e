"""Judges the sample of a voice that is to be cloned: long, loud and clean enough, and one person's.

Whether one person speaks is told by pitch and timbre of every 0.8 s of voiced speech, split into the two groups that
lie farthest apart. A man and a woman are told apart, two people of like pitch in one room are not; somebody who acts
two voices counts as two. That verdict is therefore a warning, and never a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.voice.aligner import Features

RATE_HZ = 16_000
SHORTEST_S, LONGEST_S = 5.0, 30.0
"""Of speech, pauses not counted; XTTS2 listens to 30 s at most."""
QUIETEST_DB = -40.0
NOISIEST_DB = 15.0
"""What speech must stand above what is heard in its pauses, at least."""
CLIPPED = 0.999
MOST_CLIPPED = 0.0005
"""The share of samples that may lie at the limit, in runs of three or more."""
_HOP, _WINDOW, _SIZE = 160, 640, 2048
_LOWEST_HZ, _HIGHEST_HZ = 65, 400
_VOICED = 0.5
_NEAR_BEST = 0.85
"""Of several periods that repeat so nearly as well as the best, the shortest is the pitch."""
_SPEECH_DB = 25.0
_PIECE = 80
_PITCH_WEIGHT = 0.5
_APART_SEMITONES, _APART = 4.0, 9.0
_FEWEST, _LEAST_SHARE = 2, 0.25

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a sample is like. ``pitches_hz`` has two entries where two people seem to speak."""

    speech_s: float
    level_db: float
    above_noise_db: float
    clipped: float
    pitches_hz: tuple[int, ...]


def examine(sound: Floats) -> Sample:
    """Examine mono sound of 16 kHz (-1 to 1), at least 0.1 s of it."""
    windows = sound[np.arange(_WINDOW) + _HOP * np.arange((len(sound) - _WINDOW) // _HOP + 1)[:, None]]
    windows = windows - windows.mean(axis=1, keepdims=True)
    loud = 10 * np.log10((windows**2).mean(axis=1) + 1e-10)
    speech = loud > np.percentile(loud, 95) - _SPEECH_DB
    level = float(10 * np.log10((10 ** (loud[speech] / 10)).mean()))
    pauses = loud[~speech] if (~speech).sum() > len(loud) // 50 else loud
    pitch = np.where(speech, _pitch(windows), 0.0)
    return Sample(
        speech_s=float(speech.sum() * _HOP / RATE_HZ),
        level_db=level,
        above_noise_db=level - float(np.percentile(pauses, 25)),
        clipped=_clipped(sound),
        pitches_hz=_speakers(sound, pitch),
    )


def _clipped(sound: Floats) -> float:
    """Return the share of samples at the limit, single ones not counted."""
    high = np.abs(sound) >= CLIPPED
    runs = high[2:] & high[1:-1] & high[:-2]
    return float(runs.mean()) if len(runs) else 0.0


def _pitch(windows: Floats) -> Floats:
    """Return the pitch of each window in Hz by autocorrelation, 0 where it is not voiced."""
    taper = np.hanning(_WINDOW)
    alike = np.fft.irfft(np.abs(np.fft.rfft(windows * taper, _SIZE)) ** 2)[:, :_WINDOW]
    of_taper = np.fft.irfft(np.abs(np.fft.rfft(taper, _SIZE)) ** 2)[:_WINDOW]
    alike = alike / (alike[:, :1] + 1e-9) / (of_taper / of_taper[0] + 1e-6)
    shortest, longest = RATE_HZ // _HIGHEST_HZ, RATE_HZ // _LOWEST_HZ
    here = alike[:, shortest:longest]
    best = here.max(axis=1)
    peaks = (here >= alike[:, shortest - 1 : longest - 1]) & (here >= alike[:, shortest + 1 : longest + 1])
    first = (peaks & (here >= _NEAR_BEST * best[:, None])).argmax(axis=1)
    return np.where(best > _VOICED, RATE_HZ / (first + shortest), 0.0).astype(np.float32)


def _speakers(sound: Floats, pitch: Floats) -> tuple[int, ...]:
    """Return the pitch of each person who seems to speak, in Hz."""
    voiced = np.flatnonzero(pitch)
    pieces = [voiced[at : at + _PIECE] for at in range(0, len(voiced) - _PIECE + 1, _PIECE)]
    whole = (round(float(np.median(pitch[voiced]))),) if len(voiced) else ()
    if len(pieces) < 2 * _FEWEST:
        return whole
    timbre = Features(RATE_HZ).feed((sound * 32767).astype(np.int16))[:, 1:]
    semitones = np.array([12 * np.log2(np.median(pitch[piece])) for piece in pieces])
    points = np.column_stack(
        (semitones * _PITCH_WEIGHT, [timbre[np.minimum(piece, len(timbre) - 1)].mean(axis=0) for piece in pieces])
    )
    first = _two_groups(points)
    fewer = min(first.sum(), (~first).sum())
    if fewer < max(_FEWEST, _LEAST_SHARE * len(pieces)) or (first[1:] != first[:-1]).sum() > len(pieces) // 3:
        return whole
    apart = float(np.linalg.norm(points[first].mean(axis=0) - points[~first].mean(axis=0)))
    pitches = [float(np.median(semitones[group])) for group in (first, ~first)]
    if abs(pitches[0] - pitches[1]) < _APART_SEMITONES and apart < _APART:
        return whole
    return tuple(sorted(round(2 ** (each / 12)) for each in pitches))


def _two_groups(points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which points belong to the first of two groups (k-means from the two that are farthest apart)."""
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    seeds = np.unravel_index(int(distances.argmax()), distances.shape)
    centres = points[list(seeds)]
    first = np.zeros(len(points), np.bool_)
    for _ in range(10):
        first = np.linalg.norm(points - centres[0], axis=1) < np.linalg.norm(points - centres[1], axis=1)
        if first.all() or not first.any():
            break
        centres = np.array([points[first].mean(axis=0), points[~first].mean(axis=0)])
    return first
