"""The child's half of ``bot.voice.piper``: a voice of Piper, with the times of its phonemes and words.

Piper and the espeak-ng inside it are under the GPL-3.0-or-later, and live in this process alone. How long each phoneme
lasts is the model's own plan (the output of its Ceil node), so that mouth shapes are exact.
"""

from __future__ import annotations

import json
import re
import threading
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from bot.mind.llama_engine import physical_cores
from bot.texts import text
from bot.vocabulary import EngineDown, Language, Pcm
from bot.voice.ipa import visemes
from bot.voice.polish import Polisher, gain_for, pause_after

try:
    import onnx
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]
    from piper import PiperConfig, SynthesisConfig
    from piper import PiperVoice as Model
    from piper.patch_voice_with_alignment import add_alignment_output
except ImportError as missing:
    raise EngineDown(text("piper.missing"), text("piper.missing_repair")) from missing

BETWEEN_SENTENCES_S = 0.12
_SAMPLES_OF_SPEECH: dict[Language, str] = {
    "es": "Hola a todos, muchas gracias por venir.",
    "en": "Hello everybody, thank you so much for coming.",
}
_STRESS = "ˈˌ"
NEAR = 1.5
"""How many sounds a word may begin from where it would begin by its length, to begin after a blank."""

Item = tuple[dict[str, Any], bytes]
Timed = tuple[int, str]
"""The sample at which a phoneme begins, and the phoneme."""


class PiperEngine:
    """Options: ``voice`` (its name), ``model`` (its file; ``.json`` stands beside it), ``speaker`` (its name; empty:
    the first), ``speed`` (1.0: as it was made).

    Raises ``EngineDown`` when the voice is not there, is none of Piper's, or has no such speaker.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        name, file = options["voice"], Path(options["model"])
        self._cancelled = threading.Event()
        self._session = _Session(self._cancelled)
        self._voice = _load(name, file, self._session)
        config = self._voice.config
        self._language: Language = "es" if config.espeak_voice.startswith("es") else "en"
        self._how = SynthesisConfig(
            speaker_id=_speaker(name, options["speaker"], config.speaker_id_map),
            length_scale=config.length_scale / options["speed"],
            normalize_audio=False,
        )
        self._gain = self._measure_gain()

    def run(self, request: dict[str, Any], payload: bytes) -> Iterator[Item]:
        """Speak ``request["text"]``, a sentence a piece.

        Items carry int16 sound and ``rate_hz``, ``shapes`` [sample, viseme], ``words`` [sample, start, end], ``last``.
        """
        self._cancelled.clear()
        spoken: str = request["text"]
        sentences = self._phonemes(spoken)
        words = self._words(spoken, sentences)
        clip = _Clip(spoken, self._voice.config.sample_rate, self._gain, self._language, words)
        for phonemes in sentences:
            try:
                pcm, lengths = self._say(phonemes)
            except Exception:
                if self._cancelled.is_set():
                    return
                raise
            yield clip.add(phonemes, pcm, lengths)
        yield clip.finish()

    def cancel(self) -> None:
        """Make the ``run`` in progress end at the model's next step."""
        self._cancelled.set()
        self._session.stop()

    def _phonemes(self, spoken: str) -> list[list[str]]:
        """Return the phonemes of each sentence. What Piper would take for phonemes, ``[[…]]``, is text like any."""
        known = self._voice.config.phoneme_id_map
        sentences = self._voice.phonemize(spoken.replace("[[", "((").replace("\0", " "))
        return [sounds for sentence in sentences if (sounds := [phoneme for phoneme in sentence if phoneme in known])]

    def _words(self, spoken: str, sentences: Sequence[Sequence[str]]) -> dict[int, tuple[int, int]]:
        """Return which of a text's phonemes begin a word of it, with the word's place in the text.

        Piper leaves a blank between words, except where they flow together ("of the"). Where blanks and words are
        not as many, each word begins at the blank that is nearest to where it would be by how long it is alone.
        """
        spans = [match.span() for match in re.finditer(r"\S*\w\S*", spoken)]
        phonemes = [*chain(*([*sentence, " "] for sentence in sentences))]
        sounds = [place for place, phoneme in enumerate(phonemes) if _is_sound(phoneme)]
        groups = [
            number
            for number, place in enumerate(sounds)
            if number == 0 or any(map(_is_break, phonemes[sounds[number - 1] : place]))
        ]
        if not (groups and spans):
            return {}
        first = groups
        if len(groups) != len(spans):
            alone = [sum(map(_is_sound, chain(*self._phonemes(spoken[slice(*span)])))) for span in spans]
            expected = np.cumsum([0, *alone[:-1]]) * (len(sounds) / max(1, sum(alone)))
            first = [_nearest(groups, float(at)) for at in expected]
        begins: dict[int, tuple[int, int]] = {}
        for number, span in zip(first, spans, strict=True):
            place = sounds[min(number, len(sounds) - 1)]
            while place and phonemes[place - 1] in _STRESS:
                place -= 1
            begins.setdefault(place, span)
        return begins

    def _say(self, phonemes: list[str]) -> tuple[Pcm, list[int] | None]:
        """Return one sentence's sound, and how many samples each phoneme takes, with what comes before and after.

        Raises whatever the library does when it is stopped.
        """
        ids = self._voice.phonemes_to_ids(phonemes)
        made = self._voice.phoneme_ids_to_audio(ids, self._how, include_alignments=True)
        sound, samples = made if isinstance(made, tuple) else (made, None)
        pcm = np.rint(np.clip(np.atleast_1d(sound), -1, 1) * 32767).astype(np.int16)
        if samples is None or len(np.atleast_1d(samples)) != len(ids):
            return pcm, None
        known = self._voice.config.phoneme_id_map
        pad, end = len(known["_"]), 0
        lengths = []
        for phoneme in ("^", *phonemes):
            begin, end = end, end + len(known[phoneme]) + pad
            lengths.append(int(samples[begin:end].sum()))
        return pcm, [*lengths, int(samples[end:].sum())]

    def _measure_gain(self) -> float:
        sentences = self._phonemes(_SAMPLES_OF_SPEECH[self._language])
        sound = [np.zeros(0, np.int16), *(self._say(phonemes)[0] for phonemes in sentences)]
        return gain_for(np.concatenate(sound), self._voice.config.sample_rate)


class _Session:
    """The model's session as Piper calls it, with an end that comes at the next step of a run."""

    def __init__(self, cancelled: threading.Event) -> None:
        self._cancelled = cancelled
        self._options = onnxruntime.RunOptions()
        self.model: onnxruntime.InferenceSession | None = None

    def run(self, outputs: Sequence[str] | None, feed: dict[str, Any]) -> list[Any]:
        assert self.model is not None
        self._options = onnxruntime.RunOptions()
        self._options.terminate = self._cancelled.is_set()
        made: list[Any] = self.model.run(outputs, feed, self._options)
        return made

    def stop(self) -> None:
        self._options.terminate = True


class _Clip:
    """One phrase on its way from Piper's sentences to ours."""

    def __init__(
        self, spoken: str, rate_hz: int, gain: float, language: Language, words: dict[int, tuple[int, int]]
    ) -> None:
        self._rate_hz = rate_hz
        self._language = language
        self._words = words
        self._polisher = Polisher(rate_hz, gain, pause_after(spoken))
        self._made = 0
        self._phonemes = 0
        self._viseme = -1
        self._shapes_due: list[list[int]] = []
        self._words_due: list[list[int]] = []

    def add(self, phonemes: list[str], pcm: Pcm, lengths: list[int] | None) -> Item:
        """Take one sentence; without ``lengths`` its mouth shapes and words are unknown."""
        if self._made:
            pcm = np.concatenate((np.zeros(round(self._rate_hz * BETWEEN_SENTENCES_S), np.int16), pcm))
        if lengths is not None:
            begins = self._made + len(pcm) - sum(lengths) + np.cumsum([0, *lengths])
            timed = [(int(at), phoneme) for at, phoneme in zip(begins, ("^", *phonemes, "$"), strict=False)]
            for place, (at, _) in enumerate(timed[1:-1], self._phonemes):
                if place in self._words:
                    self._words_due.append([at, *self._words[place]])
            for at, viseme in shapes_of(timed, self._language):
                if viseme != self._viseme:
                    self._viseme = viseme
                    self._shapes_due.append([at, viseme])
        self._phonemes += len(phonemes) + 1  # a blank stands between sentences
        self._made += len(pcm)
        return self._item(self._polisher.feed(pcm), last=False)

    def finish(self) -> Item:
        """Return what was held back, and the pause."""
        return self._item(self._polisher.finish(), last=True)

    def _item(self, pcm: Pcm, *, last: bool) -> Item:
        header: dict[str, Any] = {"rate_hz": self._rate_hz, "shapes": [], "words": [], "last": last}
        skipped = self._polisher.skipped
        if skipped is not None:
            most = self._polisher.sent if last else self._made
            for kind, due in (("shapes", self._shapes_due), ("words", self._words_due)):
                header[kind] = [[min(max(at - skipped, 0), most), *what] for at, *what in due]
                due.clear()
        return header, pcm.astype("<i2").tobytes()


def shapes_of(timed: Sequence[Timed], language: Language) -> list[tuple[int, int]]:
    """Return (sample, viseme) for phonemes as Piper spells them, a character each.

    A stress mark belongs to what follows it, a length mark to what it follows; two characters that are one sound in
    the table of ``bot.voice.ipa``, such as a diphthong, are one shape. Blanks and punctuation are rests.
    """
    sounds: list[Timed] = []
    stressed_at: int | None = None
    for at, phoneme in timed:
        if phoneme in _STRESS:
            stressed_at = at if stressed_at is None else stressed_at
        elif _is_sound(phoneme):
            sounds.append((at if stressed_at is None else stressed_at, phoneme))
            stressed_at = None
        elif not _is_mark(phoneme):
            sounds.append((at, ""))
    shapes: list[tuple[int, int]] = []
    place = 0
    while place < len(sounds):
        at, ipa = sounds[place]
        place += 1
        if ipa and place < len(sounds) and (pair := _as_one(ipa, sounds[place][1], language)) is not None:
            place += 1
            shapes.append((at, pair))
        else:
            shapes += [(at, viseme) for viseme in visemes(ipa, language)[:1]]
    return shapes


def _as_one(first: str, second: str, language: Language) -> int | None:
    """Return the shape of two characters that are one sound; None: they are two."""
    together = visemes(first + second, language)
    apart = visemes(first, language) + visemes(second, language)
    return together[0] if second and len(together) == 1 and len(apart) == 2 and apart[0] != apart[1] else None


def _is_mark(phoneme: str) -> bool:
    """Return whether it only changes the sound beside it."""
    return all(unicodedata.category(character) in ("Lm", "Mn", "Sk") for character in phoneme)


def _is_sound(phoneme: str) -> bool:
    return phoneme[0].isalpha() and not _is_mark(phoneme)


def _is_break(phoneme: str) -> bool:
    return not (_is_sound(phoneme) or _is_mark(phoneme))


def _nearest(groups: Sequence[int], at: float) -> int:
    """Return the group that begins near this sound, or else the sound itself."""
    near = min(groups, key=lambda group: abs(group - at))
    return near if abs(near - at) <= NEAR else round(at)


def _load(name: str, file: Path, session: _Session) -> Model:
    """Raises ``EngineDown``."""
    beside = file.with_name(f"{file.name}.json")
    if not (file.is_file() and beside.is_file()):
        raise EngineDown(text("piper.not_here", voice=name), text("piper.not_here_repair", voice=name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = max(1, physical_cores() - 1)
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        model = onnx.load(str(file))
        if len({output for node in model.graph.node if node.op_type == "Ceil" for output in node.output}) == 1:
            add_alignment_output(model)
        session.model = onnxruntime.InferenceSession(
            model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
        )
        config = PiperConfig.from_dict(json.loads(beside.read_text("utf-8")))
        return Model(session=session, config=config)
    except Exception as fault:
        kind = type(fault).__name__
        raise EngineDown(text("piper.broken", voice=name, kind=kind), text("piper.broken_repair", file=file)) from fault


def _speaker(name: str, wanted: str, speakers: Mapping[str, int]) -> int | None:
    """Return the number of a speaker; None: the voice's first. Raises ``EngineDown``."""
    if not wanted:
        return None
    if wanted not in speakers:
        repair = text("piper.no_speaker_repair", names=", ".join([name, *(f"{name}:{each}" for each in speakers)]))
        raise EngineDown(text("piper.no_speaker", voice=name, speaker=wanted), repair)
    return speakers[wanted]
