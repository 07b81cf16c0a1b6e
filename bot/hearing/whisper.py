"""Whisper on this machine: faster-whisper in a child process, seen from the bot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bot.config.settings import Settings
from bot.hearing.hallucinations import Piece, is_invented, is_silent
from bot.models import bundles
from bot.models.bundles import Bundle
from bot.models.catalogue import UnknownModel
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Options, Pcm, Transcript
from bot.worker import Worker

log = logging.getLogger(__name__)

RATE_HZ = 16_000
WINDOW_S = 30.0
LOAD_S = 120.0
UNKNOWN_PACE_S = 60.0
"""How long a window may take while the pace of this machine is not known."""
PATIENCE = 6.0
"""A window may take so many times its usual time, which a game that starts can cost."""
LEAST_S = 5.0
QUICK_S = 0.5
"""A machine that reads a window in less writes along while somebody speaks."""
EVERY_S = 0.5
"""So much new sound is worth a new partial text."""
FILES = ("model.bin", "config.json", "tokenizer.json")


class WhisperRecogniser:
    """Implements ``vocabulary.Recogniser``. ``folder``: a CTranslate2 model; ``lacking``: why there can be none yet.

    ``lacking`` is asked at every start and returns a reason with its repair, or None.
    """

    name = "whisper"

    def __init__(
        self,
        folder: Path,
        *,
        language: str = "auto",
        device: str = "auto",
        hotwords: str = "",
        lacking: Callable[[], EngineDown | None] = lambda: None,
        on_health: Callable[[Health], None],
    ) -> None:
        options: Options = {"folder": str(folder), "language": language, "device": device, "hotwords": hotwords}
        self._on_health = on_health
        self._lacking = lacking
        self._worker = Worker(
            "hearing", "bot.hearing.whisper_engine:WhisperEngine", options, on_health=self._heard, load_s=LOAD_S
        )
        self._started = False
        self._measuring: asyncio.Task[None] | None = None
        self.health = Health("hearing", "off")
        self.window_s: float | None = None
        """Seconds that a window takes on this machine, once measured."""
        self.device = ""

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        return self._worker.pid

    async def start(self) -> None:
        """Start the child, if the model and the package are here; returns at once."""
        if lacking := self._lacking():
            self._say(Health("hearing", "down", lacking.reason, lacking.repair))
        elif not self._started:
            self._started = True
            await self._worker.start()

    async def ready(self, timeout_s: float) -> bool:
        """Wait until it can listen; a model that has been fetched meanwhile is loaded now."""
        await self.start()
        return self._started and await self._worker.ready(timeout_s)

    async def close(self) -> None:
        """End the child."""
        if self._measuring:
            self._measuring.cancel()
            await asyncio.wait([self._measuring])
        if self._started:
            await self._worker.close()

    def begin(self, on_partial: Callable[[str], None]) -> WhisperUtterance:
        """Begin an utterance (see ``vocabulary.Recogniser``)."""
        return WhisperUtterance(self, on_partial)

    @property
    def is_quick(self) -> bool:
        """Whether this machine can write along while somebody speaks."""
        return self.window_s is not None and self.window_s < QUICK_S

    async def write_down(self, pcm: Pcm) -> Transcript:
        """Return what is said in this sound. Raises ``EngineDown``; must not be cancelled."""
        if not self._started:
            raise EngineDown(self.health.reason or text("worker.not_started"), self.health.repair)
        if is_silent(pcm):
            return Transcript("")
        said: list[str] = []
        language = ""
        async with aclosing(self._ask(pcm)) as items:
            async for item, _ in items:
                if "window_s" in item:
                    self._note(item)
                    continue
                language = language or item["language"]
                piece = Piece(item["text"], item["seconds"], item["no_speech"], item["mean_logprob"])
                if is_invented(piece):
                    log.info("left out what nobody said (no speech %.2f)", piece.no_speech)
                else:
                    said.append(piece.text)
        return Transcript(" ".join(said), language if said else "")

    def _ask(self, pcm: Pcm) -> Any:
        windows = 1 + int(len(pcm) / RATE_HZ / (WINDOW_S - 10))
        window_s = UNKNOWN_PACE_S if self.window_s is None else max(LEAST_S, PATIENCE * self.window_s)
        return self._worker.stream({}, pcm.astype("<i2").tobytes(), first_s=window_s * windows, next_s=window_s)

    def _heard(self, health: Health) -> None:
        if health.state == "ok":
            self._measuring = asyncio.get_running_loop().create_task(self._measure())
        self._say(health)

    def _say(self, health: Health) -> None:
        if health != self.health:
            self.health = health
            self._on_health(health)

    async def _measure(self) -> None:
        with suppress(EngineDown):
            async with aclosing(self._ask(np.zeros(0, np.int16))) as items:
                async for item, _ in items:
                    self._note(item)
            log.info("whisper reads a window in %.2f s (%s)", self.window_s or 0.0, self.device)

    def _note(self, item: dict[str, Any]) -> None:
        self.window_s, self.device = item["window_s"], item["device"]


class WhisperUtterance:
    """One stretch of speech. One request runs at a time; whoever asks meanwhile shares the next one, the newest."""

    def __init__(self, recogniser: WhisperRecogniser, on_partial: Callable[[str], None]) -> None:
        self._recogniser = recogniser
        self._on_partial = on_partial
        self._pieces: list[Pcm] = []
        self._samples = 0
        self._known = Transcript("")
        self._known_samples = 0
        self._work: asyncio.Task[None] | None = None
        self._closed = False

    def feed(self, pcm: Pcm) -> None:
        """Append sound; now and then begin to write along."""
        self._pieces.append(pcm)
        self._samples += len(pcm)
        fresh = self._samples - self._known_samples
        if self._recogniser.is_quick and self._idle and fresh >= EVERY_S * RATE_HZ and not self._closed:
            self._begin()

    async def text_so_far(self) -> Transcript:
        """Return what was said in all that has been fed until now."""
        wanted = self._samples
        while self._known_samples < wanted:
            work = self._work if self._work and not self._work.done() else self._begin()
            await asyncio.wait([work])
            if (error := work.exception()) is not None:
                raise error
        return self._known

    def close(self) -> None:
        """Drop it; a request that runs ends unseen."""
        self._closed = True
        self._pieces = []

    @property
    def _idle(self) -> bool:
        return self._work is None or self._work.done()

    def _begin(self) -> asyncio.Task[None]:
        self._work = asyncio.get_running_loop().create_task(self._write_down())
        self._work.add_done_callback(_look_at)
        return self._work

    async def _write_down(self) -> None:
        sound = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)
        self._pieces = [sound]
        transcript = await self._recogniser.write_down(sound)
        changed = transcript.text != self._known.text
        self._known, self._known_samples = transcript, len(sound)
        if changed and not self._closed:
            self._on_partial(transcript.text)


def build(settings: Settings, data: Path, on_health: Callable[[Health], None]) -> WhisperRecogniser:
    """Return the recogniser that the settings ask for; it tells by itself what it lacks (see ``start``)."""
    stt = settings.stt
    folder = folder_for(stt.model, data)
    return WhisperRecogniser(
        folder,
        language=stt.language,
        device=stt.device,
        hotwords=settings.persona.name,
        lacking=lambda: lacks(stt.model, folder),
        on_health=on_health,
    )


def folder_for(model: str, data: Path) -> Path:
    """Return the folder of a size, of a name from ``aneeka models list``, or of a path."""
    bundle = _bundle(model)
    return bundles.folder_of(bundle, data) if bundle else Path(model).expanduser()


def lacks(model: str, folder: Path) -> EngineDown | None:
    """Return what is not here: the package, the model or one of its files; None: nothing."""
    if find_spec("faster_whisper") is None:
        return EngineDown(text("whisper.missing"), text("whisper.missing_repair"))
    bundle = _bundle(model)
    if bundle is not None:
        parts = [Path(file.file).name for file in bundle.files]
    elif folder.is_dir():
        parts = list(FILES)
    else:
        names = ", ".join(b.name.removeprefix("whisper-") for b in bundles.BUNDLES if b.kind == "hearing")
        return EngineDown(text("whisper.unknown", model=model), text("whisper.unknown_repair", names=names))
    gone = [part for part in parts if not (folder / part).is_file()]
    if not gone:
        return None
    if bundle is not None:
        return EngineDown(text("whisper.not_here", title=bundle.title), text("whisper.pull_it", name=bundle.name))
    return EngineDown(text("whisper.no_file", folder=folder, file=gone[0]), text("whisper.no_file_repair"))


def _bundle(model: str) -> Bundle | None:
    for name in (f"whisper-{model}", model):
        with suppress(UnknownModel):
            found = bundles.find(name)
            if isinstance(found, Bundle) and found.kind == "hearing":
                return found
    return None


def _look_at(work: asyncio.Task[None]) -> None:
    """Mark an error as seen: whoever waits for the text gets it, and perhaps nobody does."""
    if not work.cancelled():
        work.exception()
