"""OSC datagrams whose names never change: built once, and only their numbers written anew for each frame."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

DATAGRAM_MAX = 1472
"""Bytes: the VMC protocol allows packets of 1500, of which IP and UDP need 28; a larger one falls apart on the way."""
_BUNDLE_HEAD = 16
_ELEMENT_HEAD = 4


@dataclass(frozen=True, slots=True)
class Slot:
    """One message of a set: its address, the name it begins with (empty: none), and the types of its numbers."""

    address: str
    name: str = ""
    numbers: str = ""
    """Type tags, ``f`` float32 or ``i`` int32. Receivers are strict: an int is no float."""


def message(address: str, *values: str | bool | int | float) -> bytes:
    """Return one message as a datagram; each value's type is its tag."""
    return _built(address, [(value, _tag(value)) for value in values]).dgram


class Packets:
    """A set of messages as bundles, each within ``DATAGRAM_MAX``, in the order given."""

    def __init__(self, slots: Iterable[Slot]) -> None:
        self._datagrams: list[bytearray] = []
        self._writers: list[list[tuple[struct.Struct, int, int]]] = []
        self._count = 0
        for group in _split([(slot, _empty(slot)) for slot in slots]):
            self._add(group)

    def filled(self, numbers: Sequence[float]) -> Iterator[bytearray]:
        """Write the numbers of every message in order and yield the datagrams; the next call overwrites them.

        Raises ``ValueError`` when there are more or fewer numbers than the messages hold.
        """
        if len(numbers) != self._count:
            raise ValueError(f"{len(numbers)} numbers for {self._count} places")
        at = 0
        for datagram, writers in zip(self._datagrams, self._writers, strict=True):
            for form, offset, count in writers:
                form.pack_into(datagram, offset, *numbers[at : at + count])
                at += count
            yield datagram

    def _add(self, group: list[tuple[Slot, OscMessage]]) -> None:
        bundle = OscBundleBuilder(IMMEDIATELY)
        writers: list[tuple[struct.Struct, int, int]] = []
        end = _BUNDLE_HEAD
        for slot, empty in group:
            bundle.add_content(empty)
            end += _ELEMENT_HEAD + empty.size
            if slot.numbers:
                form = struct.Struct(">" + slot.numbers)
                writers.append((form, end - form.size, len(slot.numbers)))
                self._count += len(slot.numbers)
        self._datagrams.append(bytearray(bundle.build().dgram))
        self._writers.append(writers)


def _split(messages: list[tuple[Slot, OscMessage]]) -> Iterator[list[tuple[Slot, OscMessage]]]:
    group: list[tuple[Slot, OscMessage]] = []
    size = _BUNDLE_HEAD
    for slot, built in messages:
        more = _ELEMENT_HEAD + built.size
        if group and size + more > DATAGRAM_MAX:
            yield group
            group, size = [], _BUNDLE_HEAD
        group.append((slot, built))
        size += more
    if group:
        yield group


def _empty(slot: Slot) -> OscMessage:
    names: list[tuple[str | float, str]] = [(slot.name, "s")] if slot.name else []
    return _built(slot.address, names + [(0.0 if tag == "f" else 0, tag) for tag in slot.numbers])


def _built(address: str, values: Sequence[tuple[str | bool | int | float, str]]) -> OscMessage:
    builder = OscMessageBuilder(address)
    for value, tag in values:
        builder.add_arg(value, tag)
    return builder.build()


def _tag(value: str | bool | int | float) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    return "s" if isinstance(value, str) else "i" if isinstance(value, int) else "f"
