"""The commands; nothing else lives here."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import locale
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot import __version__, redaction, texts
from bot.config import ConfigErrors, Loaded, data_dir, load, secrets_of, show
from bot.texts import text
from bot.vocabulary import Language

if sys.platform == "win32":
    from bot.console import end_when_asked

WELL, FAILED, BAD_USAGE = 0, 1, 2
STEPS = ("models", "audio", "voice", "twitch", "vtube-studio")
"""Of ``aneeka setup``, in the order in which they are asked for when none is named."""


class Stop(Exception):
    """Ends a command with a sentence and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    texts.use(_spoken_here())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal or file that has no sign for something must not end her
    not_given = argparse.Namespace(config=None, port=None, no_open=False)
    args = _parser().parse_args(argv, not_given)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    redaction.install()
    try:
        return int(args.command(args))
    except Stop as stop:
        print(stop, file=sys.stderr)
        return stop.code
    except ConfigErrors as errors:
        print(errors, file=sys.stderr)
        return BAD_USAGE
    except KeyboardInterrupt:
        return WELL


def _spoken_here() -> Language:
    """Return the language for what comes before the config is read: the environment's, Spanish unless it is English."""
    names = [os.environ.get(name) for name in ("ANEEKA_PERSONA__LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")]
    here = next((name for name in names if name), locale.getlocale()[0] or "")
    return "en" if here.lower().startswith("en") else "es"


def _parser() -> argparse.ArgumentParser:
    # Not given means not set, so that ``aneeka --port 1 run`` and ``aneeka run --port 1`` are the same.
    # No set_defaults for them either: the parsers share these options, and the command's would set them back.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--config", type=Path, metavar="FILE", help=text("cli.help_config_file"))
    serving = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS, parents=[common])
    serving.add_argument("--port", type=int, metavar="N", help=text("cli.help_port"))
    serving.add_argument("--no-open", action="store_true", help=text("cli.help_no_open"))
    about = text("cli.help_about")
    parser = argparse.ArgumentParser(prog="aneeka", description=about, parents=[serving])
    parser.add_argument("--version", action="version", version=f"aneeka {__version__}")
    parser.set_defaults(command=_run)
    commands = parser.add_subparsers(metavar="COMMAND")

    def add(name: str, command: Any, help_text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text, description=help_text, parents=list(parents) or [common])
        sub.set_defaults(command=command)
        return sub

    add("run", _run, text("cli.help_run"), serving)
    say = add("say", _say, text("cli.help_say"))
    say.add_argument("text")
    say.add_argument("--out", type=Path, metavar="FILE.wav", help=text("cli.help_out"))
    say.add_argument("--voice", metavar="NAME", help=text("cli.help_voice"))
    replay = add("replay", _replay, text("cli.help_replay"), serving)
    replay.add_argument("file", type=Path, metavar="FILE.jsonl")
    replay.add_argument("--speed", type=_positive, default=1.0, metavar="X", help=text("cli.help_speed"))
    replay.add_argument("--until", type=_positive, metavar="S", help=text("cli.help_until"))
    replay.add_argument("--json", action="store_true", help=text("cli.help_json"))
    bench = add("bench", _bench, text("cli.help_bench"))
    bench.add_argument("--json", action="store_true", help=text("cli.help_json"))
    bench.add_argument("--turns", type=int, default=100, metavar="N")
    bench.add_argument("--answers", type=Path, metavar="FILE.json", help=text("cli.help_answers"))
    for name, default in (
        ("first-token-ms", 150.0),
        ("tokens-per-s", 60.0),
        ("first-audio-ms", 120.0),
        ("speech-speed", 2.0),
    ):
        bench.add_argument(f"--{name}", type=_positive, default=default, metavar="X")
    setup = add("setup", _setup, text("cli.help_setup"))
    setup.add_argument("step", nargs="?", choices=STEPS, help=text("cli.help_setup_step"))
    doctor = add("doctor", _doctor, text("cli.help_doctor"))
    doctor.add_argument("--json", action="store_true", help=text("cli.help_json"))
    models = commands.add_parser("models", help=text("cli.help_models")).add_subparsers(metavar="VERB", required=True)
    listed = models.add_parser("list", help=text("cli.help_models_list"), parents=[common])
    listed.add_argument("--json", action="store_true", help=text("cli.help_json"))
    listed.set_defaults(command=_models_list)
    pulled = models.add_parser("pull", help=text("cli.help_models_pull"), parents=[common])
    pulled.add_argument("name", metavar="NAME")
    pulled.set_defaults(command=_models_pull)
    voices = commands.add_parser("voices", help=text("cli.help_voices")).add_subparsers(metavar="VERB", required=True)
    spoken = voices.add_parser("list", help=text("cli.help_voices_list"), parents=[common])
    spoken.add_argument("--json", action="store_true", help=text("cli.help_json"))
    spoken.set_defaults(command=_voices_list)
    cloned = voices.add_parser("clone", help=text("cli.help_voices_clone"), parents=[common])
    cloned.add_argument("name", metavar="NAME")
    cloned.add_argument("sample", type=Path, metavar="sample.wav")
    cloned.set_defaults(command=_voices_clone)
    config = commands.add_parser("config", help=text("cli.help_config"))
    verbs = config.add_subparsers(metavar="VERB", required=True)
    check = verbs.add_parser("check", help=text("cli.help_check"), parents=[common])
    check.set_defaults(command=_config_check)
    shown = verbs.add_parser("show", help=text("cli.help_show"), parents=[common])
    shown.add_argument("--origin", action="store_true", help=text("cli.help_origin"))
    shown.set_defaults(command=_config_show)
    return parser


def _positive(given: str) -> float:
    value = float(given)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(given)
    return value


def _load(args: argparse.Namespace) -> Loaded:
    loaded = load(args.config)
    redaction.know(secrets_of(loaded.settings))
    if args.port is None:
        return loaded
    if not 0 <= args.port <= 65535:
        raise Stop(text("cli.bad_port", port=args.port), BAD_USAGE)
    studio = loaded.settings.studio.model_copy(update={"port": args.port})
    origins = loaded.origins | {"studio.port": "--port"}
    return Loaded(loaded.settings.model_copy(update={"studio": studio}), loaded.file, origins)


def _alive(work: Coroutine[Any, Any, int]) -> int:
    """Run until it ends, or Ctrl-C or a polite kill ends it cleanly."""

    ended = threading.Event()

    async def guarded() -> int:
        task = asyncio.current_task()
        assert task is not None
        end = _once(task.cancel)
        if sys.platform == "win32":
            end_when_asked(end, ended)
        else:
            for asked in (signal.SIGINT, signal.SIGTERM):
                # Set in any case: a program started in the background inherits an ignored SIGINT.
                asyncio.get_running_loop().add_signal_handler(asked, end)
        try:
            return await work
        except asyncio.CancelledError:
            return WELL

    sys.setswitchinterval(0.001)
    try:
        return asyncio.run(guarded())
    finally:
        ended.set()


def _once(end: Callable[[], object]) -> Callable[[], None]:
    """Return what calls ``end`` the first time alone: an impatient second Ctrl-C must not disturb a clean end."""
    ends = [end]

    def call() -> None:
        if ends:
            ends.pop()()

    return call


def _run(args: argparse.Namespace) -> int:
    from bot.commands import go_live

    return _alive(go_live(_load(args).settings, data_dir(), open_page=not args.no_open))


def _replay(args: argparse.Namespace) -> int:
    from bot.chat.recorded import BadRecording, read_recording
    from bot.commands import replay

    settings = _load(args).settings
    try:
        lines = read_recording(args.file)
    except BadRecording as error:
        raise Stop(str(error), BAD_USAGE) from error
    done = replay(settings, data_dir(), lines, speed=args.speed, until_s=args.until, as_json=args.json, open_page=False)
    return _alive(done)


def _say(args: argparse.Namespace) -> int:
    from bot.commands import say_once

    settings = _load(args).settings
    if args.out is not None and not args.out.absolute().parent.is_dir():
        raise Stop(text("cli.cannot_write", file=args.out, error=text("cli.no_folder")), FAILED)
    return _alive(say_once(settings, data_dir(), args.text, args.out, args.voice))


def _bench(args: argparse.Namespace) -> int:
    from bot.bench import ANSWERS, Answer, BadAnswers, Speeds, bench, read_answers, split_tokens

    _load(args)
    if args.turns < 1:
        raise Stop(text("cli.bad_turns", turns=args.turns), BAD_USAGE)
    try:
        answers = read_answers(args.answers) if args.answers else [Answer(split_tokens(a)) for a in ANSWERS]
    except BadAnswers as error:
        raise Stop(str(error), BAD_USAGE) from error
    speeds = Speeds(args.first_token_ms, args.tokens_per_s, args.first_audio_ms, args.speech_speed)

    def progress(done: int) -> None:
        print(f"\r{done}/{args.turns}", end="" if done < args.turns else "\n", file=sys.stderr, flush=True)

    figures = asyncio.run(bench(answers, args.turns, speeds, progress))
    if args.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:30} {value}")
    return WELL


def _setup(args: argparse.Namespace) -> int:
    from bot.setup.audio import setup_audio
    from bot.setup.models import setup_models
    from bot.setup.terminal import Terminal
    from bot.setup.twitch import setup_twitch
    from bot.setup.voice import setup_voice
    from bot.setup.vtube_studio import setup_vtube_studio

    terminal = Terminal()
    steps: dict[str, Callable[[Loaded, Path, Terminal], int]] = {
        "models": setup_models,
        "audio": setup_audio,
        "voice": setup_voice,
        "twitch": setup_twitch,
        "vtube-studio": setup_vtube_studio,
    }
    if args.step:
        return steps[args.step](_load(args), data_dir(), terminal)
    results = [
        steps[step](_load(args), data_dir(), terminal)
        for step in STEPS
        if terminal.agrees(text("cli.setup_now", step=step))
    ]
    return max(results, default=WELL)


def _doctor(args: argparse.Namespace) -> int:
    from bot.doctor import as_lines, examine

    try:
        settings = _load(args).settings
        problems: list[str] = []
    except ConfigErrors as errors:
        settings, problems = None, [str(problem) for problem in errors.problems]
    checks = asyncio.run(examine(settings, problems))
    if args.json:
        found = {"ok": all(c.state != "down" for c in checks), "checks": [asdict(c) for c in checks]}
        print(json.dumps(found, ensure_ascii=False))
    else:
        print("\n".join(as_lines(checks)))
    return FAILED if any(check.state == "down" for check in checks) else WELL


def _models_list(args: argparse.Namespace) -> int:
    from bot.models.terminal import list_models

    return list_models(_load(args).settings, data_dir(), as_json=args.json)


def _models_pull(args: argparse.Namespace) -> int:
    from bot.models.terminal import pull_model

    return _alive(pull_model(_load(args).settings, data_dir(), args.name))


def _voices_list(args: argparse.Namespace) -> int:
    from bot.voice.terminal import show_voices

    return _alive(show_voices(_load(args).settings, data_dir(), as_json=args.json))


def _voices_clone(args: argparse.Namespace) -> int:
    from bot.voice.cloning import clone

    return clone(_load(args).settings, data_dir(), args.name, args.sample)


def _config_check(args: argparse.Namespace) -> int:
    loaded = _load(args)
    print(text("cli.config_well", file=loaded.file or text("cli.no_file")))
    return WELL


def _config_show(args: argparse.Namespace) -> int:
    print(show(_load(args), args.origin))
    return WELL
