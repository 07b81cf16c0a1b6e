"""Models that are folders of several files (hearing, voices): ``aneeka models`` offers them beside the brains.

Revisions, sizes and SHA-256 are pinned as in ``bot.models.catalogue``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.config.check import nearest
from bot.models import catalogue
from bot.models.catalogue import Model, UnknownModel
from bot.models.piper_voices import PIPER, REPO, REVISION, memory_of
from bot.models.whisper_models import WHISPER
from bot.texts import text

__all__ = ["BUNDLES", "Bundle", "File", "find", "folder_of", "home", "is_here", "missing"]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a bundle. ``file`` is its path in the repository; it is kept under its last name."""

    title: str
    repo: str
    revision: str
    file: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A folder of files. ``memory_bytes``: what it takes while it runs; ``languages``: those it is offered for."""

    name: str
    title: str
    kind: Literal["hearing", "voice"]
    files: tuple[File, ...]
    memory_bytes: int
    licence: str
    licence_url: str
    languages: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """What is downloaded in all."""
        return sum(file.size_bytes for file in self.files)


def _whisper(name: str, repo: str, revision: str, memory_bytes: int, files: dict[str, tuple[int, str]]) -> Bundle:
    title = f"Whisper {name.removeprefix('whisper-')}"
    parts = tuple(File(title, repo, revision, file, size, sha256) for file, (size, sha256) in files.items())
    licence = ("MIT", "https://github.com/openai/whisper/blob/main/LICENSE")
    return Bundle(name, title, "hearing", parts, memory_bytes, *licence, ("es", "en"))


def _piper(
    name: str, folder: str, language: str, licence: tuple[str, str], files: tuple[tuple[int, str], tuple[int, str]]
) -> Bundle:
    paths = (f"{folder}/{name}.onnx", f"{folder}/{name}.onnx.json")
    parts = tuple(File(name, REPO, REVISION, path, *file) for path, file in zip(paths, files, strict=True))
    return Bundle(name, f"Piper {name}", "voice", parts, memory_of(files[0][0]), *licence, (language,))


BUNDLES: tuple[Bundle, ...] = (*(_whisper(*row) for row in WHISPER), *(_piper(*row) for row in PIPER))


def find(name: str) -> Model | Bundle:
    """Return the brain or the bundle of this name. Raises ``UnknownModel``."""
    for bundle in BUNDLES:
        if bundle.name == name:
            return bundle
    try:
        return catalogue.find(name)
    except UnknownModel as unknown:
        names = (*catalogue.NAMES, *(bundle.name for bundle in BUNDLES))
        alike = nearest(name, names, cutoff=0.4)
        repair = text("models.did_you_mean", name=alike) if alike else text("models.names", names=", ".join(names))
        raise UnknownModel(unknown.reason, repair) from None


def folder_of(bundle: Bundle, data: Path) -> Path:
    """Return where its files live; each is there only once it is whole and its hash was right."""
    return catalogue.folder(data) / bundle.name


def missing(bundle: Bundle, data: Path) -> list[File]:
    """Return the files that are not here yet."""
    return [file for file in bundle.files if not (folder_of(bundle, data) / Path(file.file).name).is_file()]


def is_here(model: Model | Bundle, data: Path) -> bool:
    """Return whether all of a brain or a bundle is here."""
    if isinstance(model, Bundle):
        return not missing(model, data)
    return catalogue.place(model, data).is_file()


def home(model: Model | Bundle, data: Path) -> Path:
    """Return the file of a brain, or the folder of a bundle."""
    return folder_of(model, data) if isinstance(model, Bundle) else catalogue.place(model, data)
