"""The last net under the logs: what looks like a secret is hidden, what people need to read is not."""

from __future__ import annotations

import io
import logging

import pytest

from bot import redaction
from bot.redaction import redact

ACCESS, REFRESH = "0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o", "z9y8x7w6v5u4t3s2r1q0p9o8n7m6l5k4j3i2h1g0f9e8d7c6b5"
CANARY = "CanaryValue-42"

SECRET = [
    f"POST https://id.twitch.tv/oauth2/token?client_id=abc&refresh_token={CANARY}&grant_type=refresh_token",
    f"POST https://id.twitch.tv/oauth2/token?client_secret={CANARY}",
    f"GET /oauth/callback?code={CANARY}&state=x",
    f"GET /oauth/callback?state={CANARY}",
    f"https://www.twitch.tv/activate?public=true&device-code={CANARY}",
    f"device_code={CANARY}",
    f"{{'access_token': '{CANARY}', 'expires_in': 14400}}",
    f'{{"refresh_token":"{CANARY}"}}',
    f"Authorization: Bearer {CANARY}",
    f"{{'Authorization': 'OAuth {CANARY}'}}",
    f"PASS oauth:{CANARY}",
    f"http://127.0.0.1:8710/?token={CANARY}",
]


@pytest.mark.parametrize("line", SECRET)
def test_a_secret_is_hidden(line: str) -> None:
    assert CANARY not in redact(line)
    assert "•••" in redact(line)


@pytest.mark.parametrize("token", [ACCESS, REFRESH])
def test_a_bare_token_is_hidden(token: str) -> None:
    line = f'Token was invalid. Please re-authenticate user with token: "{token}"'
    assert token not in redact(line)


@pytest.mark.parametrize(
    "line",
    [
        "twitch: degraded code=4003 state=speaking",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "brain: ok, llama-3.1-8b-instruct-q4_k_m.gguf, 33 tokens a second, token=17",
        "reply 20261122-101500-7: cut by operator",
        "message c0ffee00-0001-4000-8000-000000000001 of user 6007 (internationalization_of_everything)",
        "C:\\Users\\ana\\AppData\\Local\\aneeka\\recordings",
    ],
)
def test_what_people_read_stays(line: str) -> None:
    assert redact(line) == line


def test_every_handler_hides_message_arguments_traceback_and_stack() -> None:
    root = logging.getLogger()
    sinks = [io.StringIO(), io.StringIO()]
    handlers = [logging.StreamHandler(sink) for sink in sinks]
    handlers[1].setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    before = root.handlers
    root.handlers = [*handlers]
    try:
        redaction.install()
        log = logging.getLogger("tests.redaction")
        log.error("no luck with %s", {"refresh_token": REFRESH}, stack_info=True)
        try:
            raise ValueError(f"bad token {ACCESS}")
        except ValueError:
            log.exception("it failed")
    finally:
        root.handlers = before
    for sink in sinks:
        shown = sink.getvalue()
        assert "no luck with" in shown
        assert "Traceback" in shown
        assert "ValueError: bad token •••" in shown
        assert ACCESS not in shown
        assert REFRESH not in shown
    assert sinks[1].getvalue().startswith("ERROR no luck")
