"""Hears where VTube Studio is: it tells its port on the local network every 2 s, even while its API is switched off."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from yarl import URL

log = logging.getLogger(__name__)

PORT = 47779
FRESH_S = 5.0
"""Two broadcasts may be lost before an instance counts as gone."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Sightings:
    """The instances of VTube Studio that were heard lately on the machine of ``url``."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self._url = URL(url)
        self._clock = clock
        self._seen: dict[int, tuple[float, bool]] = {}

    def heard(self, packet: bytes, sender: str) -> None:
        """Take in one broadcast. Others' machines and anything unreadable are ignored."""
        try:
            told = json.loads(packet)
            right = told["apiName"] == "VTubeStudioPublicAPI" and told["messageType"] == "VTubeStudioAPIStateBroadcast"
            port, active = int(told["data"]["port"]), told["data"]["active"] is True
        except (ValueError, KeyError, TypeError):
            return
        host = self._url.host or ""
        if right and 0 < port < 2**16 and (_is_here(sender) if host in LOOPBACK else sender == host):
            self._seen[port] = (self._clock(), active)

    def state(self) -> str:
        """Return ``gone`` (nothing heard), ``off`` (it runs, its API does not) or ``on``."""
        active = list(self._fresh().values())
        return "on" if any(active) else "off" if active else "gone"

    def elsewhere(self) -> str | None:
        """Return the address of an API that runs on another port than the configured one, if only that one runs."""
        running = [port for port, active in self._fresh().items() if active]
        return None if not running or self._url.port in running else str(self._url.with_port(running[0]))

    def _fresh(self) -> dict[int, bool]:
        now = self._clock()
        return {port: active for port, (at_s, active) in self._seen.items() if now - at_s <= FRESH_S}


@asynccontextmanager
async def listening(sightings: Sightings, port: int = PORT) -> AsyncIterator[int]:
    """Hear broadcasts while the block runs, beside other plugins that do; gives the port (0 where it cannot)."""
    try:
        endpoint = _open(port)
    except OSError as error:
        log.info("VTube Studio's broadcasts cannot be heard on port %d: %s", port, error)
        yield 0
        return
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Ear(sightings), sock=endpoint)
    try:
        yield int(endpoint.getsockname()[1])
    finally:
        transport.close()


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, sightings: Sightings) -> None:
        self._sightings = sightings

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._sightings.heard(data, addr[0])


def _open(port: int) -> socket.socket:
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        endpoint.bind(("", port))
        endpoint.setblocking(False)
    except OSError:
        endpoint.close()
        raise
    return endpoint


def _is_here(host: str) -> bool:
    """Tell whether an address is this machine's own: only its own addresses can be bound."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True
