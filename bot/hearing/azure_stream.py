"""One continuous recogniser of Azure's SDK with the stream of sound that it hears, driven from asyncio."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.azure_sdk import Bridge, in_thread
from bot.vocabulary import Pcm

RATE_HZ = 16_000
SEGMENT_MS = 300
"""Silence after which the service ends a phrase and says what it was."""
PACE = "SPEECH-AudioThrottleAsPercentageOfRealTime"
"""After 5 s of sound the SDK sends at twice real time, and silence of half a second takes a quarter of one to go out.

Source of the property: Microsoft's voice assistant samples.
"""
PACE_PERCENT = 1000
_TICKS = 10_000_000 // RATE_HZ


@dataclass(frozen=True, slots=True)
class Said:
    """What a stretch of the stream says, in samples from the stream's first; empty: no words.

    What is not ``final`` is a guess, and replaced by the next one. ``language``: a locale, empty while unknown.
    """

    text: str
    start: int
    end: int
    final: bool
    language: str = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """The service hears somebody speak."""


@dataclass(frozen=True, slots=True)
class Linked:
    """The connection has been made, or made again."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection has been lost; the SDK makes it again and sends anew what is not final."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more is heard. ``failure``: the name of a ``CancellationErrorCode``."""

    failure: str


Event = Said | Sign | Linked | Lost | Ended


class Stream:
    """Connects at once. One of ``locales`` is spoken; ``take`` gets the events in the loop, in order.

    May raise ``RuntimeError`` (the SDK's).
    """

    def __init__(
        self, sdk: Any, config: Any, locales: Sequence[str], names: Iterable[str], take: Callable[[Event], None]
    ) -> None:
        config.set_property(sdk.PropertyId.Speech_SegmentationSilenceTimeoutMs, str(SEGMENT_MS))
        config.set_property_by_name(PACE, str(PACE_PERCENT))
        if len(locales) > 1:
            config.set_property(sdk.PropertyId.SpeechServiceConnection_LanguageIdMode, "Continuous")
            detection = sdk.languageconfig.AutoDetectSourceLanguageConfig(languages=list(locales))
            spoken = {"auto_detect_source_language_config": detection}
        else:
            spoken = {"language": locales[0]}
        self._push = sdk.audio.PushAudioInputStream(sdk.audio.AudioStreamFormat(RATE_HZ, 16, 1))
        audio = sdk.audio.AudioConfig(stream=self._push)
        recognizer = self._recognizer = sdk.SpeechRecognizer(config, audio_config=audio, **spoken)
        self._connection = sdk.Connection.from_recognizer(recognizer)
        self._grammar = sdk.PhraseListGrammar.from_recognizer(recognizer)
        self.pushed = 0
        """Samples so far."""
        detected = sdk.PropertyId.SpeechServiceConnection_AutoDetectSourceLanguageResult

        def said(final: bool) -> Callable[[Any], Said]:
            def read(event: Any) -> Said:
                result = event.result
                start, end = result.offset // _TICKS, (result.offset + result.duration) // _TICKS
                language = result.properties.get(detected, "") if len(locales) > 1 else locales[0]
                return Said(result.text, start, end, final, language)

            return read

        bridge = self._bridge = Bridge()
        bridge.relay(self._connection.connected, lambda _: Linked(), take)
        bridge.relay(self._connection.disconnected, lambda _: Lost(), take)
        bridge.relay(recognizer.speech_start_detected, lambda _: Sign(), take)
        bridge.relay(recognizer.recognizing, said(final=False), take)
        bridge.relay(recognizer.recognized, said(final=True), take)
        bridge.relay(recognizer.canceled, lambda event: Ended(event.cancellation_details.code.name), take)
        self.set_names(names)
        started = recognizer.start_continuous_recognition_async()
        in_thread(lambda: _quietly(started.get))  # the SDK frees what it holds for it only then

    def set_names(self, names: Iterable[str]) -> None:
        """Expect these names, from the next connection on."""
        self._grammar.clear()
        for name in names:
            self._grammar.addPhrase(name)

    def push(self, pcm: Pcm) -> None:
        """Append sound; never blocks."""
        self._push.write(pcm.astype("<i2").tobytes())
        self.pushed += len(pcm)

    def close(self) -> None:
        """Give everything back, which takes 10 s where the service is silent; no event comes any more."""
        self._bridge.close()
        things = [self._push, self._grammar, self._connection, self._recognizer]
        stopping = self._recognizer.stop_continuous_recognition_async()
        del self._push, self._grammar, self._connection, self._recognizer

        def let_go() -> None:
            _quietly(stopping.get)
            things.clear()

        in_thread(let_go)


def _quietly(call: Callable[[], object]) -> None:
    """Call into the SDK where its failure tells nothing that an event does not tell."""
    with contextlib.suppress(RuntimeError):
        call()
