"""How near the mouth is to the sound, for voices that tell times and for those that tell none.

For every sound of a phrase that has a shape: the time of its shape minus the time at which it begins; below zero the
mouth is early. For every p, b and m: whether the lips of the planned track (``avatar.lipsync``) are shut within it.

- ``espeak``: its own times, judged by the hissing of s and sh, which begins where the high frequencies rise.
- ``flite`` (the program, if it is installed): three speakers recorded from people, with the times of their sounds.
- ``strangers``: other speakers of espeak-ng than the reader, at other speeds, bent in time, with noise.
- ``people``: recordings in a folder with the words' times (``FILE.wav``, and ``FILE.json`` or one file for all, as
  Leopard's test data have them), by the beginnings of words.

Three ways to a mouth without times: ``aligner`` (sound in pieces, as a voice streams it), ``stretched`` (the reading
scaled to the whole sound between its silences) and ``vowels`` (uLipSync's classifier: the nearest of five vowels and
silence by cepstra; its means come from the very speaker that it judges, the best case that it can have).
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from avatar.lipsync import MouthTrack
from bot.vocabulary import Language, Shape, Word
from bot.voice.aligner import STEP_S, Aligner, Features
from bot.voice.espeak_engine import EspeakEngine
from bot.voice.ipa import CLOSED
from bot.voice.speller_engine import ScriptReader
from tests.bench.mouth_clips import LINES, STRANGERS, Clip, flite_clips, stranger_clips

TRACK_HZ = 48_000
NEAR_S = 0.25
SHUT = 0.02
GRACE_S = 0.02
PIECES_S = (0.93, 0.2)
VOWELS = {"A": (1, 2, 9, 11), "E": (4, 5), "I": (6,), "O": (3, 8, 10), "U": (7,)}
LETTER = {shape: letter for letter, shapes in VOWELS.items() for shape in shapes}
SHOWN = {"A": 2, "E": 4, "I": 6, "O": 8, "U": 7, "": 0}


Method = Callable[[Clip], list[Shape]]


def aligned(piece_s: float) -> Method:
    readers: dict[str, dict[str, Any]] = {}

    def method(clip: Clip) -> list[Shape]:
        return _align(clip, piece_s, readers)[0]

    return method


def _align(clip: Clip, piece_s: float, known: dict[str, dict[str, Any]]) -> tuple[list[Shape], list[Word]]:
    scripts = known.setdefault(clip.language, {})
    if clip.text not in scripts:
        scripts[clip.text] = ScriptReader(clip.language).script(clip.text)
    aligner = Aligner(scripts[clip.text], clip.rate_hz)
    shapes: list[Shape] = []
    words: list[Word] = []
    size = round(piece_s * clip.rate_hz)
    for at in range(0, len(clip.pcm), size):
        told = aligner.feed(clip.pcm[at : at + size], at + size >= len(clip.pcm))
        shapes += told[0]
        words += told[1]
    return shapes, words


def stretched(clip: Clip) -> list[Shape]:
    """Scale the reading between its first and last sound to the clip's; pauses inside are not looked for."""
    script = ScriptReader(clip.language).script(clip.text)
    loud = Features(clip.rate_hz).feed(clip.pcm)[:, 0]
    heard = np.flatnonzero(loud > np.percentile(loud, 95) - 30)
    begin, end = heard[0] * STEP_S, heard[-1] * STEP_S
    scale = (end - begin) / len(script.rows)
    shapes = [Shape(round((begin + row * scale) * clip.rate_hz), viseme) for row, viseme in script.shapes]
    return [*shapes, Shape(round(end * clip.rate_hz), 0)]


def vowel_classifier(clips: list[Clip]) -> Method:
    """Return uLipSync's method, with the speakers' own means."""
    means: dict[str, dict[str, npt.NDArray[np.float32]]] = {}
    for speaker in {clip.speaker for clip in clips}:
        heard: dict[str, list[npt.NDArray[np.float32]]] = {}
        for clip in (clip for clip in clips if clip.speaker == speaker):
            rows = Features(clip.rate_hz).feed(clip.pcm)
            for (begin, shape), (end, _) in zip(clip.truth, [*clip.truth[1:], (clip.seconds, 0)], strict=True):
                if shape in LETTER:
                    third = (end - begin) / 3
                    middle = rows[int((begin + third) / STEP_S) : int((end - third) / STEP_S) + 1, 1:]
                    heard.setdefault(LETTER[shape], []).append(middle)
        means[speaker] = {letter: np.concatenate(rows).mean(axis=0) for letter, rows in heard.items()}

    def method(clip: Clip) -> list[Shape]:
        rows = Features(clip.rate_hz).feed(clip.pcm)
        level = np.percentile(rows[:, 0], 95)
        letters = list(means[clip.speaker])
        centres = np.stack([means[clip.speaker][letter] for letter in letters])
        apart = ((rows[:, None, 1:] - centres) ** 2).sum(axis=2)
        shown = [
            letters[near] if loud > level - 25 else "" for near, loud in zip(apart.argmin(1), rows[:, 0], strict=True)
        ]
        # A vowel counts when it holds for 30 ms, uLipSync's smoothing being 50.
        shapes: list[Shape] = []
        for at in range(len(shown) - 2):
            if shown[at] == shown[at + 1] == shown[at + 2] and (not shapes or shapes[-1].viseme != SHOWN[shown[at]]):
                shapes.append(Shape(round(at * STEP_S * clip.rate_hz), SHOWN[shown[at]]))
        return shapes

    return method


def judge(clips: list[Clip], method: Method, *, vowels_only: bool = False) -> dict[str, float]:
    offsets: list[float] = []
    missed, shut = 0, []
    for clip in clips:
        shapes = method(clip)
        begun = [(shape.at / clip.rate_hz, _like(shape.viseme, vowels_only)) for shape in shapes]
        before: object = 0
        for at, viseme in clip.truth:
            kind = _like(viseme, vowels_only)
            if kind and kind != before:
                near = min((begin - at for begin, shown in begun if shown == kind), key=abs, default=NEAR_S)
                if abs(near) < NEAR_S:
                    offsets.append(near)
                else:
                    missed += 1
            before = kind
        shut += _closures(clip, shapes)
    found = np.array(offsets) * 1000
    return {
        "sounds": len(offsets) + missed,
        "missed": round(missed / (len(offsets) + missed), 3),
        "median_ms": round(float(np.median(found))),
        "median_abs_ms": round(float(np.median(np.abs(found)))),
        "p95_abs_ms": round(float(np.percentile(np.abs(found), 95))),
        "closures": len(shut),
        "shut": round(float(np.mean(shut)), 3),
    }


def _like(viseme: int, vowels_only: bool) -> object:
    return LETTER.get(viseme) if vowels_only else viseme


def _closures(clip: Clip, shapes: list[Shape]) -> list[bool]:
    """Return for every p, b and m whether the planned mouth is shut within it."""
    scale = TRACK_HZ / clip.rate_hz
    track = MouthTrack(TRACK_HZ)
    sound = soxr.resample(clip.pcm, clip.rate_hz, TRACK_HZ)
    track.add(0, [Shape(round(shape.at * scale), shape.viseme) for shape in shapes], sound, last=True)
    opened = [row[0] / 100 for row in track.rows(0)]
    ends = [at for at, _ in clip.truth[1:]] + [clip.seconds]
    found: list[bool] = []
    for (begin, viseme), end in zip(clip.truth, ends, strict=True):
        if viseme == CLOSED:
            rows = opened[max(int((begin - GRACE_S) / STEP_S), 0) : int((end + GRACE_S) / STEP_S) + 1]
            found.append(min(rows, default=1.0) <= SHUT)
    return found


def hissing(language: Language) -> dict[str, float]:
    """Judge espeak-ng's own times: where the high frequencies rise, against the shape of s and sh after a vowel."""
    engine = EspeakEngine({"voice": None, "language": language, "speed": 1.0})
    offsets: list[float] = []
    for line in LINES[language]:
        items = list(engine.run({"text": line}, b""))
        pcm = np.frombuffer(b"".join(data for _, data in items), np.int16).astype(np.float64)
        rate_hz = items[0][0]["rate_hz"]
        shapes = [(at / rate_hz, viseme) for header, _ in items for at, viseme in header["shapes"]]
        size, step = rate_hz // 100, rate_hz // 500
        windows = pcm[np.arange(size) + step * np.arange((len(pcm) - size) // step)[:, None]] * np.hanning(size)
        high = 10 * np.log10((np.abs(np.fft.rfft(windows))[:, 45:] ** 2).sum(axis=1) + 1)  # above 4.5 kHz
        for (_, before), (at, viseme) in itertools.pairwise(shapes):
            middle = int((at - 0.005) * 500)
            around = high[max(middle - 30, 0) : middle + 30]
            if (
                viseme in (15, 16)
                and before in LETTER
                and len(around) == 60
                and around[40:].max() - around[:20].min() > 15
            ):
                half = (around[40:].max() + around[:20].min()) / 2
                crossing = int(np.flatnonzero(around[10:] > half)[0]) + 10
                offsets.append((30 - crossing) / 500)
    found = np.array(offsets) * 1000
    return {
        "sounds": len(found),
        "median_ms": round(float(np.median(found))),
        "median_abs_ms": round(float(np.median(np.abs(found)))),
        "p95_abs_ms": round(float(np.percentile(np.abs(found), 95))),
    }


def people(folder: Path, piece_s: float) -> dict[str, Any]:
    """Judge the aligner by the beginnings of words in recordings of people."""
    known: dict[str, dict[str, Any]] = {}
    report: dict[str, Any] = {}
    for tests in (json.loads(file.read_text("utf-8"))["tests"]["language_tests"] for file in folder.glob("*.json")):
        for test in (test for test in tests if test["language"] in LINES):
            file = next(iter(folder.glob(f"*{test['audio_file']}")), None)
            if file is None:
                continue
            with wave.open(str(file)) as sound:
                pcm = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
                clip = Clip(test["transcript_with_punctuation"], test["language"], "", pcm, sound.getframerate(), ())
            words = _align(clip, piece_s, known)[1]
            said = [(re.sub(r"\W", "", clip.text[w.start : w.end]).lower(), w.at / clip.rate_hz) for w in words]
            near = [
                min((at - word["start_sec"] for one, at in said if one == word["word"].lower()), key=abs, default=None)
                for word in test["words"]
            ]
            found = np.array([each for each in near if each is not None]) * 1000
            report[file.stem] = {
                "words": len(near),
                "median_ms": round(float(np.median(found))),
                "median_abs_ms": round(float(np.median(np.abs(found)))),
                "p90_abs_ms": round(float(np.percentile(np.abs(found), 90))),
            }
    return report


def measure(recordings: Path | None) -> dict[str, Any]:
    report: dict[str, Any] = {f"espeak {language}": hissing(language) for language in LINES}
    sets = {"flite en": list(flite_clips())} | {f"strangers {name}": list(stranger_clips(name)) for name in STRANGERS}
    for name, clips in sets.items():
        if not clips:
            report[name] = "not installed"
            continue
        for piece_s in PIECES_S:
            report[f"{name}, aligner, pieces of {piece_s} s"] = judge(clips, aligned(piece_s))
        report[f"{name}, stretched"] = judge(clips, stretched)
        report[f"{name}, vowels by aligner"] = judge(clips, aligned(PIECES_S[0]), vowels_only=True)
        report[f"{name}, vowels by classifier"] = judge(clips, vowel_classifier(clips), vowels_only=True)
    if recordings is not None:
        report |= {f"people, pieces of {piece_s} s": people(recordings, piece_s) for piece_s in PIECES_S}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, metavar="FOLDER")
    for name, row in measure(parser.parse_args().recordings).items():
        print(f"{name:45} {json.dumps(row)}")


if __name__ == "__main__":
    main()
