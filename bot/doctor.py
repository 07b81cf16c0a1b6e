"""Checks everything, by the same health that feeds the studio's lights."""

from __future__ import annotations

import asyncio
import socket
import sys
from dataclasses import replace
from pathlib import Path

from bot.bodies import build_bodies, not_allowed_yet, own_layers
from bot.config.errors import ConfigErrors
from bot.config.paths import data_dir
from bot.config.settings import Settings
from bot.doctor_keys import try_keys
from bot.doctor_twitch import try_channel
from bot.ears import build_ears
from bot.engines import PROMPTS, build_engines
from bot.hearing.trial import microphone_health
from bot.mind.prompts import PromptBook
from bot.mind.templates import PromptError
from bot.models.machine import this_machine
from bot.models.wheels import engine_health
from bot.outbound import outbound
from bot.recorder import FOLDER, probe
from bot.recorder import health as recorder_health
from bot.safety.second_opinion import second_opinion
from bot.stage.outputs import Outputs
from bot.supervisor import Board
from bot.texts import text
from bot.vocabulary import Health

READY_S = 60.0
BODY_READY_S = 4.0
"""A program that shows her answers at once, or is not there; VTube Studio is heard of every 2 s."""
SIGNS = {"ok": "✔", "degraded": "!", "down": "✘", "off": "-"}


async def examine(settings: Settings | None, problems: list[str]) -> list[Health]:
    """Return the health of every part; with a broken config (``settings`` is ``None``) only of what needs none."""
    folder, data = _data_folder()
    checks = [Health("python", "ok", f"{sys.version.split()[0]}, {sys.platform}"), folder]
    if settings is None:
        config = [Health("config", "down", problem, text("doctor.config_repair")) for problem in problems]
        return [*config, *checks]
    checks.insert(0, Health("config", "ok"))
    checks.append(_port(settings))
    checks += outbound(settings)
    if folder.state == "ok":
        checks.append(await asyncio.to_thread(_recordings, settings, data))
    machine = await asyncio.to_thread(this_machine)
    checks.append(await asyncio.to_thread(engine_health, machine, wanted=settings.llm.engine == "llama"))
    clock = asyncio.get_running_loop().time
    board = Board(lambda message: None)
    try:
        PromptBook(PROMPTS, settings.persona.language, settings.persona.name)
        engines = build_engines(settings, board, data)
        ears, recognisers = build_ears(settings, board, data)
        engines.parts.update(recognisers)
        checks.append(Health("prompts", "ok"))
    except PromptError as error:
        return [*checks, Health("prompts", "down", str(error), text("doctor.prompts_repair"))]
    outputs = Outputs(settings.stage.sound, settings.audio.output_device, None, lambda: False, board.report, clock)
    bodies = build_bodies(settings, board, data, clock)
    own_layers(settings, board)
    unasked = not_allowed_yet(settings, data)
    if unasked is not None:
        del bodies["vtube_studio"]
        board.report(unasked)
    shown = [body.part for body in bodies.values()]
    for part in (*engines.parts.values(), *shown):
        await part.start()
    await outputs.open()
    if settings.stt.engine != "off":
        microphone = await microphone_health(settings.audio, data)
        asked = settings.stt.model_fields_set or settings.audio.model_fields_set & {"input", "input_device", "mode"}
        board.report(microphone if asked or microphone.state == "ok" else replace(microphone, state="off"))
    if opinion := second_opinion(settings, board.report):
        await opinion.on(text("second_opinion.asked"))
        await opinion.close()
    waits = [part.ready(READY_S) for part in engines.parts.values()] + [part.ready(BODY_READY_S) for part in shown]
    tries = [try_keys(settings, board.report)]
    if folder.state == "ok":  # without it a login would be kept wherever the doctor was called
        tries.append(try_channel(settings, data, board.report))
    await asyncio.gather(*waits, *tries)
    found = [board.parts[name] for name in sorted(board.parts)]
    outputs.close()
    await ears.close()
    await asyncio.gather(*(part.close() for part in (*engines.parts.values(), *shown)))
    return [*checks, *found]


def as_lines(checks: list[Health]) -> list[str]:
    """Return one line a check, and a repair line below each that has one."""
    lines = []
    for check in checks:
        state = text(f"doctor.{check.state}")
        serving = f" ({check.serving})" if check.serving else ""
        lines.append(f"{SIGNS[check.state]} {check.part}{serving}: {state} {check.reason}".rstrip())
        if check.repair:
            lines.append(f"    → {check.repair}")
    return lines


def _data_folder() -> tuple[Health, Path]:
    try:
        data = data_dir()
    except ConfigErrors as errors:
        return Health("data", "down", str(errors), text("doctor.data_repair")), Path()
    return Health("data", "ok", str(data)), data


def _recordings(settings: Settings, data: Path) -> Health:
    folders = [data / FOLDER, *([Path(settings.stage.record).expanduser()] if settings.stage.record else [])]
    faults = {}
    for folder in folders:
        try:
            probe(folder)
        except OSError as error:
            faults[folder] = error.strerror or str(error)
    return recorder_health(folders, faults)


def _port(settings: Settings) -> Health:
    host, port = settings.studio.host, settings.studio.port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        try:
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        except OSError as error:
            reason = text("studio.port_taken", host=host, port=port, error=error.strerror or error)
            return Health("studio", "down", reason, text("doctor.port_repair"))
    return Health("studio", "ok", f"{host}:{port}")
