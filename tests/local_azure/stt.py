"""Recognition as Azure's websocket serves it: energy on the pushed sound decides when, ``hears`` decides what.

For tests the language is made of tones, one a word (``say``, ``words_of``): sound that is lost, repeated or out of
order makes other words. ``hears`` may be any real recogniser instead.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tests.local_azure.stt_wishes import RATE_HZ, STREAM, Wanted, check_continuation, check_riff, read_context
from tests.local_azure.usp import BAD_REQUEST, INTERNAL, QUOTA, Connection, Frame, Refused, text_frame

TICKS = 10_000_000 // RATE_HZ
"""Of 100 ns, a sample."""
FRAME = RATE_HZ // 100
LOUD = 500
"""RMS of speech."""
STARTS = 6
"""Frames of speech that are a beginning."""
HYPOTHESIS = 20
"""Frames of sound from one hypothesis to the next."""
END = {"RecognitionStatus": "EndOfDictation", "DisplayText": ""}

Sound = npt.NDArray[np.int16]

Fault = Literal[
    "internal", "quota", "bad_request", "abort", "stall",
    "internal_mid", "abort_mid", "stall_mid", "abort_after", "stall_after", "no_final", "garbage",
]  # fmt: skip
"""What a turn meets: at its first sound; ``*_mid``: after its second hypothesis; ``*_after``: after its first phrase.
``no_final``: hypotheses and never a phrase; ``garbage``: noise between the good frames."""

VOCABULARY = (
    "hola aneeka qué tal estás hoy cuéntame algo para espera un momento dos tres cuatro cinco hello how are you now"
).split()
WORD_S, GAP_S = 0.16, 0.04


def say(text: str, level: float = 0.2) -> Sound:
    """Return a text of ``VOCABULARY`` as sound: a tone for each word, with a short gap after it."""
    at = np.arange(round(WORD_S * RATE_HZ)) / RATE_HZ
    gap = np.zeros(round(GAP_S * RATE_HZ))
    pieces: list[npt.NDArray[np.float64]] = []
    for word in text.split():
        pieces += [np.sin(2 * np.pi * _tone_hz(VOCABULARY.index(word)) * at) * level * 32767, gap]
    return np.concatenate(pieces).astype(np.int16) if pieces else np.zeros(0, np.int16)


def words_of(sound: Sound) -> str:
    """Return the words whose tones last long enough to be sure of them."""
    if len(sound) < 2 * FRAME:
        return ""
    pieces = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float32), 2 * FRAME)[::FRAME]
    spectra = np.abs(np.fft.rfft(pieces * np.hanning(2 * FRAME), 1600))
    tones = np.rint((spectra.argmax(axis=1) * RATE_HZ / 1600 - 300) / 100).astype(int)
    tones[np.sqrt((pieces**2).mean(axis=1)) <= LOUD] = -1
    words, run = [], 0
    for index, tone in enumerate(tones):
        run = run + 1 if index and tone == tones[index - 1] else 1
        if run == 9 and 0 <= tone < len(VOCABULARY):
            words.append(VOCABULARY[tone])
    return " ".join(words)


def _tone_hz(index: int) -> float:
    return 300.0 + 100.0 * index


@dataclass
class Recognition:
    """The service. ``final_s``: how long it thinks about a phrase; ``speaks``: the language that it detects.

    ``at_turn`` gives what each turn meets, in turn.
    """

    hears: Callable[[Sound], str] = words_of
    final_s: float = 0.0
    speaks: str = "es-MX"
    at_turn: Iterator[Fault | None] = field(default_factory=lambda: iter(()))
    contexts: list[dict[str, Any]] = field(default_factory=list)
    """The speech.context of each turn."""
    wanted: list[Wanted] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    """The text of every phrase that was sent."""
    sound_s: float = 0.0
    """Seconds of sound that were received."""
    refused: list[str] = field(default_factory=list)
    ended: int = 0
    """Turns that the client ended."""
    ids: set[str] = field(default_factory=set)
    """The request ids of all turns."""
    tags: set[str] = field(default_factory=set)
    """The service tags of all turns."""

    path = "/stt/speech/universal/v2"

    async def serve(self, connection: Connection) -> None:
        turn: Turn | None = None
        try:
            while (frame := await connection.receive()) is not None:
                if frame.path in ("telemetry", "speech.event"):
                    continue
                if frame.path == "speech.context":
                    if turn and not turn.over:
                        raise Refused(BAD_REQUEST, "another turn is in progress")
                    if frame.request_id in self.ids:
                        raise Refused(BAD_REQUEST, "a turn has a request id of its own")
                    self.ids.add(frame.request_id)
                    self.contexts.append(frame.json())
                    self.wanted.append(read_context(frame))
                    check_continuation(frame.json(), self.tags)
                    turn = Turn(self, connection, frame.request_id, self.wanted[-1], next(self.at_turn, None))
                elif frame.path == "audio":
                    if turn is None or turn.id != frame.request_id:
                        raise Refused(BAD_REQUEST, "audio without a speech.context of its own")
                    await turn.take(frame)
                else:
                    raise Refused(BAD_REQUEST, f"unknown path {frame.path}")
        except Refused as refusal:
            self.refused.append(refusal.reason)
            raise


class Turn:
    """One stream of sound of a client."""

    def __init__(
        self, service: Recognition, connection: Connection, request_id: str, wanted: Wanted, fault: Fault | None
    ) -> None:
        self.id = request_id
        self.over = False
        self._service = service
        self._connection = connection
        self._wanted = wanted
        self._fault = fault
        self._began = False
        self._mute = False
        self._rest: Sound = np.zeros(0, np.int16)
        self._frame = 0
        """The frame that is looked at now, counted from the turn's first."""
        self._run = 0
        """Loud frames in a row before a phrase, silent ones in it."""
        self._phrase: list[Sound] | None = None
        self._recent: list[Sound] = []
        self._said = ""
        self._hypotheses = 0
        self._quiet_since = 0

    async def take(self, frame: Frame) -> None:
        """Take the next piece of sound. Raises ``Refused``."""
        if self.over:
            raise Refused(BAD_REQUEST, "audio after the end of the stream")
        if frame.headers.get("x-streamid") != STREAM or not isinstance(frame.body, bytes):
            raise Refused(BAD_REQUEST, "audio is binary and has an X-StreamId")
        if not self._began:
            self._began = True
            check_riff(frame.body)
            await self._meet("internal", "quota", "bad_request", "abort", "stall")
            await self._send_raw(self._start)
            return
        if len(frame.body) % 2:
            raise Refused(BAD_REQUEST, "half a sample")
        if not frame.body:
            await self._end()
            return
        pcm = np.frombuffer(frame.body, "<i2")
        self._service.sound_s += len(pcm) / RATE_HZ
        self._rest = np.concatenate((self._rest, pcm))
        while len(self._rest) >= FRAME and not self._mute:
            piece, self._rest = self._rest[:FRAME], self._rest[FRAME:]
            await self._look(piece)
            self._frame += 1

    async def _start(self) -> None:
        self._service.tags.add(await self._connection.start_turn(self.id))

    async def _look(self, piece: Sound) -> None:
        loud = bool(np.sqrt((piece.astype(float) ** 2).mean()) > LOUD)
        if self._phrase is None:
            self._recent = [*self._recent, piece][-STARTS:]
            self._run = self._run + 1 if loud else 0
            if self._run == STARTS:
                self._phrase, self._run, self._said = list(self._recent), 0, ""
                await self._send("speech.startDetected", {"Offset": self._starts_at * FRAME * TICKS})
            elif self._wanted.initial_silence_ms and self._silent_ms >= self._wanted.initial_silence_ms:
                self._quiet_since = self._frame + 1
                await self._send_phrase("InitialSilenceTimeout", "", self._frame, 0)
            return
        self._phrase.append(piece)
        self._run = 0 if loud else self._run + 1
        if self._run * 10 >= self._wanted.silence_ms:
            await self._finish()
        elif len(self._phrase) % HYPOTHESIS == 0:
            await self._guess()

    @property
    def _silent_ms(self) -> int:
        return (self._frame + 1 - self._quiet_since) * 10

    @property
    def _starts_at(self) -> int:
        assert self._phrase is not None
        return self._frame + 1 - len(self._phrase)

    async def _guess(self) -> None:
        assert self._phrase is not None
        said = self._service.hears(np.concatenate(self._phrase))
        if not said or said == self._said:
            return
        self._said = said
        body = {"Text": said, **self._spot(self._starts_at, len(self._phrase) - self._run), **self._language()}
        if self._fault == "garbage":
            await self._noise()
        await self._send("speech.hypothesis", body)
        self._hypotheses += 1
        if self._hypotheses == 2:
            await self._meet("internal_mid", "abort_mid", "stall_mid")

    async def _finish(self) -> None:
        """The phrase that is open is over."""
        assert self._phrase is not None
        said = self._service.hears(np.concatenate(self._phrase))
        starts, count = self._starts_at, len(self._phrase) - self._run
        self._phrase, self._run, self._recent = None, 0, []
        self._quiet_since = self._frame + 1
        if self._fault == "no_final":
            return
        await asyncio.sleep(self._service.final_s)
        await self._send_phrase("Success" if said else "NoMatch", said, starts, count)
        await self._meet("abort_after", "stall_after")

    async def _send_phrase(self, status: str, said: str, starts: int, count: int) -> None:
        shown = f"{said[0].upper()}{said[1:]}." if said else ""
        body: dict[str, Any] = {"RecognitionStatus": status, **self._spot(starts, count)}
        if said:
            body |= {"DisplayText": shown, **self._language()}
            if self._wanted.detailed:
                best = {"Confidence": 0.93, "Lexical": said, "ITN": said, "MaskedITN": said, "Display": shown}
                body["NBest"] = [best]
        await self._send("speech.phrase", body)
        if not self._mute:
            self._service.phrases.append(shown)

    async def _end(self) -> None:
        """The client has ended its sound."""
        self.over = True
        self._service.ended += 1
        if self._phrase is not None:
            await self._finish()
        spot = self._spot(self._frame, 0)
        await self._send("speech.phrase", END | spot)
        await self._send("speech.endDetected", {"Offset": spot["Offset"]})
        await self._send_raw(lambda: self._connection.end_turn(self.id))

    async def _meet(self, *faults: Fault) -> None:
        """Do what goes wrong here, if one of these does. Raises ``Refused``."""
        if self._fault not in faults:
            return
        match self._fault.partition("_")[0]:
            case "abort":
                self._mute = True
                self._connection.abort()
            case "stall":
                self._mute = True
            case "quota":
                raise Refused(QUOTA, "quota was asked for")
            case "bad":
                raise Refused(BAD_REQUEST, "bad_request was asked for")
            case _:
                raise Refused(INTERNAL, "internal was asked for")

    def _spot(self, starts: int, count: int) -> dict[str, Any]:
        place = {"Offset": starts * FRAME * TICKS, "Duration": count * FRAME * TICKS}
        return {"Id": uuid.uuid4().hex, "Channel": 0, **place}

    def _language(self) -> dict[str, Any]:
        if not self._wanted.detect:
            return {}
        found = self._service.speaks if self._service.speaks in self._wanted.languages else self._wanted.languages[0]
        return {"PrimaryLanguage": {"Language": found, "Confidence": "High"}}

    async def _noise(self) -> None:
        other = text_frame("speech.phrase", uuid.uuid4().hex, {"RecognitionStatus": "Success", "DisplayText": "Otra."})
        broken = text_frame("speech.hypothesis", self.id, {}).replace("{}", '{"Text": "rot')
        # Binary frames that lie about their length are left out: version 1.53 of the SDK dies of them.
        for data in ("no headers at all", other, broken, text_frame("speech.tea", self.id, {})):
            if not self._mute:
                await self._connection.send_raw(data)

    async def _send(self, path: str, body: dict[str, Any]) -> None:
        await self._send_raw(lambda: self._connection.send(path, self.id, body))

    async def _send_raw(self, send: Callable[[], Any]) -> None:
        if not self._mute:
            await send()
