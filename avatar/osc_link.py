"""One UDP target: never blocks, never raises, and knows what can be known about who listens there.

UDP tells nothing about success. It may tell about failure: where no program listens, the other machine's answer comes
back as a refusal of a later call on a connected socket. So the light is "ok" while nothing speaks against it.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bot.texts import text
from bot.vocabulary import Health

BEAT_S = 0.1
RETRY_S = 2.0
"""How long until a host that could not be found or reached is tried again."""
SURE_S = 0.3
"""Datagrams that were not refused for so long: somebody probably listens."""
BACK_S = 2.5
"""The same after a refusal. Machines send such answers about once a second, however much arrives."""
_UNHEARD_BYTES = 512


class Link:
    """A connected UDP socket with a light of its own, opened again by itself.

    ``repair``: the line for a port where nobody listens. ``clock``: seconds, never back. ``beat`` is called every
    ``BEAT_S`` while the socket is open.
    """

    def __init__(
        self,
        part: str,
        host: str,
        port: int,
        repair: str,
        on_health: Callable[[Health], None],
        clock: Callable[[], float],
        beat: Callable[[], None],
    ) -> None:
        self._part, self._host, self._port, self._repair = part, host, port, repair
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._on_health = on_health
        self._clock = clock
        self._beat = beat
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None
        self._ok = asyncio.Event()
        self._told: Health | None = None
        self._refused = False
        self._quiet_since_s: float | None = None
        """First datagram after the newest refusal."""

    def start(self) -> None:
        """Open the socket in the background and keep it open."""
        if self._task is None:
            self._task = asyncio.create_task(self._live())

    async def close(self) -> None:
        """Close the socket; the light goes off."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._drop()
        self._ok.clear()
        self._tell(Health(self._part, "off"))

    async def ready(self, timeout_s: float) -> bool:
        """Wait until datagrams go out and none comes back; ``False``: not within that time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ok.wait(), timeout_s)
        return self._ok.is_set()

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against it that somebody listens."""
        return self._ok.is_set()

    def send(self, datagram: bytes | bytearray) -> bool:
        """Send now or never; ``False``: it was dropped here."""
        self._listen()
        if self._socket is None:
            return False
        try:
            self._socket.send(datagram)
        except BlockingIOError:
            return False
        except ConnectionError:
            self._note_refusal()
            return False
        except OSError as error:
            self._fail("vmc.unreachable", "vmc.unreachable_repair", error)
            return False
        now = self._clock()
        if self._quiet_since_s is None:
            self._quiet_since_s = now
        if now - self._quiet_since_s >= (BACK_S if self._refused else SURE_S):
            self._refused = False
            self._tell(Health(self._part, "ok", text("vmc.sending", address=self._address)))
        return True

    async def _live(self) -> None:
        while True:
            if self._socket is None and not await self._open():
                await asyncio.sleep(RETRY_S)
                continue
            self._beat()
            self._listen()
            await asyncio.sleep(BEAT_S)

    async def _open(self) -> bool:
        try:
            family, address = await _resolve(self._host, self._port)
        except (OSError, UnicodeError) as error:
            self._fail("vmc.unknown_host", "vmc.unknown_host_repair", error)
            return False
        opened = socket.socket(family, socket.SOCK_DGRAM)
        opened.setblocking(False)
        try:
            opened.connect(address)
        except OSError as error:
            opened.close()
            self._fail("vmc.unreachable", "vmc.unreachable_repair", error)
            return False
        self._socket, self._quiet_since_s = opened, None
        return True

    def _listen(self) -> None:
        """Collect refusals; whatever else comes back is thrown away."""
        if self._socket is None:
            return
        try:
            self._socket.recv(_UNHEARD_BYTES)
        except BlockingIOError:
            pass
        except ConnectionError:
            self._note_refusal()
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                self._fail("vmc.unreachable", "vmc.unreachable_repair", error)

    def _note_refusal(self) -> None:
        self._refused, self._quiet_since_s = True, None
        self._tell(Health(self._part, "down", text("vmc.refused", address=self._address), self._repair))

    def _fail(self, reason: str, repair: str, error: Exception) -> None:
        self._drop()
        self._refused = True
        cause = getattr(error, "strerror", None) or str(error)
        told = text(reason, address=self._address, error=cause)
        self._tell(Health(self._part, "down", told, text(repair)))

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, health: Health) -> None:
        """Report a change, once."""
        if health == self._told:
            return
        self._told = health
        if health.state == "ok":
            self._ok.set()
        else:
            self._ok.clear()
        self._on_health(health)


async def _resolve(host: str, port: int) -> tuple[int, Any]:
    """Return family and address, IPv4 first: avatar apps listen there. Raises ``OSError``, ``UnicodeError``."""
    with suppress(ValueError):
        ip = ipaddress.ip_address(host)
        return (socket.AF_INET if ip.version == 4 else socket.AF_INET6), (host, port)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address
