"""The receiver of the tests is strict: what breaks a rule of OSC, VMC or VRChat does not pass it."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

from avatar.osc import DATAGRAM_MAX, Packets, Slot, message
from tests.osc_sink import Broken, Rules, read_packet


def bundle(*messages: bytes) -> bytes:
    return b"#bundle\0" + struct.pack(">q", 1) + b"".join(struct.pack(">i", len(m)) + m for m in messages)


VAL, APPLY = message("/VMC/Ext/Blend/Val", "A", 0.5), message("/VMC/Ext/Blend/Apply")


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        VAL + b"\0",
        VAL[:-4],
        VAL[:20],
        VAL.replace(b",sf\0", b",sfx"),
        bundle(VAL)[:-4],
        bundle(VAL).replace(struct.pack(">i", len(VAL)), struct.pack(">i", len(VAL) - 2)),
        bundle() + b"",
        bundle(*[VAL] * 60),
        bundle(VAL, VAL, APPLY),
        APPLY,
        message("/VMC/Ext/Blend/Val", "A", 1),
        message("/VMC/Ext/Blend/Val", "a", 0.5),
        message("/VMC/Ext/Blend/Val", "A", 1.01),
        message("/VMC/Ext/Blend/Val", "A", math.nan),
        bundle(VAL, message("/VMC/Ext/Blend/Val", "ih", 0.5), APPLY),
        message("/VMC/Ext/Unheard", 1.0),
        message("/VMC/Ext/OK", 1.0),
        message("/chatbox/input", "x" * 145, True, False),
        message("/chatbox/input", "two\nlines\0"[:-1], True),
        message("/avatar/parameters/AneekaOpen", 1.5),
    ],
)
def test_the_sink_takes_nothing_that_breaks_a_rule(datagram: bytes) -> None:
    with pytest.raises(Broken):
        Rules().take(datagram)


@pytest.mark.parametrize(
    "pose",
    [
        ("Nose", *[0.0] * 6, 1.0),
        ("Head", *[0.0] * 7),
        ("Head", *[0.0] * 6, 1.1),
        ("Head", *[0.0] * 3, 0.6, 0.6, 0.6, 0.6),
    ],
)
def test_the_sink_takes_no_bone_that_breaks_a_rule(pose: tuple[Any, ...]) -> None:
    rules = Rules()
    rules.take(bundle(VAL, APPLY))
    with pytest.raises(Broken):
        rules.take(message("/VMC/Ext/Bone/Pos", *pose))


def test_the_sink_reads_the_example_of_the_specification() -> None:
    assert len(VAL) == 32
    assert read_packet(VAL)[0].values == ("A", 0.5)
    rules = Rules()
    rules.take(VAL)
    with pytest.raises(Broken, match="no Apply"):
        rules.settled()


def test_a_set_too_large_for_a_datagram_is_split_in_order_and_applied_last() -> None:
    many = [Slot("/VMC/Ext/Bone/Pos", "Head", "fffffff")] * 40
    packets = Packets([*(Slot("/VMC/Ext/Blend/Val", f"{at:04}", "f") for at in range(100)), *many, Slot("/end")])
    numbers = [float(at) for at in range(100 + 7 * 40)]
    datagrams = [bytes(datagram) for datagram in packets.filled(numbers)]
    assert len(datagrams) == 5
    assert all(DATAGRAM_MAX - 80 < len(datagram) <= DATAGRAM_MAX for datagram in datagrams[:-1])
    found = [each for datagram in datagrams for each in read_packet(datagram)]
    assert [value for each in found for value in each.values if isinstance(value, float)] == numbers
    assert found[-1].address == "/end"
    with pytest.raises(ValueError, match="281 numbers for 380"):
        list(packets.filled(numbers[:-99]))
