"""Switches the model's own expressions with her mood. Switching is idempotent, unlike the keys that toggle them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from avatar.vts_client import VtsClient, VtsError
from avatar.vts_moods import Act

log = logging.getLogger(__name__)

FADE_S = 0.3
"""VTube Studio takes 0 to 2 s; only the fade-in sets it, the fade-out does the same."""


class MoodSwitch:
    """Shows the mood that is wanted now; one that was replaced before its turn is skipped."""

    def __init__(self) -> None:
        self._wanted = "neutral"
        self._played = "neutral"
        """The mood whose hotkey, if it has one, was pressed last: a key is pressed once a mood."""
        self._acts: Mapping[str, Act] = {}
        self._active: set[str] = set()
        """Expression files of ours that are, or may be, active."""
        self._changed = asyncio.Event()

    def want(self, mood: str) -> None:
        """Another mood, or the same."""
        if mood != self._wanted:
            self._wanted = mood
            self._changed.set()

    def begin(self, acts: Mapping[str, Act], active: Iterable[str]) -> None:
        """Another session or model, with what shows each mood there and which expressions are active."""
        self._acts = acts
        self._active = {act.expression for act in acts.values()} & set(active)
        self._changed.set()

    def user_did(self, event: Mapping[str, Any]) -> None:
        """The user pressed a hotkey: what he switched off stays off until the mood changes."""
        action = event.get("hotkeyAction")
        if action == "RemoveAllExpressions":
            self._active.clear()
        elif action == "ToggleExpression":
            self._active.discard(str(event.get("hotkeyFile")))

    async def run(self, client: VtsClient) -> None:
        """Follow the mood for as long as the session lasts. Raises ``ConnectionError``."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            act = self._acts.get(self._wanted, Act())
            begins, self._played = self._wanted != self._played, self._wanted
            await self._show(client, act.expression)
            if act.hotkey and begins:
                await self._ask(client, "HotkeyTriggerRequest", {"hotkeyID": act.hotkey, "itemInstanceID": ""})

    async def clear(self, client: VtsClient) -> None:
        """Switch off everything of ours. Raises ``ConnectionError``."""
        await self._show(client, "")

    async def _show(self, client: VtsClient, wanted: str) -> None:
        for file in sorted(self._active - {wanted}):
            if await self._switch(client, file, active=False):
                self._active.discard(file)
        if wanted and wanted not in self._active:
            self._active.add(wanted)
            await self._switch(client, wanted, active=True)

    async def _switch(self, client: VtsClient, file: str, *, active: bool) -> bool:
        data = {"expressionFile": file, "fadeTime": FADE_S, "active": active}
        return await self._ask(client, "ExpressionActivationRequest", data)

    @staticmethod
    async def _ask(client: VtsClient, kind: str, data: dict[str, Any]) -> bool:
        """Return whether VTube Studio has answered; a refusal costs one mood, and is logged."""
        try:
            await client.request(kind, data)
        except VtsError as error:
            log.info("%s %s: %s", kind, data, error)
        except TimeoutError:
            log.info("%s %s: no answer", kind, data)
            return False
        return True
