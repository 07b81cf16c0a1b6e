"""Her in VRChat: parameters and captions within its limits, in virtual time."""

from __future__ import annotations

import asyncio
import math
from itertools import groupby, pairwise
from typing import Any

import pytest

from avatar import osc_link
from avatar.lipsync import MouthShape
from avatar.performer import Performer
from avatar.vmc import NEUTRAL
from avatar.vrchat import PARAMETERS, VrChat, pieces
from bot.vocabulary import EXPRESSIONS
from tests.faces import FRAME_S, now, speaking
from tests.healths import Healths
from tests.osc_sink import OscSink, Rules
from tests.virtual_time import play


class Wire(Rules):
    """What a VRChat part sends, with the scene's time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.log: list[tuple[float, str, Any]] = []
        monkeypatch.setattr(osc_link.Link, "send", self._send)

    def _send(self, datagram: bytes) -> bool:
        self.log += [(now(), each.address.rsplit("/", 1)[1], each.values) for each in self.take(bytes(datagram))]
        return True

    def of(self, name: str) -> list[tuple[float, Any]]:
        return [(at, values[0]) for at, found, values in self.log if found == name]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(monkeypatch)


async def in_vrchat(**options: Any) -> VrChat:
    vrchat = VrChat("127.0.0.1", 9000, lambda _: None, now, **options)
    await vrchat.start()
    await asyncio.sleep(0.01)
    return vrchat


def test_vrchat_gets_its_parameters_at_ten_a_second_and_only_what_changed(wire: Wire) -> None:
    async def scene() -> None:
        vrchat = await in_vrchat()
        performer = Performer(4)
        performer.set_state("speaking", now())
        performer.set_expression("sad", now())
        for index in range(600):
            opened = 0.5 + 0.5 * math.sin(index / 3) if index < 300 else 0.0
            vrchat.send(performer.frame(now(), MouthShape(opened, -0.5, (opened, 0, 0, 0, 0))), now())
            await asyncio.sleep(FRAME_S)
        vrchat.send(NEUTRAL, now() - 1)
        assert vrchat.dropped == 1
        await vrchat.close()

    play(scene())
    assert {name for _, name, _ in wire.log} == set(PARAMETERS)
    assert {each.tags for each in wire.messages} == {",f", ",i", ",T", ",F"}
    for name in PARAMETERS:
        times = [at for at, _ in wire.of(name)][:-3]
        assert min(after - before for before, after in pairwise(times)) > 0.099
        assert max(after - before for before, after in pairwise(times)) < 1.2
    assert (EXPRESSIONS.index("sad"), True) == (wire.of("AneekaEmotion")[5][1], wire.of("AneekaSpeaking")[5][1])
    assert len(wire.of("AneekaEmotion")) < 20
    assert len(wire.of("AneekaOpen")) > 40
    assert [wire.of(name)[-1][1] for name in PARAMETERS] == [0.0, 0.0, 0.0, 0.0, 0, False]


def test_her_mouth_in_vrchat_shuts_when_frames_stop(wire: Wire) -> None:
    async def scene() -> None:
        vrchat = await in_vrchat()
        vrchat.send(speaking(a=0.9), now())
        await asyncio.sleep(1)
        assert wire.of("AneekaOpen")[-1][1] == 0.0
        assert wire.of("AneekaSpeaking")[-1][1] is False
        await vrchat.close()

    play(scene())


LONG = "La mar estaba tranquila y, de pronto, ¡zas!, un pez 🐟 enorme saltó por encima de la barca. " * 6


@pytest.mark.parametrize("said", [LONG, "a" * 400, "🐟" * 200, "hola", "uno\ndos\0tres \ud800", "x" * 144 + " y"])
def test_pieces_fit_the_chatbox_and_lose_no_word(said: str) -> None:
    found = list(pieces(said))
    assert all(0 < len(piece.encode("utf-16-le")) // 2 <= 144 for piece in found)
    whole = said.replace("\0", " ").replace("\ud800", "?")
    assert "".join(found).replace(" ", "") == "".join(whole.split())
    if max(map(len, whole.split())) <= 70:
        assert [word for piece in found for word in piece.split()] == whole.split()


def test_captions_keep_the_pace_of_the_chatbox_and_the_newest_wins(wire: Wire) -> None:
    async def scene() -> None:
        vrchat = await in_vrchat(captions=True, avatar=False)
        vrchat.thinking(True)
        vrchat.thinking(True)
        vrchat.caption(LONG)
        await asyncio.sleep(3)
        for number in range(20):
            vrchat.caption(f"frase {number}")
            await asyncio.sleep(0.3)
        await asyncio.sleep(3)
        vrchat.thinking(False)
        await vrchat.close()

    play(scene())
    *shown, cleared = wire.of("input")
    assert cleared[1] == ""
    assert min(after[0] - before[0] for before, after in pairwise(shown)) >= 1.5
    assert [text for _, text in shown[:2]] == list(pieces(LONG))[:2]
    assert shown[-1][1] == "frase 19"
    typed = [typing for _, typing in wire.of("typing")]
    assert [typing for typing, _ in groupby(typed)] == [False, True, False]
    assert len(typed) < 20
    assert {name for _, name, _ in wire.log} == {"input", "typing"}


def test_what_is_withdrawn_leaves_the_chatbox_at_once(wire: Wire) -> None:
    async def scene() -> None:
        vrchat = await in_vrchat(captions=True)
        vrchat.caption(LONG)
        await asyncio.sleep(0.5)
        vrchat.caption("")
        asked = now()
        vrchat.caption("")
        await asyncio.sleep(10)
        assert [(at, text) for at, text in wire.of("input")[1:]] == [(asked, "")]
        vrchat.caption("hola")
        assert wire.of("input")[-1][1] == "hola"
        await vrchat.close()

    play(scene())


def test_captions_are_off_unless_asked_for(wire: Wire) -> None:
    async def scene() -> None:
        vrchat = await in_vrchat()
        vrchat.caption("hola")
        vrchat.thinking(True)
        await vrchat.close()

    play(scene())
    assert not wire.of("input")
    assert not wire.of("typing")


def test_vrchat_that_is_not_there_is_a_light() -> None:
    healths = Healths()
    gone = OscSink()
    gone.close()

    async def scene() -> None:
        vrchat = VrChat("127.0.0.1", gone.port, healths.report, now)
        await vrchat.start()
        while not healths:
            vrchat.send(NEUTRAL, now())
            await asyncio.sleep(FRAME_S)
        assert not await vrchat.ready(1)
        await vrchat.close()

    play(scene())
    assert [(health.part, health.state) for health in healths] == [("vrchat", "down"), ("vrchat", "off")]
    assert "OSC" in healths[0].repair
