"""The sound systems by which PortAudio reaches a device: which is the best, and how it wants to be asked."""

from __future__ import annotations

from typing import Any

WASAPI = "Windows WASAPI"
DIRECT_SOUND = "Windows DirectSound"
MME = "MME"

_RANK = {
    WASAPI: 0,
    "Core Audio": 0,
    "ALSA": 0,
    "PulseAudio": 0,
    DIRECT_SOUND: 1,
    MME: 2,
    "Windows WDM-KS": 3,
}
_OTHER_RANK = 2


def rank(host: str) -> int:
    """Return how good a sound system is; the least is the best.

    Windows shows a device once for each of its sound systems: the best comes first, and one that takes the device for
    itself alone last. MME cuts names off after 31 characters.
    """
    return _RANK.get(host, _OTHER_RANK)


def settings(sounddevice: Any, host: str) -> Any:
    """Return the ``extra_settings`` of a stream, ``None`` for none: WASAPI converts rates only when asked to."""
    return sounddevice.WasapiSettings(auto_convert=True) if host == WASAPI else None
