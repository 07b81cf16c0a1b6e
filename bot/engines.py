"""Which brain and which voice the settings ask for, each with what stands behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.config.settings import Settings
from bot.mind.demo.brain import HER_NAME, MODEL, DemoBrain
from bot.mind.llama import LlamaBrain
from bot.mind.openai import OpenAIBrain
from bot.mind.prompts import short_persona
from bot.mind.stand_in import SleepingBrain
from bot.mind.understudy import Understudy
from bot.models import catalogue
from bot.supervisor import Board, BrainLadder
from bot.texts import text
from bot.vocabulary import Health
from bot.voice.choice import recall
from bot.voice.ladder import VoiceLadder
from bot.voices import build_voices

PROMPTS = Path(__file__).resolve().parent.parent / "prompts"
DEMO_MODEL = MODEL


class Part(Protocol):
    """An engine that lives as long as she does."""

    async def start(self) -> None:
        """Begin."""
        ...

    async def close(self) -> None:
        """End."""
        ...

    async def ready(self, timeout_s: float) -> bool:
        """Wait until it can serve."""
        ...

    @property
    def pid(self) -> int | None:
        """Its child process, if it has one that runs."""
        ...


@dataclass(frozen=True, slots=True)
class Engines:
    """The ladders that replies use, and the parts behind them by name."""

    brain: BrainLadder
    voice: VoiceLadder
    parts: dict[str, Part]
    local: LocalBrains


class LocalBrains:
    """Builds the brains that run on this machine; only the one in charge moves the ladder's light."""

    def __init__(self, settings: Settings, ladder: BrainLadder, parts: dict[str, Part]) -> None:
        self._settings = settings
        self._ladder = ladder
        self._parts = parts

    def llama(self, path: Path) -> LlamaBrain:
        """Return a brain of this model file, not yet started."""
        llm = self._settings.llm
        brain = LlamaBrain(
            path,
            context=llm.context,
            gpu_layers=llm.gpu_layers,
            threads=llm.threads,
            on_health=lambda health: self._heard(brain, health),
        )
        return brain

    def demo(self) -> DemoBrain:
        """Return the built-in brain, not yet started. Raises ``PromptError``."""
        brain = self._demo(lambda health: self._heard(brain, health))
        return brain

    def take_over(self, brain: LlamaBrain) -> Part | None:
        """Put a brain in charge, with the built-in one behind it; return the one before, which is yours to close."""
        before = self._parts.get("brain")
        self._parts["brain"] = brain
        if not isinstance(brain, DemoBrain) and "stand_in" not in self._parts:
            demo = self._demo(lambda health: self._ladder.refresh())
            self._parts["stand_in"] = SleepingBrain(demo)
        stand_in = self._parts.get("stand_in")
        self._ladder.swap(brain, brain.health, stand_in if isinstance(stand_in, SleepingBrain) else None)
        return before

    def lack(self, why: Health) -> None:
        """Show on the light that another brain than the one in charge was asked for, and why it is not there."""
        self._ladder.lack(why)

    def _heard(self, brain: LlamaBrain, health: Health) -> None:
        if self._parts.get("brain") is brain:
            self._ladder.on_health(health)

    def _demo(self, on_health: Callable[[Health], None]) -> DemoBrain:
        persona = self._settings.persona
        short = short_persona(PROMPTS, persona.language, HER_NAME)
        return DemoBrain(short, persona.name, on_health=on_health, model=DEMO_MODEL)


def build_engines(settings: Settings, board: Board, data: Path) -> Engines:
    """Build what the settings ask for; models come from the data folder.

    Raises ``PromptError`` when the understudy's lines are broken.
    """
    understudy = Understudy(PROMPTS, settings.persona.language, settings.persona.name)
    parts: dict[str, Part] = {}

    def server_health(health: Health) -> None:
        if parts.get("brain") is server:
            brain.on_health(health)

    server = _server(settings, server_health)
    if server is not None:
        parts["brain"] = server
    brain = BrainLadder(server, understudy, understudy.rescue, board)
    local = LocalBrains(settings, brain, parts)
    if settings.llm.engine == "llama":
        _choose(settings, local, data)
    elif server is None:
        board.report(Health("brain", "ok", serving=understudy.name))
    voice, voices = build_voices(recall(settings, data), board, data)
    parts |= voices
    parts["voices"] = voice
    return Engines(brain, voice, parts, local)


def _server(settings: Settings, on_health: Callable[[Health], None]) -> OpenAIBrain | None:
    llm = settings.llm
    if llm.engine != "openai":
        return None
    return OpenAIBrain(llm.base_url, llm.model, llm.api_key.get_secret_value(), on_health=on_health)


def chosen_model(settings: Settings, data: Path) -> str:
    """Return ``llm.model``, or the model that was chosen in the studio where the config names none."""
    remembered = catalogue.in_use(data)
    names_none = settings.llm.engine == "llama" and "model" not in settings.llm.model_fields_set
    return remembered.name if names_none and remembered else settings.llm.model


def _choose(settings: Settings, local: LocalBrains, data: Path) -> None:
    """Put the brain in charge that was asked for, or the built-in one with the reason on the light."""
    name = chosen_model(settings, data)
    lacking: Health | None = None
    path = Path(name).expanduser()
    if name != "demo" and path.suffix.lower() != ".gguf":
        try:
            model = catalogue.find(name)
            path = catalogue.place(model, data)
            if not path.is_file():
                reason, repair = text("models.not_here", title=model.title), text("models.pull_it", name=name)
                lacking = Health("brain", "down", reason, repair)
        except catalogue.UnknownModel as unknown:
            lacking = Health("brain", "down", unknown.reason, unknown.repair)
    if name != "demo" and not lacking:
        local.take_over(local.llama(path))
        return
    local.take_over(local.demo())
    if lacking:
        local.lack(lacking)
