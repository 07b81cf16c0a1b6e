"""Tries whether the keys that work in every window can be seen here, as the living program would see them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot.config.settings import Settings
from bot.hearing.hotkey import Hotkey
from bot.panic_key import panic_key
from bot.vocabulary import Health

PATIENCE_S = 30.0


async def try_keys(settings: Settings, report: Callable[[Health], None]) -> None:
    """Report the light of each key that is configured; the key to talk is looked at only where she hears."""
    panic, talk = settings.safety.panic_hotkey, settings.audio.push_to_talk_key
    if panic:
        await _try(lambda tell: panic_key(panic, _nothing, tell), report)
    if talk and settings.stt.engine != "off":
        await _try(lambda tell: Hotkey(talk, _nothing, _nothing, tell), report)


async def _try(make: Callable[[Callable[[Health], None]], Hotkey], report: Callable[[Health], None]) -> None:
    lights: asyncio.Queue[Health] = asyncio.Queue()
    key = make(lights.put_nowait)
    await key.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while (light := await lights.get()).state not in ("ok", "down"):
                report(light)
        report(light)
    except TimeoutError:
        return
    finally:
        await key.close()


def _nothing() -> None:
    return
