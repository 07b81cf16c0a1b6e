"""Her body in VTube Studio: finds it, is let in, moves the model, and comes back after whatever goes wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from avatar.performer import FaceFrame
from avatar.vts_client import (
    API_OFF,
    DENIED,
    NOT_AUTHENTICATED,
    PARAMETER_HELD,
    UNKNOWN_PARAMETER,
    Connect,
    VtsClient,
    VtsError,
    connect,
)
from avatar.vts_discovery import PORT, Sightings, listening
from avatar.vts_faces import MouthMode
from avatar.vts_light import Light, Silent
from avatar.vts_login import Denied, TokenFile, log_in
from avatar.vts_model import Model, offer_custom, read_model, subscribe
from avatar.vts_mood_switch import MoodSwitch
from avatar.vts_moods import propose_moods, resolve
from avatar.vts_sender import Sender
from bot.vocabulary import Health

log = logging.getLogger(__name__)

AGAIN_S = (0.1, 0.25, 0.5, 1.0)
"""Pauses between attempts; the last repeats. With ``CONNECT_S`` control is back within 3 s after a fault ends."""
SILENT_S = 2.0
"""A connection that answers nothing for this long is given up."""
LOOK_S = 0.25
PULSE_S = 1.0
"""How long nothing is sent before she asks whether somebody is there."""
SLOW_S, QUICK_S = 0.4, 0.2
"""From the first answers count as slow, below the second as quick again."""
LEAVE_S = 1.0


class VTubeStudio:
    """Moves the model that VTube Studio shows (``engines.Part``). Never waits for it: the newest face counts.

    ``moods``: {expression: hotkey or .exp3.json}, empty for nothing; what it does not name, or the model does not
    have, is proposed from the model's own names.
    ``offset_s`` is for whoever makes the faces: how much later the mouth is shown (below 0: earlier). ``custom`` offers
    parameters of our own. ``discovery_port``: ``None`` hears no broadcasts.
    """

    def __init__(
        self,
        url: str,
        token_file: Path,
        on_health: Callable[[Health], None],
        clock: Callable[[], float],
        *,
        offset_ms: int = 0,
        moods: Mapping[str, str] | None = None,
        mouth: MouthMode = "both",
        custom: bool = False,
        connect: Connect = connect,
        discovery_port: int | None = PORT,
    ) -> None:
        self.offset_s = offset_ms / 1000
        self.model = Model()
        self.moods: dict[str, str] = {}
        """The table in force for this model."""
        self.sightings = Sightings(url, clock)
        self._light = Light(on_health, self.sightings)
        self._url = url
        self._tokens = TokenFile(token_file)
        self._clock = clock
        self._chosen = dict(moods or {})
        self._custom = custom
        self._connect = connect
        self._discovery_port = discovery_port
        self._sender = Sender(clock, mouth)
        self._sender.on_held = self._shine
        self._switch = MoodSwitch()
        self._on = True
        self._missing: dict[str, str] = {}
        self._slow = False
        self._revoked = self._denied = False
        self._client: VtsClient | None = None
        self._fault: VtsError | None = None
        self._ready, self._changed, self._ask_again = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    @property
    def pid(self) -> None:
        """VTube Studio is the user's program, no child of hers."""
        return

    @property
    def health(self) -> Health:
        """The newest health; ``off`` until the first attempt has ended."""
        return self._light.health

    @property
    def dropped(self) -> int:
        """How many frames were dropped because VTube Studio was slow."""
        return self._sender.dropped

    async def start(self) -> None:
        """Begin to look for VTube Studio; never fails."""
        self._sender.switch(self._on)
        self._life = asyncio.create_task(self._listen())

    async def ready(self, timeout_s: float) -> bool:
        """Wait until she moves a model or could; ``False``: not within that time, and ``health`` says why."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), timeout_s)
        return self._ready.is_set()

    async def close(self) -> None:
        """Give the face back, switch her expressions off, and end; takes at most ``LEAVE_S``."""
        with suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(self._leave(), LEAVE_S)
        if self._life:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)

    def show(self, face: FaceFrame) -> None:
        """Show this face as soon as possible; call it at up to 60 Hz. Never waits, never raises."""
        self._sender.show(face)
        self._switch.want(face.expression if self._on else "neutral")

    def switch(self, on: bool) -> None:
        """Move the model, or let the face tracking have it again within ``vts_sender.FADE_S``."""
        self._on = on
        self._sender.switch(on)
        if not on:
            self._switch.want("neutral")

    def ask_again(self) -> bool:
        """Show the pop-up once more, after the user has denied it; ``False``: no answer of his stands in the way."""
        denied, self._denied = self._denied, False
        self._ask_again.set()
        return denied

    # ------------------------------------------------------------------ sessions

    async def _listen(self) -> None:
        if self._discovery_port is None:
            await self._live()
        else:
            async with listening(self.sightings, self._discovery_port):
                await self._live()

    async def _live(self) -> None:
        tries, url = 0, self._url
        while True:
            error = await self._session(url)
            was_in = self._ready.is_set()
            self._ready.clear()
            if was_in:
                tries = 0
            else:
                elsewhere = self.sightings.elsewhere()
                url = elsewhere if elsewhere and url == self._url else self._url
            await self._failed(error, was_in)
            await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
            tries += 1

    async def _session(self, url: str) -> Exception:
        """One connection from its attempt to its end; returns why it ended."""
        try:
            wire = await self._connect(url)
            self._fault = None
            self._client = client = VtsClient(wire, self._clock, self._event, self._frame_error)
            try:
                await _first_to_end(client.run(), self._work(client))
            finally:
                self._client = None
                await wire.close()
        except Exception as error:
            return error
        return ConnectionError("ended")

    async def _work(self, client: VtsClient) -> None:
        await log_in(client, self._tokens, lambda asking: self._light.asking(asking, self._revoked))
        self._revoked = False
        if self._custom:
            await offer_custom(client)
        await subscribe(client)
        self._changed.clear()
        await self._read(client)
        self._slow = False
        self._ready.set()
        self._shine()
        await _first_to_end(
            self._sender.run(client),
            self._sender.sort_out(client),
            self._switch.run(client),
            self._follow(client),
            self._watch(client),
        )

    async def _read(self, client: VtsClient) -> None:
        """Read the model, and choose what shows her moods on it."""
        self.model = model = await read_model(client)
        files = list(model.expressions)
        chosen, missing = resolve(self._chosen, model.hotkeys, files)
        self._missing = {mood: self._chosen[mood] for mood in missing}
        settled = self._chosen.keys() - self._missing.keys()
        proposed = {m: target for m, target in propose_moods(model.hotkeys, files).items() if m not in settled}
        self.moods = {m: t for m, t in self._chosen.items() if m in chosen} | proposed
        acts, _ = resolve(self.moods, model.hotkeys, files)
        self._switch.begin(acts, [file for file, active in model.expressions.items() if active and self._on])
        self._sender.begin(model.inputs)

    async def _follow(self, client: VtsClient) -> None:
        """Read the model again whenever it has changed."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._read(client)
            self._shine()

    async def _watch(self, client: VtsClient) -> None:
        """Notice a VTube Studio that has become slow or silent."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._fault:
                raise self._fault
            if client.lag_s > SILENT_S and client.unanswered:
                raise Silent
            if self._clock() - client.sent_s > PULSE_S:
                state = await client.request("APIStateRequest")
                if state.get("currentSessionAuthenticated") is False:
                    raise VtsError(DENIED, "")
            slow = client.lag_s > (QUICK_S if self._slow else SLOW_S)
            if slow != self._slow:
                self._slow = slow
                self._shine()

    async def _leave(self) -> None:
        self.switch(False)
        await self._sender.released.wait()
        if self._client and self._ready.is_set():
            await self._switch.clear(self._client)

    def _event(self, name: str, data: dict[str, Any]) -> None:
        if name in ("ModelLoadedEvent", "ModelConfigChangedEvent"):
            self._changed.set()
        elif name == "HotkeyTriggeredEvent" and not data.get("hotkeyTriggeredByAPI"):
            self._switch.user_did(data)

    def _frame_error(self, error: VtsError) -> None:
        self._sender.refused(error)
        if error.error_id in (API_OFF, NOT_AUTHENTICATED, DENIED):
            self._fault = error
        elif error.error_id not in (UNKNOWN_PARAMETER, PARAMETER_HELD):
            log.debug("VTube Studio refused a frame: %s", error)

    # ------------------------------------------------------------------ what the light says

    async def _failed(self, error: Exception, was_in: bool) -> None:
        """Say why a session ended; after a no, wait until the user wants to be asked again."""
        if isinstance(error, VtsError) and error.error_id == DENIED:
            self._revoked = True
            self._light.unwanted(was_revoked=True)
        elif isinstance(error, Denied):
            self._ask_again.clear()
            self._denied = True
            self._light.unwanted(self._revoked)
            await self._ask_again.wait()
        else:
            self._light.ended(error, was_in)

    def _shine(self) -> None:
        """Set the light of a session that works."""
        if self._ready.is_set():
            missing, held = self._missing, self._sender.held
            self._light.works(self.model, self.moods, missing=missing, held=held, slow=self._slow)


async def _first_to_end(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends, end the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if task in done:
            task.result()
