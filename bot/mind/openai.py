"""Any server that speaks OpenAI's chat completions: llama-server, vLLM, Ollama, LM Studio, hosted ones.

Protocol: POST ``{base_url}/chat/completions`` with ``stream``, answered by server-sent events.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

import aiohttp

from bot.mind.thoughts import spoken_of
from bot.openai_server import without_password
from bot.texts import text
from bot.vocabulary import Cue, EngineDown, Health, Message, Prompt, PromptTooLong, State

CONNECT_S = 4.0
FIRST_TOKEN_S = 5.0
BETWEEN_TOKENS_S = 3.0
WAKE_S = 120.0
"""Ollama and LM Studio load a model on its first request."""
LAST_BYTES_S = 0.5
"""How long to wait for the end of a finished response, so that its connection can be used again."""
LINE_MAX = 2**20
ERROR_MAX = 4096
MODELS_SHOWN = 12
REFUSED = ("max_tokens", "temperature", "stream_options")
"""Fields that some servers or models refuse by name: then it goes without, or with ``max_completion_tokens``."""

_TOO_LONG = re.compile(
    r"context.{0,20}(length|size|window)|exceed_context|maximum context|too many tokens|prompt is too long|overflows",
    re.IGNORECASE,
)
_MARKER = re.compile(r"([<＜﹤])(?=[\u00ad\u200b-\u200f\u2060\ufeff]*[/|｜!A-Za-z_])|(\[)(?=/?[A-Z][A-Z_]+\])")
"""What opens a control token in some family of models: ``<|eot_id|>``, ``<s>``, ``<start_of_turn>``, ``[INST]``."""


class OpenAIBrain:
    """One model at one server. ``api_key`` may be empty; it is never logged nor shown."""

    name = "openai"

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str,
        on_health: Callable[[Health], None],
        *,
        first_token_s: float = FIRST_TOKEN_S,
        between_tokens_s: float = BETWEEN_TOKENS_S,
    ) -> None:
        self._url = base_url.rstrip("/")
        self._shown = without_password(self._url)
        self._model = model
        self._key = api_key
        self._on_health = on_health
        self._first_token_s = first_token_s
        self._between_tokens_s = between_tokens_s
        self.health = Health("llm", "off")
        self.prompt_tokens = 0
        self._unwanted: set[str] = set()
        self._session: aiohttp.ClientSession | None = None

    @property
    def pid(self) -> None:
        """Nothing runs on this machine."""
        return

    async def start(self) -> None:
        """Nothing to start: connections are opened when they are needed."""

    async def ready(self, timeout_s: float) -> bool:
        """Ask the server for one token; ``False`` when it gives none within that time (``health`` then says why)."""
        hello = Prompt((Message("user", "."),), Cue("idle", (), 0.0))
        try:
            async with asyncio.timeout(timeout_s):
                await self.warm(hello)
        except (EngineDown, PromptTooLong, TimeoutError):
            return False
        return self.health.state == "ok"

    async def close(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Stream the answer; closing the generator closes the connection, which makes the server stop.

        Raises ``EngineDown`` or ``PromptTooLong``.
        """
        speaks = False
        async with aclosing(spoken_of(self._stream(prompt, prompt.max_tokens, self._first_token_s))) as pieces:
            async for piece in pieces:
                speaks = True
                yield piece
        if not speaks:
            raise self._down("server_no_words", state="degraded", model=self._model)

    async def warm(self, prompt: Prompt) -> None:
        """Have the server load its model and read the prompt, unless it has served since its last failure.

        From then on its own cache holds the prefix; asking again for every change would queue in front of the reply at
        a server with one slot, and cost money at a hosted one.
        """
        if self.health.state == "ok":
            return
        pieces = self._stream(prompt, 1, WAKE_S)
        async with aclosing(pieces):
            async for _ in pieces:
                pass

    async def _stream(self, prompt: Prompt, max_tokens: int, first_s: float) -> AsyncGenerator[str, None]:
        due_s, limit_s, complete = time.monotonic() + first_s, first_s, False
        response: aiohttp.ClientResponse | None = None
        try:
            async with asyncio.timeout(first_s):
                response = await self._post(prompt, max_tokens)
            async with aclosing(_events(response.content)) as events:
                while True:
                    async with asyncio.timeout(due_s - time.monotonic()):
                        event = await anext(events, None)
                    if event is None:
                        break
                    chunk = self._chunk(event) if event != "[DONE]" else {}
                    for piece in _pieces(chunk):
                        self._say("ok")
                        yield piece
                        limit_s, due_s = self._between_tokens_s, time.monotonic() + self._between_tokens_s
                    if not chunk or _is_last(chunk):
                        complete, due_s = True, time.monotonic() + LAST_BYTES_S
        except aiohttp.ClientError:
            if not complete:
                raise self._down("server_broke_off" if response else "server_unreachable", url=self._shown) from None
        except TimeoutError:
            if not complete:
                raise self._down("server_slow", state="degraded", seconds=f"{limit_s:.1f}") from None
        finally:
            if response:
                response.close()
        if not complete:
            raise self._down("server_broke_off", url=self._shown)
        self._say("ok")

    async def _post(self, prompt: Prompt, max_tokens: int) -> aiohttp.ClientResponse:
        """Return a response that streams. Raises ``EngineDown``, ``PromptTooLong`` and ``aiohttp.ClientError``."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),
                headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            )
        messages = [{"role": each.role, "content": unmarked(each.content)} for each in prompt.messages]
        while True:
            limit = "max_completion_tokens" if "max_tokens" in self._unwanted else "max_tokens"
            wished = {
                limit: max_tokens,
                "temperature": prompt.temperature,
                "stream_options": {"include_usage": True},
            }
            body = {"model": self._model, "messages": messages, "stream": True}
            body |= {name: value for name, value in wished.items() if name not in self._unwanted}
            response = await self._session.post(f"{self._url}/chat/completions", json=body, allow_redirects=False)
            if response.status == HTTPStatus.OK:
                return response
            async with response:
                said = await _error(response)
            if response.status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
                raise await self._refusal(response.status, said)
            if _TOO_LONG.search(said):
                raise PromptTooLong(self._public(said))
            unwanted = {name for name in REFUSED if name in said and name in body}
            if not unwanted:
                raise await self._refusal(response.status, said)
            self._unwanted |= unwanted

    async def _refusal(self, status: int, said: str) -> Exception:
        match status:
            case 401 | 403:
                return self._down("server_refused", status=status, url=self._shown)
            case 404 | 405 | 301 | 302 | 307 | 308:
                if models := await self._models():
                    return self._down("server_no_model", model=self._model, url=self._shown, models=", ".join(models))
                return self._down("server_no_route", status=status, url=self._shown)
            case 413:
                return PromptTooLong(self._public(said))
            case 429 | 503:
                return self._down("server_busy", state="degraded", status=status)
            case _:
                return self._down("server_failed", state="degraded", status=status, error=self._public(said))

    async def _models(self) -> list[str]:
        assert self._session
        try:
            async with self._session.get(f"{self._url}/models", allow_redirects=False) as response:
                listed = await response.json(content_type=None) if response.status == HTTPStatus.OK else {}
            return [str(model["id"])[:80] for model in listed["data"][:MODELS_SHOWN]]
        except (aiohttp.ClientError, ValueError, LookupError, TypeError):
            return []

    def _chunk(self, event: str) -> dict[str, Any]:
        """Return one event's object, having noted its usage. Raises ``EngineDown`` for an error sent as an event."""
        try:
            chunk = json.loads(event)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict) or chunk.get("error"):
            raise self._down("server_failed", state="degraded", status=200, error=self._public(event))
        self.prompt_tokens = (chunk.get("usage") or {}).get("prompt_tokens") or self.prompt_tokens
        return chunk

    def _public(self, said: str) -> str:
        """Return the server's words fit to be shown: short, on one line, without the key."""
        if self._key:
            said = said.replace(self._key, "***")
        return " ".join(said.split())[:200]

    def _down(self, key: str, *, state: State = "down", **values: object) -> EngineDown:
        repair = f"mind.{key}_repair"
        down = EngineDown(text(f"mind.{key}", **values), text(repair, **values))
        self._say(state, down.reason, down.repair)
        return down

    def _say(self, state: State, reason: str = "", repair: str = "") -> None:
        health = Health("llm", state, reason, repair)
        if health != self.health:
            self.health = health
            self._on_health(health)


def unmarked(content: str) -> str:
    """Return the content with a blank inside everything that a server's tokeniser might read as a control token.

    Servers tokenise the rendered conversation as one text, so that a viewer who types ``<|eot_id|>`` would end the
    turn. A blank survives every normalisation, unlike zero-width characters.
    """
    return _MARKER.sub(r"\g<0> ", content)


async def _events(content: aiohttp.StreamReader) -> AsyncGenerator[str, None]:
    """Yield the data of server-sent events, however the network has cut them."""
    rest = b""
    async for packet in content.iter_any():
        *lines, rest = (rest + packet).split(b"\n")
        if len(rest) > LINE_MAX:
            raise aiohttp.ClientPayloadError(len(rest))
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip().decode("utf-8", "replace")


def _pieces(chunk: dict[str, Any]) -> Iterator[str]:
    for choice in chunk.get("choices") or []:
        if piece := (choice.get("delta") or {}).get("content"):
            yield piece


def _is_last(chunk: dict[str, Any]) -> bool:
    return any(choice.get("finish_reason") for choice in chunk.get("choices") or [])


async def _error(response: aiohttp.ClientResponse) -> str:
    """Return what the server says about its refusal."""
    try:
        said = await response.content.readexactly(ERROR_MAX)
    except asyncio.IncompleteReadError as short:
        said = short.partial
    whole = said.decode("utf-8", "replace")
    try:
        error = json.loads(whole)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, LookupError, TypeError):
        return whole
