"""Keeps secrets out of what is logged: the last net, behind code that does not hand them out in the first place."""

from __future__ import annotations

import logging
import re

HIDDEN = "•••"

_NAMES = "access_token|refresh_token|id_token|device_code|user_code|client_secret|api_key|password"
_PATTERNS = (
    # As forms and addresses write them, as JSON and Python do, and as headers do.
    re.compile(rf"""(?i)(\b(?:{_NAMES})=|[?&](?:code|state|token|key|device-code)=)[^\s&"'#,;)>\]}}]+"""),
    re.compile(rf"""(?i)(["'](?:{_NAMES})["']\s*:\s*b?["'])[^"']+"""),
    re.compile(r"""(?i)(\b(?:bearer|oauth)[ :]+)[\w.~+/=-]{8,}"""),
    re.compile(r"""(?i)(\b(?:authorization|cookie|ocp-apim-subscription-key)["']?\s*[:=]\s*["']?)[^\s"'•]{8,}"""),
    # What Twitch gives: 30 or 50 small letters and digits of both kinds; sums of files are hexadecimal.
    re.compile(r"()(?<!\w)(?![0-9a-f]+\b)(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{30,60}(?!\w)"),
)


def redact(line: str) -> str:
    """Return a text with everything hidden that looks like a token, a code, a key or a secret."""
    for pattern in _PATTERNS:
        line = pattern.sub(rf"\g<1>{HIDDEN}", line)
    return line


class _Redacting(logging.Formatter):
    """Formats as another one does, and hides the secrets in all of it: message, traceback and stack."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return redact(self._inner.format(record))


def install() -> None:
    """Let every handler of the root logger write redacted; to be called once, after they have been set up."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Redacting(handler.formatter or logging.Formatter()))
