"""Which brain and which voice the settings ask for, each with what stands behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.config.settings import Settings
from bot.mind.llama import LlamaBrain
from bot.mind.openai import OpenAIBrain
from bot.mind.understudy import Understudy
from bot.supervisor import Board, BrainLadder, VoiceLadder
from bot.texts import text
from bot.vocabulary import Brain, Health, Voice
from bot.voice.captions_only import CaptionsOnly
from bot.voice.espeak import EspeakVoice

PROMPTS = Path(__file__).resolve().parent.parent / "prompts"
DEMO_MODEL = Path(__file__).parent / "mind" / "demo" / "demo.gguf"


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


def build_engines(settings: Settings, board: Board) -> Engines:
    """Build what the settings ask for. Raises ``PromptError`` when the understudy's lines are broken."""
    understudy = Understudy(PROMPTS, settings.persona.language, settings.persona.name)
    parts: dict[str, Part] = {}

    def brain_health(health: Health) -> None:
        brain.on_health(health)

    def voice_health(health: Health) -> None:
        wanted = settings.tts.engine
        if health.state == "ok" and wanted != espeak.name:
            reason, repair = text("engines.not_yet", engine=wanted), text("engines.not_yet_repair", serving=espeak.name)
            board.report(Health("voice", "down", reason, repair, espeak.name))
        else:
            voice.on_health(health)

    first = _first_brain(settings, parts, board, brain_health)
    brain = BrainLadder(first, understudy, understudy.rescue, board)
    espeak = EspeakVoice(
        settings.tts.voice if settings.tts.engine == "espeak" else "",
        settings.persona.language,
        settings.tts.speed,
        on_health=voice_health,
    )
    missing: list[tuple[str, str, str]] = []
    missing += [(f"voice_{name}", name, espeak.name) for name in settings.tts.fallback if name != espeak.name]
    missing += [(name, name, "page") for name in settings.avatar.outputs if name != "page"]
    for part, name, serving in missing:
        reason, repair = text("engines.not_yet", engine=name), text("engines.not_yet_repair", serving=serving)
        board.report(Health(part, "down", reason, repair, serving))
    voices: list[Voice] = [espeak]
    parts["voice"] = espeak
    voice = VoiceLadder(voices, CaptionsOnly(), board)
    return Engines(brain, voice, parts)


def _first_brain(
    settings: Settings, parts: dict[str, Part], board: Board, on_health: Callable[[Health], None]
) -> Brain | None:
    llm = settings.llm
    if llm.engine == "openai":
        server = OpenAIBrain(llm.base_url, llm.model, llm.api_key.get_secret_value(), on_health=on_health)
        parts["brain"] = server
        return server
    if llm.engine == "understudy":
        board.report(Health("brain", "ok", serving="understudy"))
        return None
    path = DEMO_MODEL if llm.model == "demo" else Path(llm.model).expanduser()
    if llm.model == "demo" and not path.is_file():
        board.report(Health("brain", "ok", text("engines.no_demo"), text("engines.no_demo_repair"), "understudy"))
        return None
    if path.suffix.lower() != ".gguf":
        reason = text("engines.unknown_model", model=llm.model)
        board.report(Health("brain", "down", reason, text("engines.unknown_model_repair"), "understudy"))
        return None
    llama = LlamaBrain(path, context=llm.context, gpu_layers=llm.gpu_layers, threads=llm.threads, on_health=on_health)
    parts["brain"] = llama
    return llama
