"""Phrases with known times of their sounds, for ``tests.bench.mouth``."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.vocabulary import Language
from bot.voice.espeak_library import Event, Library
from bot.voice.ipa import visemes

Pcm = npt.NDArray[np.int16]
LINES: dict[Language, tuple[str, ...]] = {
    "en": (
        "Hello everybody, thank you so much for coming to my stream.",
        "Maybe my puppy bumped the big purple pumpkin.",
        "I think we should buy a better map before Monday.",
        "What a beautiful morning, my friends!",
        "That was a very big play, oh my god.",
        "The boss has about fifty points left, keep pushing.",
        "Please remember to follow if you like this game.",
        "Poor Tom lost his umbrella when the storm began.",
    ),
    "es": (
        "Mamá, mañana vamos a la playa con mis primos.",
        "El bebé bebe leche tibia y papá come pan con mermelada.",
        "Me parece una idea maravillosa, amigos.",
        "Hoy probamos un juego nuevo, ¿quién se apunta?",
        "La bomba explota en un momento, ¡corre!",
        "Muchas gracias por el abrazo, de verdad.",
        "Nunca había visto tantas nubes sobre el mar.",
        "Pobre piloto, perdió el barco por la tormenta.",
    ),
}
STRANGERS: dict[Language, tuple[str, ...]] = {
    "es": ("es+f3", "es+m3", "es-419+f5"),
    "en": ("en-gb-x-rp+f2", "en-us+m7", "en-gb-scotland+f4"),
}
FLITE = ("slt", "rms", "awb")
FLITE_SHAPES = {
    phone: shape
    for shape, phones in {
        0: "pau", 1: "ae ax ah", 2: "aa", 3: "ao", 4: "eh uh ey", 5: "er axr", 6: "iy ih y ix", 7: "w uw", 8: "ow",
        9: "aw", 10: "oy", 11: "ay", 12: "hh", 13: "r", 14: "l", 15: "s z", 16: "sh ch jh zh", 17: "dh", 18: "f v",
        19: "d t n th dx", 20: "k g ng", 21: "p b m",
    }.items()
    for phone in phones.split()
}  # fmt: skip


@dataclass(frozen=True)
class Clip:
    """A phrase, its sound, and what begins when: (seconds, viseme), pauses too."""

    text: str
    language: Language
    speaker: str
    pcm: Pcm
    rate_hz: int
    truth: tuple[tuple[float, int], ...]

    @property
    def seconds(self) -> float:
        return len(self.pcm) / self.rate_hz


def flite_clips() -> Iterator[Clip]:
    if shutil.which("flite") is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "said.wav"
        for speaker in FLITE:
            for line in LINES["en"]:
                command = ["flite", "-voice", speaker, "-psdur", "-t", line, "-o", str(file)]
                told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                ends = [(phone, float(end)) for phone, end in re.findall(r"([a-z]+):([\d.]+)", told)]
                begins = [0.0, *(end for _, end in ends)]
                truth = tuple((begins[n], FLITE_SHAPES[phone]) for n, (phone, _) in enumerate(ends))
                with wave.open(str(file)) as sound:
                    pcm = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
                    yield Clip(line, "en", speaker, pcm, sound.getframerate(), truth)


def stranger_clips(language: Language, lines: tuple[str, ...] = ()) -> Iterator[Clip]:
    """Other speakers than the reader: the pace wanders by a third in all, and the pitch with it."""
    dice = np.random.default_rng(1)
    library = Library()
    for voice in STRANGERS[language]:
        for line in lines or LINES[language]:
            library.choose(voice, words_per_minute=int(dice.integers(150, 215)), pitch=int(dice.integers(30, 70)))
            sound: list[bytes] = []
            events: list[Event] = []
            library.speak(line, lambda pcm, heard: bool(sound.append(pcm) or events.extend(heard) or True))  # noqa: B023
            pcm = np.frombuffer(b"".join(sound), np.int16).astype(np.float64)
            knots = np.arange(0, len(pcm) + 4000, 4000)
            bent = np.concatenate(([0], np.cumsum(4000 * dice.uniform(0.85, 1.17, len(knots) - 1))))
            source = np.interp(np.arange(int(np.interp(len(pcm), knots, bent))), bent, knots)
            warped = np.interp(source, np.arange(len(pcm)), pcm) + dice.normal(0, 30, len(source))
            truth = [
                (float(np.interp(event.sample, knots, bent)) / library.rate_hz, shape)
                for event in events
                if event.ipa is not None
                for shape in visemes(event.ipa, language)[:1]
            ]
            yield Clip(line, language, voice, warped.astype(np.int16), library.rate_hz, tuple(truth))
