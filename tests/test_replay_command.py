"""``aneeka replay``: what its summary tells, in both languages, and that she hears nothing but the recording."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.commands import as_text
from bot.texts import table, use
from bot.vocabulary import Language
from tests.conftest import REAL_TIME
from tests.test_cli import Shell

pytestmark = REAL_TIME

QUICK = {"ANEEKA_LLM__ENGINE": "understudy", "ANEEKA_STT__ENGINE": "off"}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    said = ["hola Aneeka", "!comando", "¿qué tal?", "hola Aneeka", "otra orden", "!otra"]
    lines = [{"at_s": n * 0.1, "user": f"v{n}", "text": text} for n, text in enumerate(said)]
    (tmp_path / "chat.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Shell(tmp_path)


def replay(shell: Shell, *words: str, **environment: str) -> str:
    done = shell.run("replay", "chat.jsonl", "--port", "0", "--speed", "2", *words, **(QUICK | environment))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("language", "received", "command", "to_one"),
    [
        ("es", "mensajes recibidos", "Es una orden para otro bot (!)", "A un espectador"),
        ("en", "messages received", "It is a command for another bot (!)", "To one viewer"),
    ],
)
def test_the_summary_is_told_in_words(shell: Shell, language: str, received: str, command: str, to_one: str) -> None:
    lines = replay(shell, ANEEKA_PERSONA__LANGUAGE=language).splitlines()
    told = [line.split() for line in lines]
    assert [*received.split(), "6"] in told
    assert ["2", *command.split()] in told
    assert any(line[1:] == to_one.split() for line in told)
    assert not any("_" in line for line in lines[1:]), "no name of the program's own"


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_summary_tells_all_that_the_json_does(shell: Shell, language: Language) -> None:
    summary: dict[str, Any] = json.loads(replay(shell, "--json"))
    use(language)
    told = as_text(summary)
    for name in summary:
        assert table(language)[f"cli.sum_{name}"] in told
    assert told.count("–") == sum(value == {} for value in summary.values())


def test_neither_the_channel_nor_the_microphone_is_heard(shell: Shell) -> None:
    with ExitStack() as stack:
        chat, ears = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
        replay(
            shell,
            "--json",
            ANEEKA_TWITCH__MODE="anonymous",
            ANEEKA_TWITCH__CHANNEL="mira",
            ANEEKA_TWITCH__IRC_URL=f"ws://127.0.0.1:{chat.getsockname()[1]}",
            ANEEKA_STT__ENGINE="openai",
            ANEEKA_STT__OPENAI__BASE_URL=f"http://127.0.0.1:{ears.getsockname()[1]}/v1",
        )
        for server in (chat, ears):
            server.setblocking(False)
            with pytest.raises(BlockingIOError):
                server.accept()
