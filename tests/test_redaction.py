"""The last net under the logs: what looks like a secret is hidden, what people need to read is not."""

from __future__ import annotations

import gc
import io
import logging
import sys
import threading
from pathlib import Path

import pytest

from bot import redaction
from bot.redaction import redact
from bot.studio.tokens import load_tokens

ACCESS, REFRESH = "0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o", "z9y8x7w6v5u4t3s2r1q0p9o8n7m6l5k4j3i2h1g0f9e8d7c6b5"
CANARY = "CanaryValue-42"


@pytest.fixture(autouse=True)
def _own_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, name, getattr(module, name))


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


def test_known_values_are_hidden_however_they_are_written() -> None:
    redaction.know(["p@ss w/rd-1234", "p@ss w/rd-1234-and-more", "short"])
    for written in ("p@ss w/rd-1234", "p%40ss%20w%2Frd-1234", "p%40ss+w%2Frd-1234", '"p@ss w/rd-1234-and-more"'):
        shown = redact(f"opened {written} in short")
        assert shown.strip('"').replace('"', "") == "opened ••• in short", written


def test_the_studios_keys_are_known_as_soon_as_they_are_loaded(tmp_path: Path) -> None:
    tokens = load_tokens(tmp_path, "la-llave-elegida")
    for key in (tokens.full, tokens.watch, tokens.deck, tokens.cookie):
        assert key not in redact(f"somebody sent {key}")


def test_what_is_known_while_others_log_is_hidden_and_disturbs_nobody() -> None:
    lines: list[str] = []
    started = threading.Event()

    def log_on() -> None:
        started.set()
        for _ in range(3000):
            lines.append(redact("nothing to hide"))

    thread = threading.Thread(target=log_on)
    thread.start()
    started.wait()
    for number in range(50):
        redaction.know([f"another-secret-{number}"])
    thread.join()
    assert set(lines) == {"nothing to hide"}
    assert len(lines) == 3000


def test_a_broken_log_line_and_what_nobody_can_catch_hide_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Leaving:
        def __del__(self) -> None:
            raise ValueError(f"while leaving: {ACCESS}")

    sink = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(sink)])
    redaction.install()
    logging.getLogger("tests.redaction").error("%d wrong", REFRESH)
    Leaving()
    gc.collect()
    shown = sink.getvalue() + "".join(capsys.readouterr())
    assert "wrong" in shown
    assert "while leaving: •••" in shown
    assert ACCESS not in shown
    assert REFRESH not in shown


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
