"""Sets VTube Studio up with the user: finds it, explains the pop-up, shows what the model offers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from avatar.vts_client import Connect, VtsClient, VtsError, Wire, connect
from avatar.vts_discovery import PORT, Sightings, listening
from avatar.vts_light import ABSENT
from avatar.vts_login import Asking, Denied, TokenFile, log_in
from avatar.vts_model import Model, read_model
from avatar.vts_moods import NAMES, propose_moods
from bot.texts import text

FIND_S = 180.0
"""How long the user has to start VTube Studio and switch its API on."""
AGAIN_S = 0.5
HEAR_S = 2.5
"""VTube Studio tells its port every 2 s; by then it is known why it does not answer."""

PLAYED = ("ToggleExpression", "TriggerAnimation")
"""Hotkeys that can show a mood; others change the model or the scene."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What the set-up has found. ``url`` differs from the asked one where VTube Studio has another port."""

    url: str
    model: str
    """Empty: none loaded."""
    moods: dict[str, str]
    """The proposed table {expression: hotkey or .exp3.json}."""
    offers: tuple[str, ...] = ()
    """What the model has: expression files, then named hotkeys that play something."""


async def setup(
    url: str,
    token_file: Path,
    say: Say,
    *,
    find_s: float = FIND_S,
    connect: Connect = connect,
    discovery_port: int = PORT,
) -> Found | None:
    """Lead the user through it with ``say``; ``None`` when it did not work out, and ``say`` has told why."""
    clock = asyncio.get_running_loop().time
    sightings = Sightings(url, clock)
    async with listening(sightings, discovery_port):
        found = await _find(url, sightings, say, connect, find_s)
    if found is None:
        say(text("vtube_studio.setup_gave_up"))
        return None
    url, wire = found
    client = VtsClient(wire, clock)
    reading = asyncio.ensure_future(client.run())
    try:
        await log_in(client, TokenFile(token_file), lambda asking: _explain(asking, say))
        say(text("vtube_studio.setup_allowed"))
        model = await read_model(client)
    except Denied:
        say(text("vtube_studio.denied"))
        say(text("vtube_studio.setup_denied"))
        return None
    except VtsError as error:
        say(text("vtube_studio.refused", code=error.error_id, message=error.message))
        return None
    except (ConnectionError, TimeoutError):
        say(text("vtube_studio.lost"))
        return None
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await wire.close()
    moods = propose_moods(model.hotkeys, list(model.expressions))
    _show(model, moods, say)
    played = [key.name for key in model.hotkeys if key.name and key.type in PLAYED]
    return Found(url, model.name, moods, tuple(dict.fromkeys([*model.expressions, *played])))


async def _find(url: str, sightings: Sightings, say: Say, connect: Connect, find_s: float) -> tuple[str, Wire] | None:
    """Connect, telling each new reason why it does not work yet."""
    now = asyncio.get_running_loop().time
    begin_s, told = now(), ""
    while now() - begin_s < find_s:
        for address in filter(None, (url, sightings.elsewhere())):
            try:
                return address, await connect(address)
            except ConnectionError:
                continue
        why = ABSENT[sightings.state()]
        if why != told and (why != "not_running" or now() - begin_s >= HEAR_S):
            say(text(f"vtube_studio.{why}"))
            say(text(f"vtube_studio.{why}_repair"))
            told = why
        await asyncio.sleep(AGAIN_S)
    return None


def _explain(asking: Asking, say: Say) -> None:
    say(text(f"vtube_studio.{asking}"))
    say(text(f"vtube_studio.{asking}_repair"))


def _show(model: Model, moods: dict[str, str], say: Say) -> None:
    if not model.name:
        say(text("vtube_studio.no_model"))
        say(text("vtube_studio.no_model_repair"))
        return
    say(text("vtube_studio.setup_model", model=model.name, moods=len(moods)))
    for mood in NAMES:
        say(text("vtube_studio.setup_mood", mood=mood, target=moods.get(mood, "-")))
    for file in sorted(model.keys_mouth.intersection(moods.values())):
        say(text("vtube_studio.setup_mouth", file=file))
