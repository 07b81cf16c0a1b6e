"""The whole program, but its event loop can be made to hang.

SIGUSR1: in a sleep; SIGUSR2: in a C call that keeps the interpreter to itself.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time

from bot.app import Aneeka
from bot.config import load
from bot.config.paths import data_dir


async def main() -> None:
    hang_s = float(os.environ["HANG_S"])
    aneeka = Aneeka(load(None).settings, data_dir())
    await aneeka.start()
    assert await aneeka.guard.ready()
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, lambda: time.sleep(hang_s))
    loop.add_signal_handler(signal.SIGUSR2, lambda: ctypes.PyDLL(None).usleep(int(hang_s * 1e6)))
    loop.add_signal_handler(signal.SIGTERM, over.set)
    print(aneeka.server.address(), flush=True)
    await over.wait()
    await aneeka.close()


if __name__ == "__main__":
    sys.setswitchinterval(0.001)
    asyncio.run(main())
