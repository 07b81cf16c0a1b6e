"""Opens a microphone for a few seconds, to see whether anybody can be heard through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bot.config.speech import Audio
from bot.hearing.meter import Meter
from bot.hearing.microphone import PART, Microphone
from bot.hearing.microphone_choice import recall
from bot.hearing.silero import RATE_HZ, SILENCE_DB
from bot.texts import text
from bot.vocabulary import Health, Pcm

OPEN_S = 20.0
LATE_S = 3.0
GLANCE_S = 1.0
"""How long the doctor listens."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How the microphone is, and the level of the loudest moment in dBFS."""

    health: Health
    loudest_db: float


async def try_microphone(device: str, for_s: float, on_level: Callable[[float, float], None]) -> Trial:
    """Listen for so many seconds of sound. ``on_level`` takes the level now, in dBFS, and the seconds left."""
    over, opened = asyncio.Event(), asyncio.Event()
    lights: list[Health] = [Health(PART, "degraded")]
    loudest_db, heard = SILENCE_DB, 0

    def light(health: Health) -> None:
        lights.append(health)
        if health.state == "down":
            opened.set()
            over.set()

    def level(message: dict[str, object]) -> None:
        nonlocal loudest_db
        db = float(str(message["level_db"]))
        loudest_db = max(loudest_db, db)
        on_level(db, max(0.0, for_s - heard / RATE_HZ))

    meter = Meter(level, lambda: False)

    def block(pcm: Pcm, at_s: float) -> None:
        nonlocal heard
        opened.set()
        if not over.is_set():
            heard += len(pcm)
            meter.feed(pcm, at_s)
        if heard >= for_s * RATE_HZ:
            over.set()

    microphone = Microphone(device, block, light)
    await microphone.start()
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(opened.wait(), OPEN_S)
            await asyncio.wait_for(over.wait(), for_s + LATE_S)
        health = lights[-1]
    finally:
        await microphone.close()
    if health.state == "ok" and loudest_db == SILENCE_DB:
        reason = f"{health.reason} {text('microphone.mute')}"
        health = replace(health, state="degraded", reason=reason, repair=text("microphone.mute_repair"))
    return Trial(health, loudest_db)


async def microphone_health(audio: Audio, data: Path) -> Health:
    """Return how the chosen microphone is, for the doctor; the sound card's is listened to for a second."""
    choice = recall(audio, data / "microphone.json")
    if choice.mode == "off":
        return Health(PART, "off", text("microphone.off"))
    if choice.source == "browser":
        return Health(PART, "ok", text("microphone.in_browser"), serving="browser")
    trial = await try_microphone(choice.device, GLANCE_S, lambda level_db, left_s: None)
    if trial.health.state != "ok":
        return trial.health
    reason = f"{trial.health.reason} {text('microphone.level', level=round(trial.loudest_db))}"
    return replace(trial.health, reason=reason)
