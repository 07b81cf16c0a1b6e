"""The models that ``aneeka models`` and the studio offer: GGUF files on the Hugging Face hub, each pinned.

Revision, size and SHA-256 are those that the hub publishes for the file (the hash of its large-file storage, which it
sends as ``X-Linked-Etag``); a file with another hash is refused. The best come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.config.check import nearest
from bot.texts import text
from bot.vocabulary import EngineDown

CONTEXT = 8192
"""Tokens for which the memory figures hold: the default of ``llm.context``."""

WORKSPACE_BYTES = 512 * 2**20
"""What llama.cpp takes beside the weights and the cache."""


@dataclass(frozen=True, slots=True)
class Model:
    """One file. ``cache_bytes`` is what a token of context takes; ``languages`` those it was made for."""

    name: str
    title: str
    repo: str
    revision: str
    file: str
    size_bytes: int
    sha256: str
    cache_bytes: int
    licence: str
    licence_url: str
    languages: tuple[str, ...]

    @property
    def memory_bytes(self) -> int:
        """What it takes while it runs, on the graphics card or in main memory: weights, cache and workspace."""
        return self.size_bytes + CONTEXT * self.cache_bytes + WORKSPACE_BYTES


_LLAMA_3_1 = ("Llama 3.1 Community License", "https://www.llama.com/llama3_1/license/")
_LLAMA_3_2 = ("Llama 3.2 Community License", "https://www.llama.com/llama3_2/license/")
_APACHE = ("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0")
_LLAMA_LANGUAGES = ("es", "en", "de", "fr", "it", "pt", "hi", "th")
_QWEN_LANGUAGES = ("es", "en", "zh", "de", "fr", "it", "pt", "ja", "ko", "ar")

CATALOGUE = (
    Model(
        "llama-3.1-8b-q8",
        "Llama 3.1 8B Instruct (Q8_0)",
        "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF",
        "bf5b95e96dac0462e2a09145ec66cae9a3f12067",
        "Meta-Llama-3.1-8B-Instruct-Q8_0.gguf",
        8_540_775_840,
        "9da71c45c90a821809821244d4971e5e5dfad7eb091f0b8ff0546392393b6283",
        131_072,
        *_LLAMA_3_1,
        _LLAMA_LANGUAGES,
    ),
    Model(
        "llama-3.1-8b",
        "Llama 3.1 8B Instruct (Q4_K_M)",
        "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF",
        "bf5b95e96dac0462e2a09145ec66cae9a3f12067",
        "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf",
        4_920_739_232,
        "7b064f5842bf9532c91456deda288a1b672397a54fa729aa665952863033557c",
        131_072,
        *_LLAMA_3_1,
        _LLAMA_LANGUAGES,
    ),
    Model(
        "qwen3-4b",
        "Qwen3 4B Instruct 2507 (Q4_K_M)",
        "bartowski/Qwen_Qwen3-4B-Instruct-2507-GGUF",
        "ae44f08e1392f39c0e474af10c3ff8355c8b6688",
        "Qwen_Qwen3-4B-Instruct-2507-Q4_K_M.gguf",
        2_497_280_736,
        "2fde00ce69dd4899c70d020845e2638353015bba0fdf161b3eb965f2bca4464e",
        147_456,
        *_APACHE,
        _QWEN_LANGUAGES,
    ),
    Model(
        "llama-3.2-3b",
        "Llama 3.2 3B Instruct (Q4_K_M)",
        "bartowski/Llama-3.2-3B-Instruct-GGUF",
        "5ab33fa94d1d04e903623ae72c95d1696f09f9e8",
        "Llama-3.2-3B-Instruct-Q4_K_M.gguf",
        2_019_377_696,
        "6c1a2b41161032677be168d354123594c0e6e67d2b9227c84f296ad037c728ff",
        114_688,
        *_LLAMA_3_2,
        _LLAMA_LANGUAGES,
    ),
    Model(
        "qwen2.5-1.5b",
        "Qwen2.5 1.5B Instruct (Q4_K_M)",
        "Qwen/Qwen2.5-1.5B-Instruct-GGUF",
        "91cad51170dc346986eccefdc2dd33a9da36ead9",
        "qwen2.5-1.5b-instruct-q4_k_m.gguf",
        1_117_320_736,
        "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e",
        28_672,
        *_APACHE,
        _QWEN_LANGUAGES,
    ),
    Model(
        "llama-3.2-1b",
        "Llama 3.2 1B Instruct (Q4_K_M)",
        "bartowski/Llama-3.2-1B-Instruct-GGUF",
        "067b946cf014b7c697f3654f621d577a3e3afd1c",
        "Llama-3.2-1B-Instruct-Q4_K_M.gguf",
        807_694_464,
        "6f85a640a97cf2bf5b8e764087b1e83da0fdb51d7c9fab7d0fece9385611df83",
        32_768,
        *_LLAMA_3_2,
        _LLAMA_LANGUAGES,
    ),
)
NAMES = tuple(model.name for model in CATALOGUE)


class UnknownModel(EngineDown):
    """There is no model of this name; the repair names the nearest."""


def find(name: str) -> Model:
    """Return the model of this name. Raises ``UnknownModel``."""
    for model in CATALOGUE:
        if model.name == name:
            return model
    alike = nearest(name, NAMES, cutoff=0.4)
    repair = text("models.did_you_mean", name=alike) if alike else text("models.names", names=", ".join(NAMES))
    raise UnknownModel(text("models.unknown", name=name), repair)


def folder(data: Path) -> Path:
    """Return where model files live, in the data folder; it may be missing."""
    return data / "models"


def place(model: Model, data: Path) -> Path:
    """Return the file of a model; it exists only once it is whole and its hash was right."""
    return folder(data) / model.file


def partial(model: Model, data: Path) -> Path | None:
    """Return the part of a model that is already here, if any: the newest."""
    parts = folder(data).glob(f"{model.file}.*.part")
    return max(parts, key=lambda part: part.stat().st_mtime, default=None)


def in_use(data: Path) -> Model | None:
    """Return the model that was chosen in the studio or with ``models pull``, if it is still in the catalogue."""
    try:
        name = (folder(data) / "in_use").read_text(encoding="utf-8").strip()
        return find(name)
    except (OSError, ValueError, UnknownModel):
        return None


def remember(model: Model, data: Path) -> None:
    """Make this the model of the next start, unless the config names another. Raises ``OSError``."""
    folder(data).mkdir(parents=True, exist_ok=True)
    draft = folder(data) / "in_use.new"
    draft.write_text(model.name + "\n", encoding="utf-8")
    draft.replace(folder(data) / "in_use")
