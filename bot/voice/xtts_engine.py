"""The child's half of ``bot.voice.xtts``: loads the model, keeps voices' latents, streams speech with mouth shapes."""

from __future__ import annotations

import hashlib
import os
import sys
import textwrap
import threading
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.files import take_place
from bot.mind.llama_engine import physical_cores
from bot.texts import text
from bot.vocabulary import EngineDown, Pcm, Sound
from bot.voice.aligner import Aligner
from bot.voice.wire import Item, as_item

if TYPE_CHECKING:
    from bot.voice.speller_engine import ScriptReader

RATE_HZ = 24_000
MODEL_FILES = ("model.pth", "config.json", "vocab.json")
PACKAGES = ("torch", "torchaudio", "torchcodec", "TTS", "six", "soundfile", "psutil")
LATENTS_S = 30
"""Seconds of a sample that count. More than 6 s are averaged in pieces of 6."""
PIECE_S = 6
MEMORY_FACTOR, MEMORY_BYTES = 2.2, 700_000_000
"""What the model takes while it loads: its file so many times, and the libraries."""
CARD_FACTOR = 1.5
LETTERS = 180
"""XTTS2 takes at most 239 letters of Spanish at once, fewer of other languages; longer text is said in parts."""
CODES_PER_LETTER, CODES_MORE = 6, 80
"""Bounds a sentence that does not find its end (21.5 codes are a second; speech has about 14 letters in that)."""
WARM_UP = "Hola."


class _Cancelled(Exception):
    """Nobody listens any more."""


class XttsEngine:
    """Options: ``model_dir``, ``device`` (auto, cpu, cuda), ``language``, ``speed``, ``accepted`` (the licence),
    ``sample`` (a WAV file; empty: a speaker of the model), ``speaker`` (its name; empty: the first), ``cache`` (a
    folder for latents).

    Raises ``EngineDown`` with what is missing and how to get it.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        folder = Path(options["model_dir"])
        _insist_usable(folder, options)
        os.environ["HF_HUB_OFFLINE"] = "1"  # what is not in the folder is not fetched behind anybody's back
        torch, model_class, config_class = _libraries()
        self._torch = torch
        self.device = _device(torch, options["device"], folder)
        torch.set_num_threads(max(1, physical_cores() - 1))
        try:
            config = config_class()
            config.load_json(str(folder / "config.json"))
            self._model = model_class(config)
            self._model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True, use_deepspeed=False)
        except Exception as fault:  # whatever a file that is not the model's makes of it
            reason = text("xtts.bad_model", folder=folder, kind=type(fault).__name__)
            raise EngineDown(reason, text("xtts.no_model_repair", folder=folder)) from fault
        self._model.to(self.device)
        self._cancelled = threading.Event()
        self._make_codes = self._model.gpt.get_generator
        self._model.gpt.get_generator = self._cancellable
        self._language: str = options["language"]
        self._speed: float = options["speed"]
        self._latents = self._load_latents(folder, options)
        self._reader = _reader(self._language)
        for _ in self._sound(WARM_UP):
            break

    def run(self, request: dict[str, Any], payload: bytes) -> Iterator[Item]:
        """Speak ``request["text"]``, or list the model's own speakers.

        Items are as in ``bot.voice.wire``; the last one has also ``bytes``, the memory in use.
        """
        self._cancelled.clear()
        if request.get("list"):
            yield {"speakers": self._speakers()}, b""
            return
        spoken: str = request["text"]
        aligner = Aligner(self._reader.script(spoken), RATE_HZ) if self._reader else None
        try:
            for pcm in self._sound(spoken):
                yield self._item(pcm, aligner, last=False)
        except _Cancelled:
            return
        header, data = self._item(np.zeros(0, np.int16), aligner, last=True)
        yield header | {"bytes": _memory_in_use(self._torch)}, data

    def cancel(self) -> None:
        """Make the ``run`` in progress end before the next code of sound."""
        self._cancelled.set()

    def _item(self, pcm: Pcm, aligner: Aligner | None, *, last: bool) -> Item:
        shapes, words = aligner.feed(pcm, last) if aligner else ([], [])
        return as_item(Sound(pcm, RATE_HZ, tuple(shapes), tuple(words), last))

    def _sound(self, spoken: str) -> Iterator[Pcm]:
        """Yield the sound in pieces of about a second. Raises ``_Cancelled``."""
        latents, speaker = self._latents
        for part in textwrap.wrap(spoken, LETTERS) or [spoken]:
            pieces = self._model.inference_stream(
                part,
                self._language,
                latents,
                speaker,
                speed=self._speed,
                max_new_tokens=CODES_MORE + CODES_PER_LETTER * len(part),
            )
            for piece in pieces:
                sound = piece.float().cpu().numpy()
                yield np.rint(np.clip(sound, -1.0, 1.0) * 32767).astype(np.int16)

    def _cancellable(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        for code in self._make_codes(*arguments, **options):
            if self._cancelled.is_set():
                raise _Cancelled
            yield code

    def _speakers(self) -> list[str]:
        manager = self._model.speaker_manager
        return list(manager.speakers) if manager else []

    def _load_latents(self, folder: Path, options: dict[str, Any]) -> tuple[Any, Any]:
        """Return what makes the voice: of a sample (made once, then kept), or of one of the model's speakers."""
        if not options["sample"]:
            speakers = self._speakers()
            if not speakers:
                raise EngineDown(text("xtts.no_voice"), text("xtts.no_voice_repair"))
            name = options["speaker"] or speakers[0]
            if name not in speakers:
                raise EngineDown(text("xtts.unknown_voice", voice=name), text("xtts.unknown_voice_repair"))
            own = self._model.speaker_manager.speakers[name]
            return own["gpt_cond_latent"], own["speaker_embedding"]
        sample = Path(options["sample"])
        kept = Path(options["cache"]) / f"{_fingerprint(sample, folder)}.npz"
        if kept.is_file():
            with np.load(kept, allow_pickle=False) as arrays:
                return self._torch.from_numpy(arrays["latents"]), self._torch.from_numpy(arrays["speaker"])
        try:
            latents, speaker = self._model.get_conditioning_latents(
                audio_path=[str(sample)], max_ref_length=LATENTS_S, gpt_cond_len=LATENTS_S, gpt_cond_chunk_len=PIECE_S
            )
        except RuntimeError as fault:  # soundfile's own, and XTTS2's for less than a third of a second
            raise EngineDown(text("xtts.bad_sample", file=sample), text("xtts.no_sample_repair")) from fault
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_name(f"{kept.stem}.{os.getpid()}.npz")
        np.savez(fresh, latents=latents.cpu().numpy(), speaker=speaker.cpu().numpy())
        take_place(fresh, kept)
        return latents, speaker


def _insist_usable(folder: Path, options: dict[str, Any]) -> None:
    """Raise ``EngineDown`` for what can be seen without loading anything."""
    if not options["accepted"]:
        raise EngineDown(text("xtts.licence"), text("xtts.licence_repair"))
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise EngineDown(text("xtts.packages", names=", ".join(missing)), text("xtts.packages_repair"))
    if lacking := [name for name in MODEL_FILES if not (folder / name).is_file()]:
        reason = text("xtts.no_model", folder=folder, files=", ".join(lacking))
        raise EngineDown(reason, text("xtts.no_model_repair", folder=folder))
    if options["sample"] and not Path(options["sample"]).is_file():
        raise EngineDown(text("xtts.no_sample", file=options["sample"]), text("xtts.no_sample_repair"))


def _libraries() -> tuple[Any, Any, Any]:
    """Import torch and XTTS2; return torch, the model's class and its config's.

    torchaudio is published for the newest torch later than torch itself, and as a build that wants CUDA's libraries:
    the pure Python part of it, which is all that XTTS2 uses, works without its compiled one.
    """
    soundfile, torch = import_module("soundfile"), import_module("torch")
    plain: Any = ModuleType("torchaudio._extension")
    plain._IS_TORCHAUDIO_EXT_AVAILABLE = False
    plain.fail_if_no_align = lambda function: function
    sys.modules["torchaudio._extension"] = plain

    def load(path: str) -> tuple[Any, int]:
        sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        return torch.from_numpy(sound.T.copy()), rate_hz

    torchaudio: Any = import_module("torchaudio")
    torchaudio.load = load  # its own needs FFmpeg
    xtts = import_module("TTS.tts.models.xtts").Xtts
    return torch, xtts, import_module("TTS.tts.configs.xtts_config").XttsConfig


def _device(torch: Any, wanted: str, folder: Path) -> str:
    """Return where it runs. Raises ``EngineDown`` where there is not the memory for it, or no such card."""
    psutil = import_module("psutil")
    size = (folder / "model.pth").stat().st_size
    if wanted == "cuda" and not torch.cuda.is_available():
        raise EngineDown(text("xtts.no_card"), text("xtts.no_card_repair"))
    on_card = wanted != "cpu" and torch.cuda.is_available()
    needed, free = size * MEMORY_FACTOR + MEMORY_BYTES, psutil.virtual_memory().available
    if free < needed:
        reason = text("xtts.memory", needed=_gigabytes(needed), free=_gigabytes(free))
        raise EngineDown(reason, text("xtts.memory_repair"))
    if on_card:
        needed, free = size * CARD_FACTOR, torch.cuda.mem_get_info()[0]
        if free < needed:
            reason = text("xtts.card_memory", needed=_gigabytes(needed), free=_gigabytes(free))
            raise EngineDown(reason, text("xtts.card_memory_repair"))
    return "cuda" if on_card else "cpu"


def _reader(language: str) -> ScriptReader | None:
    """Return who makes scripts for the aligner; None without espeak-ng: the loudness then moves the mouth."""
    try:
        reader: ScriptReader = import_module("bot.voice.speller_engine").ScriptReader(language)
    except (EngineDown, OSError):
        return None
    return reader


def _fingerprint(sample: Path, folder: Path) -> str:
    """Return a name for a sample's latents that another sample, or another model, does not share."""
    model = folder / "model.pth"
    about = f"{model.stat().st_size} {(folder / 'config.json').read_bytes()!r} {LATENTS_S} {PIECE_S}"
    return hashlib.sha256(sample.read_bytes() + about.encode()).hexdigest()[:24]


def _memory_in_use(torch: Any) -> int:
    psutil = import_module("psutil")
    card = torch.cuda.memory_reserved() if torch.cuda.is_available() else 0
    return int(psutil.Process().memory_info().rss + card)


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f}"
