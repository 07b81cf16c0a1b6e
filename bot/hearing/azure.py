"""Azure hears: one long recognition over one connection, with guesses while somebody speaks.

The SDK makes a lost connection again by itself; what it does not notice (a service that falls silent, a handshake
without an end) is noticed here, and its failures are told in words (``bot.azure_sdk``).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bot.azure_sdk import RETRY_S, AzureDown, failure, in_thread, load, place, speech_config
from bot.config.settings import Settings
from bot.config.speech import Azure
from bot.hearing.azure_stream import Ended, Event, Linked, Lost, Said, Stream
from bot.hearing.azure_utterance import NUDGE, AzureUtterance
from bot.texts import text
from bot.vocabulary import Health, Language, Pcm, State

CONNECT_S = 4.0
IDLE_S = 20.0
"""While nobody speaks, a tenth of a second of silence is sent so often: a connection that is not used is closed."""
TRUST_S = 60.0
"""A service that has been silent for longer may have gone without a word."""
AGAIN_S = 30.0
"""A service that stalls twice within this time is down."""
MOST_NAMES = 500
LONGEST_NAME = 50

DETECTED = {"es": ("es-MX", "en-US"), "en": ("en-US", "es-MX")}
"""What is told apart where the language is automatic, that of the persona first."""
_LOCALES = "es-MX en-US pt-BR fr-FR de-DE it-IT ca-ES gl-ES eu-ES ja-JP ko-KR zh-CN nl-NL pl-PL ru-RU".split()


class AzureRecogniser:
    """Implements ``vocabulary.Recogniser``. One of ``locales`` is spoken; ``name_of_hers`` may be said."""

    name = "azure"
    pid = None

    def __init__(
        self, azure: Azure, locales: Sequence[str], name_of_hers: str, *, on_health: Callable[[Health], None]
    ) -> None:
        self.health = Health("hearing", "off")
        self._azure = azure
        self._locales = locales
        self._her_name = name_of_hers
        self._names: Sequence[str] = ()
        self._on_health = on_health
        self._sdk: Any = None
        self._stream: Stream | None = None
        self._utterances: list[AzureUtterance] = []
        """Those that are not closed: the last one is heard, and the others wait for its end."""
        self._keeper: asyncio.Task[None] | None = None
        self._down: AzureDown | None = AzureDown("permanent", text("worker.not_started"))
        self._failures = 0
        self._retry_s = math.inf
        self._linked = asyncio.Event()
        self._lost_s = -math.inf
        self._turned = asyncio.Event()
        """Set when the keeper has something to look at."""
        self._sign_s = self._stalled_s = -math.inf
        self.set_names(())

    # ------------------------------------------------------------------ from outside

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self._down = None
        self._lost_s = _now()
        self._say("degraded", text("azure.connecting", where=place(self._azure)))
        self._keeper = asyncio.create_task(self._keep(), name="azure hearing")

    async def close(self) -> None:
        """Stop listening and disconnect."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        self._drop_stream()
        self._down, self._retry_s = AzureDown("permanent", text("worker.closed")), math.inf
        self._wake()
        self._say("off", text("worker.closed"))

    async def ready(self, timeout_s: float) -> bool:
        """Wait until it can listen; ``False``, at once if that is certain: not within that time."""
        if self._down is None or self._retry_s - _now() < timeout_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._linked.wait()
        return self._linked.is_set()

    def set_names(self, names: Iterable[str]) -> None:
        """Expect these names besides her own, the most important first; from the next connection on."""
        wanted = ("".join(filter(str.isprintable, name)).strip() for name in (self._her_name, *names))
        kept = list(dict.fromkeys(name for name in wanted if 0 < len(name) <= LONGEST_NAME))[:MOST_NAMES]
        if kept != self._names:
            self._names = kept
            if self._stream:
                self._stream.set_names(kept)

    def begin(self, on_partial: Callable[[str], None]) -> AzureUtterance:
        """Begin an utterance; one that is still open waits until this one is closed, and is heard to its end then."""
        if self._utterance:
            self._utterance.wait()
        begun = AzureUtterance(self, on_partial)
        if self._stream:
            begun.origin = self._stream.pushed
        self._utterances.append(begun)
        return begun

    @property
    def _utterance(self) -> AzureUtterance | None:
        return self._utterances[-1] if self._utterances else None

    # ------------------------------------------------------------------ what an utterance asks of its line

    @property
    def down(self) -> AzureDown | None:
        """Why it cannot listen now."""
        return self._down

    @property
    def due_s(self) -> float:
        """When the connection that is being made must be there; no limit while there is one."""
        return math.inf if self._linked.is_set() else self._lost_s + CONNECT_S

    @property
    def trusted(self) -> bool:
        """Whether the service showed a sign of life lately."""
        return _now() - self._sign_s < TRUST_S

    def doubt(self) -> None:
        """Trust the service no more until its next sign of life: it left something without an answer."""
        self._sign_s = -math.inf

    def hears(self, utterance: AzureUtterance) -> bool:
        """Whether the utterance is the one that is heard."""
        return utterance is self._utterance

    def push(self, utterance: AzureUtterance, pcm: Pcm) -> None:
        """Send sound of the utterance, if it is the one that is heard."""
        if self._stream and self.hears(utterance):
            self._stream.push(pcm)

    def stalled(self, *, again: bool = False) -> None:
        """Send what is not understood once more, over another connection; or be down if that was no cure."""
        again = again or _now() - self._stalled_s < AGAIN_S
        self._stalled_s = _now()
        if again or self._stream is None:
            self._fail(failure("ServiceTimeout", self._azure))
        else:
            self._drop_stream()
            self._open()

    def leave(self, utterance: AzureUtterance) -> None:
        """It is heard no more; one that waited is, from where it was not understood yet."""
        heard = self.hears(utterance)
        self._utterances.remove(utterance)
        if heard and self._utterance and self._stream:
            self._go_on(self._stream, self._utterance)

    # ------------------------------------------------------------------ the connection

    async def _keep(self) -> None:
        """Connect, and again after each failure."""
        try:
            self._sdk = await in_thread(load)
            speech_config(self._sdk, self._azure)
        except AzureDown as down:
            self._fail(down)  # what is missing does not come while she runs
            self._retry_s = math.inf
            return
        while True:
            self._open()
            while self._stream:
                await self._watch(self._stream)
            await asyncio.sleep(self._retry_s - _now())

    async def _watch(self, stream: Stream) -> None:
        """Wait until something turns; meanwhile see that the connection is made, and keep it."""
        self._turned.clear()
        try:
            # not wait_for: up to Python 3.11 it swallows a cancellation that comes together with the event
            async with asyncio.timeout_at(_now() + IDLE_S if self._linked.is_set() else self.due_s):
                await self._turned.wait()
        except TimeoutError:
            if not self._linked.is_set():
                self._fail(failure("ConnectionFailure", self._azure))
            elif self._utterance is None:
                stream.push(NUDGE)

    def _open(self) -> None:
        """Have a new stream, and let it hear what is being said now."""
        self._lost_s = _now()
        try:
            config = speech_config(self._sdk, self._azure)
            stream = Stream(self._sdk, config, self._locales, self._names, lambda event: self._take(stream, event))
        except (AzureDown, RuntimeError) as fault:
            self._fail(fault if isinstance(fault, AzureDown) else failure("RuntimeError", self._azure))
            return
        self._stream = stream
        if self._utterance:
            self._go_on(stream, self._utterance)
        self._turned.set()

    def _go_on(self, stream: Stream, utterance: AzureUtterance) -> None:
        stream.push(utterance.not_final(stream.pushed))

    def _drop_stream(self) -> None:
        self._linked.clear()
        if self._stream:
            self._stream.close()
            self._stream = None

    def _take(self, stream: Stream, event: Event) -> None:
        if stream is not self._stream:
            return
        self._sign_s = _now()
        match event:
            case Linked():
                self._linked.set()
                self._down = None
                self._say("ok")
                if self._utterance:
                    self._utterance.nudge()
            case Lost():
                self._linked.clear()
                self._lost_s = _now()
            case Ended(code):
                self._fail(self._failure(code))
            case Said():
                if event.final:
                    self._failures, self._stalled_s = 0, -math.inf
                if self._utterance:
                    self._utterance.understand(event)
        self._wake()

    def _wake(self) -> None:
        self._turned.set()
        for utterance in self._utterances:
            utterance.sign()

    def _fail(self, down: AzureDown) -> None:
        """Give up the connection, and leave the service alone for a while."""
        self._drop_stream()
        wait_s = RETRY_S[-1 if down.kind == "permanent" else min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        self._retry_s = _now() + wait_s
        self._down = down
        self._say("down", down.reason, down.repair)
        self._wake()

    def _failure(self, code: str) -> AzureDown:
        if code == "TooManyRequests":
            return AzureDown("busy", text("azure_hearing.too_many"), text("azure_hearing.too_many_repair"))
        if code == "BadRequest":
            reason = text("azure_hearing.refused", languages=", ".join(self._locales), where=place(self._azure))
            return AzureDown("request", reason, text("azure_hearing.refused_repair"))
        return failure(code, self._azure)

    def _say(self, state: State, reason: str = "", repair: str = "") -> None:
        health = Health("hearing", state, reason, repair)
        if health != self.health:
            self.health = health
            self._on_health(health)


def build(settings: Settings, data: Path, on_health: Callable[[Health], None]) -> AzureRecogniser:
    """Return the recogniser that the settings ask for; what it lacks shows in its health from ``start`` on."""
    persona = settings.persona
    locales = locales_of(settings.stt.language, persona.language)
    return AzureRecogniser(settings.azure, locales, persona.name, on_health=on_health)


def locales_of(language: str, of_persona: Language) -> Sequence[str]:
    """Return Azure's names of what may be spoken: of ``auto``, of a language, or of a locale."""
    if language == "auto":
        return DETECTED[of_persona]
    if "-" in language:
        return (language,)
    usual = f"{language}-{language.upper()}"
    return (next((locale for locale in _LOCALES if locale.startswith(f"{language}-")), usual),)


def _now() -> float:
    return asyncio.get_running_loop().time()
