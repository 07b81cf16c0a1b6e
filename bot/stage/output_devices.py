"""The loudspeakers that PortAudio knows, and which of them a part of a name means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.sound_systems import WASAPI, rank
from bot.texts import text
from bot.vocabulary import EngineDown


@dataclass(frozen=True, slots=True)
class OutputDevice:
    """One way to a loudspeaker. ``default``: it is its sound system's own choice."""

    index: int
    name: str
    host: str
    default: bool


def output_devices(sounddevice: Any) -> list[OutputDevice]:
    """Return every device that can play, as PortAudio saw them when it started."""
    hosts = sounddevice.query_hostapis()
    return [
        OutputDevice(
            index,
            str(device["name"]),
            str(hosts[device["hostapi"]]["name"]),
            hosts[device["hostapi"]]["default_output_device"] == index,
        )
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_output_channels"] > 0
    ]


def names_of(devices: Sequence[OutputDevice]) -> list[str]:
    """Return the names to choose from, each once: Windows' other sound systems repeat those of WASAPI."""
    best = [device for device in devices if device.host == WASAPI] or devices
    return list(dict.fromkeys(device.name for device in best))


def ways_to(wanted: str, devices: Sequence[OutputDevice]) -> list[int | None]:
    """Return the indices of the device whose name contains ``wanted``, best sound system first.

    Empty means the system's own choice; ``None`` leaves it to PortAudio, which on Windows asks MME.

    Raises ``EngineDown`` with the names that exist.
    """
    if not devices:
        raise EngineDown(text("stage.no_card"), text("stage.no_card_repair"))
    if not wanted:
        return [*(device.index for device in devices if device.default and device.host == WASAPI), None]
    name = wanted.casefold()
    found = [device for device in devices if name in device.name.casefold()]
    if not found:
        names = ", ".join(names_of(devices))
        raise EngineDown(text("stage.no_device", wanted=wanted), text("stage.no_device_repair", names=names))
    windows = any(device.host == WASAPI for device in devices)
    found.sort(key=lambda device: (windows and rank(device.host), device.name.casefold() != name))
    return [device.index for device in found if device.name == found[0].name]
