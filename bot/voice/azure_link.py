"""Keeps an Azure synthesiser connected for the next phrase, and knows whether the service can be asked now."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import math
from collections.abc import Callable, Sequence
from typing import Any

from bot.azure_sdk import RETRY_S, AzureDown, failure, in_thread, load, place, speech_config
from bot.config.speech import Azure
from bot.texts import text
from bot.vocabulary import Health, State
from bot.voice.azure_budget import Budget
from bot.voice.azure_synthesiser import Request, Synthesiser
from bot.voice.azure_voices import fetch_voices, known_styles

CONNECT_S = 4.0
HANDSHAKE_S = 0.8
"""How long a request waits for a connection that is being made: it would make a second one, from the beginning."""
TAIL_S = 1.0
"""How long a stopped request may take to end; 30 ms is usual."""
LINKS = 50
"""Connections that one synthesiser makes: the SDK (1.53) keeps 170 KB of each until the synthesiser goes."""
BRIEF_S = 5.0
"""A connection that is lost within this time, without having been of any use, is not made again at once."""


class AzureLink:
    """Between ``start`` and ``close``, a synthesiser of ``voice`` that is connected whenever it can be."""

    def __init__(self, azure: Azure, voice: str, on_health: Callable[[Health], None]) -> None:
        self.health = Health("voice", "off")
        self.budget = Budget()
        self.styles: Sequence[str] = known_styles(voice)
        """The speaking styles that the voice has."""
        self._azure = azure
        self._voice = voice
        self._on_health = on_health
        self._sdk: Any = None
        self._synthesiser: Synthesiser | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._linked = asyncio.Event()
        self._linked_s = self._opened_s = -math.inf
        self._links = 0
        self._useful = False
        """Whether the connection has carried a request."""
        self._wake = asyncio.Event()
        self._up = False
        self._news = asyncio.Event()
        """Set, and replaced, when it is up or down."""
        self._down: AzureDown | None = None
        self._failures = 0
        self._retry_s = 0.0
        self._proven = False
        """Whether the voice has ever spoken: then a request that is refused is that request's fault."""

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self._say("degraded", text("azure.connecting", where=place(self._azure)))
        self._keeper = asyncio.create_task(self._keep(), name="azure voice")

    async def close(self) -> None:
        """Be silent and disconnect."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        if self._synthesiser:
            self._synthesiser.close()
            self._synthesiser = None
        self._up = False
        self._down, self._retry_s = AzureDown("permanent", text("worker.closed")), math.inf
        self._say("off", text("worker.closed"))

    async def ready(self, timeout_s: float) -> bool:
        """Wait until the service can be asked; ``False``, at once if that is certain: not within that time."""
        until = _now() + timeout_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while not self._up and (self._down is None or self._retry_s < until):
                    await self._news.wait()
        return self._up

    async def begin(self, ssml: str) -> Request:
        """Ask for speech, as soon as the request before has ended. Raises ``AzureDown``."""
        if self._down is None:
            await self.ready(CONNECT_S)
        if not self._up:
            raise self._down.with_traceback(None) if self._down else failure("ConnectionFailure", self._azure)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._opened_s + HANDSHAKE_S):
                await self._linked.wait()
        synthesiser = await self._free()
        now = _now()
        wait_s = self.budget.wait_s(now)
        if wait_s:
            raise AzureDown("busy", text("azure.waits", seconds=math.ceil(wait_s)), text("azure.too_many_repair"))
        self.budget.spend(now)
        self._useful = True
        try:
            return synthesiser.begin(ssml)
        except RuntimeError:
            raise failure("RuntimeError", self._azure) from None

    async def _free(self) -> Synthesiser:
        """Return a synthesiser at rest, a new one if that in use does not come to rest."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TAIL_S):
                while self._synthesiser and self._synthesiser.busy:
                    await self._synthesiser.idle()
        if self._synthesiser is None or self._synthesiser.busy or self._worn:
            self._renew()
        assert self._synthesiser
        return self._synthesiser

    @property
    def _worn(self) -> bool:
        """Whether the next connection should be another synthesiser's."""
        return self._links >= LINKS and not self._linked.is_set()

    def worked(self) -> None:
        """A request was served."""
        self._failures, self._proven = 0, True

    def failed(self, down: AzureDown) -> None:
        """A request was not served: leave the service alone for a while, unless it is only that request."""
        now = _now()
        if down.kind == "busy":
            self.budget.refused(now)
        if self._down is not None or (down.kind == "request" and self._proven):
            return
        wait_s = RETRY_S[-1 if down.kind == "permanent" else min(self._failures, len(RETRY_S) - 1)]
        self._retry_s = now + (self.budget.wait_s(now) or wait_s)
        self._failures += 1
        self._down = down
        self._up = False
        self._say("down", down.reason, down.repair)
        self._wake.set()

    async def _keep(self) -> None:
        """Connect, and again after each loss and each failure."""
        try:
            self._sdk = await in_thread(load)
            speech_config(self._sdk, self._azure)
        except AzureDown as down:
            self.failed(down)
            self._retry_s = math.inf  # what is missing does not come while she runs
            return
        await self._connect(first=True)
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._down is None and not self._useful and _now() - self._linked_s < BRIEF_S:
                await asyncio.sleep(RETRY_S[0])
            if self._down:
                await asyncio.sleep(self._retry_s - _now())
            await self._connect()

    async def _connect(self, *, first: bool = False) -> None:
        """Have a connection, and say so; or say what failed. A request that fails meanwhile has the last word."""
        was = self._down
        try:
            if self._synthesiser is None:
                self._renew()
            assert self._synthesiser
            await self._synthesiser.idle()
            if not (self._linked.is_set() or self._synthesiser.busy):
                if self._worn:
                    self._renew()
                self._opened_s = _now()
                self._synthesiser.open()
            if first or (self._down and self._down.kind == "permanent"):
                await self._ask_account()
            try:
                async with asyncio.timeout(CONNECT_S):  # wait_for loses a cancellation up to Python 3.11
                    await self._linked.wait()
            except TimeoutError:
                if not self._synthesiser.busy:
                    self._renew()  # the handshake in progress may never end
                raise failure("ConnectionFailure", self._azure) from None
        except AzureDown as down:
            if self._down is was:
                self._down = None
                self.failed(down)
        else:
            if self._down is was:
                self._down = None
                self._up = True
                self._say("ok")

    async def _ask_account(self) -> None:
        """Look whether key and voice exist: a connection that is refused does not tell why. Raises ``AzureDown``."""
        try:
            voices = {voice.name: voice for voice in await fetch_voices(self._azure)}
        except AzureDown as down:
            if down.kind == "permanent":
                raise
            return
        if self._voice in voices:
            self.styles = voices[self._voice].styles
        elif voices:
            near = ", ".join(difflib.get_close_matches(self._voice, voices, 3, 0.5)) or min(voices)
            reason = text("azure.no_voice", voice=self._voice, where=place(self._azure))
            raise AzureDown("permanent", reason, text("azure.no_voice_repair", near=near))

    def _renew(self) -> None:
        """Take another synthesiser. Raises ``AzureDown``."""
        if self._synthesiser:
            self._synthesiser.close()
            self._synthesiser = None
        self._linked.clear()
        self._links = 0
        try:
            self._synthesiser = Synthesiser(self._sdk, speech_config(self._sdk, self._azure), self._on_link)
        except RuntimeError:
            raise failure("RuntimeError", self._azure) from None

    def _on_link(self, linked: bool) -> None:
        if linked:
            self._linked.set()
            self._linked_s, self._useful = _now(), False
            self._links += 1
        else:
            self._linked.clear()
            self._wake.set()

    def _say(self, state: State, reason: str = "", repair: str = "") -> None:
        self._news.set()
        self._news = asyncio.Event()
        health = Health("voice", state, reason, repair)
        if health != self.health:
            self.health = health
            self._on_health(health)


def _now() -> float:
    return asyncio.get_running_loop().time()
