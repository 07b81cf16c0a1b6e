"""What the longer commands do: go live, play recorded chat through her, speak once."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
import webbrowser
from pathlib import Path
from typing import Any

from avatar.lipsync import MouthTrack
from bot.app import Aneeka
from bot.chat.recorded import RecordedLine, play_recording
from bot.config.settings import Settings
from bot.engines import build_engines
from bot.mind.templates import PromptError
from bot.recorder import write_wav
from bot.reply import Performance
from bot.safety.gate import Gate
from bot.stage.outputs import Outputs
from bot.stage.playback import Stage
from bot.stage.silent import RATE_HZ, FileOutput
from bot.studio.server import PortTaken
from bot.supervisor import Board
from bot.texts import text
from bot.timing import percentile
from bot.vocabulary import Cue, Health, Person, Reply
from bot.voice.phrases import PhraseCutter

log = logging.getLogger(__name__)

WELL, FAILED, BAD_USAGE = 0, 1, 2
VOICE_READY_S = 300.0
"""A big model takes minutes to load on a slow disk."""
LAST_WORDS_S = 30.0
"""How long a replay waits for her to finish what she is saying when the recording is over."""


async def go_live(settings: Settings, data: Path, *, open_page: bool) -> int:
    """Run until cancelled; print the studio's address once. Return the exit code."""
    aneeka = await _started(settings, data, open_page=open_page)
    if aneeka is None:
        return BAD_USAGE
    try:
        await asyncio.Event().wait()
    finally:
        await aneeka.close()
    return WELL


async def _started(settings: Settings, data: Path, *, open_page: bool) -> Aneeka | None:
    try:
        aneeka = Aneeka(settings, data)
        await aneeka.start()
    except (PortTaken, PromptError) as error:
        print(error, file=sys.stderr)
        return None
    except OSError as error:
        print(text("cli.bad_data", folder=data, error=error.strerror), file=sys.stderr)
        return None
    address = aneeka.server.address()
    print(text("cli.studio_at", name=settings.persona.name, address=address), flush=True)
    if open_page:
        _open_browser(address)
    return aneeka


def _open_browser(address: str) -> None:
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()  # some wait until the browser ends


# ---------------------------------------------------------------------- replay


async def replay(
    settings: Settings,
    data: Path,
    lines: list[RecordedLine],
    *,
    speed: float,
    until_s: float | None,
    as_json: bool,
    open_page: bool,
) -> int:
    """Let her live through recorded chat; print a summary. Return the exit code."""
    out = sys.stdout
    if as_json:
        sys.stdout = sys.stderr
    aneeka = await _started(settings, data, open_page=open_page)
    sys.stdout = out
    if aneeka is None:
        return BAD_USAGE
    started = time.monotonic()

    def hear(line: RecordedLine) -> None:
        person = Person(line.user.casefold(), line.user) if line.kind == "chat" else None
        aneeka.intake.hear(aneeka.intake.heard("operator" if line.kind == "operator" else "chat", line.text, person))

    try:
        await play_recording(lines, hear, speed=speed, until_s=until_s)
        await asyncio.sleep(settings.chat.window_s + 0.1)
        aneeka.director.paused = True
        await aneeka.rest(LAST_WORDS_S)
        aneeka.cut("closing")
        await aneeka.rest(1.0)
    except asyncio.CancelledError:
        log.info("replay stopped early")
    summary = _summary(aneeka, time.monotonic() - started)
    await aneeka.close()
    print(json.dumps(summary, ensure_ascii=False) if as_json else _as_text(summary))
    return WELL


def _summary(aneeka: Aneeka, took_s: float) -> dict[str, Any]:
    waits = [*aneeka.reporter.cue_to_audible_ms]
    return {
        "took_s": round(took_s, 1),
        **aneeka.desk.counters(),
        "chat_waiting": aneeka.inbox.chat_waiting,
        "turns_by_mode": dict(sorted(aneeka.reporter.turns_by_mode.items())),
        "cue_to_audible_ms": {f"p{p}": round(percentile(waits, p / 100), 1) for p in (50, 95)} if waits else {},
    }


def _as_text(summary: dict[str, Any]) -> str:
    lines = [text("cli.summary")]
    for name, value in summary.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        lines.append(f"  {text(f'cli.sum_{name}'):32} {shown}")
    return "\n".join(lines)


# ---------------------------------------------------------------------- say


async def say_once(settings: Settings, data: Path, said: str, out: Path | None) -> int:
    """Speak once, to the sound card or a file, through the same path as live. Return the exit code."""
    clock = asyncio.get_running_loop().time
    problems: dict[str, Health] = {}
    board = Board(lambda message: None)
    try:
        engines = build_engines(settings, board, data)
    except PromptError as error:
        print(error, file=sys.stderr)
        return BAD_USAGE
    voice = engines.parts["voice"]
    voices = [part for name, part in engines.parts.items() if name == "voice" or name.startswith("voice_")]
    outputs = Outputs("sound_card", settings.audio.output_device, None, lambda: False, board.report, clock)
    for part in voices:
        await part.start()
    try:
        if out is None:
            await outputs.open()
            problems["sound"] = board.parts["sound"]
        if not await voice.ready(VOICE_READY_S):
            problems["voice"] = board.parts["voice"]
        broken = [health for health in problems.values() if health.state == "down"]
        for health in broken:
            print(f"{health.reason} {health.repair}", file=sys.stderr)
        if broken:
            return FAILED
        reply = Reply("say", Cue("say", (), clock()))
        output = FileOutput(clock) if out else outputs.choose()
        stage = Stage(output, lambda: MouthTrack(RATE_HZ), lambda message: None, lambda message: None, clock)
        performance = Performance(
            reply,
            brain=engines.brain,
            cutter=PhraseCutter(settings.persona.language),
            gate=Gate(settings.safety.strictness, own_words=settings.safety.blocked_words).goes_out,
            voice=engines.voice,
            stage=stage,
            tell=lambda message: None,
        )
        outcome = await performance.run(said)
        if not outcome.spoken.text:
            print(text("cli.nothing_to_say"), file=sys.stderr)
            return FAILED
        if out is not None:
            write_wav(out, outcome.sound, RATE_HZ)
            print(text("cli.written", file=out, seconds=round(len(outcome.sound) / RATE_HZ, 2)))
    except OSError as error:
        print(text("cli.cannot_write", file=out, error=error.strerror), file=sys.stderr)
        return FAILED
    finally:
        outputs.close()
        await asyncio.gather(*(part.close() for part in voices))
    return WELL
