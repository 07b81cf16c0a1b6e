"""The kinds of values that settings are made of, and what each refuses."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

Item = TypeVar("Item")


def refusal(kind: str, **context: object) -> PydanticCustomError:
    """Return an error that the texts ``config.wanted_<kind>`` and ``config.suggest_<kind>`` tell with ``context``.

    A ``cause`` in it is the key that makes this one wrong.
    """
    return PydanticCustomError(kind, "refused", context)


def _plain(value: str) -> str:
    """Refuse control characters: they come from Windows paths such as "C:\\temp", where \\t is a tab."""
    value = value.strip(" \r\n")
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise refusal("plain_text")
    return value


def _plain_secret(value: SecretStr) -> SecretStr:
    return SecretStr(_plain(value.get_secret_value()))


def _split(value: object) -> object:
    """Read ``a,b`` and ``["a", "b"]`` written as one text (the environment knows only texts) as a list."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return value
        else:
            value = [part.strip() for part in value.split(",") if part.strip()]
    return tuple(value) if isinstance(value, list) else value


def _once(values: tuple[Item, ...]) -> tuple[Item, ...]:
    return tuple(dict.fromkeys(values))


def _address(*schemes: str) -> AfterValidator:
    """Accept an address with a host and one of these schemes, or nothing; the last slash goes."""

    def check(value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            usable = parts.scheme in schemes and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or re.search(r"\s", value):
            raise refusal("address", scheme=schemes[0])
        return value.rstrip("/")

    return AfterValidator(check)


def channel_name(value: str) -> str:
    """Return the login name out of what people paste: ``#Name``, ``@Name``, ``https://www.twitch.tv/Name``."""
    name = re.sub(r"^(https?://)?(www\.|m\.)?twitch\.tv/", "", value, flags=re.IGNORECASE).strip("/#@").lower()
    if name and not re.fullmatch(r"[a-z0-9_]{1,25}", name):
        raise refusal("channel")
    return name


def speech_language(value: str) -> str:
    """Accept ``auto`` or a language code such as ``es`` or ``es-MX``."""
    if value != "auto" and not re.fullmatch(r"[a-z]{2,3}(-[A-Z]{2})?", value):
        raise refusal("speech_language")
    return value


Text = Annotated[str, AfterValidator(_plain)]
Name = Annotated[str, AfterValidator(_plain), Field(min_length=1)]
Secret = Annotated[SecretStr, AfterValidator(_plain_secret)]
WebAddress = Annotated[Text, _address("http", "https")]
SocketAddress = Annotated[Name, _address("ws", "wss")]
AnyAddress = Annotated[Text, _address("https", "http", "wss", "ws")]
Seconds = Annotated[float, Field(ge=0, le=3600)]
Listed = Annotated[tuple[Item, ...], BeforeValidator(_split), AfterValidator(_once)]


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server that listens on ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
