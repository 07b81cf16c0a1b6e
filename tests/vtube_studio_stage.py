"""A VTube Studio, her body in it and somebody who makes faces: what scenes of it share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from avatar.lipsync import REST, MouthShape
from avatar.performer import Performer
from avatar.vtube_studio import VTubeStudio
from bot.texts import text
from bot.vocabulary import Health
from tests.virtual_time import play
from tests.vtube_studio_server import DEFAULTS, ModelFile, VTubeStudioServer

URL = "ws://127.0.0.1:8001"
BACK_S = 3.0
OPEN = MouthShape(0.6, -0.2, (0.5, 0.0, 0.0, 0.0, 0.3))
FACE = Performer(seed=1).frame(5000.0, REST)
INPUTS = {name: (low, high) for name, (low, high, _) in DEFAULTS.items()}


def mira() -> ModelFile:
    model = ModelFile("Mira", "00112233445566778899aabbccddeeff").toggles("Feliz", "Triste")
    return model.has_hotkey("Enojada", "TriggerAnimation", "angry.motion3.json")


def akari() -> ModelFile:
    return ModelFile("Akari", "ffeeddccbbaa99887766554433221100").toggles("egao", "tere", "Outfit2")


class Stage:
    """A VTube Studio, her body in it, and somebody who makes faces."""

    def __init__(self, studio: VTubeStudioServer, token_file: Path, url: str = URL, **options: Any) -> None:
        self.now = asyncio.get_running_loop().time
        self.studio = studio
        self.lights: list[Health] = []
        options = {"connect": studio.connect, "discovery_port": None, **options}
        self.body = VTubeStudio(url, token_file, self.lights.append, self.now, **options)
        self.face = replace(FACE, mouth=OPEN)
        self._performing: asyncio.Task[None] | None = None

    def perform(self, rate_hz: float = 60.0, jitter_s: float = 0.0) -> None:
        """Hand over faces from now on, as the app does."""

        async def move() -> None:
            chance = random.Random(7)
            while True:
                self.body.show(self.face)
                await asyncio.sleep(1 / rate_hz + chance.uniform(0, jitter_s))

        self._performing = asyncio.create_task(move())

    def stop_performing(self) -> None:
        if self._performing:
            self._performing.cancel()
            self._performing = None

    def wears(self, expression: str) -> None:
        self.face = replace(self.face, expression=expression, weight=1.0)

    async def until(self, happens: Callable[[], object], within_s: float) -> float:
        """Wait until something is so; returns how long it took. Fails when it takes longer than ``within_s``."""
        begin_s = self.now()
        while not happens():
            assert self.now() - begin_s <= within_s, (happens, self.body.health)
            await asyncio.sleep(0.005)
        return self.now() - begin_s

    def says(self, why: str, **values: object) -> bool:
        """Whether the light gives this reason, with a repair line unless all is well."""
        health = self.body.health
        return health.reason == text(f"vtube_studio.{why}", **values) and (
            bool(health.repair) == (health.state != "ok")
        )

    async def moves(self, within_s: float = BACK_S) -> float:
        """Wait until a frame of hers has arrived from now on."""
        count = len(self.studio.frames)
        return await self.until(lambda: len(self.studio.frames) > count, within_s)


@asynccontextmanager
async def on_stage(
    tmp_path: Path, *, model: ModelFile | None = None, allowed: bool = True, **options: Any
) -> AsyncIterator[Stage]:
    """She is started; with ``allowed`` the pop-up is accepted and the model moves."""
    by_session = options.pop("holds_by_session", False)
    now = asyncio.get_running_loop().time
    studio = VTubeStudioServer(now, model or mira(), holds_by_session=by_session)
    stage = Stage(studio, tmp_path / "vts" / "token", **options)
    await stage.body.start()
    try:
        if allowed:
            await stage.until(lambda: studio.popup, 1)
            studio.allow()
            assert await stage.body.ready(1)
            stage.perform()
            await stage.moves()
            await asyncio.sleep(1.0)
        yield stage
    finally:
        stage.stop_performing()
        await stage.body.close()


def in_virtual_time(scene: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        play(scene(tmp_path))

    test.__name__ = scene.__name__
    return test
