"""The commands as a user types them: what they print, where, and with which exit code."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import wave
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot import texts
from bot.cli import main
from tests.conftest import HANGS_S, REAL_TIME

pytestmark = REAL_TIME


class Shell:
    """Where a user types. Most commands run in this process, which spares each the start of another one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("ANEEKA_")} | {
            "ANEEKA_DATA_DIR": str(folder / "data"),
            "ANEEKA_STAGE__SOUND": "none",
            "ANEEKA_TTS__SPEED": "2.0",
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            "APPDATA": str(folder),
            "LOCALAPPDATA": str(folder),
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, *words: str, typed: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with nobody at its keyboard after ``typed``."""
        out, err = io.StringIO(), io.StringIO()
        language, pace, level = texts.chosen(), sys.getswitchinterval(), logging.root.level
        with pytest.MonkeyPatch.context() as patch, chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            for name in os.environ.keys() - self.environment.keys():
                patch.delenv(name)
            for name, value in (self.environment | extra).items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(typed))
            patch.setattr(logging.root, "handlers", [])
            patch.setattr(sys, "excepthook", sys.excepthook)
            patch.setattr(threading, "excepthook", threading.excepthook)
            try:
                code = main([*words])
            except SystemExit as end:
                code = end.code
            finally:
                texts.use(language)
                sys.setswitchinterval(pace)
                logging.root.setLevel(level)
        return subprocess.CompletedProcess([*words], code, out.getvalue(), err.getvalue())

    def run_apart(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own."""
        process = self.start(*words)
        out, err = process.communicate(timeout=HANGS_S)
        return subprocess.CompletedProcess([*words], process.returncode, out, err)

    def start(self, *words: str, ignoring_sigint: bool = False, **extra: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "bot", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment | extra,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignoring_sigint else None,
        )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def sentence(result: subprocess.CompletedProcess[str], code: int) -> str:
    """Return what a failed command said, which is never a traceback."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def test_config_check_tells_all_mistakes_at_once(shell: Shell) -> None:
    (shell.folder / "config.toml").write_text('[llm]\nengine = "lama"\nthreds = 2\n[studio]\nport = "x"\n')
    said = sentence(shell.run("config", "check"), 2)
    for key in ("llm.engine", "llm.threds", "studio.port"):
        assert key in said
    assert "llama" in said
    assert "threads" in said
    assert sentence(shell.run_apart("run", "--no-open"), 2) == said


def test_config_show_tells_where_each_value_comes_from(shell: Shell) -> None:
    (shell.folder / "config.toml").write_text('[llm]\napi_key = "sk-very-secret"\nmax_tokens = 99\n')
    result = shell.run("config", "show", "--origin", ANEEKA_PERSONA__NAME="Lola")
    assert result.returncode == 0
    assert "sk-very-secret" not in result.stdout + result.stderr
    assert 'name = "Lola"  # environment ANEEKA_PERSONA__NAME' in result.stdout
    assert "max_tokens = 99  # config.toml" in result.stdout
    assert shell.run("config", "check").returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--config", "nowhere.toml"),
        ("run", "--port", "99999"),
        ("dance",),
        ("replay", "nowhere.jsonl"),
        ("bench", "--turns", "0"),
    ],
)
def test_bad_usage_is_exit_code_2(shell: Shell, words: tuple[str, ...]) -> None:
    assert sentence(shell.run(*words), 2).strip()


def test_say_writes_what_she_says(shell: Shell) -> None:
    result = shell.run("say", "Hola, me llamo Aneeka.", "--out", "hola.wav", ANEEKA_TTS__SPEED="1.0")
    assert result.returncode == 0, result.stderr
    with wave.open(str(shell.folder / "hola.wav")) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
        seconds = len(samples) / sound.getframerate()
    assert 1.0 < seconds < 4.0
    assert np.sqrt(np.mean(samples**2)) > 500


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("say", "..."), 1),
        (("say", "hola", "--out", "no/such/folder/x.wav"), 1),
        (("say", "hola", "--out", "x.wav", "--voice", "nadie"), 1),
    ],
)
def test_say_says_what_is_wrong(shell: Shell, words: tuple[str, ...], code: int) -> None:
    assert sentence(shell.run(*words), code).strip()


QUICK = ("--first-token-ms", "20", "--first-audio-ms", "20", "--tokens-per-s", "500", "--speech-speed", "20")


def test_bench_prints_one_json_object(shell: Shell) -> None:
    answers = [{"text": "Wow! Sí.", "tokens": ["Wow", "!", " Sí", "."]}, {"text": "Hola a todos, amigos.", "tokens": 6}]
    (shell.folder / "answers.json").write_text(json.dumps(answers))
    result = shell.run("bench", "--json", "--turns", "3", "--answers", "answers.json", *QUICK)
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    assert {"over_floor_ms", "first_audible_ms", "silence_ms", "cpu_s_per_turn", "sequential_ratio"} <= set(figures)
    assert set(figures["over_floor_ms"]) == {"p50", "p95", "p99"}
    assert figures["engines"]["first_token_ms"] == 20.0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '[{"text": 3}]',
        '[{"text": "a", "tokens": [1]}]',
        '[{"text": "😀"}]',
        '[{"text": "a", "tokens": 1e999}]',
    ],
)
def test_bad_answers_are_one_sentence(shell: Shell, content: str) -> None:
    (shell.folder / "answers.json").write_text(content)
    assert "answers.json" in sentence(shell.run("bench", "--answers", "answers.json"), 2)


def test_replay_prints_a_summary_that_adds_up(shell: Shell) -> None:
    lines = [{"at_s": n * 0.1, "user": f"v{n % 5}", "text": f"mensaje número {n} para Aneeka"} for n in range(40)]
    (shell.folder / "chat.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = ("--speed", "4", "--json", "--port", "0")
    result = shell.run("replay", "chat.jsonl", *told, ANEEKA_LLM__ENGINE="understudy", ANEEKA_AUDIO__MODE="off")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["chat_received"] == 40
    assert summary["turns"] >= 1
    assert summary["chat_answered"] + sum(summary["chat_dropped"].values()) + summary["chat_waiting"] == 40


def test_doctor_checks_everything_and_finds_what_is_broken(shell: Shell) -> None:
    well = shell.run("doctor", "--json")
    found = json.loads(well.stdout)
    assert (well.returncode, found["ok"]) == (0, True), found
    assert {"config", "data", "studio", "prompts", "brain", "voice", "sound"} <= {
        check["part"] for check in found["checks"]
    }
    (shell.folder / "not.gguf").write_text("no model")
    local = {
        "ANEEKA_LLM__MODEL": str(shell.folder / "not.gguf"),
        "ANEEKA_TTS__VOICE": "nadie",
        "ANEEKA_STAGE__SOUND": "sound_card",
        "ANEEKA_AUDIO__OUTPUT_DEVICE": "no such device",
    }
    service = {"ANEEKA_TTS__ENGINE": "azure", "ANEEKA_LLM__ENGINE": "understudy", "ANEEKA_STT__ENGINE": "off"}
    for parts, environment in (
        ({"brain", "voice", "sound"}, local),
        ({"voice_azure"}, service),
        ({"config"}, {"ANEEKA_LLM__ENGINE": "lama"}),
    ):
        result = shell.run("doctor", "--json", **environment)
        assert result.returncode == 1, parts
        broken = [check for check in json.loads(result.stdout)["checks"] if check["state"] == "down"]
        assert {check["part"] for check in broken} == parts
        assert all(check["reason"] and check["repair"] for check in broken)
        assert "Traceback" not in result.stderr


def test_a_taken_port_is_one_sentence_and_exit_code_2(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert port in sentence(shell.run("run", "--no-open", "--port", port), 2)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent by signal")
@pytest.mark.parametrize(
    ("sent", "background", "settings"),
    [
        (signal.SIGINT, False, {}),
        (signal.SIGINT, True, {"ANEEKA_LLM__ENGINE": "understudy", "ANEEKA_AUDIO__MODE": "off"}),
        (signal.SIGTERM, False, {"ANEEKA_LLM__ENGINE": "understudy", "ANEEKA_AUDIO__MODE": "off"}),
    ],
)
async def test_she_goes_live_and_ends_cleanly(
    shell: Shell, sent: signal.Signals, background: bool, settings: dict[str, str]
) -> None:
    words = ("--no-open", "--port", "0") if background else ("run", "--no-open", "--port", "0")
    began_s = time.monotonic()
    process = shell.start(*words, ignoring_sigint=background, **settings)
    assert process.stdout is not None
    line = await asyncio.to_thread(process.stdout.readline)
    start_s = time.monotonic() - began_s
    address = line.split()[-1]
    assert address.startswith("http://127.0.0.1:")

    def ask(path: str, body: Any = None) -> Any:
        base, token = address.split("/?token=")
        request = urllib.request.Request(base + path, headers={"Authorization": f"Bearer {token}"})
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=HANGS_S) as answer:
            return json.load(answer)

    await asyncio.to_thread(ask, "/api/say", {"text": "Una frase larga que no va a terminar, porque alguien la apaga."})
    assert (await asyncio.to_thread(ask, "/api/state"))["health"]["voice"]
    process.send_signal(sent)
    out, err = await asyncio.to_thread(process.communicate, timeout=3 + start_s)
    assert process.returncode == 0, err
    assert out == "", "one line with the studio's address, and nothing else"
    assert "Traceback" not in err
