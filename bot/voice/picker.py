"""The operator's choice of a voice: what there is, how it sounds, and who speaks from the next reply on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np

from bot.config.settings import Settings
from bot.config.speech import VoiceEngine
from bot.models.pull import pull
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Phrase, Sound, Tell
from bot.voice import piper
from bot.voice.choice import VoiceChoice, chosen, configured, recall, remember
from bot.voice.listing import VoiceInfo
from bot.voice.speakable import speakable
from bot.voices import LiveVoice, build_voice
from bot.wav import wav_of

LIST_READY_S = 10.0
"""How long an engine may take to start, to be asked for its voices; some can tell them without."""
READY_S = 180.0
PREVIEW_S = 240.0
"""For a voice to load and speak a sentence: XTTS2 needs minutes where the disk is slow."""

log = logging.getLogger(__name__)


class VoicePicker:
    """``settings``: as the config says. ``in_charge`` returns the voice that is heard.

    ``between_replies`` calls back when no reply is in progress.
    ``take_over`` puts a started voice in charge and returns those that it replaces, which are closed here;
    ``on_health`` takes what the new one says about itself.
    """

    def __init__(
        self,
        settings: Settings,
        data: Path,
        in_charge: Callable[[], Any],
        between_replies: Callable[[Callable[[], None]], None],
        take_over: Callable[[LiveVoice], list[Any]],
        on_health: Callable[[Any, Health], None],
        tell: Tell,
    ) -> None:
        self._settings = settings
        self._data = data
        self._in_charge = in_charge
        self._between_replies = between_replies
        self._take_over = take_over
        self._on_health = on_health
        self._tell = tell
        self._now = configured(recall(settings, data))
        self._next: VoiceChoice | None = None
        self._percent: int | None = None
        self._failure = EngineDown("")
        self._work: asyncio.Task[None] | None = None
        self._previewing = asyncio.Lock()

    def state(self) -> dict[str, Any]:
        """Return who is in charge and who is ``coming`` (``percent`` of its download, ``None`` where none goes on).

        ``error`` and ``hint`` tell why the last one that was asked for is not in charge.
        """
        coming = {**asdict(self._next), "percent": self._percent} if self._next else None
        return {**asdict(self._now), "coming": coming, "error": self._failure.reason, "hint": self._failure.repair}

    async def voices(self, engine: VoiceEngine | None) -> dict[str, Any]:
        """Return the voices of one engine (``None``: of that in charge), as ``GET /api/voices`` gives them."""
        of = engine or self._now.engine
        found: list[VoiceInfo] = []
        lack = EngineDown("")
        try:
            if of == self._now.engine:
                found = await self._in_charge().list_voices()
            else:
                found = await list_voices(self._with(VoiceChoice(of, "")), self._data, live=True)
        except EngineDown as down:
            lack = down
        return {
            **self.state(),
            "engines": list(get_args(VoiceEngine)),
            "language": self._settings.persona.language,
            "listed": of,
            "voices": [{"name": v.name, "languages": list(v.languages), "about": v.about} for v in found],
            "reason": lack.reason,
            "repair": lack.repair,
        }

    async def preview(self, choice: VoiceChoice, said: str) -> bytes:
        """Return a WAV of a sentence in this voice; empty ``said``: a sentence of ours. Never goes on air.

        Raises ``EngineDown``.
        """
        if self._previewing.locked():
            raise EngineDown(text("listing.preview_busy"), text("listing.preview_busy_repair"))
        persona = self._settings.persona
        spoken = speakable(said, persona.language).text if said else text("listing.sample", name=persona.name)
        async with self._previewing:
            try:
                async with (
                    asyncio.timeout(PREVIEW_S),
                    _alive(self._with(choice), self._data) as voice,
                    aclosing(voice.speak(Phrase("preview", 0, spoken))) as sounds,
                ):
                    return _wav([sound async for sound in sounds])
            except TimeoutError:
                raise EngineDown(text("voices.silent")) from None

    def use(self, choice: VoiceChoice) -> dict[str, Any]:
        """Begin to put this voice in charge. Raises ``EngineDown`` while another one is being prepared."""
        if self._next not in (None, choice):
            raise EngineDown(text("listing.busy"), text("listing.busy_repair"))
        if self._next is None and (choice != self._now or self._failure.reason):
            self._next, self._failure = choice, EngineDown("")
            self._work = asyncio.create_task(self._prepare(choice), name=f"use voice {choice.engine}")
            self._show()
        return self.state()

    async def close(self) -> None:
        """Stop whatever is being prepared."""
        if self._work:
            self._work.cancel()
            await asyncio.wait([self._work])

    async def _prepare(self, choice: VoiceChoice) -> None:
        try:
            await self._fetch(choice)
            await self._put_in_charge(choice)
        except EngineDown as down:
            log.warning("voice %s cannot be used: %s", choice.engine, down.reason)
            self._failure = down
        except Exception as fault:
            log.error("voice %s cannot be used: %s", choice.engine, type(fault).__name__)  # its words might hold a key
            self._failure = EngineDown(text("voices.fault", kind=type(fault).__name__))
        finally:
            self._next = self._percent = None
            self._show()

    async def _fetch(self, choice: VoiceChoice) -> None:
        """Download what a voice lacks, if it can be downloaded. Raises ``EngineDown``."""
        bundle = piper.to_pull(self._with(choice), self._data) if choice.engine == "piper" else None
        if bundle is None:
            return
        async with aclosing(pull(bundle, self._data)) as steps:
            async for step in steps:
                percent = 100 * step.done_bytes // max(1, step.total_bytes)
                if percent != self._percent:
                    self._percent = percent
                    self._show()
        self._percent = None
        self._show()

    async def _put_in_charge(self, choice: VoiceChoice) -> None:
        voice = build_voice(choice.engine, self._with(choice), self._data, self._on_health)
        gone: list[Any] = []
        taken = asyncio.Event()

        def take_over() -> None:
            if not abandoned:
                gone.extend(self._take_over(voice))
                self._now = choice
                taken.set()

        abandoned = False
        try:
            await voice.start()
            if not await voice.ready(READY_S):
                raise EngineDown(voice.health.reason or text("listing.not_ready"), voice.health.repair)
            self._between_replies(take_over)
            await taken.wait()
        finally:
            abandoned = True
            if not taken.is_set():
                await voice.close()
        try:
            await asyncio.to_thread(remember, choice, self._settings, self._data)
        except OSError as error:
            log.warning("%s", text("listing.not_kept", error=error.strerror))
        for old in gone:
            await old.close()

    def _with(self, choice: VoiceChoice) -> Settings:
        return chosen(self._settings, choice)

    def _show(self) -> None:
        self._tell({"type": "voice", **self.state()})


async def list_voices(settings: Settings, data: Path, *, live: bool = False) -> list[VoiceInfo]:
    """Return the voices of the settings' engine. Raises ``EngineDown``.

    ``live``: a show goes on, so that no big model is loaded to be asked for its own voices.
    """
    voice: Any = build_voice(settings.tts.engine, settings, data, lambda voice, health: None)
    try:
        if settings.tts.engine == "espeak" or (settings.tts.engine == "xtts" and not live):  # others tell without
            await voice.start()
            await voice.ready(LIST_READY_S)
        found: list[VoiceInfo] = await voice.list_voices()
    finally:
        await voice.close()
    return found


@asynccontextmanager
async def _alive(settings: Settings, data: Path) -> AsyncGenerator[LiveVoice, None]:
    """Have a voice of its own live for a while, apart from the one that is heard. Raises ``EngineDown``."""
    voice = build_voice(settings.tts.engine, settings, data, lambda voice, health: None)
    try:
        await voice.start()
        if not await voice.ready(READY_S):
            raise EngineDown(voice.health.reason or text("listing.not_ready"), voice.health.repair)
        yield voice
    finally:
        await voice.close()


def _wav(sounds: list[Sound]) -> bytes:
    """Raises ``EngineDown`` where nothing can be heard."""
    pcm = np.concatenate([sound.pcm for sound in sounds]) if sounds else np.zeros(0, np.int16)
    if not pcm.any():
        raise EngineDown(text("voices.empty"))
    return wav_of(pcm, sounds[0].rate_hz)
