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
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

from avatar.lipsync import MouthTrack
from bot.app import Aneeka
from bot.chat.recorded import RecordedLine, play_recording
from bot.config.settings import Settings
from bot.engines import PROMPTS
from bot.mind.templates import PromptError
from bot.mind.understudy import Understudy
from bot.recorder import write_wav
from bot.reply import Performance
from bot.safety.gate import Gate
from bot.stage.outputs import Outputs, Wish
from bot.stage.playback import Stage
from bot.stage.silent import RATE_HZ, FileOutput
from bot.studio.server import STUDIO_FILES, PortTaken
from bot.supervisor import Board
from bot.texts import chosen, text
from bot.timing import percentile
from bot.vocabulary import Cue, Pcm, Person, Reply
from bot.voice.choice import recall
from bot.voice.phrases import PhraseCutter
from bot.voices import LiveVoice, build_voices

log = logging.getLogger(__name__)

WELL, FAILED, BAD_USAGE = 0, 1, 2
VOICE_READY_S = 300.0
"""A big model takes minutes to load on a slow disk."""
LAST_WORDS_S = 30.0
"""How long a replay waits for her to finish what she is saying when the recording is over."""
WORDS_OF = {"chat_dropped": "why_not", "turns_by_mode": "mode"}
"""Which of the studio's words stand for the names in a part of the summary."""


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
    """Let her live through recorded chat; print a summary. Return the exit code.

    She hears the recording alone: neither the channel nor the microphone.
    """
    twitch = settings.twitch.model_copy(update={"mode": "off"})
    stt = settings.stt.model_copy(update={"engine": "off"})
    settings = settings.model_copy(update={"twitch": twitch, "stt": stt})
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
    print(json.dumps(summary, ensure_ascii=False) if as_json else as_text(summary))
    return WELL


def _summary(aneeka: Aneeka, took_s: float) -> dict[str, Any]:
    waits = [*aneeka.reporter.cue_to_audible_ms]
    counters = aneeka.desk.counters()
    del counters["twitch"]  # of connections that a replay does not make
    return {
        "took_s": round(took_s, 1),
        **counters,
        "chat_waiting": aneeka.inbox.chat_waiting,
        "turns_by_mode": dict(sorted(aneeka.reporter.turns_by_mode.items())),
        "cue_to_audible_ms": {f"p{p}": round(percentile(waits, p / 100), 1) for p in (50, 95)} if waits else {},
    }


def as_text(summary: dict[str, Any]) -> str:
    """Return a summary as lines for a reader, names in words."""
    words: dict[str, str] = json.loads((STUDIO_FILES / f"texts-{chosen()}.json").read_text("utf-8"))
    lines = [text("cli.summary")]
    for name, value in summary.items():
        label = text(f"cli.sum_{name}")
        if isinstance(value, dict):
            lines.append(f"  {label:32}" + ("" if value else " –"))
            kind = WORDS_OF.get(name, "")
            lines += [f"{each:>9}  {words.get(f'{kind}.{what}', what)}" for what, each in value.items()]
        else:
            lines.append(f"  {label:32} {value}")
    return "\n".join(line.rstrip() for line in lines)


# ---------------------------------------------------------------------- say


async def say_once(settings: Settings, data: Path, said: str, out: Path | None, voice_name: str | None) -> int:
    """Speak once, to the sound card or a file, through the same path as live. Return the exit code.

    ``voice_name``: which voice of the engine in use is to speak; ``None``: the one that would live.
    """
    settings = recall(settings, data)
    if voice_name:
        settings = settings.model_copy(update={"tts": settings.tts.model_copy(update={"voice": voice_name})})
    clock = asyncio.get_running_loop().time
    news = asyncio.Event()
    board = Board(lambda message: news.set())
    try:
        understudy = Understudy(PROMPTS, settings.persona.language, settings.persona.name)
    except PromptError as error:
        print(error, file=sys.stderr)
        return BAD_USAGE
    ladder, parts = build_voices(settings, board, data)
    voices = list(parts.values())
    wish: Wish = "none" if settings.stage.sound == "none" else "sound_card"  # no page listens to a command
    outputs = Outputs(wish, settings.audio.output_device, None, lambda: False, board.report, clock)
    for voice in voices:
        await voice.start()
    try:
        if out is None:
            await outputs.open()
            sound = board.parts["sound"]
            if sound.state == "down":
                print(f"{sound.reason} {sound.repair}", file=sys.stderr)
                return FAILED
        if not await _can_speak(voices, news):
            return FAILED
        reply = Reply(time.strftime("%Y%m%d-%H%M%S-say"), Cue("say", (), clock()))
        output = FileOutput(clock) if out else outputs.choose()
        stage = Stage(output, lambda: MouthTrack(RATE_HZ), lambda message: None, lambda message: None, clock)
        performance = Performance(
            reply,
            brain=understudy,
            cutter=PhraseCutter(settings.persona.language),
            gate=Gate(settings.safety.strictness, own_words=settings.safety.blocked_words).goes_out,
            voice=ladder,
            stage=stage,
            tell=lambda message: None,
        )
        outcome = await performance.run(said)
    finally:
        outputs.close()
        await asyncio.gather(ladder.close(), *(voice.close() for voice in voices))
    if not outcome.spoken.text:
        print(text("cli.nothing_to_say"), file=sys.stderr)
        return FAILED
    return WELL if _written(outcome.sound, reply, out, settings.stage.record) else FAILED


async def _can_speak(voices: list[LiveVoice], news: asyncio.Event) -> bool:
    """Wait for the first voice that is not down, and tell what is wrong with those before it; ``False``: all are down.

    ``news`` is set whenever the health of one has changed.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(VOICE_READY_S):
            while next((v.health.state for v in voices if v.health.state != "down"), "ok") != "ok":
                news.clear()
                await news.wait()
    for voice in takewhile(lambda voice: voice.health.state != "ok", voices):
        print(f"{voice.health.reason} {voice.health.repair}", file=sys.stderr)
    return any(voice.health.state == "ok" for voice in voices)


def _written(sound: Pcm, reply: Reply, out: Path | None, folder: str) -> bool:
    """Write the file that was asked for, and one in the folder of ``stage.record``; ``False``: one cannot be."""
    recorded = Path(folder).expanduser() / f"{reply.id}.wav" if folder else None
    for file in (out, recorded):
        if file is None:
            continue
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_wav(file, sound, RATE_HZ)
        except OSError as error:
            print(text("cli.cannot_write", file=file, error=error.strerror), file=sys.stderr)
            return False
        print(text("cli.written", file=file, seconds=round(len(sound) / RATE_HZ, 2)))
    return True
