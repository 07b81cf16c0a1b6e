"""``POST /api/voice-chat``: one spoken turn beside the show. A form in (``audio``, ``messages``), JSON out."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import wave
from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from bot.friend import Answer, NotUnderstood, OnHold, TooBusy
from bot.hearing.decoding import BadAudio, decode
from bot.studio.api import OPERATOR_LIMIT, BadBody
from bot.studio.security import dumps, refusal
from bot.texts import text
from bot.vocabulary import EngineDown, Message, Pcm

LONGEST_S = 60.0
AUDIO_BYTES = 32 * 2**20
"""A minute of studio sound: 96 kHz, stereo, 24 bits."""
MESSAGES_BYTES = 512 * 2**10
MOST_MESSAGES = 100
MOST_PARTS = 10
FORM_S = 60.0
"""How long a form may take to come."""
ROLES = ("user", "assistant", "system")
EXAMPLE = 'curl -F audio=@question.wav -F messages=\'[{"role": "user", "content": "hola"}]\''


class Talker(Protocol):
    """Who answers (``bot.friend.Friend``)."""

    async def answer(self, pcm: Pcm, history: Sequence[Message]) -> Answer:
        """Answer what is said in this sound."""
        ...


TALKER = web.AppKey("talker", Talker)

REFUSALS = {"empty": 400, "broken": 422, "too_long": 413}


class TooLarge(Exception):
    """A part of the form is larger than it may be."""


async def post_voice_chat(request: web.Request) -> web.Response:
    """``POST /api/voice-chat``: ``{"input", "text", "audio": "data:audio/wav;base64,…"}`` and ``expression``."""
    talker = request.app.get(TALKER)
    if talker is None:
        return refusal(409, text("voice_chat.not_offered"), text("voice_chat.not_offered_hint"))
    if request.content_type != "multipart/form-data":
        return refusal(415, text("voice_chat.no_form"), text("studio.example", example=EXAMPLE))
    try:
        async with asyncio.timeout(FORM_S):
            sound, history = await _form(request)
        pcm = await decode(sound, LONGEST_S)
        answer = await talker.answer(pcm, history)
    except (BadBody, TimeoutError) as error:
        reason = str(error) or text("voice_chat.no_form")
        return refusal(400, reason, text("studio.example", example=EXAMPLE))
    except TooLarge:
        return refusal(413, text("voice_chat.too_large"), text("voice_chat.too_long_hint"))
    except BadAudio as bad:
        values = {"seconds": f"{LONGEST_S:.0f}"}
        return refusal(
            REFUSALS[bad.kind], text(f"voice_chat.{bad.kind}", **values), text(f"voice_chat.{bad.kind}_hint")
        )
    except NotUnderstood:
        return refusal(422, text("voice_chat.silent"), text("voice_chat.silent_hint"))
    except OnHold:
        return refusal(409, text("voice_chat.on_hold"), text("voice_chat.on_hold_hint"))
    except TooBusy:
        return refusal(503, text("voice_chat.busy"), text("voice_chat.busy_hint"))
    except EngineDown as down:
        return refusal(503, down.reason, down.repair)
    # Some megabytes, which would hold the loop up for longer than a frame.
    body = await asyncio.to_thread(lambda: dumps(_as_json(answer)).encode())
    return web.Response(body=body, content_type="application/json", charset="utf-8")


async def _form(request: web.Request) -> tuple[bytes, list[Message]]:
    """Return the two parts. Raises ``BadBody`` and ``TooLarge``."""
    sound: bytes | None = None
    history: list[Message] = []
    try:
        parts = 0
        async for part in await request.multipart():
            parts += 1
            if parts > MOST_PARTS or not isinstance(part, BodyPartReader):
                raise BadBody(text("voice_chat.no_form"))
            if part.name == "audio":
                sound = await _read(part, AUDIO_BYTES)
            elif part.name == "messages":
                history = _messages(await _read(part, MESSAGES_BYTES))
    except (ValueError, AssertionError, EOFError, HttpProcessingError, web.RequestPayloadError) as error:
        raise BadBody(text("voice_chat.no_form")) from error
    if sound is None:
        raise BadBody(text("voice_chat.no_audio"))
    return sound, history


async def _read(part: BodyPartReader, limit: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk():
        data += chunk
        if len(data) > limit:
            raise TooLarge
    return bytes(part.decode(bytes(data)))


def _messages(data: bytes) -> list[Message]:
    """Return the conversation so far, oldest first. Raises ``BadBody``."""
    if not data.strip():
        return []
    try:
        listed = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadBody(text("voice_chat.bad_messages")) from error
    if not isinstance(listed, list):
        raise BadBody(text("voice_chat.bad_messages"))
    return [_message(each) for each in listed[-MOST_MESSAGES:]]


def _message(each: Any) -> Message:
    role, content = (each.get("role"), each.get("content")) if isinstance(each, dict) else (None, None)
    if role not in ROLES or not isinstance(content, str):
        raise BadBody(text("voice_chat.bad_messages"))
    return Message(role, content[:OPERATOR_LIMIT].encode("utf-8", "replace").decode("utf-8"))


def _as_json(answer: Answer) -> dict[str, Any]:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, answer.rate_hz, 0, "NONE", ""))
        sound.writeframes(answer.sound.astype("<i2").tobytes())
    return {
        "input": answer.input,
        "language": answer.language,
        "text": answer.text,
        "expression": answer.expression,
        "audio": "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode("ascii"),
    }


VOICE_CHAT_ROUTES = (web.post("/api/voice-chat", post_voice_chat),)
