"""The microphone that the operator chose, sound card's or browser's, on its way to the ear."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from bot.config.speech import Audio
from bot.hearing.browser_microphone import BrowserMicrophone
from bot.hearing.input_devices import list_now
from bot.hearing.meter import Meter
from bot.hearing.microphone import PART, Microphone
from bot.hearing.microphone_choice import Choice, Mode, recall, remember
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Pcm, Tell

log = logging.getLogger(__name__)

LONGEST_TALK_S = 120.0
"""A key that is held longer has lost its release on the way."""


class Ear(Protocol):
    """What hears (``bot.hearing.ear.Ear``)."""

    mode: Mode

    def feed(self, pcm: Pcm, at_s: float) -> None:
        """Take 512 samples at 16 kHz and the loop's time of the last one."""
        ...

    def press(self) -> None:
        """The operator holds the key to talk."""
        ...

    def release(self) -> None:
        """The operator has let go of it."""
        ...


class Microphones:
    """Opens what is chosen, changes it while she is live, and remembers the choice in the data folder.

    ``report`` takes the part ``microphone``; ``tell`` takes ``{"type": "microphone", …}`` at every change and
    ``{"type": "hearing", …}`` for the meter. ``speech``: whether the operator is speaking now.
    """

    def __init__(
        self,
        audio: Audio,
        data: Path,
        ear: Ear,
        tell: Tell,
        report: Callable[[Health], None],
        clock: Callable[[], float],
        speech: Callable[[], bool],
    ) -> None:
        self._audio = audio
        self._file = data / "microphone.json"
        self._ear = ear
        self._tell = tell
        self._report = report
        self._speech = speech
        self._changing = asyncio.Lock()
        self._open: Microphone | BrowserMicrophone | None = None
        self._release_due: asyncio.TimerHandle | None = None
        self._meter = Meter(tell, speech)
        self._ill = False
        """The ear failed at the newest block."""
        self._browser = BrowserMicrophone(self._take, self._light, clock)
        self.choice = recall(audio, self._file)
        self.health = Health(PART, "off")

    @property
    def pid(self) -> int | None:
        """The sound card's child process, if there is one."""
        return self._open.pid if self._open is not None else None

    async def start(self) -> None:
        """Open what is chosen; returns at once."""
        async with self._changing:
            await self._begin()

    async def close(self) -> None:
        """Let go of the microphone."""
        self.release()
        async with self._changing:
            await self._end()

    async def choose(self, **changed: Any) -> None:
        """Change ``source``, ``device`` or ``mode`` and remember it. Raises ``OSError`` when it cannot be kept."""
        async with self._changing:
            before, self.choice = self.choice, replace(self.choice, **changed)
            if self.choice.mode != before.mode:
                self.release()
            if _needs(self.choice) != _needs(before):
                await self._end()
                await self._begin()
            self._ear.mode = self.choice.mode
            self._tell({"type": "microphone", **self.state()})
            await asyncio.to_thread(remember, self.choice, self._audio, self._file)

    def press(self) -> bool:
        """The operator begins to talk; ``False``: the microphone is off."""
        if self.choice.mode == "off":
            return False
        self._forget_release()
        self._release_due = asyncio.get_running_loop().call_later(LONGEST_TALK_S, self.release)
        self._ear.press()
        self._tell({"type": "microphone", **self.state()})
        return True

    def release(self) -> None:
        """The operator has finished."""
        if self._release_due is not None:
            self._forget_release()
            self._ear.release()
            self._tell({"type": "microphone", **self.state()})

    def state(self) -> dict[str, Any]:
        """The choice and whether the key is held, as JSON."""
        return {**asdict(self.choice), "talking": self._release_due is not None}

    async def devices(self) -> list[str]:
        """The sound card's microphones that are plugged in now."""
        try:
            return await list_now()
        except EngineDown as down:
            log.info("no list of microphones: %s", down.reason)
            return []

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Handle a page that sends the browser's sound, until it leaves."""
        return await self._browser.serve(request)

    async def _begin(self) -> None:
        self._ear.mode = self.choice.mode
        self._meter = Meter(self._tell, self._speech)
        if self.choice.mode == "off":
            self._say(Health(PART, "off", text("microphone.off")))
        else:
            browser = self.choice.source == "browser"
            self._open = self._browser if browser else Microphone(self.choice.device, self._take, self._light)
            await self._open.start()

    async def _end(self) -> None:
        microphone, self._open = self._open, None
        if microphone is not None:
            await microphone.close()

    def _take(self, pcm: Pcm, at_s: float) -> None:
        if self._open is None:
            return
        was_mute = self._meter.is_mute
        self._meter.feed(pcm, at_s)
        if self._meter.is_mute != was_mute:
            self._light(self._open.health)
        try:
            self._ear.feed(pcm, at_s)
        except Exception:  # one block, or one turn, is lost; without this she would be deaf from then on
            if not self._ill:
                log.exception("the ear failed")
            self._ill = True
        else:
            self._ill = False

    def _light(self, health: Health) -> None:
        if self._open is None:
            return
        if health.state == "ok" and self._meter.is_mute:
            reason = f"{health.reason} {text('microphone.mute')}"
            health = replace(health, state="degraded", reason=reason, repair=text("microphone.mute_repair"))
        self._say(health)

    def _say(self, health: Health) -> None:
        self.health = health
        self._report(health)

    def _forget_release(self) -> None:
        if self._release_due is not None:
            self._release_due.cancel()
            self._release_due = None


def _needs(choice: Choice) -> tuple[object, ...]:
    """Return what decides which device is open."""
    if choice.mode == "off":
        return ()
    return (choice.source, choice.device) if choice.source == "sound_card" else (choice.source,)
