"""Azure's Speech SDK under asyncio, for her voice and for hearing.

The SDK calls back in native threads of its own, and some of its calls block. So its events are carried into the loop
(``Bridge``), blocking calls run in daemon threads (``in_thread``), and its objects are let go of there too (``drop``):
releasing one may take seconds. A callback that is still pending when the interpreter ends aborts the process, hence
``Bridge.close``, and a last look at exit.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from bot.config.speech import Azure
from bot.texts import text
from bot.vocabulary import EngineDown

PACKAGE = "azure.cognitiveservices.speech"
RETRY_S = (5.0, 15.0, 60.0)
"""How long to leave the service alone after the first, second and every further failure in a row."""

Kind = Literal["permanent", "busy", "request", "passing"]
Item = TypeVar("Item")
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class AzureDown(EngineDown):
    """Azure cannot serve. ``kind`` tells what to expect of another attempt.

    ``permanent``: nothing before people have repaired it; ``busy``: the account's limit, later; ``request``: this
    one was refused or came back empty, another one may work; ``passing``: the network or the service.
    """

    def __init__(self, kind: Kind, reason: str, repair: str = "") -> None:
        super().__init__(reason, repair)
        self.kind = kind


def load() -> Any:
    """Return the SDK's module; takes 0.3 s the first time. Raises ``AzureDown`` when it is missing or broken."""
    try:
        return importlib.import_module(PACKAGE)
    except ImportError:
        raise AzureDown("permanent", text("azure.missing"), text("azure.missing_repair")) from None
    except OSError:
        raise AzureDown("permanent", text("azure.unloadable"), text("azure.unloadable_repair")) from None


def speech_config(sdk: Any, azure: Azure) -> Any:
    """Return a ``SpeechConfig`` for the account. Raises ``AzureDown`` when the settings lack something."""
    key = azure.key.get_secret_value()
    if not key:
        raise AzureDown("permanent", text("azure.no_key"), text("azure.no_key_repair"))
    if not (azure.region or azure.endpoint):
        raise AzureDown("permanent", text("azure.no_region"), text("azure.no_region_repair"))
    where = {"endpoint": azure.endpoint} if azure.endpoint else {"region": azure.region}
    try:
        return sdk.SpeechConfig(subscription=key, **where)
    except Exception:
        raise AzureDown(
            "permanent", text("azure.unusable", where=place(azure)), text("azure.unusable_repair")
        ) from None


def place(azure: Azure) -> str:
    """Return where the service is, in words fit to be shown: the region, or the endpoint's host."""
    return (urlsplit(azure.endpoint).hostname or azure.endpoint) if azure.endpoint else azure.region


def failure(code: str, azure: Azure) -> AzureDown:
    """Return what a ``CancellationErrorCode``, by its name, means for people.

    The service's own words are left out: they may hold addresses. Source: the SDK's reference of that enumeration.
    """
    where = place(azure)
    if code in ("AuthenticationFailure", "Forbidden"):
        return AzureDown("permanent", text("azure.refused", where=where), text("azure.refused_repair"))
    if code == "TooManyRequests":
        return AzureDown("busy", text("azure.too_many"), text("azure.too_many_repair"))
    if code == "BadRequest":
        return AzureDown("request", text("azure.bad_request"), text("azure.bad_request_repair", where=where))
    if code == "ConnectionFailure":
        return AzureDown("passing", text("azure.unreachable", where=where), text("azure.unreachable_repair"))
    if code == "ServiceTimeout":
        return AzureDown("passing", text("azure.stalled"), text("azure.stalled_repair"))
    return AzureDown("passing", text("azure.broken"), text("azure.broken_repair"))


def in_thread(call: Callable[[], Result]) -> asyncio.Future[Result]:
    """Run a call that blocks in a daemon thread of its own, which never holds up the end of the program.

    Cancelling the future leaves the call to itself.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(settled: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            settled(value)

    def run() -> None:
        try:
            settled: Callable[[Any], None] = future.set_result
            value: Any = call()
        except Exception as fault:
            settled, value = future.set_exception, fault
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
            loop.call_soon_threadsafe(settle, settled, value)

    threading.Thread(target=run, daemon=True, name="azure").start()
    return future


def drop(things: list[Any]) -> None:
    """Let go of SDK objects in a daemon thread. The list must hold the last references, and is emptied."""
    threading.Thread(target=things.clear, daemon=True, name="azure drop").start()


class Bridge:
    """Carries the events of some SDK objects into the loop that is running now, in order for each signal.

    Order between signals is not kept: the SDK has a thread for each kind of event.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._signals: list[Any] = []
        self._closed = False
        _bridges.add(self)

    def relay(self, signal: Any, pick: Callable[[Any], Item], take: Callable[[Item], None]) -> None:
        """Call ``take`` in the loop with what ``pick`` reads from each event.

        ``pick`` runs in a native thread, must be quick and must copy: an event does not outlive it.
        """

        def carry(event: Any) -> None:
            try:
                item = pick(event)
            except Exception:  # raised into the SDK, it could end the process
                _log.exception("an event of Azure's SDK could not be read")
                return
            with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
                self._loop.call_soon_threadsafe(self._deliver, take, item)

        signal.connect(carry)
        self._signals.append(signal)

    def _deliver(self, take: Callable[[Item], None], item: Item) -> None:
        if not self._closed:
            take(item)

    def close(self) -> None:
        """No event is carried any more, those on their way neither."""
        self._closed = True
        while self._signals:
            self._signals.pop().disconnect_all()


_bridges: weakref.WeakSet[Bridge] = weakref.WeakSet()


@atexit.register
def _close_bridges() -> None:
    """Without this a program that ends without ``Bridge.close`` may abort (the SDK's exit code is 134 then)."""
    for bridge in list(_bridges):
        bridge.close()
