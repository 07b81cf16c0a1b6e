"""One synthesizer of Azure's SDK with its connection, driven from asyncio: one request at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.azure_sdk import Bridge, drop, in_thread

RATE_HZ = 24_000
"""The rate that Azure's neural voices are made at."""
_PAST = 8


@dataclass(frozen=True, slots=True)
class Audio:
    """The next bytes of 16 bit sound."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Viseme:
    """A mouth shape and when it begins, in ticks of 100 ns."""

    ticks: int
    id: int


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word and when it begins, in ticks of 100 ns."""

    ticks: int
    word: str


@dataclass(frozen=True, slots=True)
class Ended:
    """No more sound comes. ``failure``: the name of a ``CancellationErrorCode``, or closed; empty: all has come."""

    failure: str = ""


Event = Audio | Viseme | SpokenWord | Ended


class Request:
    """One request in flight. Events of different kinds come in any order, mouth shapes even after ``Ended``."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.over = asyncio.Event()
        """Set when the service has ended it: the next one may begin."""
        self._stop = stop

    def stop(self) -> None:
        """Make it end, if it has not yet."""
        if not self.over.is_set():
            self._stop()


class Synthesiser:
    """``on_link`` is told when the connection is made and when it is lost. May raise ``RuntimeError`` (the SDK's)."""

    def __init__(self, sdk: Any, config: Any, on_link: Callable[[bool], None]) -> None:
        config.set_speech_synthesis_output_format(sdk.SpeechSynthesisOutputFormat.Raw24Khz16BitMonoPcm)
        # Compressed transport is used only where GStreamer is found; without it every machine does the same.
        config.set_property_by_name("SpeechServiceConnection_SynthEnableCompressedAudioTransmission", "false")
        self._synthesizer = sdk.SpeechSynthesizer(config, audio_config=None)  # left out, it opens the loudspeaker
        self._connection = sdk.Connection.from_speech_synthesizer(self._synthesizer)
        self._call: asyncio.Future[None] | None = None
        self._request: Request | None = None
        self._result = ""
        self._past: deque[str] = deque(maxlen=_PAST)
        word = sdk.SpeechSynthesisBoundaryType.Word
        bridge = self._bridge = Bridge()
        bridge.relay(self._connection.connected, lambda _: True, on_link)
        bridge.relay(self._connection.disconnected, lambda _: False, on_link)
        synthesizer = self._synthesizer
        bridge.relay(synthesizer.synthesizing, lambda e: (e.result.result_id, Audio(e.result.audio_data)), self._take)
        bridge.relay(synthesizer.synthesis_completed, lambda e: (e.result.result_id, Ended()), self._take)
        bridge.relay(synthesizer.synthesis_canceled, _canceled, self._take)
        bridge.relay(
            synthesizer.viseme_received, lambda e: (e.result_id, Viseme(e.audio_offset, e.viseme_id)), self._take
        )
        bridge.relay(
            synthesizer.synthesis_word_boundary,
            lambda e: (e.result_id, SpokenWord(e.audio_offset, e.text if e.boundary_type == word else "")),
            self._take,
        )

    @property
    def busy(self) -> bool:
        """Whether a request is in flight, or a call to connect or to stop."""
        calling = self._call is not None and not self._call.done()
        return calling or (self._request is not None and not self._request.over.is_set())

    async def idle(self) -> None:
        """Wait until it is not busy."""
        while self.busy:
            if self._call and not self._call.done():
                await asyncio.shield(self._call)
            elif self._request:
                await self._request.over.wait()

    def open(self) -> None:
        """Make the connection ahead of a request; must not be busy.

        Comes to nothing, silently, when the service refuses it.
        """
        connection = self._connection
        self._keep_busy(lambda: connection.open(True))

    def begin(self, ssml: str) -> Request:
        """Ask for speech; must not be busy. Raises ``RuntimeError``."""
        started = self._synthesizer.start_speaking_ssml_async(ssml)
        self._past.append(self._result)
        self._result = ""
        self._request = Request(self._stop)
        in_thread(lambda: _quietly(started.get))  # the SDK frees what it holds for it only then
        return self._request

    def close(self) -> None:
        """Give everything back; what was being said is never heard of again."""
        if self._request is not None:
            self._request.stop()
            self._request.events.put_nowait(Ended("closed"))
            self._request.over.set()
        if self._call and not self._call.done():
            self._call.set_result(None)
        self._bridge.close()
        things = [self._synthesizer, self._connection]
        del self._synthesizer, self._connection
        drop(things)

    def _stop(self) -> None:
        synthesizer = self._synthesizer
        self._keep_busy(lambda: synthesizer.stop_speaking_async().get())

    def _keep_busy(self, call: Callable[[], object]) -> None:
        """Make a call during which nothing else may begin.

        A request that begins while the SDK (1.53) is being told to connect may hang; while it is being told to stop
        the request before, it may be stopped in its place.
        """
        self._call = in_thread(lambda: _quietly(call))

    def _take(self, item: tuple[str, Event]) -> None:
        result, event = item
        if self._request is None or result in self._past:
            return
        self._result = result
        self._request.events.put_nowait(event)
        if isinstance(event, Ended):
            self._request.over.set()


def _canceled(event: Any) -> tuple[str, Event]:
    details = event.result.cancellation_details
    return event.result.result_id, Ended(details.error_code.name)


def _quietly(call: Callable[[], object]) -> None:
    """Call into the SDK where its failure tells nothing that an event does not tell."""
    with contextlib.suppress(RuntimeError):
        call()
