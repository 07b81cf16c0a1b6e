"""llama.cpp in the worker's child: any GGUF, streaming, cancelled within milliseconds, prefix reused."""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import math
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bot.mind.doubt import Doubt
from bot.mind.name_spelling import NameSpelling
from bot.texts import text
from bot.vocabulary import EngineDown, PromptTooLong

if TYPE_CHECKING:
    from llama_cpp import Llama

INSTALL = (
    "uv pip install llama-cpp-python --extra-index-url https://abetlen.github.io/llama-cpp-python/whl/cpu"
    " --only-binary llama-cpp-python"
)
BATCH = 256
"""Tokens evaluated at once; where a running batch cannot be aborted (CUDA), cancelling waits for one of these."""

TOP_K, TOP_P = 40, 0.95
TAG_END = "]"
ABORTED = "llama_decode returned 2"
ERROR_LEVEL = 4
"""``GGML_LOG_LEVEL_ERROR`` in ggml.h."""
RELATION_CORE = 0
"""``RelationProcessorCore`` in winnt.h."""

Items = Iterator[tuple[dict[str, Any], bytes]]


class LlamaEngine:
    """One model in one context; one request at a time.

    Options: ``model_path``, ``context`` (tokens), ``gpu_layers`` (-1: all), ``threads`` (0: one fewer than the cores,
    because llama.cpp's threads wait for each other and crawl when another program takes a core), ``min_p`` (words less
    likely than this share of the likeliest are never drawn).
    """

    def __init__(self, options: dict[str, Any]) -> None:
        path = Path(options["model_path"])
        check_gguf(path)
        self._llm = _load(path, options)
        from bot.mind.chat_tokens import ChatTokens  # llama-cpp-python is optional: not before _load has found it

        self._tokens = ChatTokens(self._llm)
        self._abort = AbortFlag(self._llm)
        self._min_p: float = options["min_p"]
        self._context = min(self._llm.n_ctx(), self._trained_context())

    def run(self, request: dict[str, Any], payload: bytes) -> Items:
        """``think`` streams ``{"text"}`` items, ``warm`` only reads ahead; ``names``: see ``bot.mind.name_spelling``;
        with ``name_leads`` the first of them stands right behind the answer's tag. With ``most_doubt`` it is broken
        off when it has become more improbable than that, in nats (see ``bot.mind.doubt``); the last item says under
        ``doubt`` how improbable it was, without end if it was cut for its length.

        With ``wipe``, nothing of what was read before stays but the beginning that this prompt shares. The first text
        and the last item carry ``prompt_tokens`` and ``reused``, how many of them were already known.
        """
        self._abort.clear()
        ids = self._tokens.prompt(request["messages"])
        if request.get("wipe"):
            self._wipe_behind(min(self._reusable(ids), len(ids) - 1))
        room = request["max_tokens"] if request["do"] == "think" else 1
        if len(ids) + room > self._context:
            raise PromptTooLong(f"{len(ids)} + {room} > {self._context}")
        facts: dict[str, float] = {"prompt_tokens": len(ids), "reused": self._reusable(ids)}
        try:
            if request["do"] == "think":
                yield from self._think(ids, request, facts)
            else:
                next(self._llm.generate(ids))
        except RuntimeError as fault:
            # The last batch's logits are gone, so its last token must be evaluated again before anything is drawn.
            self._llm.n_tokens = max(0, self._llm.n_tokens - 1)
            if ABORTED not in str(fault):
                raise
            return
        yield facts, b""

    def cancel(self) -> None:
        """Abort prefill or decoding."""
        self._abort.set()

    def _think(self, ids: list[int], request: dict[str, Any], facts: dict[str, float]) -> Items:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        most_doubt: float = request.get("most_doubt", 0.0)
        doubt = Doubt() if most_doubt else None
        tokens = self._llm.generate(
            ids,
            top_k=TOP_K,
            top_p=TOP_P,
            min_p=self._min_p,
            temp=request["temperature"],
            logits_processor=self._watched(request, len(ids), doubt),
        )
        news: dict[str, float] = facts
        ended = False
        with contextlib.closing(tokens):
            for count, token in enumerate(tokens, 1):
                ended = self._tokens.ends(token)
                if self._abort.is_set() or ended:
                    break
                if piece := decoder.decode(self._llm.detokenize([token])):
                    yield {"text": piece, **news}, b""
                    news = {}
                if count == request["max_tokens"] or (doubt and doubt.nats > most_doubt):
                    break
        if rest := decoder.decode(b"", final=True):
            yield {"text": rest}, b""
        if doubt:
            facts["doubt"] = math.inf if count == request["max_tokens"] and not ended else doubt.nats

    def _watched(self, request: dict[str, Any], prompt_tokens: int, doubt: Doubt | None) -> Any:
        """Return the processors of what may be written next, ``None`` if there are none."""
        from llama_cpp import LogitsProcessorList

        found: list[Any] = []
        if names := request.get("names"):
            spelt = [self._tokens.content(f" {name}") for name in names]
            behind = self._tokens.content(TAG_END)[0] if request.get("name_leads") else None
            found.append(NameSpelling(spelt, prompt_tokens, self._within_words, behind))
        if doubt:
            found.append(doubt)
        return LogitsProcessorList(found) if found else None

    @cached_property
    def _within_words(self) -> npt.NDArray[np.bool_]:
        """Of each token, whether it goes on a word: it begins with a letter, a digit, an underscore or half a sign."""
        pieces = (self._llm.detokenize([token]) for token in range(self._llm.n_vocab()))
        return np.array([piece[:1].isalnum() or piece[:1] == b"_" or piece[:1] >= b"\x80" for piece in pieces])

    def _reusable(self, ids: list[int]) -> int:
        """Return how many of these ids the context already holds from the start on."""
        known = self._llm.input_ids[: self._llm.n_tokens].tolist()
        return next((n for n, (a, b) in enumerate(zip(known, ids, strict=False)) if a != b), min(len(known), len(ids)))

    def _wipe_behind(self, kept: int) -> None:
        """Overwrite all that the context holds behind its first ``kept`` tokens.

        llama.cpp marks removed tokens as free and leaves their keys and values where they are; only clearing the whole
        memory writes over them. So what stays is copied out and back.
        """
        import llama_cpp

        llm, ctx, memory = self._llm, self._llm.ctx, llama_cpp.llama_get_memory(self._llm.ctx)
        beginning: Any = None
        if kept and llama_cpp.llama_memory_seq_rm(memory, 0, kept, -1):
            size = llama_cpp.llama_state_seq_get_size(ctx, 0)
            beginning = (ctypes.c_uint8 * size)()
            if llama_cpp.llama_state_seq_get_data(ctx, beginning, size, 0) != size:
                beginning = None
        llama_cpp.llama_memory_clear(memory, True)
        if beginning is None or llama_cpp.llama_state_seq_set_data(ctx, beginning, len(beginning), 0) == 0:
            llama_cpp.llama_memory_clear(memory, True)
            kept = 0
        llm.n_tokens = kept
        llm.input_ids[kept:] = 0
        self._tokens.content.cache_clear()

    def _trained_context(self) -> int:
        import llama_cpp

        return int(llama_cpp.llama_model_n_ctx_train(self._llm.model))


class AbortFlag:
    """llama.cpp's abort callback without Python in it.

    A Python callback would take the interpreter's lock hundreds of times a token. C's ``strlen`` over two bytes has
    the shape of the callback: the empty string is 0, go on; one letter is 1, abort.
    """

    def __init__(self, llm: Llama) -> None:
        import llama_cpp

        self._flag = ctypes.create_string_buffer(2)
        libc = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        self._callback = ctypes.cast(libc.strlen, llama_cpp.ggml_abort_callback)
        llama_cpp.llama_set_abort_callback(llm.ctx, self._callback, ctypes.addressof(self._flag))

    def set(self) -> None:
        """Abort what runs."""
        self._flag[0] = b"a"

    def clear(self) -> None:
        """Let the next one run."""
        self._flag[0] = b"\0"

    def is_set(self) -> bool:
        """Whether it was set since it was cleared."""
        return self._flag[0] != b"\0"


def check_gguf(path: Path) -> None:
    """Raise ``EngineDown`` with what is wrong, unless ``path`` looks like a model file."""
    if path.is_dir():
        raise EngineDown(text("mind.model_is_folder", path=path), text("mind.model_choose"))
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise EngineDown(text("mind.model_missing", path=path), text("mind.model_choose")) from None
    except OSError as fault:
        raise EngineDown(text("mind.model_unreadable", path=path, error=fault.strerror), "") from None
    if magic != b"GGUF":
        raise EngineDown(text("mind.model_not_gguf", path=path), text("mind.model_choose"))


def _load(path: Path, options: dict[str, Any]) -> Llama:
    try:
        import llama_cpp
    except ImportError:
        raise EngineDown(text("mind.llama_missing"), INSTALL) from None
    complaints: deque[str] = deque(maxlen=20)

    def listen(level: int, line: bytes, _: ctypes.c_void_p) -> None:
        if level == ERROR_LEVEL:
            complaints.append(line.decode("utf-8", "replace").strip())

    threads = options["threads"] or max(1, physical_cores() - 1)
    listener = llama_cpp.llama_log_callback(listen)
    llama_cpp.llama_log_set(listener, ctypes.c_void_p(0))
    try:
        return llama_cpp.Llama(
            str(path),
            n_ctx=options["context"],
            n_batch=BATCH,
            n_ubatch=BATCH,
            n_gpu_layers=options["gpu_layers"],
            n_threads=threads,
            n_threads_batch=threads,
            flash_attn=options["gpu_layers"] != 0 and llama_cpp.llama_supports_gpu_offload(),
            verbose=False,
        )
    except Exception as fault:
        raise EngineDown(*_why_not(path, " ".join(complaints), fault)) from fault
    finally:
        llama_cpp.llama_log_set(ctypes.cast(0, llama_cpp.llama_log_callback), ctypes.c_void_p(0))


def _why_not(path: Path, complaints: str, fault: Exception) -> tuple[str, str]:
    """Return reason and repair for a model that does not load, judged by llama.cpp's own words."""
    lowered = complaints.lower()
    if "unknown model architecture" in lowered or "unsupported" in lowered:
        return text("mind.model_too_new", path=path), f"{text('mind.llama_update')} {INSTALL} --upgrade"
    if "alloc" in lowered or "memory" in lowered or isinstance(fault, MemoryError):
        return text("mind.model_memory", path=path), text("mind.model_memory_repair")
    return text("mind.model_broken", path=path, error=complaints[-200:] or str(fault)), text("mind.model_broken_repair")


def physical_cores() -> int:
    """Return the cores of this machine, not counting a core's second hardware thread."""
    logical = os.cpu_count() or 1
    if sys.platform == "linux":
        cores = {
            siblings.read_text()
            for siblings in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
        }
        return min(len(cores) or logical, len(os.sched_getaffinity(0)))
    if sys.platform == "darwin":
        with contextlib.suppress(OSError, ValueError):
            return int(subprocess.run(["sysctl", "-n", "hw.physicalcpu"], capture_output=True, check=False).stdout)
    listed = _windows_cores() if sys.platform == "win32" else 0
    return listed or max(1, logical // 2)


def _windows_cores() -> int:
    """Return how many cores Windows lists, each in a record that begins with its kind and length; 0 without a list."""
    kernel, size = ctypes.CDLL("kernel32"), ctypes.c_ulong()
    kernel.GetLogicalProcessorInformationEx(RELATION_CORE, None, ctypes.byref(size))
    records = ctypes.create_string_buffer(size.value)
    if not kernel.GetLogicalProcessorInformationEx(RELATION_CORE, records, ctypes.byref(size)):
        return 0
    cores = at = 0
    while at < size.value:
        at += int.from_bytes(records.raw[at + 4 : at + 8], "little")
        cores += 1
    return cores
