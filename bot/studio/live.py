"""What happens, as it happens: JSON messages to every studio page, over ``/api/live``."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

BACKLOG = 1000
"""Messages that wait for a slow page; beyond, it is dropped and comes back with a fresh state."""
WITHDRAWN = 200
"""So many withdrawals are told to a page that comes (back): it may still show what was taken back while it was away."""

GOODBYE_S = 0.5
"""How long a page may take to answer a goodbye: one that is frozen must not keep the program."""


class Live:
    """Passes messages to pages; never waits for one."""

    def __init__(self, hello: Callable[[], dict[str, Any]]) -> None:
        self._hello = hello
        self._pages: dict[asyncio.Queue[str | None], web.WebSocketResponse] = {}
        self._withdrawn: deque[str] = deque(maxlen=WITHDRAWN)

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to every page."""
        withdrawn = message["type"] == "withdrawn"
        if not self._pages and not withdrawn:
            return
        line = json.dumps(message, ensure_ascii=False)
        if withdrawn:
            self._withdrawn.append(line)
        for queue in list(self._pages):
            if queue.qsize() >= BACKLOG:
                queue.put_nowait(None)
                del self._pages[queue]
            else:
                queue.put_nowait(line)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Handle one page until it leaves."""
        socket = web.WebSocketResponse(timeout=GOODBYE_S, heartbeat=20.0, max_msg_size=4096, compress=False)
        await socket.prepare(request)
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        queue.put_nowait(json.dumps({"type": "hello", "state": self._hello()}, ensure_ascii=False))
        for line in self._withdrawn:
            queue.put_nowait(line)
        self._pages[queue] = socket
        sender = asyncio.create_task(_send(queue, socket))
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self._pages.pop(queue, None)
            sender.cancel()
        return socket

    async def close(self) -> None:
        """Say goodbye to every page."""
        await asyncio.gather(*(socket.close(code=1001) for socket in self._pages.values()))


async def _send(queue: asyncio.Queue[str | None], socket: web.WebSocketResponse) -> None:
    while (line := await queue.get()) is not None:
        try:
            await socket.send_str(line)
        except (ConnectionError, RuntimeError):
            return
    await socket.close(code=1013)
