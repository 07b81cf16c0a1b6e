"""The child's half of ``bot.voice.piper``: a voice of Piper, with the times of its phonemes and words.

Piper and the espeak-ng inside it are under the GPL-3.0-or-later, and live in this process alone. How long each phoneme
lasts is the model's own plan (the output of its Ceil node), so that mouth shapes are exact.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.mind.llama_engine import physical_cores
from bot.texts import text
from bot.vocabulary import EngineDown, Language, Pcm, Shape, Sound, Word
from bot.voice.clip import PolishedClip
from bot.voice.piper_phonemes import shapes_of, word_begins
from bot.voice.polish import gain_for
from bot.voice.wire import Item, as_item

try:
    import onnx
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]
    from piper import PiperConfig, SynthesisConfig
    from piper import PiperVoice as Model
    from piper.patch_voice_with_alignment import add_alignment_output
    from piper.phonemize_espeak import ESPEAK_DATA_DIR
except ImportError as missing:
    raise EngineDown(text("piper.missing"), text("piper.missing_repair")) from missing

BETWEEN_SENTENCES_S = 0.12
_SAMPLES_OF_SPEECH: dict[Language, str] = {
    "es": "Hola a todos, muchas gracias por venir.",
    "en": "Hello everybody, thank you so much for coming.",
}


class PiperEngine:
    """Options: ``voice`` (its name), ``model`` (its file; ``.json`` stands beside it), ``speaker`` (its name; empty:
    the first), ``speed`` (1.0: as it was made).

    Raises ``EngineDown`` when the voice is not there, is none of Piper's, or has no such speaker.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        name, file = options["voice"], Path(options["model"]).absolute()
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
        """Speak ``request["text"]``, a sentence a piece (see ``bot.voice.wire``)."""
        self._cancelled.clear()
        spoken: str = request["text"]
        sentences = self._phonemes(spoken)
        words = word_begins(spoken, sentences, self._phonemes)
        clip = _Clip(spoken, self._voice.config.sample_rate, self._gain, self._language, words)
        for phonemes in sentences:
            try:
                pcm, lengths = self._say(phonemes)
            except Exception:
                if self._cancelled.is_set():
                    return
                raise
            yield as_item(clip.add_sentence(phonemes, pcm, lengths))
        yield as_item(clip.add(np.zeros(0, np.int16), last=True))

    def cancel(self) -> None:
        """Make the ``run`` in progress end at the model's next step."""
        self._cancelled.set()
        self._session.stop()

    def _phonemes(self, spoken: str) -> list[list[str]]:
        """Return the phonemes of each sentence. What Piper would take for phonemes, ``[[…]]``, is text like any."""
        known = self._voice.config.phoneme_id_map
        sentences = self._voice.phonemize(spoken.replace("[[", "((").replace("\0", " "))
        return [sounds for sentence in sentences if (sounds := [phoneme for phoneme in sentence if phoneme in known])]

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


class _Clip(PolishedClip):
    """One phrase on its way from Piper's sentences to ours."""

    def __init__(
        self, spoken: str, rate_hz: int, gain: float, language: Language, words: dict[int, tuple[int, int]]
    ) -> None:
        super().__init__(spoken, rate_hz, gain)
        self._language = language
        self._begins = words
        self._phonemes = 0

    def add_sentence(self, phonemes: list[str], pcm: Pcm, lengths: list[int] | None) -> Sound:
        """Take one sentence; without ``lengths`` its mouth shapes and words are unknown."""
        if self.made:
            pcm = np.concatenate((np.zeros(round(self.rate_hz * BETWEEN_SENTENCES_S), np.int16), pcm))
        if lengths is not None:
            begins = self.made + len(pcm) - sum(lengths) + np.cumsum([0, *lengths])
            timed = [(int(at), phoneme) for at, phoneme in zip(begins, ("^", *phonemes, "$"), strict=False)]
            self.note(
                (Shape(at, viseme) for at, viseme in shapes_of(timed, self._language)),
                (
                    Word(at, *self._begins[place])
                    for place, (at, _) in enumerate(timed[1:-1], self._phonemes)
                    if place in self._begins
                ),
            )
        self._phonemes += len(phonemes) + 1  # a blank stands between sentences
        return self.add(pcm)


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
        return Model(session=session, config=config, espeak_data_dir=_ascii(ESPEAK_DATA_DIR))
    except Exception as fault:
        kind = type(fault).__name__
        raise EngineDown(text("piper.broken", voice=name, kind=kind), text("piper.broken_repair", file=file)) from fault


def _ascii(folder: Path) -> Path:
    """Return a path to this folder that espeak-ng's C library can open, from its parent folder if need be.

    The library opens files by narrow names, which on Windows cannot spell every user's folder.
    """
    if str(folder).isascii():
        return folder
    os.chdir(folder.parent)
    return Path(folder.name)


def _speaker(name: str, wanted: str, speakers: Mapping[str, int]) -> int | None:
    """Return the number of a speaker; None: the voice's first. Raises ``EngineDown``."""
    if not wanted:
        return None
    if wanted not in speakers:
        repair = text("piper.no_speaker_repair", names=", ".join([name, *(f"{name}:{each}" for each in speakers)]))
        raise EngineDown(text("piper.no_speaker", voice=name, speaker=wanted), repair)
    return speakers[wanted]
