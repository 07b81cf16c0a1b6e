"""The recognisers that the settings ask for, in the order in which they stand in for each other."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Protocol

from bot.config.settings import Settings
from bot.config.speech import EarEngine
from bot.hearing.ladder import RecogniserLadder
from bot.supervisor import Board, Living
from bot.vocabulary import Health, Recogniser


class LiveRecogniser(Recogniser, Living, Protocol):
    """A recogniser as its module's ``build`` returns it."""


def build_ears(settings: Settings, board: Board, data: Path) -> tuple[RecogniserLadder, dict[str, LiveRecogniser]]:
    """Build the recogniser of ``stt.engine`` and those of ``stt.fallback``, not yet started; none when it is off.

    Return the ladder that listens with them, and the recognisers by part: ``hearing`` is the first,
    ``hearing_azure`` and so on are the others. An engine that nobody asked for, the default's, is no fault while it
    lacks its package or its model: its light is off then, not red.
    """
    stt = settings.stt
    asked = bool(stt.model_fields_set)
    names = () if stt.engine == "off" else tuple(dict.fromkeys((stt.engine, *stt.fallback)))
    recognisers: list[LiveRecogniser] = []

    def build(engine: EarEngine) -> LiveRecogniser:
        module = import_module(f"bot.hearing.{engine}")

        def told(health: Health) -> None:
            excused = not asked and engine == stt.engine and health.state == "down"
            ladder.on_health(recogniser, replace(health, state="off") if excused else health)

        recogniser: LiveRecogniser = module.build(settings, data, told)
        return recogniser

    recognisers = [build(name) for name in names]
    ladder = RecogniserLadder(recognisers, board)
    return ladder, {f"hearing_{each.name}" if i else "hearing": each for i, each in enumerate(recognisers)}
