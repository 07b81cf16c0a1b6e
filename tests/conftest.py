"""What several test modules share."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from bot import texts
from bot.app import Aneeka
from bot.config.settings import Settings

if TYPE_CHECKING:
    from playwright.async_api import Browser

os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"  # no test may touch a developer's own


AT_EASE = {"speed": 1.0}
"""Her usual speed of speech, for tests whose subject is the sound or the mouth."""


class House:
    """She, live on a free port, and a client with her token."""

    def __init__(self, aneeka: Aneeka, client: aiohttp.ClientSession) -> None:
        self.aneeka = aneeka
        self.client = client
        self.url = f"http://127.0.0.1:{aneeka.server.port}"
        self.token = aneeka.server.address().partition("token=")[2]
        self.watch_token = aneeka.server.address("/stage", watch=True).partition("token=")[2]
        self.headers = {"Authorization": f"Bearer {self.token}"}

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        options.setdefault("headers", self.headers)
        async with self.client.request(method, self.url + path, json=body, **options) as answer:
            kind = answer.content_type
            return answer.status, await (answer.json() if kind == "application/json" else answer.text())

    async def live(self) -> aiohttp.ClientWebSocketResponse:
        return await self.client.ws_connect(self.url + "/api/live", headers=self.headers)

    async def stage(self) -> aiohttp.ClientWebSocketResponse:
        return await self.client.ws_connect(f"{self.url}/api/stage?token={self.watch_token}")


def needs(command: str, package: str) -> str:
    """Return the path of a program, or skip the test with the name of its system package (in CI: fail)."""
    path = shutil.which(command)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs the system package {package}")
    return path


HANGS_S = 300.0
"""What takes this long will never come, however slow the machine is."""
REAL_TIME = pytest.mark.flaky(reruns=2)
"""Marks tests of what happens in real time (sound, watchdogs, the whole program): a machine that stands still for half
a second in one of them is no fault of hers, so they are tried again; the summary counts it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"go_live", "browser"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(REAL_TIME)


async def until(socket: aiohttp.ClientWebSocketResponse, kind: str, **wanted: Any) -> dict[str, Any]:
    """Read messages until one of this type, with these values, comes."""
    async with asyncio.timeout(HANGS_S):
        while True:
            message = await socket.receive(timeout=HANGS_S)
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
            if message.type is aiohttp.WSMsgType.TEXT:
                told: dict[str, Any] = message.json()
                if told["type"] == kind and all(told.get(name) == value for name, value in wanted.items()):
                    return told


@pytest.fixture(autouse=True)
def _spanish() -> None:
    texts.use("es")


@asynccontextmanager
async def living(data: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start her with a config of sections, as often as wanted; she is closed afterwards."""
    async with AsyncExitStack() as stack:

        async def start(*, with_voice: bool = True, **sections: dict[str, Any]) -> House:
            settings = Settings(
                **{
                    "stage": {"sound": "none"},
                    "llm": {"engine": "understudy"},
                    "studio": {"port": 0},
                    "chat": {"idle_after_s": 0.0},
                    "tts": {"speed": 2.0},  # tests wait for what she says
                    **sections,
                }
            )
            aneeka = Aneeka(settings, data)
            await aneeka.start()
            stack.push_async_callback(aneeka.close)
            client = await stack.enter_async_context(aiohttp.ClientSession())
            if with_voice:
                assert await aneeka.engines.parts["voice"].ready(HANGS_S)
            return House(aneeka, client)

        yield start


@pytest.fixture
async def go_live(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start her with a config of sections; she is closed after the test."""
    async with living(tmp_path / "data") as start:
        yield start


@pytest.fixture(scope="session")
def microphone_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser's microphone hears again and again: a WAV file, read anew whenever a page opens it."""
    return tmp_path_factory.mktemp("microphone") / "heard.wav"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(microphone_file: Path) -> AsyncIterator[Browser]:
    """The one browser of this worker (starting one costs two seconds of a processor)."""
    from playwright.async_api import async_playwright

    from tests.browser import OPTIONS

    path = needs("chromium", "chromium")
    microphone = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone_file}"]
    names = "--host-resolver-rules=MAP *.test 127.0.0.1"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*OPTIONS, *microphone, names])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    """A browser; what a test opens in it is closed afterwards."""
    yield chromium
    for context in chromium.contexts:
        await context.close()
