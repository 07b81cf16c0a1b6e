"""``aneeka setup audio``: choose microphone and loudspeaker, and see and hear that they work before they are saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.config import Loaded
from bot.config.paths import config_dir
from bot.config.toml_file import written
from bot.hearing.input_devices import list_now
from bot.hearing.trial import Trial, try_microphone
from bot.setup.config_file import NotSaved, save
from bot.setup.terminal import NoAnswer, Terminal
from bot.stage.silent import RATE_HZ
from bot.stage.sound_card import list_devices, open_card
from bot.texts import text
from bot.vocabulary import EngineDown, Pcm

WELL, FAILED = 0, 1
LISTEN_S = 6.0
BAR = 30
QUIETEST_DB = -60.0
FAINT_DB = -45.0
"""Who speaks into a microphone that is theirs is louder than this."""
OVER_DB = -3.0
BROWSER = "b"
TONE_S = 0.6
TONE_LATE_S = 2.0
LOOK_S = 0.05

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def setup_audio(
    loaded: Loaded, data: Path, terminal: Terminal | None = None, run: Run = asyncio.run, listen_s: float = LISTEN_S
) -> int:
    """Lead the user through it. Return the exit code; what went wrong has been told."""
    terminal = terminal or Terminal()
    terminal.say(text("audio_setup.intro"))
    try:
        changes = _microphone(terminal, run, listen_s) | _loudspeaker(terminal, run)
    except NoAnswer:
        terminal.say(text("audio_setup.no_answer"))
        return FAILED
    return _save(loaded, changes, terminal)


def _microphone(terminal: Terminal, run: Run, listen_s: float) -> dict[str, str]:
    while True:
        try:
            names: list[str] = run(list_now())
        except EngineDown as down:
            terminal.say(f"{down.reason} {down.repair}")
            names = []
        terminal.say(text("audio_setup.microphones"))
        name = _choice(terminal, names, {BROWSER: text("audio_setup.browser")})
        if name == BROWSER:
            terminal.say(text("audio_setup.browser_how"))
            return {"input": "browser"}
        terminal.say(text("audio_setup.speak", seconds=round(listen_s)))
        trial: Trial = run(
            try_microphone(name, listen_s, lambda db, left_s: terminal.waiting(_bar(db, left_s), left_s))
        )
        if trial.health.state != "ok":
            terminal.say(f"{trial.health.reason} {trial.health.repair}")
            continue
        terminal.say(_verdict(trial.loudest_db))
        if terminal.agrees(text("audio_setup.ask_heard")):
            return {"input": "sound_card", "input_device": name}


def _loudspeaker(terminal: Terminal, run: Run) -> dict[str, str]:
    while True:
        try:
            names: list[str] = run(list_devices())
        except EngineDown as down:
            terminal.say(f"{down.reason} {down.repair}")
            return {}
        if not names:
            terminal.say(f"{text('stage.no_card')} {text('stage.no_card_repair')}")
            return {}
        terminal.say(text("audio_setup.loudspeakers"))
        name = _choice(terminal, names, {})
        try:
            run(_play(name))
        except EngineDown as down:
            terminal.say(f"{down.reason} {down.repair}")
            continue
        if terminal.agrees(text("audio_setup.ask_tone")):
            return {"output_device": name}


def _choice(terminal: Terminal, names: Sequence[str], others: dict[str, str]) -> str:
    """Return a name, one of the other keys, or nothing for the system's choice. Raises ``NoAnswer``."""
    rows = {"0": text("audio_setup.system"), **{str(n): name for n, name in enumerate(names, 1)}, **others}
    for key, name in rows.items():
        terminal.say(f"  {key}  {name}")
    while True:
        answer = terminal.ask(text("audio_setup.ask_number")).lower() or "0"
        if answer in others:
            return answer
        if answer in rows:
            return "" if answer == "0" else rows[answer]
        terminal.say(text("audio_setup.bad_number", last=len(names)))


def _bar(db: float, left_s: float) -> str:
    full = round(BAR * min(1.0, max(0.0, 1 - db / QUIETEST_DB)))
    return f"  [{'#' * full}{'.' * (BAR - full)}] {db:4.0f} dB {left_s:3.0f} s"


def _verdict(loudest_db: float) -> str:
    level = round(loudest_db)
    if loudest_db < FAINT_DB:
        return text("audio_setup.faint", level=level)
    return text("audio_setup.over" if loudest_db > OVER_DB else "audio_setup.good", level=level)


async def _play(device: str) -> None:
    """Play two notes. Raises ``EngineDown`` when the loudspeaker cannot be opened."""
    output = await open_card(device)
    try:
        tone = np.concatenate([_note(660.0), _note(880.0)])
        output.begin(1)
        output.write(tone)
        output.end()
        for _ in range(round((len(tone) / RATE_HZ + TONE_LATE_S) / LOOK_S)):
            if output.played() >= len(tone):
                return
            await asyncio.sleep(LOOK_S)
        raise EngineDown(text("stage.card_lost"), text("stage.card_lost_repair"))
    finally:
        output.close()


def _note(hz: float) -> Pcm:
    t = np.arange(int(TONE_S * RATE_HZ)) / RATE_HZ
    return (9000 * np.sin(2 * np.pi * hz * t) * np.sin(np.pi * t / TONE_S)).astype(np.int16)


def _save(loaded: Loaded, changes: dict[str, str], terminal: Terminal) -> int:
    file = loaded.file or config_dir() / "config.toml"
    before = loaded.settings.audio.model_dump()
    changes = {key: value for key, value in changes.items() if before[key] != value}
    try:
        if changes:
            save(file, "audio", changes)
    except NotSaved:
        lines = [f"{key} = {written(value)}" for key, value in changes.items()]
        terminal.say(text("audio_setup.not_saved", file=file))
        terminal.say("\n".join(["[audio]", *lines]))
        return FAILED
    terminal.say(text("twitch_setup.saved" if changes else "vts_setup.nothing_new", file=file))
    for key in changes:
        origin = loaded.origins.get(f"audio.{key}", "")
        if origin.startswith("environment "):
            terminal.say(text("twitch_setup.covered", variable=origin.partition(" ")[2]))
    terminal.say(text("audio_setup.next"))
    return WELL
