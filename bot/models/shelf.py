"""The studio's shelf of models: downloads one while she lives, and puts it in charge between two replies."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from bot.config.settings import Settings
from bot.engines import LocalBrains, chosen_model
from bot.mind.llama import LOAD_S
from bot.models import catalogue
from bot.models.catalogue import CATALOGUE, Model, place
from bot.models.machine import Machine, this_machine
from bot.models.pull import Progress, pull
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Tell

log = logging.getLogger(__name__)


class Shelf:
    """``between_replies`` runs a callback when no reply is in progress: now, or after the current one."""

    def __init__(
        self,
        settings: Settings,
        data: Path,
        brains: LocalBrains,
        between_replies: Callable[[Callable[[], None]], None],
        tell: Tell,
    ) -> None:
        self._settings = settings
        self._data = data
        self._brains = brains
        self._between_replies = between_replies
        self._tell = tell
        chosen = chosen_model(settings, data) if settings.llm.engine == "llama" else ""
        self._in_use = chosen if any(chosen == m.name and place(m, data).is_file() for m in CATALOGUE) else ""
        self._failures: dict[str, EngineDown] = {}
        self._work: asyncio.Task[None] | None = None
        self._working_on: Model | None = None
        self._doing: dict[str, Any] = {}

    async def models(self) -> dict[str, Any]:
        """Return everything on the shelf and what this machine can bear, as ``GET /api/models`` gives it."""
        machine = await asyncio.to_thread(this_machine)
        return {
            "models": [about(model, machine) | self._state(model) for model in reversed(CATALOGUE)],
            "machine": {
                "ram_bytes": machine.ram_bytes,
                "card": machine.card,
                "card_bytes": machine.card_bytes,
                "free_bytes": shutil.disk_usage(self._data).free,
            },
            "config_decides": "model" in self._settings.llm.model_fields_set or self._settings.llm.engine != "llama",
        }

    def pull(self, name: str) -> dict[str, Any]:
        """Begin to fetch a model and to put it in charge; a file that is here is only put in charge.

        Raises ``UnknownModel``, or ``EngineDown`` while another one is being prepared.
        """
        model = catalogue.find(name)
        if self._working_on is not None and self._working_on is not model:
            raise EngineDown(text("models.one_at_a_time", title=self._working_on.title), text("models.busy_repair"))
        if self._working_on is None and not self._serves(model):
            self._failures.pop(name, None)
            self._working_on = model
            here = place(model, self._data).is_file()
            self._doing = {"state": "starting" if here else "downloading"}
            self._work = asyncio.create_task(self._prepare(model))
            self._show(model)
        return self._state(model)

    async def cancel(self, name: str) -> dict[str, Any]:
        """Stop preparing this model; what has been downloaded stays.

        Raises ``UnknownModel``, or ``EngineDown`` where it is not being prepared.
        """
        model = catalogue.find(name)
        if self._working_on is not model:
            raise EngineDown(text("models.not_running", title=model.title), text("models.not_running_repair"))
        await self.close()
        return self._state(model)

    async def close(self) -> None:
        """Stop whatever is being prepared."""
        if self._work:
            self._work.cancel()
            await asyncio.wait([self._work])

    async def _prepare(self, model: Model) -> None:
        try:
            if not place(model, self._data).is_file():
                async with aclosing(pull(model, self._data)) as steps:
                    async for progress in steps:
                        self._progress(model, progress)
            self._doing = {"state": "starting"}
            self._show(model)
            await self._put_in_charge(model)
        except EngineDown as down:
            log.warning("%s: %s", model.name, down.reason)
            self._failures[model.name] = down
        except Exception as fault:
            log.exception("%s failed", model.name)
            self._failures[model.name] = EngineDown(str(fault))
        finally:
            self._working_on, self._doing = None, {}
            self._show(model)

    async def _put_in_charge(self, model: Model) -> None:
        brain = self._brains.llama(place(model, self._data))
        taken = asyncio.Event()
        before: list[Any] = []

        def take_over() -> None:
            if not abandoned:
                before.append(self._brains.take_over(brain))
                self._in_use = model.name
                taken.set()

        abandoned = False
        try:
            await brain.start()
            if not await brain.ready(LOAD_S):
                reason = text("models.not_started", title=model.title, reason=brain.health.reason)
                repair = text("models.stays", repair=brain.health.repair)
                self._brains.lack(Health("brain", "degraded", reason, repair))
                raise EngineDown(reason, repair)
            self._between_replies(take_over)
            await taken.wait()
        finally:
            abandoned = True
            if not taken.is_set():
                await brain.close()
        self._remember(model)
        for old in filter(None, before):
            await old.close()

    def _remember(self, model: Model) -> None:
        try:
            catalogue.remember(model, self._data)
        except OSError as error:
            log.warning("%s", text("models.cannot_remember", error=error.strerror))

    def _serves(self, model: Model) -> bool:
        return self._in_use == model.name and place(model, self._data).is_file()

    def _progress(self, model: Model, progress: Progress) -> None:
        self._doing = {
            "state": progress.step,
            "done_bytes": progress.done_bytes,
            "total_bytes": progress.total_bytes,
            "bytes_per_s": round(progress.bytes_per_s),
            "left_s": None if progress.left_s is None else round(progress.left_s, 1),
        }
        self._show(model)

    def _show(self, model: Model) -> None:
        self._tell({"type": "model", **self._state(model)})

    def _state(self, model: Model) -> dict[str, Any]:
        failure = self._failures.get(model.name)
        return {
            "name": model.name,
            "done_bytes": 0,
            "total_bytes": model.size_bytes,
            "bytes_per_s": 0,
            "left_s": None,
            **on_disk(model, self._data, self._in_use),
            **(self._doing if self._working_on is model else {}),
            "error": failure.reason if failure else "",
            "hint": failure.repair if failure else "",
        }


def about(model: Model, machine: Machine) -> dict[str, Any]:
    """Return what does not change about a model on this machine."""
    return {
        "name": model.name,
        "title": model.title,
        "size_bytes": model.size_bytes,
        "ram_bytes": model.memory_bytes,
        "vram_bytes": model.memory_bytes,
        "licence": model.licence,
        "licence_url": model.licence_url,
        "languages": list(model.languages),
        "repo": model.repo,
        "file": model.file,
        "sha256": model.sha256,
        "fit": machine.fit(model),
        "recommended": machine.recommended() is model,
    }


def on_disk(model: Model, data: Path, in_use: str) -> dict[str, Any]:
    """Return the ``state`` of a model that nobody is preparing (``absent``, ``partial``, ``ready``, ``in_use``)."""
    if place(model, data).is_file():
        return {"state": "in_use" if in_use == model.name else "ready", "done_bytes": model.size_bytes}
    part = catalogue.partial(model, data)
    if part is None:
        return {"state": "absent"}
    return {"state": "partial", "done_bytes": part.stat().st_size}
