"""A program that is ended in the middle of a phrase: ``python -m tests.azure_speaker ENDPOINT FOLDER [careless]``.

It prints a line when she is speaking. Careless: it ends by itself at that moment, without closing anything.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path

from bot.config.settings import Settings
from bot.vocabulary import Phrase
from bot.voice.azure import build
from tests.local_azure.usp import KEY


async def speak(endpoint: str, folder: str, careless: bool) -> None:
    settings = Settings(tts={"engine": "azure"}, azure={"key": KEY, "endpoint": endpoint})
    voice = build(settings, Path(folder), lambda health: None)
    await voice.start()
    try:
        async with aclosing(voice.speak(Phrase("r", 0, "Hola a todos, hoy hay mucho que contar. " * 20))) as sounds:
            async for _ in sounds:
                print("speaking", flush=True)
                if careless:
                    sys.exit(0)
    finally:
        if not careless:
            await voice.close()


if __name__ == "__main__":
    try:
        asyncio.run(speak(*sys.argv[1:3], careless=len(sys.argv) > 3))
    except KeyboardInterrupt:
        sys.exit(0)
