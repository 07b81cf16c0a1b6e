"""The microphones that PortAudio knows, and which of them a part of a name means.

Run as a program it lists them: PortAudio sees what has been plugged in only when it starts anew, which would end every
stream of a program that is using it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.children import environment
from bot.sound_systems import MME, rank
from bot.texts import text
from bot.vocabulary import EngineDown

LOOPBACK = "[Loopback]"
"""How PortAudio marks what records a loudspeaker: no microphone, unless it is asked for by that very name."""
LIST_S = 10.0


@dataclass(frozen=True, slots=True)
class InputDevice:
    """One way to a microphone. ``channels`` is how many it has, ``rate_hz`` its own rate."""

    index: int
    name: str
    host: str
    channels: int
    rate_hz: int
    default: bool

    @property
    def rank(self) -> int:
        """How good its sound system is; the least is the best."""
        return rank(self.host)


def portaudio() -> Any:
    """Return the module ``sounddevice``. Raises ``EngineDown`` when it cannot be used."""
    try:
        import sounddevice
    except Exception as error:  # missing (on Linux the wheel brings none), or it cannot start: its own error type
        raise EngineDown(text("microphone.no_portaudio"), text("microphone.no_portaudio_repair")) from error
    return sounddevice


def input_devices() -> list[InputDevice]:
    """Return every device that can record, as PortAudio saw them when it started. Raises ``EngineDown``."""
    sounddevice = portaudio()
    hosts = sounddevice.query_hostapis()
    return [
        InputDevice(
            index,
            str(device["name"]),
            str(hosts[device["hostapi"]]["name"]),
            int(device["max_input_channels"]),
            int(device["default_samplerate"]),
            hosts[device["hostapi"]]["default_input_device"] == index,
        )
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]


def names_of(devices: Sequence[InputDevice]) -> list[str]:
    """Return the names to choose from: each once, and of the best sound system alone."""
    best = min((device.rank for device in devices), default=0)
    names = [device.name for device in devices if device.rank == best and LOOPBACK not in device.name]
    return list(dict.fromkeys(names))


def ways_to(wanted: str, devices: Sequence[InputDevice]) -> list[InputDevice]:
    """Return the devices that ``wanted`` may mean, best first; empty means the system's own choice.

    Raises ``EngineDown`` with the names that exist.
    """
    if not devices:
        raise EngineDown(text("microphone.none"), text("microphone.none_repair"))
    if not wanted:
        found = [device for device in devices if device.default] or list(devices)
        return sorted(found, key=lambda device: device.rank)
    name = wanted.casefold()
    found = [device for device in devices if name in device.name.casefold() or _is_cut(device, name)]
    if not found:
        names = ", ".join(names_of(devices))
        raise EngineDown(text("microphone.missing", wanted=wanted), text("microphone.missing_repair", names=names))
    return sorted(found, key=lambda device: (device.name.casefold() != name, LOOPBACK in device.name, device.rank))


def _is_cut(device: InputDevice, name: str) -> bool:
    return device.host == MME and len(device.name) >= 31 and name.startswith(device.name.casefold())


async def list_now() -> list[str]:
    """Return the names of the microphones that are plugged in at this moment. Raises ``EngineDown``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "bot.hearing.input_devices"),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    try:
        async with asyncio.timeout(LIST_S):
            written, _ = await process.communicate()
        names: list[str] = json.loads(written)
    except (TimeoutError, ValueError) as error:
        raise EngineDown(text("microphone.no_portaudio"), text("microphone.no_portaudio_repair")) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return names


if __name__ == "__main__":
    print(json.dumps(names_of(input_devices())))
