"""What Azure's voices are called, which speaking styles they have, and which style fits an expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from bot.azure_sdk import failure
from bot.config.speech import Azure
from bot.texts import text
from bot.vocabulary import Language
from bot.voice.listing import VoiceInfo

DEFAULT_VOICES: Mapping[Language, str] = {"es": "es-MX-DaliaNeural", "en": "en-US-JennyNeural"}
LIST_S = 10.0

_WANTED: Mapping[str, tuple[str, ...]] = {
    "happy": ("cheerful", "happy", "joyful", "friendlycheerful", "friendly"),
    "excited": ("excited", "cheerful", "joyful", "happy"),
    "sad": ("sad", "saddisappointed", "regretful"),
    "angry": ("angry", "disgruntled"),
    "surprised": ("surprised", "excited"),
    "shy": ("embarrassed", "shy", "softvoice", "gentle"),
}
"""Styles that carry an expression, the best first. Whispering is none of them: the audience would not hear her."""

_US = "angry cheerful excited friendly hopeful sad shouting terrified unfriendly whispering".split()
_KNOWN: Mapping[str, Sequence[str]] = {
    "es-MX-DaliaNeural": ("cheerful", "sad", "whispering"),
    "es-MX-JorgeNeural": ("chat", "cheerful", "excited", "sad", "whispering"),
    "es-ES-AlvaroNeural": ("cheerful", "sad"),
    "en-US-AvaNeural": ("angry", "fearful", "sad"),
    **dict.fromkeys((f"en-US-{name}Neural" for name in "Jenny Aria Davis Guy Jane Jason Nancy Sara Tony".split()), _US),
}
"""Source: Azure Speech documentation, "Language and voice support", voice styles; for services without a list."""


def style_for(expression: str, styles: Sequence[str]) -> str:
    """Return which of a voice's styles carries an expression; empty: none, or none is needed."""
    return next((style for style in _WANTED.get(expression, ()) if style in styles), "")


def known_styles(voice: str) -> Sequence[str]:
    """Return the styles that a voice is documented to have."""
    return _KNOWN.get(voice, ())


def takes_prosody(voice: str) -> bool:
    """Return whether a voice can be asked for style, speed and pitch; high-definition ones cannot."""
    return ":DragonHD" not in voice


@dataclass(frozen=True, slots=True)
class AzureVoiceInfo:
    """One voice of the account's region."""

    name: str
    shown: str
    gender: str
    locales: tuple[str, ...]
    styles: tuple[str, ...]

    def info(self) -> VoiceInfo:
        """Return it as every engine shows its voices."""
        parts = [self.shown]
        if self.gender in ("Female", "Male"):
            parts.append(text("azure.female") if self.gender == "Female" else text("azure.male"))
        if self.styles:
            parts.append(text("azure.styles", styles=", ".join(self.styles)))
        return VoiceInfo(self.name, self.locales, "; ".join(parts))


async def fetch_voices(azure: Azure) -> list[AzureVoiceInfo]:
    """Return the voices that the account can use.

    Source: Azure Speech documentation, "Text to speech REST API", Get a list of voices. Raises ``AzureDown``.
    """
    headers = {"Ocp-Apim-Subscription-Key": azure.key.get_secret_value()}
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(LIST_S)) as client:
            for url in _addresses(azure):
                async with client.get(url, headers=headers, allow_redirects=False) as answer:
                    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                        raise failure("AuthenticationFailure", azure)
                    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                        raise failure("TooManyRequests", azure)
                    if answer.status == HTTPStatus.OK:
                        return _read(await answer.json(content_type=None))
    except (aiohttp.ClientError, TimeoutError):
        raise failure("ConnectionFailure", azure) from None
    except (ValueError, TypeError, AttributeError, KeyError):
        pass
    raise failure("ServiceError", azure)


def _addresses(azure: Azure) -> list[str]:
    """Return where the list may be: a region's own host, or under an endpoint, as cloud and as container."""
    if not azure.endpoint:
        return [f"https://{azure.region}.tts.speech.microsoft.com/cognitiveservices/voices/list"]
    parts = urlsplit(azure.endpoint)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return [f"{scheme}://{parts.netloc}{path}/cognitiveservices/voices/list" for path in ("/tts", "")]


def _read(voices: list[dict[str, object]]) -> list[AzureVoiceInfo]:
    """Raise ``KeyError`` and the like for what is no list of voices."""
    return [
        AzureVoiceInfo(
            str(voice["ShortName"]),
            str(voice.get("DisplayName", "")),
            str(voice.get("Gender", "")),
            (str(voice["Locale"]), *_texts(voice.get("SecondaryLocaleList"))),
            _texts(voice.get("StyleList")),
        )
        for voice in voices
    ]


def _texts(items: object) -> tuple[str, ...]:
    return tuple(str(item) for item in items) if isinstance(items, list) else ()
