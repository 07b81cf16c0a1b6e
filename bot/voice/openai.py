"""A voice at a server that speaks OpenAI's speech protocol: Kokoro-FastAPI, Speaches, LocalAI, vLLM, hosted ones.

Protocol ("Create speech", OpenAI API reference): POST ``{base_url}/audio/speech`` with ``model``, ``input``, ``voice``,
``response_format`` and ``speed``; the answer's body is the sound, streamed. A WAV is asked for, since it tells its own
rate, and bare samples (``pcm``, 24 kHz in the reference) where a server refuses that. Such servers tell nothing of
mouth shapes and words: those come from ``bot.voice.aligner``.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from bot.config.settings import Settings
from bot.openai_server import OpenAIServer, ServerDown, body_of
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Pcm, Phrase, Sound
from bot.voice.aligner import Aligner, Script
from bot.voice.clip import PolishedClip
from bot.voice.level import Level
from bot.voice.listing import VoiceInfo
from bot.voice.speller import Speller
from bot.voice.wav_stream import BARE, BARE_HZ, BadSound, OtherSound, Samples, Wav, decoder_for

OFFICIAL = "api.openai.com"
OFFICIAL_VOICES = "alloy ash ballad coral echo fable nova onyx sage shimmer verse".split()
"""Source: OpenAI API reference, "Create speech"."""
FIRST_S, NEXT_S = 10.0, 5.0
"""Limits from a request to its first sound, and from one piece to the next."""
LIST_S = 10.0
PIECE_S = (0.2, 0.6)
"""Least and most of sound that is taken at once: mouth shapes cannot be told from less, and more is not waited for."""
SAID_MAX = 4096
LISTED_MAX = 2**20
FORMATS = ("wav", "pcm")


class OpenAIVoice:
    """Implements ``vocabulary.Voice``.

    ``api_key`` may be empty; it is never logged nor shown. ``language``: of what is said, for the mouth's shapes.
    ``levels``: the file of all voices' levels. ``first_s``, ``next_s``: see above.
    """

    name = "openai"
    pid = None

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str,
        voice: str,
        *,
        language: str,
        speed: float = 1.0,
        levels: Path,
        on_health: Callable[[Health], None],
        first_s: float = FIRST_S,
        next_s: float = NEXT_S,
    ) -> None:
        self._server = OpenAIServer(
            "voice",
            base_url,
            model,
            api_key,
            words=lambda name, **values: text(f"openai_voice.{name}", **values),
            on_health=on_health,
        )
        self._voice = voice or OFFICIAL_VOICES[0]
        self._speed = speed
        self._levels = levels
        self._level: Level | None = None
        self._first_s, self._next_s = first_s, next_s
        self._format = FORMATS[0]
        self._proven = False
        self._speller = Speller(language)

    @property
    def health(self) -> Health:
        """Whether the newest phrase was served, and if not, why."""
        return self._server.health

    async def start(self) -> None:
        """Start the reader for the mouth's shapes; connections are opened when they are needed."""
        await self._speller.start()
        if self._lacks_key:
            self._server.failed(self._server.fault("no_key"))
        else:
            self._server.worked()

    async def ready(self, timeout_s: float) -> bool:
        """Have a word said, unless one was before; ``False``: that failed (``health`` says why)."""
        if self._proven and self.health.state == "ok":
            return True
        try:
            async with asyncio.timeout(timeout_s):
                async with aclosing(self.speak(Phrase("", 0, "Hola."))) as sounds:
                    async for _ in sounds:
                        pass
        except (EngineDown, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Close all connections."""
        await self._speller.close()
        await self._server.close()

    async def list_voices(self) -> list[VoiceInfo]:
        """Return what the server lists at ``/audio/voices``, which many have; OpenAI's own where it lists none.

        Raises ``EngineDown``.
        """
        server = self._server
        try:
            async with (
                asyncio.timeout(LIST_S),
                server.session.get(f"{server.url}/audio/voices", allow_redirects=False) as answer,
            ):
                if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                    raise server.refusal(answer.status, "")
                names = _names(await body_of(answer, LISTED_MAX)) if answer.status == HTTPStatus.OK else []
        except aiohttp.ClientError:
            raise server.fault("unreachable") from None
        except TimeoutError:
            raise server.fault("slow", seconds=f"{LIST_S:.0f}") from None
        if names:
            return [VoiceInfo(name, (), "") for name in names]
        return [VoiceInfo(name, (), text("openai_voice.about_official")) for name in OFFICIAL_VOICES]

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Stream one phrase; closing the generator closes the connection, which makes the server stop.

        What has no letter or digit is one empty last piece. Raises ``EngineDown``.
        """
        if not any(character.isalnum() for character in phrase.text):
            yield Sound(np.zeros(0, np.int16), BARE_HZ, last=True)
            return
        try:
            async with aclosing(self._sounds(phrase.text)) as sounds:
                async for sound in sounds:
                    yield sound
        except ServerDown as down:
            self._server.failed(down)
            raise

    async def _sounds(self, spoken: str) -> AsyncGenerator[Sound, None]:
        """Make one request. Raises ``ServerDown``."""
        script = asyncio.create_task(self._speller.script(spoken))
        clip: _Clip | None = None
        try:
            async with aclosing(self._pieces(spoken)) as pieces:
                async for rate_hz, pcm in pieces:
                    if clip is None:
                        clip = _Clip(spoken, rate_hz, self._level_at(rate_hz).gain, await script)
                    sound = await asyncio.to_thread(clip.fit, pcm)
                    if len(sound.pcm):
                        yield sound
        finally:
            script.cancel()
        if clip is not None:
            sound = await asyncio.to_thread(clip.fit, np.zeros(0, np.int16), last=True)
        if clip is None or not clip.audible:
            raise self._server.fault("silent", state="degraded", voice=self._voice)
        self._level_at(clip.rate_hz).hear(clip.raw)
        self._proven = True
        self._server.worked()
        yield sound

    async def _pieces(self, spoken: str) -> AsyncGenerator[tuple[int, Pcm], None]:
        """Stream the sound as the server makes it, with its rate. Raises ``ServerDown``."""
        now = asyncio.get_running_loop().time
        limit_s, due_s, begun = self._first_s, now() + self._first_s, False
        answer: aiohttp.ClientResponse | None = None
        decoder: Wav | Samples | None = None
        held = np.zeros(0, np.int16)
        try:
            async with asyncio.timeout_at(due_s):
                answer = await self._post(spoken)
            while True:
                async with asyncio.timeout_at(due_s):
                    data = await answer.content.readany()
                if not data:
                    break
                decoder = decoder or decoder_for(answer.headers.get("Content-Type", BARE[-1]), data)
                held = np.concatenate((held, decoder.feed(data)))
                least, most = (round(seconds * decoder.rate_hz) for seconds in PIECE_S)
                while least and len(held) >= least:
                    size = most if begun else least
                    begun = True
                    yield decoder.rate_hz, held[:size]
                    held = held[size:]
                limit_s, due_s = self._next_s, now() + self._next_s
            if decoder and len(held):
                yield decoder.rate_hz, held
        except OtherSound as other:
            raise self._server.fault("format", kind=str(other)) from None
        except BadSound:
            raise self._server.fault("garbled", state="degraded") from None
        except aiohttp.ClientError:  # before the other: aiohttp's own time to connect raises what is both
            raise self._server.fault("broke_off" if answer else "unreachable") from None
        except TimeoutError:
            raise self._server.fault("slow", state="degraded", seconds=f"{limit_s:.1f}") from None
        finally:
            if answer:
                answer.close()

    async def _post(self, spoken: str) -> aiohttp.ClientResponse:
        """Return an answer whose body is sound. Raises ``ServerDown`` and ``aiohttp.ClientError``."""
        server = self._server
        if self._lacks_key:
            raise server.fault("no_key")
        while True:
            body: dict[str, Any] = {
                "model": server.model,
                "input": spoken[:SAID_MAX],
                "voice": self._voice,
                "response_format": self._format,
            }
            if self._speed != 1.0:
                body["speed"] = self._speed
            answer = await server.session.post(f"{server.url}/audio/speech", json=body, allow_redirects=False)
            if answer.status == HTTPStatus.OK:
                return answer
            async with answer:
                said = await body_of(answer, SAID_MAX)
            if answer.status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
                raise server.refusal(answer.status, said)
            if self._format != FORMATS[0] or not re.search("format|wav", said, re.IGNORECASE):
                raise server.fault("bad_voice", voice=self._voice, error=server.public(said))
            self._format = FORMATS[1]

    @property
    def _lacks_key(self) -> bool:
        return self._server.host == OFFICIAL and not self._server.key

    def _level_at(self, rate_hz: int) -> Level:
        if self._level is None:
            voice = f"openai {self._server.host} {self._server.model} {self._voice}"
            self._level = Level(self._levels, voice, rate_hz)
        return self._level


class _Clip(PolishedClip):
    """One phrase on its way, with the shapes and words that are found in its sound."""

    def __init__(self, spoken: str, rate_hz: int, gain: float, script: Script) -> None:
        super().__init__(spoken, rate_hz, gain)
        self._aligner = Aligner(script, rate_hz)

    def fit(self, pcm: Pcm, *, last: bool = False) -> Sound:
        self.note(*self._aligner.feed(pcm, last))
        return self.add(pcm, last=last)


def build(settings: Settings, data: Path, on_health: Callable[[Health], None]) -> OpenAIVoice:
    """Build the voice that the settings ask for, not yet started; what it lacks shows in its health from then on."""
    tts = settings.tts
    return OpenAIVoice(
        tts.openai.base_url,
        tts.openai.model,
        tts.openai.api_key.get_secret_value(),
        tts.voice if tts.engine == OpenAIVoice.name else tts.voices.openai,
        language=settings.persona.language,
        speed=tts.speed,
        levels=data / "voices" / "levels.json",
        on_health=on_health,
    )


def _names(said: str) -> list[str]:
    """Return the voices of a list of names, or of objects with ``id`` or ``name``."""
    try:
        listed = json.loads(said)
        if isinstance(listed, dict):
            listed = listed.get("voices", listed.get("data"))
    except (ValueError, RecursionError):
        return []
    if not isinstance(listed, list):
        return []
    names = [each.get("id") or each.get("name") if isinstance(each, dict) else each for each in listed]
    return [name[:100] for name in names if isinstance(name, str) and name][:500]
