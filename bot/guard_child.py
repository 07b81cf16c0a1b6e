"""The guard's process: a listener of its own, so that panic works while the program or one of its engines hangs.

It does nothing but silence: it sets the flag that the sound card's callback reads, tells the pages over their line to
it, and tells the program, which learns of it as soon as it can. ``POST /api/control/panic`` is for scripts and stream
decks, ``WS /api/guard`` for pages: they hear ``{"type": "guard", "life", "panics", "resumed"}`` at each change and the
studio's own may send ``{"type": "panic"}``. Host, Origin and token are asked for as by the studio. A key of the
keyboard may be panic too (``bot.panic_key``).
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from aiohttp import WSMsgType, web

from bot import texts
from bot.children import leave_the_end_to_the_parent
from bot.guard_flag import Flag
from bot.pipes import FRAME, pack, private_pipes, unpack
from bot.proactor import keep_accepting
from bot.studio.security import STUDIO_PORT, TOKENS, add_headers, given_scope, make_guard, own_hosts, plain_errors
from bot.studio.tokens import Tokens

BODY_LIMIT = 1024
PAGES = 64


class Listener:
    """Serves until the program's end of the pipe closes."""

    def __init__(self, options: dict[str, Any], sink: IO[bytes]) -> None:
        self._flag = Flag(Path(options["flag"]))
        self._life: str = options["life"]
        self._host: str = options["host"]
        self._port: int = options["port"]
        self._key: str = options["panic_key"]
        self._sink = sink
        self._news: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._pages: set[web.WebSocketResponse] = set()
        self._sending: set[asyncio.Task[None]] = set()
        names, any_address = own_hosts(self._host)
        studio_port: int = options["studio_port"]
        door = make_guard(lambda: self._port, names, any_address=any_address, origin_port=lambda: studio_port)
        app = web.Application(middlewares=[plain_errors, door], client_max_size=BODY_LIMIT)
        app[TOKENS] = Tokens(options["full"], options["watch"], options["deck"])
        app[STUDIO_PORT] = studio_port
        app.on_response_prepare.append(add_headers)
        app.add_routes([web.post("/api/control/panic", self._post_panic), web.get("/api/guard", self._serve_page)])
        self._runner = web.AppRunner(app, access_log=None)

    async def live(self, source: IO[bytes]) -> None:
        """Listen, on any free port if the wanted one is taken, until the process ends."""
        threading.Thread(target=self._write, daemon=True).start()
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        keep_accepting(loop)
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await web.TCPSite(self._runner, self._host, 0).start()
        self._port = self._runner.addresses[0][1]
        self._news.put({"op": "listening", "port": self._port})
        threading.Thread(target=self._read, args=(source, loop), daemon=True).start()
        if self._key:
            from bot.panic_key import panic_key  # last: panic by other ways is ready before

            key = panic_key(self._key, self._panic, lambda health: self._news.put({"op": "key", **asdict(health)}))
            await key.start()
        await asyncio.Event().wait()

    def _panic(self) -> None:
        self._flag.panic(time.monotonic())
        self._tell_pages()
        self._news.put({"op": "panic", "panics": self._flag.panics})

    def _line(self) -> str:
        counts = {"panics": self._flag.panics, "resumed": self._flag.resumed}
        return json.dumps({"type": "guard", "life": self._life, **counts})

    def _tell_pages(self) -> None:
        line = self._line()
        for page in self._pages:
            task = asyncio.create_task(_send(page, line))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _post_panic(self, request: web.Request) -> web.StreamResponse:
        self._panic()
        return web.json_response({"verb": "panic", "paused": True})

    async def _serve_page(self, request: web.Request) -> web.StreamResponse:
        if len(self._pages) >= PAGES:
            raise web.HTTPServiceUnavailable
        page = web.WebSocketResponse(heartbeat=10.0, max_msg_size=256, compress=False)
        await page.prepare(request)
        may_panic = given_scope(request) == "full"
        self._pages.add(page)
        try:
            await _send(page, self._line())
            async for message in page:
                if may_panic and message.type is WSMsgType.TEXT and _is_panic(message.data):
                    self._panic()
        finally:
            self._pages.discard(page)
        return page

    def _write(self) -> None:
        """Tell the program; it may be too busy to read, so this waits in a thread."""
        while True:
            self._sink.write(pack(self._news.get()))
            self._sink.flush()

    def _read(self, source: IO[bytes], loop: asyncio.AbstractEventLoop) -> None:
        """Each frame after the first means: the flag has changed. The end of the pipe means: end."""
        while _frame(source) is not None:
            loop.call_soon_threadsafe(self._tell_pages)
        os._exit(0)


async def _send(page: web.WebSocketResponse, line: str) -> None:
    try:
        await page.send_str(line)
    except (ConnectionError, RuntimeError):
        return


def _is_panic(data: str) -> bool:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("type") == "panic"


def _frame(source: IO[bytes]) -> dict[str, Any] | None:
    head = source.read(FRAME.size)
    if len(head) < FRAME.size:
        return None
    size, header_bytes = FRAME.unpack(head)
    body = source.read(size)
    return unpack(body, header_bytes)[0] if len(body) == size else None


def main() -> None:
    """Run the guard; its options come as the first frame on stdin, so that no token is in the process arguments."""
    leave_the_end_to_the_parent()
    source, sink = private_pipes()
    options = _frame(source)
    if options is None:
        return
    texts.use(options["language"])
    asyncio.run(Listener(options, sink).live(source))


if __name__ == "__main__":
    main()
