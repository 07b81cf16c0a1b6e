"""One request to Twitch: how long it may take, and what its answer means. No secret is in what it raises."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from bot.chat.twitch_words import TwitchBusy, TwitchRefused
from bot.redaction import redact
from bot.texts import text

ANSWER_S = 10.0
RATE_WAIT_S = 60.0
"""Twitch refills its points within a minute (Twitch docs, "Twitch API Concepts: Rate limits")."""
MAX_REASON = 200
SECRETS = ("Authorization", "refresh_token", "device_code")
"""The headers and fields whose values must not come back in what is told."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """A status below 300 and what was said with it: a JSON object, or nothing."""

    status: int
    body: dict[str, Any]


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    params: Sequence[tuple[str, str]] = (),
    form: Mapping[str, str] | None = None,
    body: Any = None,
    answer_s: float = ANSWER_S,
) -> Answer:
    """Send one request. Raises ``TwitchRefused`` for what asking again does not change, ``TwitchBusy`` for the rest.

    Redirects are not followed: a token goes nowhere else. An answer that is not JSON is not Twitch's.
    """
    limits = aiohttp.ClientTimeout(total=answer_s, connect=ANSWER_S)
    try:
        async with session.request(
            method,
            url,
            headers=headers,
            params=params,
            data=form,
            json=body,
            timeout=limits,
            allow_redirects=False,
        ) as response:
            status, waits = response.status, _wait_s(response.headers)
            raw = await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        raise TwitchBusy(text("twitch_login.unreachable")) from None
    said = _json(raw)
    if said is None or 300 <= status < 400:
        raise TwitchBusy(text("twitch_login.not_twitch", status=status), status=status)
    if status < 300:
        return Answer(status, said)
    sent = {**headers, **(form or {})}
    reason = _reason(said, [sent[name] for name in SECRETS if name in sent])
    if status == 429:
        raise TwitchBusy(text("twitch_login.too_fast"), waits, status)
    if status >= 500:
        raise TwitchBusy(text("twitch_login.out_of_order", status=status), status=status)
    raise TwitchRefused(status, reason)


def _json(raw: bytes) -> dict[str, Any] | None:
    if not raw:
        return {}
    try:
        said = json.loads(raw)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _reason(said: Mapping[str, Any], secrets: Sequence[str]) -> str:
    """Return Twitch's own words, without what we sent it."""
    reason = str(said.get("message") or said.get("error") or "-")
    for secret in secrets:
        for part in secret.split():
            if len(part) >= 8:
                reason = reason.replace(part, "•••")
    return "".join(letter for letter in redact(reason)[:MAX_REASON] if letter.isprintable())


def _wait_s(headers: Mapping[str, str]) -> float:
    """Return how long until there are points again."""
    try:
        waits = float(headers["Ratelimit-Reset"]) - time.time()
    except (KeyError, ValueError):
        return 0.0
    return min(max(waits, 1.0), RATE_WAIT_S)
