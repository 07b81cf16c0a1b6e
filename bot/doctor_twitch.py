"""Tries the channel as the living program would, as far as that changes nothing there, with the same lights."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from bot.chat.channel import Channel
from bot.chat.event_policy import EventPolicy
from bot.chat.eventsub_socket import Socket, SocketClosed, connect
from bot.chat.helix import TwitchHelix
from bot.chat.irc import AnonymousReader
from bot.chat.token_store import TokenStore
from bot.chat.twitch_words import LoginLost, TwitchBusy, TwitchRefused
from bot.chat.wanted import not_heard, subscriptions
from bot.config.settings import Settings
from bot.engines import PROMPTS
from bot.texts import text
from bot.vocabulary import Health, State

log = logging.getLogger(__name__)

PART = "twitch"
PATIENCE_S = 25.0
"""For all of it; what does not answer in this time cannot be reached."""
WELCOME_S = 10.0
KEEPALIVE_S = 10


async def try_channel(settings: Settings, data: Path, report: Callable[[Health], None]) -> None:
    """Report the lights of the channel that is configured. A login that has ended is renewed, as it would be live."""
    if settings.twitch.mode == "off":
        return
    try:
        async with asyncio.timeout(PATIENCE_S):
            anonymous = settings.twitch.mode == "anonymous"
            report(await (_read(settings) if anonymous else _sign_in(settings, data, report)))
    except LoginLost as lost:
        report(Health(PART, "down", lost.reason, text("twitch.sign_in")))
    except TwitchRefused as refused:
        report(Health(PART, "down", refused.reason, text("twitch.check_channel")))
    except TwitchBusy as busy:
        report(Health(PART, "down", busy.reason, text("doctor.twitch_addresses")))
    except (SocketClosed, TimeoutError):
        report(Health(PART, "down", text("twitch.unreachable"), text("doctor.twitch_addresses")))
    except Exception:
        log.exception("the channel could not be tried")
        report(Health(PART, "down", text("twitch.stumbled"), text("twitch.begins_anew")))


class _Unmoved:
    """Whoever is moderated during a check: nobody listens yet."""

    def withdraw_message(self, heard_id: str) -> None: ...
    def withdraw_person(self, person_id: str, name: str, for_s: float) -> None: ...
    def allow_person(self, person_id: str) -> None: ...
    def withdraw_all(self) -> None: ...


async def _read(settings: Settings) -> Health:
    """Join the channel's chat without an account."""
    chosen, persona = settings.twitch, settings.persona
    policy = EventPolicy(PROMPTS, persona.language, persona.name)
    now = asyncio.get_running_loop().time
    lights: asyncio.Queue[Health] = asyncio.Queue()
    reader = AnonymousReader(
        chosen.irc_url,
        chosen.channel.lower(),
        Channel(lambda *line: None, _Unmoved(), policy),
        name=persona.name,
        on_health=lights.put_nowait,
        now=now,
    )
    reading = asyncio.create_task(reader.run())
    try:
        return await lights.get()
    finally:
        reading.cancel()
        await asyncio.wait([reading])


async def _sign_in(settings: Settings, data: Path, report: Callable[[Health], None]) -> Health:
    """Check the logins and what they allow, and be welcomed where events come from."""
    now = asyncio.get_running_loop().time
    helix = TwitchHelix(settings.twitch, TokenStore(data / "secrets"), report, now)
    try:
        await helix.start()
        await _welcome(settings.twitch.eventsub_url)
        _, missing = subscriptions(helix.bot, helix.channel, helix.may)
    finally:
        await helix.close()
    lacking = [one for one in missing if one.is_basic]
    if not lacking:
        return Health(PART, "ok", serving=helix.channel.login)
    state: State = "down" if any(one.purpose == "chat" for one in lacking) else "degraded"
    return Health(PART, state, not_heard(lacking), text("twitch.sign_in"), helix.channel.login)


async def _welcome(url: str) -> None:
    """Raises ``SocketClosed`` or ``TimeoutError``."""
    async with asyncio.timeout(WELCOME_S):
        now = asyncio.get_running_loop().time
        socket = Socket(await connect(url), lambda *message: None, lambda: None, now, KEEPALIVE_S)
        try:
            await socket.welcomed()
        finally:
            await socket.close()
