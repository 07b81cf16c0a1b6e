"""What VTube Studio tells about the model that it shows: inputs, hotkeys, expressions."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from avatar.vts_client import API_OFF, DENIED, NOT_AUTHENTICATED, VtsClient, VtsError
from avatar.vts_faces import CUSTOM
from avatar.vts_moods import Hotkey

log = logging.getLogger(__name__)

EVENTS: dict[str, dict[str, Any]] = {
    "ModelLoadedEvent": {"modelID": []},
    "ModelConfigChangedEvent": {},
    "HotkeyTriggeredEvent": {"onlyForAction": "", "ignoreHotkeysTriggeredByAPI": True},
}
"""Events that she follows, with their settings."""


@dataclass(frozen=True, slots=True)
class Model:
    """The model as it was when it was asked for."""

    name: str = ""
    """Empty while none is loaded."""
    inputs: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Every parameter that can be injected, with the ends of its range."""
    hotkeys: tuple[Hotkey, ...] = ()
    expressions: dict[str, bool] = field(default_factory=dict)
    """Expression files, and whether each is active."""
    keys_mouth: frozenset[str] = frozenset()
    """Expression files that set the mouth themselves, and so silence the lip sync while they are active."""


async def read_model(client: VtsClient) -> Model:
    """Ask for everything. Raises ``VtsError``, ``ConnectionError`` or ``TimeoutError``."""
    listed = await client.request("InputParameterListRequest")
    offered = [*_rows(listed, "defaultParameters"), *_rows(listed, "customParameters")]
    inputs = {str(one["name"]): (float(one["min"]), float(one["max"])) for one in offered}
    if listed.get("modelLoaded") is not True:
        return Model(inputs=inputs)
    told = await _told(client, "HotkeysInCurrentModelRequest", {})
    hotkeys = [
        Hotkey(str(key["hotkeyID"]), str(key.get("name", "")), str(key.get("type", "")), str(key.get("file", "")))
        for key in _rows(told, "availableHotkeys")
    ]
    told = await _told(client, "ExpressionStateRequest", {"details": True, "expressionFile": ""})
    expressions = _rows(told, "expressions")
    mouthed = {
        str(one["file"])
        for one in expressions
        if any("mouth" in str(parameter.get("name", "")).casefold() for parameter in _rows(one, "parameters"))
    }
    return Model(
        name=str(listed.get("modelName", "")) or "?",
        inputs=inputs,
        hotkeys=tuple(hotkeys),
        expressions={str(one["file"]): one.get("active") is True for one in expressions},
        keys_mouth=frozenset(mouthed),
    )


async def offer_custom(client: VtsClient) -> None:
    """Offer parameters of our own; she does without those that VTube Studio refuses."""
    for name, explanation in CUSTOM.items():
        data = {"parameterName": name, "explanation": explanation, "min": 0, "max": 1, "defaultValue": 0}
        try:
            await client.request("ParameterCreationRequest", data)
        except VtsError as error:
            log.info("VTube Studio does not take the parameter %s: %s", name, error)


async def subscribe(client: VtsClient) -> None:
    """Follow ``EVENTS``; an older version may not know all of them."""
    for name, config in EVENTS.items():
        try:
            await client.request("EventSubscriptionRequest", {"eventName": name, "subscribe": True, "config": config})
        except VtsError as error:
            log.info("VTube Studio does not tell %s: %s", name, error)


async def _told(client: VtsClient, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Ask about the model; it may be gone by now, which is no error here."""
    try:
        return await client.request(kind, data)
    except VtsError as error:
        if error.error_id in (API_OFF, NOT_AUTHENTICATED, DENIED):
            raise
        log.info("%s: %s", kind, error)
        return {}


def _rows(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = told.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
