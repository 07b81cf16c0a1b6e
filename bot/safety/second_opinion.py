"""A second opinion on what she is about to say, from a model that does nothing else.

It comes behind the gate, which always decides at once and alone. A server that is slow, broken or gone therefore costs
the second opinion and nothing else: the phrase is said, and a light tells that nobody looked at it twice.

Protocols: OpenAI's "Create moderation" (``POST {base_url}/moderations``, answered by ``results[].flagged``), and chat
completions with a guard model such as Llama Guard 3, whose model card has it answer ``safe``, or ``unsafe`` and the
hazards' numbers in the next line.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp

from bot.config.settings import Settings
from bot.texts import text
from bot.vocabulary import Health

Kind = Literal["openai", "guard"]
REASON = "second_opinion"
BUDGET_S = 0.4
"""The longest that a phrase may wait for it, beside the voice's own work on the same phrase."""
REST_AFTER = 3
"""Failures in a row after which it is not asked for a while, so that a dead server costs no phrase its budget."""
REST_S = 30.0
ANSWER_TOKENS = 8
SIGNS = ".,:;!*\"'`"
"""What small models like to put around a word."""
ANSWER_BYTES = 256 * 1024
"""A longer answer is none: reading a flood would hold up the voice."""


class SecondOpinion:
    """Asks one model at one server. ``api_key`` may be empty; it is never logged nor shown."""

    def __init__(
        self,
        kind: Kind,
        base_url: str,
        model: str,
        api_key: str,
        on_health: Callable[[Health], None],
        *,
        budget_s: float = BUDGET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``kind``: ``openai`` for a server with the moderation route, ``guard`` for a guard model."""
        self._kind = kind
        self._url = base_url.rstrip("/")
        self._host = urlsplit(base_url).hostname or "?"  # what else stands in an address may be a secret
        self._model = model
        self._key = api_key
        self._on_health = on_health
        self._budget_s = budget_s
        self._clock = clock
        self._failures = 0
        self._again_at = 0.0
        self._session: aiohttp.ClientSession | None = None
        self.health = Health("second_opinion", "off")

    async def on(self, said: str) -> str | None:
        """Return the reason why a phrase may not be said; ``None``: it may, or there was no answer in time."""
        if self._clock() < self._again_at:
            return None
        try:
            async with asyncio.timeout(self._budget_s):
                is_bad = await self._ask(said)
        except TimeoutError:
            self._failed(text("second_opinion.slow", seconds=f"{self._budget_s:.1f}"))
            return None
        except aiohttp.ClientError:
            self._failed(text("second_opinion.unreachable", host=self._host))
            return None
        except (ValueError, LookupError, TypeError, RecursionError):
            self._failed(text("second_opinion.unreadable", host=self._host))
            return None
        self._failures = 0
        self._say(Health("second_opinion", "ok", serving=self._kind))
        return REASON if is_bad else None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, said: str) -> bool:
        """Return whether the model objects. Raises ``aiohttp.ClientError``, and ``ValueError`` and its like."""
        if self._kind == "openai":
            body: dict[str, Any] = {"input": said} | ({"model": self._model} if self._model else {})
            answer = await self._post("/moderations", body)
            verdicts = [result["flagged"] for result in answer["results"]]
            if not verdicts or not all(isinstance(verdict, bool) for verdict in verdicts):
                raise ValueError(len(verdicts))
            return any(verdicts)
        messages = [
            {"role": "user", "content": text("second_opinion.asked")},
            {"role": "assistant", "content": said},
        ]
        body = {"model": self._model, "messages": messages, "max_tokens": ANSWER_TOKENS, "temperature": 0}
        answer = await self._post("/chat/completions", body)
        first = str(answer["choices"][0]["message"]["content"]).split()[0].lower().strip(SIGNS)
        if first not in ("safe", "unsafe"):
            raise ValueError(first)
        return first == "unsafe"

    async def _post(self, route: str, body: dict[str, Any]) -> Any:
        if self._session is None:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._session = aiohttp.ClientSession(headers=headers)
        async with self._session.post(self._url + route, json=body, allow_redirects=False) as response:
            if response.status != HTTPStatus.OK:
                raise aiohttp.ClientPayloadError(response.status)
            return json.loads(await _at_most(ANSWER_BYTES, response))

    def _failed(self, reason: str) -> None:
        self._failures += 1
        if self._failures >= REST_AFTER:
            self._again_at = self._clock() + REST_S
        self._say(Health("second_opinion", "degraded", reason, text("second_opinion.repair")))

    def _say(self, health: Health) -> None:
        if health != self.health:
            self.health = health
            self._on_health(health)


async def _at_most(limit: int, response: aiohttp.ClientResponse) -> bytes:
    """Return the body. Raises ``ValueError`` for one that is longer."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise ValueError(limit)
    return bytes(body)


def second_opinion(settings: Settings, on_health: Callable[[Health], None]) -> SecondOpinion | None:
    """Return what the settings ask for, ``None`` if that is nothing."""
    safety = settings.safety
    if safety.second_opinion == "off":
        return None
    key = safety.second_opinion_key.get_secret_value()
    return SecondOpinion(safety.second_opinion, safety.second_opinion_url, safety.second_opinion_model, key, on_health)
