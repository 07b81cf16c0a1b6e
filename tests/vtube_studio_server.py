"""A local VTube Studio as strict as its documentation: it refuses what the real one refuses, and forgets after 1 s."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

LOST_S = 1.0
HOTKEY_PAUSE_S = 5.0
OPEN_TYPES = ("APIStateRequest", "AuthenticationTokenRequest", "AuthenticationRequest")
EVENTS = ("TestEvent", "ModelLoadedEvent", "ModelConfigChangedEvent", "HotkeyTriggeredEvent", "ModelMovedEvent")
LIMIT = 1_000_000.0

DEFAULTS: dict[str, tuple[float, float, float]] = {
    **dict.fromkeys(("FacePositionX", "FacePositionY"), (-15, 15, 0)),
    "FacePositionZ": (-10, 10, 0),
    **dict.fromkeys(("FaceAngleX", "FaceAngleY"), (-30, 30, 0)),
    "FaceAngleZ": (-90, 90, 0),
    **dict.fromkeys(("MouthOpen", "MouthSmile", "CheekPuff", "TongueOut", "FaceAngry"), (0, 1, 0)),
    **dict.fromkeys(("Brows", "BrowLeftY", "BrowRightY", "EyeOpenLeft", "EyeOpenRight"), (0, 1, 0.5)),
    **dict.fromkeys(("MouthX", "EyeLeftX", "EyeLeftY", "EyeRightX", "EyeRightY", "MousePositionX"), (-1, 1, 0)),
    **dict.fromkeys(("VoiceVolume", "VoiceVolumePlusMouthOpen"), (0, 1, 0)),
    **dict.fromkeys(("VoiceFrequency", "VoiceFrequencyPlusMouthSmile"), (0, 1, 0.5)),
    **dict.fromkeys(("VoiceA", "VoiceI", "VoiceU", "VoiceE", "VoiceO"), (0, 1, 0)),
    "VoiceSilence": (0, 1, 1),
}


class Refusal(Exception):
    def __init__(self, error_id: int, message: str = "") -> None:
        self.error_id, self.message = error_id, message


@dataclass
class ModelFile:
    name: str
    id: str
    hotkeys: list[dict[str, Any]] = field(default_factory=list)
    expressions: dict[str, list[str]] = field(default_factory=dict)
    """File name to the Live2D parameters that it sets."""

    def toggles(self, *names: str) -> ModelFile:
        for name in names:
            self.expressions[f"{name}.exp3.json"] = ["ParamCheek"]
            self.has_hotkey(name, "ToggleExpression", f"{name}.exp3.json")
        return self

    def has_hotkey(self, name: str, kind: str, file: str = "") -> ModelFile:
        shown = {"name": name, "type": kind, "description": "", "file": file, "hotkeyID": f"{len(self.hotkeys):032x}"}
        self.hotkeys.append({**shown, "keyCombination": [], "onScreenButtonID": -1})
        return self


@dataclass
class Injected:
    holder: object
    value: float
    weight: float
    at_s: float


@dataclass
class Popup:
    session: Session
    request: str
    plugin: tuple[str, str]


class VTubeStudioServer:
    """The program. ``holds_by_session``: a second session of one plugin counts as another plugin (undocumented)."""

    def __init__(self, now: Callable[[], float], model: ModelFile | None = None, *, holds_by_session: bool = False):
        self.now = now
        self.model = model
        self.holds_by_session = holds_by_session
        self.api_on = True
        self.latency_s = 0.0
        self.deaf = False
        self.port = 8001
        self.tokens: dict[str, tuple[str, str]] = {}
        self.popup: Popup | None = None
        self.popups = 0
        self.defaults = dict(DEFAULTS)
        self.custom: dict[str, tuple[float, float, float, tuple[str, str]]] = {}
        self.tracking: dict[str, float] = {}
        self.active: set[str] = set()
        self.switched: list[tuple[str, bool, float]] = []
        """Every activation that was asked for: file, active, fade time."""
        self.pressed: list[str] = []
        self.frames: list[tuple[float, dict[str, tuple[float, float]], bool]] = []
        """Every accepted injection of more than one parameter: time, {id: (value, weight)}, faceFound."""
        self.lost: list[tuple[float, str]] = []
        """What fell back because it was not repeated in time."""
        self.errors: Counter[int] = Counter()
        self.sessions: list[Session] = []
        self.connections = 0
        self._injected: dict[str, Injected] = {}
        self._pressed_s: dict[str, float] = {}
        self._tokens_made = count(1)

    # ------------------------------------------------------------------ what the user does

    def allow(self) -> None:
        popup, self.popup = self.popup, None
        assert popup
        token = f"token{next(self._tokens_made):059d}"
        self.tokens[token] = popup.plugin
        popup.session.answer(popup.request, "AuthenticationTokenResponse", {"authenticationToken": token})

    def deny(self) -> None:
        popup, self.popup = self.popup, None
        assert popup
        popup.session.refuse(popup.request, Refusal(50, "denied"))

    def revoke(self) -> None:
        plugins = set(self.tokens.values())
        self.tokens.clear()
        self.custom = {name: row for name, row in self.custom.items() if row[3] not in plugins}
        for session in self.sessions:
            session.revoked = session.plugin is not None

    def load(self, model: ModelFile | None) -> None:
        self.model = model
        self.active.clear()
        told = {"modelName": model.name, "modelID": model.id} if model else {"modelName": "", "modelID": ""}
        self.tell("ModelLoadedEvent", {"modelLoaded": model is not None, **told})

    def press(self, name: str) -> None:
        """The user presses a hotkey by hand."""
        assert self.model
        hotkey = next(key for key in self.model.hotkeys if key["name"] == name)
        if hotkey["type"] == "ToggleExpression":
            self.active ^= {hotkey["file"]}
        told = {"hotkeyID": hotkey["hotkeyID"], "hotkeyName": name, "hotkeyAction": hotkey["type"]}
        rest = {"hotkeyFile": hotkey["file"], "hotkeyTriggeredByAPI": False, "isLive2DItem": False}
        self.tell("HotkeyTriggeredEvent", {**told, **rest, "modelID": self.model.id, "modelName": self.model.name})

    def switch_api(self, on: bool) -> None:
        self.api_on = on
        if not on:
            self.drop()

    def drop(self) -> None:
        for session in list(self.sessions):
            session.end()

    def other_plugin_sets(self, name: str, value: float) -> None:
        self._injected[name] = Injected("other plugin", value, 1.0, self.now())

    # ------------------------------------------------------------------ what can be seen

    def value(self, name: str) -> float:
        """What the model is driven by now."""
        self.settle()
        tracked = self.tracking.get(name, self.offered()[name][2])
        held = self._injected.get(name)
        return tracked if held is None else held.weight * held.value + (1 - held.weight) * tracked

    def driven(self) -> set[str]:
        self.settle()
        return {name for name, held in self._injected.items() if held.holder != "other plugin"}

    def offered(self) -> dict[str, tuple[float, float, float]]:
        return self.defaults | {name: row[:3] for name, row in self.custom.items()}

    def broadcast(self) -> bytes:
        data = {"active": self.api_on, "port": self.port, "instanceID": "0" * 32, "windowTitle": "VTube Studio"}
        kind = "VTubeStudioAPIStateBroadcast"
        return json.dumps({**_envelope(kind, kind, self.now()), "data": data}).encode()

    def settle(self) -> None:
        for name, held in list(self._injected.items()):
            if self.now() - held.at_s > LOST_S:
                del self._injected[name]
                if held.weight > 0.0:
                    self.lost.append((held.at_s + LOST_S, name))

    def tell(self, event: str, data: dict[str, Any]) -> None:
        for session in self.sessions:
            if event in session.subscribed:
                session.send(event, "event-0", data)

    # ------------------------------------------------------------------ requests of plugins

    def do_api_state(self, session: Session, data: dict[str, Any], request: str) -> dict[str, Any]:
        return {
            "active": True,
            "vTubeStudioVersion": "1.32.0",
            "currentSessionAuthenticated": session.plugin is not None,
        }

    def do_authentication_token(self, session: Session, data: dict[str, Any], request: str) -> None:
        plugin = (data.get("pluginName"), data.get("pluginDeveloper"))
        for error_id, name in zip((52, 53), plugin, strict=True):
            if not isinstance(name, str) or not 3 <= len(name) <= 32:
                raise Refusal(error_id)
        if self.popup is not None:
            raise Refusal(51)
        self.popups += 1
        self.popup = Popup(session, request, (str(plugin[0]), str(plugin[1])))

    def do_authentication(self, session: Session, data: dict[str, Any], request: str) -> dict[str, Any]:
        for error_id, name in ((100, "authenticationToken"), (101, "pluginName"), (102, "pluginDeveloper")):
            if not isinstance(data.get(name), str):
                raise Refusal(error_id)
        known = self.tokens.get(data["authenticationToken"]) == (data["pluginName"], data["pluginDeveloper"])
        session.plugin = (data["pluginName"], data["pluginDeveloper"]) if known else None
        return {"authenticated": known, "reason": "" if known else "token invalid or revoked"}

    def do_input_parameter_list(self, session: Session, data: dict[str, Any], request: str) -> dict[str, Any]:
        def row(name: str, by: str) -> dict[str, Any]:
            low, high, default = self.offered()[name]
            return {"name": name, "addedBy": by, "value": 0, "min": low, "max": high, "defaultValue": default}

        return {
            **self._model(),
            "customParameters": [row(name, by[3][0]) for name, by in self.custom.items()],
            "defaultParameters": [row(name, "VTube Studio") for name in self.defaults],
        }

    def do_inject_parameter_data(self, session: Session, data: dict[str, Any], request: str) -> dict[str, Any]:
        _only(data, "faceFound", "mode", "parameterValues")
        mode, rows = data.get("mode", "set"), data.get("parameterValues")
        if mode not in ("set", "add"):
            raise Refusal(455)
        if not isinstance(rows, list) or not rows:
            raise Refusal(450)
        self.settle()
        holder: object = session if self.holds_by_session else session.plugin
        for row in rows:
            _only(row, "id", "value", "weight")
            if row.get("id") not in self.offered():
                raise Refusal(453, str(row.get("id")))
            if not _is_number(row.get("value"), -LIMIT, LIMIT):
                raise Refusal(451)
            if not _is_number(row.get("weight", 1), 0, 1):
                raise Refusal(452)
            held = self._injected.get(row["id"])
            if mode == "set" and held is not None and held.holder != holder:
                raise Refusal(454, row["id"])
        now = self.now()
        for row in rows:
            self._injected[row["id"]] = Injected(holder, row["value"], row.get("weight", 1.0), now)
        if len(rows) > 1:
            values = {row["id"]: (row["value"], row.get("weight", 1.0)) for row in rows}
            assert len(values) == len(rows), "a parameter twice in one request"
            self.frames.append((now, values, data.get("faceFound", False)))
        return {}

    def do_parameter_creation(self, session: Session, data: dict[str, Any], request: str) -> dict[str, Any]:
        name, limits = data.get("parameterName"), [data.get(key) for key in ("min", "max", "defaultValue")]
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9]{4,32}", name):
            raise Refusal(350)
        if not all(_is_number(limit, -LIMIT, LIMIT) for limit in limits):
            raise Refusal(351)
        assert session.plugin
        if name in self.custom and self.custom[name][3] != session.plugin:
            raise Refusal(352)
        if len(str(data.get("explanation", ""))) >= 256:
            raise Refusal(353)
        if name in self.defaults:
            raise Refusal(354)
        if sum(row[3] == session.plugin for row in self.custom.values()) >= 100:
            raise Refusal(355)
        low, high, default = (float(limit) for limit in limits if limit is not None)
        self.custom[name] = (low, high, default, session.plugin)
        return {"parameterName": name}

    def do_hotkeys_in_current_model(self, session: Session, data: dict[str, Any], request: str) -> dict[str, Any]:
        return {**self._model(), "availableHotkeys": self.model.hotkeys if self.model else []}

    def do_hotkey_trigger(self, session: Session, data: dict[str, Any], request: str) -> dict[str, Any]:
        if self.model is None:
            raise Refusal(201)
        wanted = str(data.get("hotkeyID", "")).casefold()
        for key in self.model.hotkeys:
            if wanted and wanted in (key["hotkeyID"], key["name"].casefold()):
                if self.now() - self._pressed_s.get(key["hotkeyID"], -math.inf) < HOTKEY_PAUSE_S:
                    raise Refusal(203)
                self._pressed_s[key["hotkeyID"]] = self.now()
                self.pressed.append(key["name"])
                if key["type"] == "ToggleExpression":
                    self.active ^= {key["file"]}
                return {"hotkeyID": key["hotkeyID"]}
        raise Refusal(202)

    def do_expression_state(self, session: Session, data: dict[str, Any], request: str) -> dict[str, Any]:
        rows = []
        for file, sets in (self.model.expressions if self.model else {}).items():
            row = {"name": file.removesuffix(".exp3.json"), "file": file, "active": file in self.active}
            sets = sets if data.get("details") else []
            rows.append({**row, "usedInHotkeys": [], "parameters": [{"name": name, "value": 1} for name in sets]})
        return {**self._model(), "expressions": rows}

    def do_expression_activation(self, session: Session, data: dict[str, Any], request: str) -> dict[str, Any]:
        _only(data, "expressionFile", "fadeTime", "active")
        file = data.get("expressionFile")
        if not isinstance(file, str) or not file.endswith(".exp3.json"):
            raise Refusal(650)
        if self.model is None:
            raise Refusal(652)
        if file not in self.model.expressions:
            raise Refusal(651)
        self.switched.append((file, data["active"], min(2.0, max(0.0, data.get("fadeTime", 0.25)))))
        (self.active.add if data["active"] else self.active.discard)(file)
        return {}

    def do_event_subscription(self, session: Session, data: dict[str, Any], request: str) -> dict[str, Any]:
        name = data.get("eventName")
        if name not in EVENTS:
            raise Refusal(950)
        (session.subscribed.add if data.get("subscribe") else session.subscribed.discard)(name)
        return {"subscribedEventCount": len(session.subscribed), "subscribedEvents": sorted(session.subscribed)}

    def _model(self) -> dict[str, Any]:
        model = self.model
        named = {"modelName": model.name, "modelID": model.id} if model else {"modelName": "", "modelID": ""}
        return {"modelLoaded": model is not None, **named}

    # ------------------------------------------------------------------ how it is reached

    async def connect(self, url: str) -> MemoryWire:
        """Open a connection without sockets, for scenes in virtual time."""
        await asyncio.sleep(0)
        if not self.api_on or url != f"ws://127.0.0.1:{self.port}":
            raise ConnectionRefusedError(url)
        return MemoryWire(self)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on a real port; gives the address."""

        async def answer(request: web.Request) -> web.WebSocketResponse:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            outbox: asyncio.Queue[str | None] = asyncio.Queue()
            session = Session(self, outbox.put_nowait)

            async def write() -> None:
                while (message := await outbox.get()) is not None:
                    await socket.send_str(message)
                if request.transport:
                    request.transport.abort()

            writing = asyncio.ensure_future(write())
            async for message in socket:
                assert message.type is WSMsgType.TEXT
                session.receive(message.data)
            session.end()
            writing.cancel()
            return socket

        app = web.Application()
        app.router.add_get("/", answer)
        async with TestServer(app) as running:
            self.port = running.port or 0
            yield f"ws://127.0.0.1:{self.port}"
            self.drop()


class Session:
    """One connection. ``deliver`` takes what is sent, and ``None`` at the end."""

    def __init__(self, studio: VTubeStudioServer, deliver: Callable[[str | None], None]) -> None:
        self.studio, self._deliver = studio, deliver
        self.plugin: tuple[str, str] | None = None
        self.revoked = False
        self.subscribed: set[str] = set()
        self._ended = False
        studio.sessions.append(self)
        studio.connections += 1

    def receive(self, message: str) -> None:
        if self.studio.deaf or self._ended:
            return
        request = "unknown"
        try:
            kind, request, data = self._read(message)
            if self.revoked:
                raise Refusal(50)
            if self.plugin is None and kind not in OPEN_TYPES:
                raise Refusal(8)
            name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.removesuffix("Request")).lower()
            name = {"apistate": "api_state"}.get(name, name)
            answer = getattr(self.studio, f"do_{name}", None)
            if answer is None or not kind.endswith("Request"):
                raise Refusal(7)
            told = answer(self, data, request)
            if told is not None:
                self.answer(request, kind.removesuffix("Request") + "Response", told)
        except Refusal as refusal:
            self.refuse(request, refusal)

    def answer(self, request: str, kind: str, data: dict[str, Any]) -> None:
        self.send(kind, request, data)

    def refuse(self, request: str, refusal: Refusal) -> None:
        self.studio.errors[refusal.error_id] += 1
        self.send("APIError", request, {"errorID": refusal.error_id, "message": refusal.message})

    def send(self, kind: str, request: str, data: dict[str, Any]) -> None:
        message = json.dumps({**_envelope(kind, request, self.studio.now()), "data": data})
        if self.studio.latency_s:
            asyncio.get_running_loop().call_later(self.studio.latency_s, self._send_now, message)
        else:
            self._send_now(message)

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            self.studio.sessions.remove(self)
            if self.studio.popup and self.studio.popup.session is self:
                self.studio.popup = None
            self._deliver(None)

    def _send_now(self, message: str) -> None:
        if not self._ended:
            self._deliver(message)

    @staticmethod
    def _read(message: str) -> tuple[str, str, dict[str, Any]]:
        try:
            told = json.loads(message)
        except ValueError:
            raise Refusal(2) from None
        if not isinstance(told, dict):
            raise Refusal(2)
        if told.get("apiName") != "VTubeStudioPublicAPI":
            raise Refusal(3)
        if told.get("apiVersion") != "1.0":
            raise Refusal(4)
        request = told.get("requestID", "made-up")
        if not isinstance(request, str) or not re.fullmatch(r"[!-~]{1,64}", request):
            raise Refusal(5)
        if not isinstance(told.get("messageType"), str) or not told["messageType"]:
            raise Refusal(6)
        data = told.get("data") or {}
        if not isinstance(data, dict):
            raise Refusal(2)
        return told["messageType"], request, data


class MemoryWire:
    """The client's end of a connection without sockets."""

    def __init__(self, studio: VTubeStudioServer) -> None:
        self._inbox: asyncio.Queue[str | None] = asyncio.Queue()
        self.session = Session(studio, self._inbox.put_nowait)

    async def send(self, message: str) -> None:
        self.session.receive(message)

    async def receive(self) -> str:
        message = await self._inbox.get()
        if message is None:
            self._inbox.put_nowait(None)
            raise ConnectionError("closed")
        return message

    async def close(self) -> None:
        self.session.end()


def _envelope(kind: str, request: str, now: float) -> dict[str, Any]:
    named = {"apiName": "VTubeStudioPublicAPI", "apiVersion": "1.0"}
    return {**named, "timestamp": int(now * 1000), "messageType": kind, "requestID": request}


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _only(data: Any, *names: str) -> None:
    if not isinstance(data, dict) or set(data) - set(names):
        raise Refusal(2, f"unknown fields: {data}")
