"""A strict receiver of its own: OSC 1.0 read byte by byte, and the rules of the VMC protocol and of VRChat on top.

Written from the specifications, it shares nothing with the sender. Whatever a careful receiver could dislike fails.
"""

from __future__ import annotations

import math
import re
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PACKET_MAX = 1500

VRM0 = frozenset(
    "Neutral A I U E O Blink Blink_L Blink_R Joy Angry Sorrow Fun Surprised LookUp LookDown LookLeft LookRight".split()
)
VRM1 = frozenset(
    "neutral aa ih ou ee oh blink blinkLeft blinkRight happy angry sad relaxed surprised"
    " lookUp lookDown lookLeft lookRight".split()
)
VOWELS = (frozenset("AIUEO"), frozenset("aa ih ou ee oh".split()))
EMOTIONS = (frozenset("Joy Angry Sorrow Fun Surprised".split()), frozenset("happy angry sad relaxed surprised".split()))
BONES = frozenset(
    ["Hips", "Spine", "Chest", "UpperChest", "Neck", "Head", "Jaw", "LeftEye", "RightEye"]
    + [
        side + part
        for side in ("Left", "Right")
        for part in "Shoulder UpperArm LowerArm Hand UpperLeg LowerLeg Foot Toes".split()
        + [
            finger + joint
            for finger in "Thumb Index Middle Ring Little".split()
            for joint in "Proximal Intermediate Distal".split()
        ]
    ]
)
TAGS = {
    "/VMC/Ext/Blend/Val": (",sf",),
    "/VMC/Ext/Blend/Apply": (",",),
    "/VMC/Ext/OK": (",i", ",iii", ",iiii"),
    "/VMC/Ext/T": (",f",),
    "/VMC/Ext/Root/Pos": (",sfffffff", ",sfffffffffffff"),
    "/VMC/Ext/Bone/Pos": (",sfffffff",),
    "/chatbox/input": (",sT", ",sF", ",sTT", ",sTF", ",sFT", ",sFF"),
    "/chatbox/typing": (",T", ",F"),
}
PARAMETER = re.compile(r"/avatar/parameters/[A-Za-z0-9_]+")


class Broken(AssertionError):
    """The sender broke a rule."""


def need(holds: bool, rule: str) -> None:
    if not holds:
        raise Broken(rule)


@dataclass(frozen=True)
class Message:
    address: str
    tags: str
    values: tuple[Any, ...]


def read_packet(data: bytes) -> list[Message]:
    """Return the messages of one datagram, those of nested bundles too."""
    need(0 < len(data) <= PACKET_MAX, f"packet of {len(data)} bytes")
    return _element(data, 0)


def _element(data: bytes, depth: int) -> list[Message]:
    need(len(data) % 4 == 0, "size is no multiple of 4")
    if data[:1] == b"/":
        return [_message(data)]
    need(data[:8] == b"#bundle\0", "neither message nor bundle")
    need(depth < 4, "bundles nested without end")
    need(len(data) >= 16, "bundle without time tag")
    need(data[8:16] == (1).to_bytes(8, "big"), "time tag is not 'immediately'")
    found: list[Message] = []
    at = 16
    while at < len(data):
        need(at + 4 <= len(data), "element without size")
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        need(size > 0 and size % 4 == 0, f"element size {size}")
        need(at + size <= len(data), "element longer than its bundle")
        found += _element(data[at : at + size], depth + 1)
        at += size
    need(bool(found), "empty bundle")
    return found


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    need(end >= 0, "string without end")
    after = (end // 4 + 1) * 4
    need(after <= len(data), "string not padded")
    need(not any(data[end:after]), "padding is not zero")
    return data[at:end].decode("utf-8", "strict"), after


def _message(data: bytes) -> Message:
    address, at = _string(data, 0)
    need(address.isascii() and address.isprintable() and not set(" #*,?[]{}") & set(address), f"address {address!r}")
    need(at < len(data), "no type tags")
    tags, at = _string(data, at)
    need(tags.startswith(","), "type tags without comma")
    values: list[Any] = []
    for tag in tags[1:]:
        if tag in "fi":
            need(at + 4 <= len(data), "number cut off")
            values.append(struct.unpack_from(f">{tag}", data, at)[0])
            at += 4
        elif tag == "s":
            value, at = _string(data, at)
            values.append(value)
        else:
            need(tag in "TF", f"type tag {tag!r}")
            values.append(tag == "T")
    need(at == len(data), "bytes left over")
    return Message(address, tags, tuple(values))


@dataclass
class Face:
    """One set between two Apply."""

    shapes: dict[str, float]
    bones: dict[str, tuple[float, ...]] = field(default_factory=dict)
    root: tuple[float, ...] | None = None
    loaded: int | None = None
    at_s: float | None = None


class Rules:
    """What the documents ask of a stream of messages, and what it shows."""

    def __init__(self) -> None:
        self.faces: list[Face] = []
        self.messages: list[Message] = []
        self.packets: list[int] = []
        self._values: dict[str, float] = {}

    def take(self, data: bytes) -> list[Message]:
        """Read and judge one datagram. Raises ``Broken``."""
        found = read_packet(data)
        self.packets.append(len(data))
        for message in found:
            self._judge(message)
        self.messages += found
        return found

    def settled(self) -> None:
        """Nothing waits for an Apply."""
        need(not self._values, f"no Apply after {sorted(self._values)}")

    def _judge(self, message: Message) -> None:
        if PARAMETER.fullmatch(message.address):
            need(message.tags in (",f", ",i", ",T", ",F"), f"{message.address} {message.tags}")
            value = message.values[0]
            need(isinstance(value, bool) or (0 <= value <= 255 if message.tags == ",i" else -1 <= value <= 1), "range")
            return
        need(message.address in TAGS, f"unknown address {message.address}")
        need(message.tags in TAGS[message.address], f"{message.address} {message.tags}")
        judge: Callable[..., None] = getattr(self, "_" + "_".join(message.address.lower().split("/")[-2:]))
        judge(*message.values)

    def _blend_val(self, name: str, value: float) -> None:
        need(name in VRM0 or name in VRM1, f"unknown shape {name}")
        need(0.0 <= value <= 1.0, f"{name} {value}")
        need(name not in self._values, f"{name} twice before Apply")
        self._values[name] = value

    def _blend_apply(self) -> None:
        names = frozenset(self._values)
        need(bool(names), "Apply without values")
        need(names <= VRM0 or names <= VRM1, "names of both versions")
        need(not self.faces or names == frozenset(self.faces[0].shapes), "not the full set")
        for group in VOWELS:
            need(sum(self._values.get(name, 0.0) > 0.0 for name in group) <= 2, "more than two vowels")
            need(sum(self._values.get(name, 0.0) for name in group) <= 1.001, "vowels above 1")
        for group in EMOTIONS:
            need(sum(self._values.get(name, 0.0) for name in group) <= 1.001, "emotions above 1")
        self.faces.append(Face(self._values))
        self._values = {}

    def _ext_ok(self, loaded: int, *_: int) -> None:
        need(loaded in (0, 1), f"OK {loaded}")
        self.faces[-1].loaded = loaded

    def _ext_t(self, at_s: float) -> None:
        need(math.isfinite(at_s) and at_s >= 0.0, f"T {at_s}")
        need(all(face.at_s is None or face.at_s <= at_s for face in self.faces[-2:]), "T goes back")
        self.faces[-1].at_s = at_s

    def _root_pos(self, name: str, *pose: float) -> None:
        need(name == "root", f"root is called {name}")
        self.faces[-1].root = self._pose(pose)

    def _bone_pos(self, name: str, *pose: float) -> None:
        need(name in BONES, f"unknown bone {name}")
        need(name not in self.faces[-1].bones, f"{name} twice in a frame")
        self.faces[-1].bones[name] = self._pose(pose)

    @staticmethod
    def _pose(pose: tuple[float, ...]) -> tuple[float, ...]:
        need(all(math.isfinite(number) for number in pose), "not a number")
        need(all(abs(number) < 10.0 for number in pose[:3]), "metres away")
        need(abs(sum(number * number for number in pose[3:7]) - 1.0) < 1e-3, "rotation not of length 1")
        return pose

    def _chatbox_input(self, text: str, *_: bool) -> None:
        need(len(text.encode("utf-16-le")) <= 2 * 144, f"chatbox with {len(text)} characters")
        need(text.count("\n") < 9, "chatbox with more than 9 lines")
        need(all(character >= " " for character in text), "control characters")

    def _chatbox_typing(self, typing: bool) -> None:
        pass


class OscSink(Rules):
    """The rules behind a UDP port of this machine."""

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]

    def drain(self) -> None:
        """Take what has arrived."""
        self._socket.setblocking(False)
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return
            self.take(data)

    def until(self, reached: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Take what arrives until this holds."""
        deadline = time.monotonic() + timeout_s
        self.drain()
        while not reached():
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            self.take(self._socket.recv(65536))

    def close(self) -> None:
        self._socket.close()
