"""A program that is ended while Azure listens: ``python -m tests.azure_listener ENDPOINT MANNER``.

It prints a line when words are understood (``interrupted``, ``careless``) or when an answer is waited for
(``stalled``), and ends then: by Ctrl-C, without closing anything, or at once after closing.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np

from bot.config.settings import Settings
from bot.hearing.azure import build
from tests.conftest import HANGS_S
from tests.local_azure.stt import say
from tests.local_azure.usp import KEY

WORDS = say("hola aneeka qué tal estás hoy cuéntame algo")


async def listen(endpoint: str, manner: str) -> None:
    recogniser = build(Settings(azure={"key": KEY, "endpoint": endpoint}), Path(), lambda health: None)
    await recogniser.start()
    understood = asyncio.Event()
    try:
        assert await recogniser.ready(HANGS_S)
        utterance = recogniser.begin(lambda text: understood.set())
        utterance.feed(np.concatenate([WORDS] * 3))
        if manner != "stalled":
            await understood.wait()
        asking = asyncio.create_task(utterance.text_so_far())
        await asyncio.sleep(0.1)
        print("listening", flush=True)
        if manner == "careless":
            sys.exit(0)
        if manner == "interrupted":
            await asking
            await asyncio.sleep(20)
        asking.cancel()
    finally:
        if manner != "careless":
            await recogniser.close()


if __name__ == "__main__":
    try:
        asyncio.run(listen(*sys.argv[1:3]))
    except KeyboardInterrupt:
        sys.exit(0)
