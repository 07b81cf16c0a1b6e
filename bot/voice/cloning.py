"""``aneeka voices clone NAME sample.wav``: keeps a sample, once it is good enough, as a voice of XTTS2.

What XTTS2 makes of it (the latents) is computed when the voice first speaks, and kept beside it.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from bot.config.settings import Settings
from bot.files import take_place
from bot.texts import text
from bot.vocabulary import EngineDown
from bot.voice import sample as judge
from bot.voice.sample import Floats, Sample
from bot.voice.xtts import clones_folder

WELL, FAILED = 0, 1
KEPT_HZ = 24_000
PEAK = 0.75
"""Samples are kept at this level, as XTTS2's own setting ``sound_norm_refs`` does."""
LONGEST_FILE_S = 600.0
_EDGE_S = 0.1
_AUDIBLE = 0.02
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
"""Names that Windows keeps for itself."""


class _Unfit(Exception):
    """Why a sample, or a name, is not taken."""


def clone(settings: Settings, data: Path, name: str, sample: Path) -> int:
    """Keep ``sample`` as the voice ``name``. Return the exit code; what is wrong with it has been told."""
    file = clones_folder(data) / f"{name}.wav"
    try:
        if not re.fullmatch(r"[\w-]{1,40}", name) or _RESERVED.fullmatch(name):
            raise _Unfit(text("cloning.bad_name", name=name))
        if file.exists():
            raise _Unfit(text("cloning.taken", name=name, file=file))
        sound, rate_hz = _read(sample)
        sound = _trimmed(sound, rate_hz)
        found = judge.examine(soxr.resample(sound, rate_hz, judge.RATE_HZ))
        if problems := _problems(found):
            raise _Unfit("\n".join(problems))
        _keep(file, sound, rate_hz)
    except _Unfit as unfit:
        print(unfit, file=sys.stderr)
        return FAILED
    except EngineDown as down:
        print(down.reason, down.repair, sep="\n", file=sys.stderr)
        return FAILED
    except OSError as fault:
        print(text("cloning.not_kept", file=file, error=fault.strerror or fault), file=sys.stderr)
        return FAILED
    _report(settings, name, file, found)
    return WELL


def _read(sample: Path) -> tuple[Floats, int]:
    """Return the file's sound as mono, and its rate. Raises ``_Unfit``, or ``EngineDown`` without the package."""
    if not sample.is_file():
        raise _Unfit(text("cloning.no_file", file=sample))
    try:
        soundfile: Any = import_module("soundfile")
    except (ImportError, OSError) as missing:
        raise EngineDown(text("xtts.packages", names="soundfile"), text("cloning.packages_repair")) from missing
    try:
        with soundfile.SoundFile(str(sample)) as opened:
            frames = opened.read(int(LONGEST_FILE_S * opened.samplerate), dtype="float32", always_2d=True)
            rate_hz: int = opened.samplerate
    except soundfile.SoundFileError as fault:
        raise _Unfit(text("cloning.unreadable", file=sample)) from fault
    if len(frames) < rate_hz * _EDGE_S or not np.isfinite(frames).all():
        raise _Unfit(text("cloning.unreadable", file=sample))
    return np.ascontiguousarray(frames.mean(axis=1, dtype=np.float32)), rate_hz


def _trimmed(sound: Floats, rate_hz: int) -> Floats:
    """Return it without the silence around it, and no longer than XTTS2 listens."""
    loud = np.flatnonzero(np.abs(sound) > _AUDIBLE * float(np.abs(sound).max()))
    if not len(loud):
        return sound
    edge = round(_EDGE_S * rate_hz)
    return sound[max(int(loud[0]) - edge, 0) : int(loud[-1]) + edge][: round(judge.LONGEST_S * rate_hz)]


def _problems(found: Sample) -> list[str]:
    """Return what is wrong, a sentence each with what to do about it."""
    problems: list[str] = []
    if found.speech_s < judge.SHORTEST_S:
        seconds, wanted = f"{found.speech_s:.1f}", f"{judge.SHORTEST_S:.0f}"
        problems.append(text("cloning.short", seconds=seconds, wanted=wanted))
    if found.level_db < judge.QUIETEST_DB:
        problems.append(text("cloning.quiet", level=f"{found.level_db:.0f}", wanted=f"{judge.QUIETEST_DB:.0f}"))
    if found.clipped > judge.MOST_CLIPPED:
        problems.append(text("cloning.clipped", share=f"{100 * found.clipped:.1f}"))
    if found.above_noise_db < judge.NOISIEST_DB:
        decibels, wanted = f"{found.above_noise_db:.0f}", f"{judge.NOISIEST_DB:.0f}"
        problems.append(text("cloning.noisy", decibels=decibels, wanted=wanted))
    return problems


def _keep(file: Path, sound: Floats, rate_hz: int) -> None:
    """Write the voice's WAV file; it is there whole or not at all."""
    kept = soxr.resample(sound, rate_hz, KEPT_HZ)
    kept *= PEAK / max(float(np.abs(kept).max()), 1e-6)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    import_module("soundfile").write(str(fresh), kept, KEPT_HZ, subtype="PCM_16", format="WAV")
    take_place(fresh, file)


def _report(settings: Settings, name: str, file: Path, found: Sample) -> None:
    print(text("cloning.kept", name=name, file=file, seconds=f"{found.speech_s:.0f}"))
    if len(found.pitches_hz) > 1:
        low, high = found.pitches_hz
        print(text("cloning.two_people", low=low, high=high))
    print(text("cloning.consent"))
    if settings.tts.engine != "xtts":
        print(text("cloning.use", name=name))
    elif settings.tts.voice != name:
        print(text("cloning.choose", name=name))
