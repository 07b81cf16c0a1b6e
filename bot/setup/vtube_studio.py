"""``aneeka setup vtube-studio``: finds the program, explains its question, and agrees on what shows which mood."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from avatar.vts_moods import NAMES
from avatar.vts_setup import Found, setup
from bot.bodies import NOTHING, PERMIT_FILE
from bot.config import Loaded
from bot.config.paths import config_dir
from bot.config.toml_file import written
from bot.setup.config_file import NotSaved, save
from bot.setup.terminal import NoAnswer, Terminal
from bot.texts import text

WELL, FAILED = 0, 1

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Setup = Callable[..., Coroutine[Any, Any, Found | None]]


def setup_vtube_studio(
    loaded: Loaded,
    data: Path,
    terminal: Terminal | None = None,
    run: Run = asyncio.run,
    setup: Setup = setup,
) -> int:
    """Lead the user through it. Return the exit code; what went wrong has been told."""
    terminal = terminal or Terminal()
    chosen = loaded.settings.avatar
    terminal.say(text("vts_setup.intro"))
    try:
        found: Found | None = run(setup(chosen.vtube_studio.url, data / PERMIT_FILE, terminal.say))
        if found is None:
            return FAILED
        moods = _agreed(found, terminal) if found.model else {}
    except NoAnswer:
        terminal.say(text("vts_setup.no_answer"))
        return FAILED
    changes: dict[str, dict[str, str | list[str]]] = {}
    if "vtube_studio" not in chosen.outputs:
        changes["avatar"] = {"outputs": [*chosen.outputs, "vtube_studio"]}
    if found.url != chosen.vtube_studio.url:
        changes["avatar.vtube_studio"] = {"url": found.url}
    if moods:
        changes["avatar.vtube_studio.moods"] = {**moods}
    return _save(loaded, changes, terminal)


def _agreed(found: Found, terminal: Terminal) -> Mapping[str, str]:
    """Return what shows each mood: as proposed, or as the user wants it."""
    if found.moods and terminal.agrees(text("vts_setup.ask_table")):
        return dict(found.moods)
    if not found.offers:
        terminal.say(text("vts_setup.no_offers"))
        return {}
    terminal.say(text("vts_setup.about_names", nothing=NOTHING))
    terminal.say("  " + ", ".join(found.offers))
    return {mood: _target(mood, found.moods.get(mood, NOTHING), found.offers, terminal) for mood in NAMES}


def _target(mood: str, proposed: str, offers: Sequence[str], terminal: Terminal) -> str:
    known = {offer.casefold(): offer for offer in offers}
    while True:
        answer = terminal.ask("  " + mood, proposed)
        if answer == NOTHING:
            return NOTHING
        if answer.casefold() in known:
            return known[answer.casefold()]
        terminal.say(text("vts_setup.unknown_name", name=answer))


def _save(loaded: Loaded, changes: Mapping[str, Mapping[str, str | list[str]]], terminal: Terminal) -> int:
    file = loaded.file or config_dir() / "config.toml"
    try:
        for section, values in changes.items():
            save(file, section, values)
    except NotSaved:
        terminal.say(text("twitch_setup.not_saved", file=file))
        for section, values in changes.items():
            terminal.say("\n".join([f"[{section}]", *(f"{key} = {written(value)}" for key, value in values.items())]))
        return FAILED
    terminal.say(text("twitch_setup.saved" if changes else "vts_setup.nothing_new", file=file))
    for key in (f"{section}.{name}" for section, values in changes.items() for name in values):
        origin = loaded.origins.get(key, "")
        if origin.startswith("environment "):
            terminal.say(text("twitch_setup.covered", variable=origin.partition(" ")[2]))
    terminal.say(text("vts_setup.next"))
    return WELL
