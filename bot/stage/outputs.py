"""Which output the next reply is heard on: a page, the sound card, or nowhere (and then why)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

from bot.stage.browser import BrowserOutput
from bot.stage.silent import SilentOutput
from bot.stage.sound_card import NoPortAudio, SoundCardOutput, open_card
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Output

log = logging.getLogger(__name__)

Wish = Literal["auto", "sound_card", "browser", "none"]
REOPEN_S = 5.0


class Outputs:
    """Opens what ``wish`` asks for and reports it as the part ``sound``.

    ``auto``: the page that sounds, else the sound card, else nowhere.
    """

    def __init__(
        self,
        wish: Wish,
        device: str,
        browser: BrowserOutput | None,
        page_sounds: Callable[[], bool],
        report: Callable[[Health], None],
        clock: Callable[[], float],
        silenced: Callable[[], bool] = lambda: False,
    ) -> None:
        """``silenced``: whether no sound may leave now, whatever is written (see ``bot.guard``)."""
        self._silenced = silenced
        self._wish = wish
        self._device = device
        self._browser = browser
        self._page_sounds = page_sounds
        self._report = report
        self._silent = SilentOutput(clock)
        self._card: SoundCardOutput | None = None
        self._card_problem: EngineDown | None = None
        self._opening: asyncio.Task[None] | None = None
        self._opened = self._closed = False

    async def open(self) -> None:
        """Open the sound card, if it may be needed; a failure shows as a light, not as an error.

        One that was asked for and is not there is looked for again.
        """
        if self._wish in ("auto", "sound_card") and not self._closed:
            try:
                self._card = await open_card(self._device, self._silenced, anew=self._opened)
                self._card_problem = None
            except EngineDown as problem:
                self._card_problem = problem
                if (self._device or self._wish == "sound_card") and not isinstance(problem, NoPortAudio):
                    self._reopen_later()
            self._opened = True
        self.light()

    def choose(self) -> Output:
        """Return the output for the next reply."""
        self.look()
        self.light()
        if self._wish in ("auto", "browser") and self._browser is not None and self._page_sounds():
            return self._browser
        if self._wish in ("auto", "sound_card") and self._card is not None:
            return self._card
        return self._silent

    def look(self) -> None:
        """Notice a sound card that was unplugged, and look for it from then on."""
        if self._card is not None and not self._card.alive:
            self._card.close()
            self._card = None
            self._card_problem = EngineDown(text("stage.card_lost"), text("stage.card_lost_repair"))
            self._reopen_later()
            self.light()

    def light(self) -> None:
        """Report where sound goes now, and if nowhere, why."""
        if self._wish == "none":
            self._report(Health("sound", "off", text("stage.to_nowhere"), serving="none"))
        elif self._wish in ("auto", "browser") and self._page_sounds():
            self._report(Health("sound", "ok", text("stage.to_page"), serving="browser"))
        elif self._card is not None:
            self._report(
                Health("sound", "ok", text("stage.to_card", device=self._card.device_name), serving="sound_card")
            )
        elif self._wish == "sound_card" or (self._device and self._card_problem):
            problem = self._card_problem or EngineDown(text("stage.no_card"), text("stage.no_card_repair"))
            self._report(Health("sound", "down", problem.reason, problem.repair, serving="none"))
        else:
            self._report(
                Health("sound", "degraded", text("stage.no_page"), text("stage.no_page_repair"), serving="none")
            )

    def close(self) -> None:
        """Release the device."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
        if self._card is not None:
            self._card.close()

    def _reopen_later(self) -> None:
        async def reopen() -> None:
            while self._card is None and not self._closed:
                await asyncio.sleep(REOPEN_S)
                await self.open()

        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(reopen())
