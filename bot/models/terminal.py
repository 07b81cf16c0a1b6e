"""``aneeka models list`` and ``aneeka models pull NAME``."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

from bot.config.settings import Settings
from bot.engines import chosen_model
from bot.models import bundles, catalogue
from bot.models.bundles import BUNDLES, Bundle
from bot.models.catalogue import CATALOGUE, Model
from bot.models.machine import Machine, this_machine
from bot.models.pull import Progress, pull
from bot.models.shelf import about, on_disk
from bot.models.words import amount, duration, memory
from bot.texts import text
from bot.vocabulary import EngineDown
from bot.voice import piper

WELL, FAILED, BAD_USAGE = 0, 1, 2
LINE_S = 15.0
"""How often a progress line is written where nobody watches (a file, a pipe)."""


def list_models(settings: Settings, data: Path, *, as_json: bool) -> int:
    """Print every model with size, licence, needs and what this machine can bear. Return the exit code."""
    machine = this_machine()
    in_use = chosen_model(settings, data) if settings.llm.engine == "llama" else ""
    models = [*reversed(CATALOGUE)]
    if as_json:
        rows = [{"kind": "brain"} | about(model, machine) | on_disk(model, data, in_use) for model in models]
        rows += [_about_bundle(bundle, settings, data, machine) for bundle in BUNDLES]
        found = {"ram_bytes": machine.ram_bytes, "card": machine.card, "card_bytes": machine.card_bytes}
        print(json.dumps({"models": rows, "machine": found}, ensure_ascii=False))
        return WELL
    for model in models:
        state = on_disk(model, data, in_use)["state"]
        marks = [text(f"models.fit_{machine.fit(model)}"), text(f"models.state_{state}")]
        if machine.recommended() is model:
            marks.append(text("models.recommended"))
        needs = text("models.needs", memory=memory(model.memory_bytes))
        print(
            f"{model.name:16} {amount(model.size_bytes):>7}  {needs}  {model.licence}  [{', '.join(model.languages)}]"
        )
        print(f"{'':16} {model.title}: {', '.join(filter(None, marks))}")
    for bundle in BUNDLES:
        needs = text("models.needs", memory=memory(bundle.memory_bytes))
        state = _about_bundle(bundle, settings, data, machine)["state"]
        size, languages = amount(bundle.size_bytes), ", ".join(bundle.languages)
        print(f"{bundle.name:24} {size:>7}  {needs}  {bundle.licence}  [{languages}]")
        print(f"{'':24} {bundle.title}: {text(f'models.kind_{bundle.kind}')}, {text(f'models.state_{state}')}")
    print(f"\n{_about(machine)}\n{text('models.how_to_pull', name=machine.recommended().name)}")
    return WELL


async def pull_model(settings: Settings, data: Path, name: str) -> int:
    """Fetch one model with its progress on standard error. Return the exit code."""
    try:
        model = bundles.find(name)
    except catalogue.UnknownModel as unknown:
        print(f"{unknown.reason} {unknown.repair}", file=sys.stderr)
        return BAD_USAGE
    meter = _Meter(model)
    try:
        if not bundles.is_here(model, data):
            async with aclosing(pull(model, data)) as steps:
                async for progress in steps:
                    meter.show(progress)
    except EngineDown as down:
        meter.end()
        print(f"{down.reason} {down.repair}", file=sys.stderr)
        return FAILED
    except asyncio.CancelledError:
        meter.end()
        print(text("models.kept"), file=sys.stderr)
        return FAILED
    meter.end()
    print(text("models.here", title=model.title, path=bundles.home(model, data)))
    print(_what_next_bundle(settings, model) if isinstance(model, Bundle) else _what_next(settings, data, model))
    return WELL


def _about_bundle(bundle: Bundle, settings: Settings, data: Path, machine: Machine) -> dict[str, Any]:
    """Return everything about a folder of files, as ``models list --json`` gives it."""
    lacking = sum(file.size_bytes for file in bundles.missing(bundle, data))
    state = "partial" if lacking < bundle.size_bytes else "absent"
    if not lacking:
        state = "in_use" if _is_chosen(bundle, settings) else "ready"
    return {
        "name": bundle.name,
        "title": bundle.title,
        "kind": bundle.kind,
        "size_bytes": bundle.size_bytes,
        "ram_bytes": bundle.memory_bytes,
        "vram_bytes": bundle.memory_bytes,
        "licence": bundle.licence,
        "licence_url": bundle.licence_url,
        "languages": list(bundle.languages),
        "repo": bundle.files[0].repo,
        "files": [{"file": file.file, "sha256": file.sha256} for file in bundle.files],
        "fit": machine.fit(bundle),
        "recommended": False,
        "state": state,
        "done_bytes": bundle.size_bytes - lacking,
    }


def _is_chosen(bundle: Bundle, settings: Settings) -> bool:
    """Return whether the config asks for this bundle."""
    if bundle.kind == "hearing":
        return settings.stt.engine == "whisper" and bundle.name in (settings.stt.model, f"whisper-{settings.stt.model}")
    return settings.tts.engine == "piper" and bundle.name == piper.voice_of(settings).partition(":")[0]


def _what_next_bundle(settings: Settings, bundle: Bundle) -> str:
    if _is_chosen(bundle, settings):
        return text("models.used_next_start")
    return text(f"models.how_to_use_{bundle.kind}", name=bundle.name)


def _what_next(settings: Settings, data: Path, model: Model) -> str:
    """Choose the first model that somebody fetches, where the config names none; return what to tell."""
    chosen = chosen_model(settings, data)
    if chosen == "demo" and settings.llm.engine == "llama" and "model" not in settings.llm.model_fields_set:
        if this_machine().fit(model) != "too_big":
            catalogue.remember(model, data)
            return text("models.used_next")
    elif chosen == model.name:
        return text("models.used_next")
    return text("models.how_to_use", name=model.name)


def _about(machine: Machine) -> str:
    ram = memory(machine.ram_bytes) if machine.ram_bytes else text("models.unknown_amount")
    if not machine.card:
        return text("models.machine_ram_only", ram=ram)
    held = memory(machine.card_bytes) if machine.card_bytes else text("models.unknown_amount")
    return text("models.machine", ram=ram, card=text("models.card", name=machine.card, memory=held))


class _Meter:
    """One line that is written over in a terminal; elsewhere a new line now and then."""

    def __init__(self, model: Model | Bundle) -> None:
        self._title = model.title
        self._live = sys.stderr.isatty()
        self._width = 0
        self._next_s = 0.0

    def show(self, progress: Progress) -> None:
        line = self._line(progress)
        if self._live:
            print("\r" + line.ljust(self._width), end="", file=sys.stderr, flush=True)
            self._width = len(line)
        elif time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + LINE_S
            print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._width:
            print(file=sys.stderr)

    def _line(self, progress: Progress) -> str:
        if progress.step == "checking":
            return text("models.checking", title=self._title)
        figures = {
            "title": self._title,
            "done": amount(progress.done_bytes),
            "total": amount(progress.total_bytes),
            "percent": 100 * progress.done_bytes // max(1, progress.total_bytes),
        }
        if progress.left_s is None:
            return text("models.downloading_first", **figures)
        speed, left = amount(progress.bytes_per_s), duration(progress.left_s)
        return text("models.downloading", **figures, speed=speed, left=left)
