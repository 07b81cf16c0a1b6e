"""Windows' event loop goes on accepting: a client that is gone before it was let in must not close the door.

Its proactor reports such a client as an error of the listening socket, which asyncio then closes for good
(https://github.com/python/cpython/issues/93821).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

CLIENT_IS_GONE = frozenset((64, 1236, 10053, 10054, 10057))
"""``ERROR_NETNAME_DELETED``, ``ERROR_CONNECTION_ABORTED``, ``WSAECONNABORTED``, ``WSAECONNRESET``, ``WSAENOTCONN``."""

Accept = Callable[[socket.socket], asyncio.Future[Any]]


def keep_accepting(loop: asyncio.AbstractEventLoop) -> None:
    """Let everything that listens on this loop outlive clients that hang up early; other systems need no help."""
    proactor: Any = getattr(loop, "_proactor", None)
    if proactor is not None:
        accept: Accept = proactor.accept
        proactor.accept = lambda listener: loop.create_task(_accepted(accept, listener))


async def _accepted(accept: Accept, listener: socket.socket) -> Any:
    """Return the next client that is still there. Raises ``OSError`` when the listening socket itself is at fault."""
    while True:
        try:
            return await accept(listener)
        except OSError as error:
            if getattr(error, "winerror", None) not in CLIENT_IS_GONE:
                raise
