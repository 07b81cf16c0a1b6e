"""What leaves this machine by the operator's choice, and to whom: host names alone, never keys."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from bot.config.kinds import is_loopback
from bot.config.settings import Settings
from bot.texts import text
from bot.vocabulary import Health

PART = "leaves"
AZURE_HOST = "{region}.{service}.speech.microsoft.com"
"""Azure's documentation, "Speech service supported regions": ``service`` is ``stt`` or ``tts``."""


def outbound(settings: Settings) -> list[Health]:
    """Return one line a kind of data and destination, for ``doctor``; one alone says that nothing leaves."""
    lines = [text(key, host=host) for key, host in dict.fromkeys(_destinations(settings)) if not is_loopback(host)]
    return [Health(PART, "ok", line) for line in lines or [text("privacy.nothing_leaves")]]


def _destinations(settings: Settings) -> Iterator[tuple[str, str]]:
    """Return text keys with hosts; those of this machine too."""
    if settings.llm.engine == "openai":
        yield "privacy.to_brain", _host(settings.llm.base_url)
    stt, tts = settings.stt, settings.tts
    ears = {stt.engine, *stt.fallback} if stt.engine != "off" and settings.audio.mode != "off" else set()
    if "azure" in ears:
        yield "privacy.to_ear", _azure(settings, "stt")
    if "openai" in ears:
        yield "privacy.to_ear", _host(stt.openai.base_url)
    voices = {tts.engine, *tts.fallback}
    if "azure" in voices:
        yield "privacy.to_voice", _azure(settings, "tts")
    if "openai" in voices:
        yield "privacy.to_voice", _host(tts.openai.base_url)
    if settings.safety.second_opinion != "off":
        yield "privacy.to_second_opinion", _host(settings.safety.second_opinion_url)
    yield from _channel(settings)
    avatar = settings.avatar
    if "vtube_studio" in avatar.outputs:
        yield "privacy.to_body", _host(avatar.vtube_studio.url)
    if "vmc" in avatar.outputs:
        yield "privacy.to_body", avatar.vmc.host
    if avatar.vrchat.parameters:
        yield "privacy.to_body", avatar.vrchat.host
    if avatar.vrchat.captions:
        yield "privacy.to_captions", avatar.vrchat.host
    yield "privacy.to_studio", settings.studio.host


def _channel(settings: Settings) -> Iterator[tuple[str, str]]:
    twitch = settings.twitch
    if twitch.mode == "anonymous":
        yield "privacy.to_chat", _host(twitch.irc_url)
    if twitch.mode == "eventsub":
        yield "privacy.to_login", _host(twitch.auth_url)
        yield "privacy.to_chat", _host(twitch.eventsub_url)
        yield ("privacy.to_helix" if twitch.talk_back == "off" else "privacy.to_answers"), _host(twitch.api_url)


def _azure(settings: Settings, service: str) -> str:
    azure = settings.azure
    return _host(azure.endpoint) if azure.endpoint else AZURE_HOST.format(region=azure.region or "?", service=service)


def _host(address: str) -> str:
    """Return the host of an address: what else stands in it may be a secret."""
    return urlsplit(address if "//" in address else f"//{address}").hostname or "?"
