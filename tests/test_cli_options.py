"""The options that stand before or behind the command, and ``aneeka setup`` with all its steps in a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import cli, commands
from bot.texts import text
from tests.test_cli import Shell, sentence


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "bad.toml").write_text('[llm]\nengine = "lama"\n')
    (tmp_path / "good.toml").write_text('[persona]\nname = "Lola"\n')
    return Shell(tmp_path)


@pytest.fixture
def dead_shell(shell: Shell) -> Shell:
    """Where nothing can go live."""
    (shell.folder / "data").write_text("not a folder")
    return shell


BAD, GOOD = ("--config", "bad.toml"), ("--config", "good.toml")


@pytest.mark.parametrize("command", [("run",), ("doctor",), ("config", "check")])
@pytest.mark.parametrize(("before", "behind"), [(BAD, ()), ((), BAD), (BAD, BAD), (GOOD, BAD)])
def test_a_config_counts_before_the_command_and_behind_it(
    dead_shell: Shell, command: tuple[str, ...], before: tuple[str, ...], behind: tuple[str, ...]
) -> None:
    done = dead_shell.run(*before, *command, *behind)
    assert done.returncode == (1 if command == ("doctor",) else 2), done.stdout + done.stderr
    assert "llm.engine" in done.stdout + done.stderr


def test_what_stands_behind_the_command_counts_more(shell: Shell) -> None:
    done = shell.run(*BAD, "config", "check", *GOOD)
    assert (done.returncode, "good.toml" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    "words", [("--port", "70000"), ("--port", "70000", "run"), ("run", "--port", "70000"), ("--port", "1", "run")]
)
def test_a_port_counts_before_the_command_and_behind_it(dead_shell: Shell, words: tuple[str, ...]) -> None:
    behind = ("--port", "70000") if "1" in words else ()
    assert "70000" in sentence(dead_shell.run("--no-open", *words, *behind), 2)


def test_config_show_tells_that_a_port_came_from_the_command_line(shell: Shell) -> None:
    assert "port = 4711  # --port" in shell.run("--port", "4711", "config", "show", "--origin").stdout


@pytest.mark.parametrize(
    ("words", "opens"),
    [
        ((), True),
        (("run",), True),
        (("--no-open",), False),
        (("--no-open", "run"), False),
        (("run", "--no-open"), False),
        (("--no-open", "run", "--no-open"), False),
    ],
)
def test_no_open_counts_before_the_command_and_behind_it(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], opens: bool
) -> None:
    asked: list[bool] = []

    async def go_live(settings: object, data: Path, *, open_page: bool) -> int:
        asked.append(open_page)
        return cli.WELL

    monkeypatch.setattr(commands, "go_live", go_live)
    assert shell.run(*words).returncode == 0
    assert asked == [opens]


def questions() -> list[str]:
    return [text("cli.setup_now", step=step) for step in cli.STEPS]


def test_setup_asks_for_every_step_in_a_row_and_does_those_that_are_wanted(shell: Shell) -> None:
    done = shell.run("setup", typed="s\n\nn\nn\nn\nn\n")
    assert done.returncode == 0, done.stderr
    places = [done.stdout.index(question) for question in questions()]
    assert places == sorted(places)
    first, second = places[:2]
    assert "llama-3.1-8b" in done.stdout[first:second]
    assert "llama-3.1-8b" not in done.stdout[second:]


def test_setup_fails_when_one_of_its_steps_does_and_does_nothing_unasked(shell: Shell) -> None:
    nobody = shell.run("setup")
    assert nobody.returncode == 0, nobody.stderr
    assert all(question in nobody.stdout for question in questions())
    assert shell.run("setup", typed="n\nn\nn\ns\n").returncode == 1
