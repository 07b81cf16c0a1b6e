"""Keeps secrets out of what is logged: the last net, behind code that does not hand them out in the first place."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from urllib.parse import quote, quote_plus

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

SHORTEST = 8
"""A shorter secret may be an everyday word, and hiding it everywhere would show what it is."""
_known: frozenset[str] = frozenset()
_values = re.compile(r"(?!)")
"""Every known secret, the longest first: one may begin like another. Threads that log meet the old or the new one."""


def know(secrets: Iterable[str]) -> None:
    """Hide these very values too from now on, whatever they look like and wherever they stand, in addresses too."""
    global _known, _values
    long = [secret for secret in secrets if len(secret) >= SHORTEST]
    _known |= {form for one in long for form in (one, quote(one, safe=""), quote_plus(one), json.dumps(one)[1:-1])}
    if _known:
        _values = re.compile("|".join(map(re.escape, sorted(_known, key=len, reverse=True))))


def redact(line: str) -> str:
    """Return a text with everything hidden that is known as a secret or looks like a token, a code or a key."""
    line = _values.sub(HIDDEN, line)
    for pattern in _PATTERNS:
        line = pattern.sub(rf"\g<1>{HIDDEN}", line)
    return line


class _Redacting(logging.Formatter):
    """Formats as another one does, and hides the secrets in all of it: message, traceback and stack."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        try:
            line = self._inner.format(record)
        except (TypeError, ValueError, LookupError):  # left to itself, logging would show what it was given
            line = f"{record.levelname} {record.name}: {record.msg!r} {record.args!r}"
        return redact(line)


def install() -> None:
    """Let every handler of the root logger write redacted, and crashes too; to be called once they have been set up."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Redacting(handler.formatter or logging.Formatter()))
    sys.excepthook = _crashed
    threading.excepthook = lambda crash: _crashed(crash.exc_type, crash.exc_value, crash.exc_traceback)
    sys.unraisablehook = lambda crash: _crashed(crash.exc_type, crash.exc_value, crash.exc_traceback)


def _crashed(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Log what nobody caught, in place of Python's own words, which hide nothing."""
    if error is not None and not issubclass(kind, SystemExit):
        logging.getLogger(__name__).critical("crashed", exc_info=(kind, error, trace))
