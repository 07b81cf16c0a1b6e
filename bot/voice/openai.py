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
from urllib.parse import urlsplit

import aiohttp
import numpy as np

from bot.config.settings import Settings
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Pcm, Phrase, Sound, State
from bot.voice.aligned_clip import AlignedClip
from bot.voice.aligner import Aligner
from bot.voice.level import Level
from bot.voice.listing import VoiceInfo
from bot.voice.speller import Speller
from bot.voice.wav_stream import RATES_HZ, BadSound, Samples, Wav

OFFICIAL = "api.openai.com"
OFFICIAL_VOICES = "alloy ash ballad coral echo fable nova onyx sage shimmer verse".split()
"""Source: OpenAI API reference, "Create speech"."""
PCM_RATE_HZ = 24_000
CONNECT_S = 4.0
FIRST_S, NEXT_S = 10.0, 5.0
"""Limits from a request to its first sound, and from one piece to the next."""
LIST_S = 10.0
PIECE_S = (0.2, 0.6)
"""Least and most of sound that is taken at once: mouth shapes cannot be told from less, and more is not waited for."""
SAID_MAX = 4096
LISTED_MAX = 2**20
BARE = ("audio/pcm", "audio/x-pcm", "audio/raw", "application/octet-stream")
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
        self._url = base_url.rstrip("/")
        self._host = urlsplit(self._url).hostname or ""
        self._model, self._key, self._voice = model, api_key, voice or OFFICIAL_VOICES[0]
        self._speed = speed
        self._levels = levels
        self._level: Level | None = None
        self._on_health = on_health
        self._first_s, self._next_s = first_s, next_s
        self._format = FORMATS[0]
        self._proven = False
        self._session: aiohttp.ClientSession | None = None
        self._speller = Speller(language)
        self.health = Health("voice", "off")

    async def start(self) -> None:
        """Start the reader for the mouth's shapes; connections are opened when they are needed."""
        await self._speller.start()
        if self._host == OFFICIAL and not self._key:
            self._down("no_key")
        else:
            self._say("ok")

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
        if self._session:
            await self._session.close()

    async def list_voices(self) -> list[VoiceInfo]:
        """Return what the server lists at ``/audio/voices``, which many have; OpenAI's own where it lists none.

        Raises ``EngineDown``.
        """
        try:
            async with (
                asyncio.timeout(LIST_S),
                self._connection().get(f"{self._url}/audio/voices", allow_redirects=False) as answer,
            ):
                if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                    raise self._refusal(answer.status, "")
                names = _names(await _said(answer, LISTED_MAX)) if answer.status == HTTPStatus.OK else []
        except TimeoutError:
            raise self._down("slow", state="degraded", seconds=f"{LIST_S:.0f}") from None
        except aiohttp.ClientError:
            raise self._down("unreachable", url=self._url) from None
        if names:
            return [VoiceInfo(name, (), "") for name in names]
        return [VoiceInfo(name, (), text("openai_voice.about_official")) for name in OFFICIAL_VOICES]

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Stream one phrase; closing the generator closes the connection, which makes the server stop.

        What has no letter or digit is one empty last piece. Raises ``EngineDown``.
        """
        if not any(character.isalnum() for character in phrase.text):
            yield Sound(np.zeros(0, np.int16), PCM_RATE_HZ, last=True)
            return
        script = asyncio.create_task(self._speller.script(phrase.text))
        clip: AlignedClip | None = None
        try:
            async with aclosing(self._pieces(phrase.text)) as pieces:
                async for rate_hz, pcm in pieces:
                    if clip is None:
                        level = self._level_at(rate_hz)
                        clip = AlignedClip(phrase.text, rate_hz, level.gain, Aligner(await script, rate_hz))
                    sound = await asyncio.to_thread(clip.add, pcm, last=False)
                    if len(sound.pcm):
                        yield sound
            if clip is None:
                raise self._down("silent", state="degraded", voice=self._voice, url=self._url)
            sound = await asyncio.to_thread(clip.add, np.zeros(0, np.int16), last=True)
            if not clip.audible:
                raise self._down("silent", state="degraded", voice=self._voice, url=self._url)
        finally:
            script.cancel()
        self._level_at(clip.rate_hz).hear(clip.raw)
        self._proven = True
        self._say("ok")
        yield sound

    async def _pieces(self, spoken: str) -> AsyncGenerator[tuple[int, Pcm], None]:
        """Stream the sound as the server makes it, with its rate. Raises ``EngineDown``."""
        limit_s, begun = self._first_s, False
        answer: aiohttp.ClientResponse | None = None
        held = np.zeros(0, np.int16)
        try:
            async with asyncio.timeout(self._first_s):
                answer = await self._post(spoken)
            decoder: Wav | Samples | None = None
            while True:
                async with asyncio.timeout(limit_s):
                    data = await answer.content.readany()
                if not data:
                    break
                limit_s = self._next_s
                decoder = decoder or self._decoder(answer, data)
                held = np.concatenate((held, decoder.feed(data)))
                least, most = (round(seconds * decoder.rate_hz) for seconds in PIECE_S)
                while least and len(held) >= least:
                    size = most if begun else least
                    begun = True
                    yield decoder.rate_hz, held[:size]
                    held = held[size:]
            if decoder and len(held):
                yield decoder.rate_hz, held
        except BadSound:
            raise self._down("garbled", state="degraded", url=self._url) from None
        except TimeoutError:
            raise self._down("slow", state="degraded", seconds=f"{limit_s:.1f}") from None
        except aiohttp.ClientError:
            raise self._down("broke_off" if begun or answer else "unreachable", url=self._url) from None
        finally:
            if answer:
                answer.close()

    async def _post(self, spoken: str) -> aiohttp.ClientResponse:
        """Return an answer whose body is sound. Raises ``EngineDown`` and ``aiohttp.ClientError``."""
        if self._host == OFFICIAL and not self._key:
            raise self._down("no_key")
        while True:
            body: dict[str, Any] = {
                "model": self._model,
                "input": spoken[:SAID_MAX],
                "voice": self._voice,
                "response_format": self._format,
            }
            if self._speed != 1.0:
                body["speed"] = self._speed
            answer = await self._connection().post(f"{self._url}/audio/speech", json=body, allow_redirects=False)
            if answer.status == HTTPStatus.OK:
                return answer
            async with answer:
                said = await _said(answer, SAID_MAX)
            refused = answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
            if not (refused and self._format == FORMATS[0] and re.search("format|wav", said, re.IGNORECASE)):
                raise self._refusal(answer.status, said)
            self._format = FORMATS[1]

    def _connection(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),
                headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            )
        return self._session

    def _decoder(self, answer: aiohttp.ClientResponse, beginning: bytes) -> Wav | Samples:
        """Return who reads this answer, by what it is and not by what was asked for. Raises ``EngineDown``."""
        kind = answer.content_type
        if beginning.startswith(b"RIFF"[: len(beginning)]):
            return Wav()
        if kind in BARE:
            stated = re.search(r"rate\s*=\s*(\d{4,6})", answer.headers.get("Content-Type", ""))
            rate_hz = int(stated[1]) if stated else PCM_RATE_HZ
            if rate_hz in RATES_HZ:
                return Samples(rate_hz)
        if kind.startswith("audio/"):
            raise self._down("format", kind=kind[:40], url=self._url)
        raise self._down("garbled", state="degraded", url=self._url)

    def _level_at(self, rate_hz: int) -> Level:
        if self._level is None:
            self._level = Level(self._levels, f"openai {self._host} {self._model} {self._voice}", rate_hz)
        return self._level

    def _refusal(self, status: int, said: str) -> EngineDown:
        match status:
            case 401 | 403:
                return self._down("refused", status=status, url=self._url)
            case 404 | 405 | 301 | 302 | 307 | 308:
                return self._down("no_route", status=status, url=self._url, model=self._model)
            case 400 | 422:
                return self._down("bad_voice", voice=self._voice, model=self._model, error=self._public(said))
            case 429:
                return self._down("busy", state="degraded", status=status)
            case _:
                return self._down("failed", state="degraded", status=status, error=self._public(said))

    def _public(self, said: str) -> str:
        """Return the server's words fit to be shown: short, on one line, without the key."""
        try:
            error = json.loads(said)
            error = error.get("error", error.get("detail", error))
            said = str(error["message"] if isinstance(error, dict) else error)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            pass
        if self._key:
            said = said.replace(self._key, "***")
        return " ".join(said.split())[:200]

    def _down(self, key: str, *, state: State = "down", **values: object) -> EngineDown:
        down = EngineDown(text(f"openai_voice.{key}", **values), text(f"openai_voice.{key}_repair", **values))
        self._say(state, down.reason, down.repair)
        return down

    def _say(self, state: State, reason: str = "", repair: str = "") -> None:
        health = Health("voice", state, reason, repair)
        if health != self.health:
            self.health = health
            self._on_health(health)


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


async def _said(answer: aiohttp.ClientResponse, limit: int) -> str:
    try:
        said = await answer.content.readexactly(limit)
    except asyncio.IncompleteReadError as short:
        said = short.partial
    return said.decode("utf-8", "replace")
