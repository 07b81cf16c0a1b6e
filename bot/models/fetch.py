"""Fetches one model file from the hub, in a worker's child: resumed where it was cut, and never half under its name.

The hub's own downloader throws a partial file away with the process that wrote it, so the bytes are read here, over
its session, from where the partial ends.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from filelock import FileLock, Timeout
from huggingface_hub import constants, get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

from bot.config.kinds import is_loopback
from bot.files import take_place
from bot.models.bundles import Bundle, File, find, folder_of, missing
from bot.models.catalogue import Model, place
from bot.models.words import amount
from bot.texts import text
from bot.vocabulary import EngineDown

SILENT_S = 15.0
"""How long the hub may say nothing before the connection counts as cut."""
TRIES = 5
"""Connections in a row that may bring nothing before giving up; each wait is longer than the one before."""
FIRST_WAIT_S = 0.5
TELL_S = 0.25
SPARE_BYTES = 64 * 2**20
"""What must stay free on the disk."""
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers that may be better the next time."""

constants.HF_HUB_DISABLE_TELEMETRY = True  # else the library asks the hub for a list of programs to report

Steps = Iterator[dict[str, Any]]


class Fetcher:
    """The engine in the child (``bot.worker_child.Engine``). Options: ``data``, the data folder."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._data = Path(options["data"])
        self._cancelled = False

    def run(self, request: dict[str, Any], payload: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Fetch the model called ``name``; items carry ``step``, ``done`` and ``total`` bytes.

        Raises ``EngineDown`` with why it failed; what was fetched stays for the next time unless its hash is wrong.
        """
        self._cancelled = False
        model = find(request["name"])
        if isinstance(model, Bundle):
            first: Model | File = model.files[0]
            folder, steps = folder_of(model, self._data), fetch_bundle(model, self._data)
        else:
            first, folder, steps = model, place(model, self._data).parent, fetch(model, self._data)
        with _told(first, folder):
            for step in steps:
                yield step, b""
                if self._cancelled:
                    return

    def cancel(self) -> None:
        """Stop at the next step."""
        self._cancelled = True


def fetch(model: Model, data: Path) -> Steps:
    """Fetch, check and name the file, telling steps on the way. Raises whatever went wrong."""
    final = place(model, data)
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(final.with_name(f".{model.name}.lock"), timeout=0):
            if not final.is_file():
                yield from _fetch(model, final)
    except Timeout:
        raise EngineDown(text("models.busy", title=model.title), text("models.busy_repair")) from None


def fetch_bundle(bundle: Bundle, data: Path) -> Steps:
    """Fetch what is missing of a bundle, one file after the other; steps count all of it."""
    folder = folder_of(bundle, data)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            done = bundle.size_bytes - sum(file.size_bytes for file in missing(bundle, data))
            for file in missing(bundle, data):
                for step in _fetch(file, folder / Path(file.file).name):
                    yield {**step, "done": done + step["done"], "total": bundle.size_bytes}
                done += file.size_bytes
    except Timeout:
        raise EngineDown(text("models.busy", title=bundle.title), text("models.busy_repair")) from None


def _fetch(model: Model | File, final: Path) -> Steps:
    url = hf_hub_url(model.repo, model.file, revision=model.revision)
    sha256, size = _expected(model, url)
    part = final.with_name(f"{final.name}.{sha256[:12]}.part")
    here = part.stat().st_size if part.exists() else 0
    _insist_room(final.parent, size - here)
    with FileIO(part, "a") as file:
        yield from _download(url, file, size)
        os.fsync(file.fileno())
    found = yield from _hash(part, size)
    if found != sha256:
        part.unlink()
        raise EngineDown(text("models.wrong_hash", title=model.title), text("models.wrong_hash_repair"))
    take_place(part, final)
    for old in final.parent.glob(f"{final.name}.*.part"):
        old.unlink()


def _expected(model: Model | File, url: str) -> tuple[str, int]:
    """Return the hash and the size that the file must have.

    They are the catalogue's. A hub on this very machine (``HF_ENDPOINT``; somebody's own copy, or a trial) may offer
    other files: its published hash counts there, since who runs it could write into the folder as well.
    """
    about = get_hf_file_metadata(url, timeout=SILENT_S)
    published = about.etag if about.etag and re.fullmatch("[0-9a-f]{64}", about.etag) else None
    size = about.size or model.size_bytes
    if published is not None and is_loopback(urlsplit(constants.ENDPOINT).hostname or ""):
        return published, size
    if published not in (None, model.sha256) or size != model.size_bytes:
        raise EngineDown(text("models.other_file", title=model.title), text("models.wrong_hash_repair"))
    return model.sha256, model.size_bytes


def _insist_room(folder: Path, missing: int) -> None:
    free = shutil.disk_usage(folder).free
    if missing + SPARE_BYTES > free:
        reason = text("models.no_room", folder=folder, needed=amount(missing + SPARE_BYTES), free=amount(free))
        raise EngineDown(reason, text("models.no_room_repair"))


def _download(url: str, file: FileIO, size: int) -> Steps:
    """Append what is missing, over as many connections as it takes."""
    failures, told_s = 0, 0.0
    while (had := file.seek(0, os.SEEK_END)) != size:
        if had > size:
            file.truncate(0)
            continue
        yield {"step": "downloading", "done": had, "total": size}
        cut: Exception | None = None
        try:
            for done in _connection(url, file, had):
                if time.monotonic() - told_s >= TELL_S:
                    told_s = time.monotonic()
                    yield {"step": "downloading", "done": done, "total": size}
        except (httpx2.TransportError, HfHubHTTPError) as error:
            if isinstance(error, HfHubHTTPError) and error.response.status_code not in PASSING:
                raise
            cut = error
        failures = 0 if file.tell() > had else failures + 1
        if failures == TRIES:
            raise cut or httpx2.ReadError("the hub sends nothing")
        if failures:
            time.sleep(FIRST_WAIT_S * 2 ** (failures - 1))
    yield {"step": "downloading", "done": size, "total": size}


def _connection(url: str, file: FileIO, had: int) -> Iterator[int]:
    """Read one answer to its end, writing every byte at once; yield how many are here."""
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if had:
        headers["Range"] = f"bytes={had}-"
    with get_session().stream("GET", url, headers=headers, timeout=SILENT_S) as answer:
        if answer.status_code == 416:
            file.truncate(0)
            return
        hf_raise_for_status(answer)
        resumed = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {had}-")
        if had and not resumed:
            file.truncate(0)
            file.seek(0)
        for chunk in answer.iter_raw():
            rest = memoryview(chunk)
            while rest:
                rest = rest[file.write(rest) :]
            yield file.tell()


def _hash(part: Path, size: int) -> Generator[dict[str, Any], None, str]:
    """Return the SHA-256 of what is on the disk."""
    digest, told_s = hashlib.sha256(), 0.0
    with part.open("rb") as file:
        while block := file.read(2**22):
            digest.update(block)
            if time.monotonic() - told_s >= TELL_S:
                told_s = time.monotonic()
                yield {"step": "checking", "done": file.tell(), "total": size}
    return digest.hexdigest()


@contextmanager
def _told(model: Model | File, folder: Path) -> Iterator[None]:
    """Turn what goes wrong into ``EngineDown`` with a sentence and a repair."""
    hub, title = urlsplit(constants.ENDPOINT).netloc, model.title
    try:
        yield
    except EngineDown:
        raise
    except OfflineModeIsEnabled as error:
        raise EngineDown(text("models.offline"), text("models.offline_repair")) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        page = f"{constants.ENDPOINT}/{model.repo}"
        if isinstance(error, GatedRepoError) or status == 403:
            raise EngineDown(text("models.gated", title=title), text("models.gated_repair", page=page)) from error
        missing = isinstance(error, RepositoryNotFoundError | RevisionNotFoundError | EntryNotFoundError)
        if missing or status == 404:
            raise EngineDown(text("models.gone", title=title, hub=hub), text("models.gone_repair")) from error
        if status == 401:
            raise EngineDown(text("models.gated", title=title), text("models.gated_repair", page=page)) from error
        raise EngineDown(text("models.hub_failed", hub=hub, status=status), text("models.later")) from error
    except (httpx2.HTTPError, FileMetadataError) as error:
        raise EngineDown(text("models.no_network", hub=hub), text("models.no_network_repair")) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EngineDown(text("models.disk_full", folder=folder), text("models.no_room_repair")) from error
        reason = text("models.cannot_write", folder=folder, error=error.strerror or error)
        raise EngineDown(reason, text("models.cannot_write_repair")) from error
