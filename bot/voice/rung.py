"""One voice of the ladder: how it is, how quick it usually is, and when it is tried again after a failure."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

from bot.texts import text
from bot.vocabulary import EngineDown, Health, Language, Phrase, Sound, Voice

log = logging.getLogger(__name__)

BACK_OFF_S = (5.0, 15.0, 60.0)
SETTLED_S = 60.0
"""A voice that has served so long since it was taken back starts the back-off from the beginning."""
READY_S = 120.0
"""How long a model may take to load before a rehearsal is given up."""
REHEARSAL_S = 8.0
UNKNOWN_FIRST_S = 1.5
"""Patience with a voice that was never heard."""
FIRST_S = (0.8, 4.0)
"""Least and most patience for the first sound; between them it is three times what the voice usually takes."""
LETTERS_PER_S = 15.0

_REHEARSED: dict[Language, str] = {"es": "Hola, ya estoy aquí otra vez.", "en": "Hello, here I am again."}


class Rung:
    """``on_change`` is called when the voice's light or its place may have changed."""

    def __init__(self, voice: Voice, language: Language, on_change: Callable[[], None]) -> None:
        self.voice = voice
        self.own = Health(voice.name, "ok")
        """What the voice says about itself."""
        self.failure: EngineDown | None = None
        """Why it rests; None: it does not."""
        self.letters_per_s = LETTERS_PER_S
        self._first_s: float | None = None
        self._language = language
        self._on_change = on_change
        self._failures = 0
        self._back_s = -SETTLED_S
        self.work: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()

    @property
    def well(self) -> bool:
        """Whether it may be asked to speak."""
        return self.failure is None and self.own.state not in ("down", "off")

    @property
    def health(self) -> Health:
        """What its light shows."""
        if self.failure is not None and self.own.state == "ok":
            return Health(self.own.part, "degraded", self.failure.reason, self.failure.repair)
        return self.own

    @property
    def patience_s(self) -> float:
        """How long its first sound is waited for."""
        if self._first_s is None:
            return UNKNOWN_FIRST_S
        least, most = FIRST_S
        return min(max(3 * self._first_s + 0.2, least), most)

    def on_health(self, health: Health) -> None:
        """Take what the voice says about itself; one that says that it is well again is tried at once."""
        if health.state == "ok" and self.own.state != "ok":
            self._woken.set()
        self.own = health
        self._on_change()

    def answered(self, first_s: float) -> None:
        """Learn how long the first sound of a phrase took."""
        known_s = first_s if self._first_s is None else self._first_s
        self._first_s = known_s + 0.3 * (first_s - known_s)

    def spoke(self, letters: int, seconds: float) -> None:
        """Learn its pace from a whole phrase."""
        if letters > 20 and seconds > 0:
            self.letters_per_s += 0.3 * (letters / seconds - self.letters_per_s)

    def failed(self, down: EngineDown) -> None:
        """Let it rest; it is tried again in the background."""
        now = asyncio.get_running_loop().time()
        if now - self._back_s > SETTLED_S:
            self._failures = 0
        self._failures += 1
        self.failure = down
        self._woken.clear()
        self.stop()
        self.work = asyncio.create_task(self._recover(), name=f"probe {self.voice.name}")
        self._on_change()

    def served(self) -> None:
        """Note that it has spoken a phrase to its end."""
        if self.failure is not None:
            self.stop()
            self._recovered()

    def rehearse(self) -> None:
        """Let it say a sentence that nobody hears, to know that it works and how quick it is."""
        self.stop()
        self.work = asyncio.create_task(self._first_rehearsal(), name=f"rehearse {self.voice.name}")

    def stop(self) -> None:
        """End what goes on in the background."""
        if self.work is not None:
            self.work.cancel()

    async def _first_rehearsal(self) -> None:
        try:
            if not await self.voice.ready(READY_S):
                raise EngineDown(self.own.reason or text("voices.silent"), self.own.repair)
            await self._speaks()
        except EngineDown as down:
            self.work = None
            self.failed(down)

    async def _recover(self) -> None:
        while True:
            pause_s = BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1]
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self._speaks()
            except EngineDown as down:
                self._failures += 1
                self.failure = down
                self._on_change()
            else:
                self._recovered()
                return

    def _recovered(self) -> None:
        self.failure = None
        self._back_s = asyncio.get_running_loop().time()
        log.info("voice %s is well again", self.voice.name)
        self._on_change()

    async def _speaks(self) -> None:
        """Rehearse a sentence. Raises ``EngineDown`` unless it comes whole, audible and faster than it plays."""
        now = asyncio.get_running_loop().time
        sentence = Phrase("rehearsal", 0, _REHEARSED[self._language])
        asked_s = now()
        first_s, come_s, audible, last = 0.0, 0.0, False, False
        try:
            async with asyncio.timeout(REHEARSAL_S):
                async with aclosing(guarded(self.voice, sentence)) as sounds:
                    async for sound in sounds:
                        first_s = first_s or now()
                        come_s += len(sound.pcm) / sound.rate_hz
                        audible = audible or bool(sound.pcm.any())
                        last = sound.last
        except TimeoutError:
            raise EngineDown(text("voices.silent")) from None
        if not (audible and last):
            raise EngineDown(text("voices.empty"))
        if now() - first_s > come_s:
            raise EngineDown(text("voices.too_slow"), text("voices.too_slow_repair"))
        self.answered(first_s - asked_s)
        self.spoke(len(sentence.text), come_s)


async def guarded(voice: Voice, phrase: Phrase) -> AsyncGenerator[Sound, None]:
    """Speak, with every fault that is not foreseen told as ``EngineDown``."""
    try:
        async with aclosing(voice.speak(phrase)) as sounds:
            async for sound in sounds:
                yield sound
    except EngineDown:
        raise
    except Exception as fault:
        kind, where = type(fault).__name__, "".join(traceback.format_tb(fault.__traceback__))
        log.error("voice %s failed: %s\n%s", voice.name, kind, where)  # its own words might hold a key
        raise EngineDown(text("voices.fault", kind=kind)) from None
